"""Motor skills: each found by a search (CMA-ES), kept as a small `.npz` file, and used by the experts."""
