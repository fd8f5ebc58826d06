"""How many processor cores this process may use."""

from __future__ import annotations

import os


def num_cores() -> int:
    """Return the cores this process may use, which in a container are fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
