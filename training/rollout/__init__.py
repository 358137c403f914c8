"""Collecting experience: vectorised environments, actor processes, rollouts and their store."""
