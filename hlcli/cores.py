"""How many processor cores this process may use."""

from __future__ import annotations

import os

_most: int | None = None


def num_cores() -> int:
    """Return the cores this process may use, which in a container are fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    there = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return there if _most is None else min(there, _most)


def use_cores(count: int) -> None:
    """Let this process use so many cores at the most: others of ours work beside it.

    Args:
        count: At least 1.
    """
    global _most
    _most = max(1, count)
