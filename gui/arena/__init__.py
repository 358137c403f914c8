"""The animal in its arena, from outside and through its eye."""
