"""The standard streams as a program finds them: closed, on a full disk, with nobody reading."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

from hlcli.errors import OutputError


class ReaderGone(BaseException):
    """Whoever read our standard output went away (`hl ... | head`): not an error of ours.

    No `Exception`, as `KeyboardInterrupt` is none: nothing that goes on after errors may go on.
    """


@contextlib.contextmanager
def guarded_streams() -> Iterator[None]:
    """Make errors of standard output ours, and lose words where standard error is gone.

    Closed streams are opened, so that no other file gets their numbers: decoders write their
    messages to number 2 whatever it is.

    Raises:
        ReaderGone: The reader of standard output went away.
        OutputError: Standard output is closed, or its disk is full.
    """
    _open_closed()
    stdout, stderr = sys.stdout, sys.stderr
    guarded = _Stdout(stdout)
    sys.stdout = cast("TextIO", guarded)
    sys.stderr = cast("TextIO", _Stderr(stderr))
    try:
        try:
            yield
        finally:
            guarded.flush()
    except SystemExit as end:
        if guarded.failure is not None and not end.code:
            raise guarded.failure from end
        raise
    finally:
        if guarded.failure is not None:
            # Python flushes once more at the end: what is left has nowhere to go.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stdout.fileno())
                os.close(nowhere)
        sys.stdout, sys.stderr = stdout, stderr


@contextlib.contextmanager
def unread_is_no_end(has_more_to_do: bool) -> Iterator[None]:
    """Go on when the reader of standard output went away, where files are still to be written."""
    try:
        yield
    except ReaderGone:
        if not has_more_to_do:
            raise


class _Stream:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _Stdout(_Stream):
    """Fails once; after that nothing is written any more."""

    failure: ReaderGone | OutputError | None = None

    def write(self, text: str) -> int:
        with self._errors():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._errors():
            self._stream.flush()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.failure is not None:
                return
            if isinstance(error, BrokenPipeError):
                self.failure = ReaderGone()
            else:
                self.failure = OutputError(
                    f"cannot write to standard output: {error.strerror or error}",
                    hint="free some space, or write somewhere else",
                )
            raise self.failure from error


class _Stderr(_Stream):
    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def _open_closed() -> None:
    # Opened for the wrong direction where that tells the truth: writing to it is an error.
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, flags)
            os.set_inheritable(number, True)
    # Python leaves None for what was closed when it began.
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
