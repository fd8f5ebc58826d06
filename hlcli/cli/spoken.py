"""What the library logs, in the words of the command line."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

from hlcli.cli.console import warn


class _Spoken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Say a record as a warning of ours, without a logger's prefix."""
        warn(record.getMessage())


@contextlib.contextmanager
def spoken_warnings() -> Iterator[None]:
    """Say our own logged warnings; nobody else's reach the user, unless HL_DEBUG is set."""
    spoken, swallowed = _Spoken(logging.WARNING), logging.NullHandler()
    ours, everyone = logging.getLogger("hlcli"), logging.getLogger()
    ours.addHandler(spoken)
    if not os.environ.get("HL_DEBUG"):
        # Without any handler Python itself prints the warnings of torch and others.
        everyone.addHandler(swallowed)
    try:
        yield
    finally:
        ours.removeHandler(spoken)
        everyone.removeHandler(swallowed)
