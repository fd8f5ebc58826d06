"""Where the time goes: seconds of waiting, added up by stage, for the whole process.

Stages of one file overlap (sound is read while pictures are looked at), so they may add up to more
than the file took.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_seconds: dict[str, float] = {}


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the time of the block for a stage."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        _add(name, time.perf_counter() - begin)


def waited_for(name: str, items: Iterable[T]) -> Iterator[T]:
    """Yield the items, and count the time until each comes for a stage."""
    begin = time.perf_counter()
    for item in items:
        _add(name, time.perf_counter() - begin)
        yield item
        begin = time.perf_counter()
    _add(name, time.perf_counter() - begin)


def taken() -> dict[str, float]:
    """Return the seconds of each stage since the last call, and begin anew."""
    with _lock:
        found = dict(_seconds)
        _seconds.clear()
    return found


def _add(name: str, seconds: float) -> None:
    with _lock:
        _seconds[name] = _seconds.get(name, 0.0) + seconds
