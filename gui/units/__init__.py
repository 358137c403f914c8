"""The selected units, and a layer's activity as a whole."""
