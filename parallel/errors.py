"""What can be wrong with a cluster, in one sentence for the person in front of it."""

from __future__ import annotations

from rig.errors import UserError


class ClusterError(UserError):
    """A Ray cluster cannot be used: which address, why, and what to do."""
