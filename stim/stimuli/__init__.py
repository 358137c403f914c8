"""Stimuli: which units are changed, how, and with what waveform; what they need from baseline recordings."""
