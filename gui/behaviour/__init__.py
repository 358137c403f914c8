"""Counts of behaviours, and their bouts as pictures."""
