"""Learning from rollouts: losses, buffers, and one training loop for all stages."""
