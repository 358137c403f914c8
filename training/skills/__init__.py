"""Motor skills: each found by an evolution strategy (CMA-ES), kept as an `.npz` file, used by the experts."""
