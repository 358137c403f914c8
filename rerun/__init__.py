"""A recorded session simulated again: from its start or a snapshot, under the same or another protocol."""
