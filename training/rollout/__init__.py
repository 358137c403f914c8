"""Collecting experience: task environments, their vector, actor processes, rollouts and their store."""
