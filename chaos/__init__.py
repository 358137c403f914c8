"""`python -m chaos`: sessions to which something terrible happens, and what is left of their recordings.

Each session gets one fault at a random instant: a process killed or suspended, the disk full, the target
folder gone. What the session said on its bus and its terminal is then held against its file. Everything
goes through the doors that users have: `rodent-rig run`, the bus, the file. What is promised for each
fault, and what was measured, is in docs/faults.md.
"""
