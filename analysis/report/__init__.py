"""The report: every figure of the paper made from recordings, with its claims and what became of them."""
