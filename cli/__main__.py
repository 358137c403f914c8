"""`python -m cli`: the same as `rodent-rig`."""

from cli.main import main

main()
