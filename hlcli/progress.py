"""How the library tells the command line how far it is; it never draws anything itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float, float], None]
"""Called as `(stage, done, total)`: a few words, two numbers in one unit; total 0 = unknown."""


def silent(stage: str, done: float, total: float) -> None:
    """Report nothing; the default of every function that takes a `Progress`."""


class Download(str):
    """A stage whose numbers are bytes. What it says may be the start of a file's name, too."""

    __slots__ = ()


def counts_bytes(stage: str) -> bool:
    """Whether the numbers of a stage are bytes of a download."""
    return isinstance(stage, Download)
