"""Learning from rollouts: supervised vision, DAgger, distillation, V-MPO reinforcement learning."""
