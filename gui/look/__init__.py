"""How everything looks: themes, palettes, labels."""
