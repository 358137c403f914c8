"""Whole numbers in messages, with their limits."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]
"""How much of something an animal has."""
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
"""A whole number that every language and file can hold."""
