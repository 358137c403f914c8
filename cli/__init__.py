"""The command `rodent-rig`: the one place that knows all the others and puts them together."""
