"""`python -m cli.worker ...`: `rodent-rig ...` that ends with the process that started it.

A sweep runs its sessions so: when the sweep is killed, they end.
"""

from __future__ import annotations

from cli.main import main
from rig.session.exit_with_parent import exit_with_parent

if __name__ == "__main__":
    exit_with_parent()
    main()
