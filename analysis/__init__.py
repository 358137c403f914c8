"""Functions from recordings to results and figures."""
