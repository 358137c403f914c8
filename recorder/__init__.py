"""The recorder: a session into one NWB file, and back out of it."""
