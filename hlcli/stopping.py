"""Requests to end, from Ctrl-C to a closed terminal, as the whole program heeds them.

For a program, not for a library: what a process does with signals is its owner's business.
"""

from __future__ import annotations

import atexit
import os
import signal
from types import FrameType
from typing import NoReturn

EXIT_INTERRUPTED = 130
"""Exit code of a program that was asked to end."""
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class Stopped(KeyboardInterrupt):
    """Somebody asked the program to end.

    Not `KeyboardInterrupt` itself: one that leaves a text given to `exec`, as dataclasses and
    torch build theirs while they are imported, makes Python end itself by SIGINT, even where it
    was caught further out.
    """


def heed_signals() -> None:
    """Raise `Stopped` in the main thread when asked to end, from now until `work_is_over`."""
    for number in _numbers():
        # `nohup hl ...` asks for SIGHUP to be ignored, a shell for Ctrl-C in what runs in the
        # background: that stays so.
        if signal.getsignal(number) in _DEFAULTS:
            signal.signal(number, _stop)


def work_is_over() -> None:
    """Let the program end as it was about to, whatever it is asked from now on.

    Threads that still run are waited for; a request to end cuts that short. When Python takes
    itself apart it gives signals back to the system, which would end a finished program with an
    error: then they are ignored.
    """
    ours = [number for number in _numbers() if signal.getsignal(number) is _stop]
    for number in ours:
        signal.signal(number, _end_at_once)

    def ignore() -> None:
        for number in ours:
            if signal.getsignal(number) is _end_at_once:
                signal.signal(number, signal.SIG_IGN)

    atexit.register(ignore)


def _numbers() -> list[signal.Signals]:
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(EXIT_INTERRUPTED)
