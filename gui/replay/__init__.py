"""What a replay has more: its overview, alignment, branches, analyses, recordings side by side."""
