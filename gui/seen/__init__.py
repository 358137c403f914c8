"""What was seen so far, as numbers: activity, intervals, events, counts."""
