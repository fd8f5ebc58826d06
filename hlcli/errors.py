"""Every error `hl` raises on purpose.

The command line turns each into one line on stderr, a hint, and the exit code in brackets
(1 is an unexpected failure, 2 a wrong command line, 130 Ctrl-C)::

    HlError [1]
      UnexpectedError             a bug in hl: something that nobody foresaw
      UsageError [2]              wrong option value, unknown output extension
        RecipeError               unknown key or bad value in a training recipe
      MediaError [3]
        MediaNotFoundError        also a FileNotFoundError
        MediaUnreadableError      damaged, empty, or not a video at all
        NoVideoStreamError        sound only
        TimelineError             a timeline that cannot be read without guessing
        DocumentError             a scores document that is damaged or of another schema
      ModelError [4]
        UnknownModelError         no manifest of that name
        DownloadError             server, network or size trouble
        ChecksumError             the bytes are not the published ones
        OfflineError              a download is needed and HL_OFFLINE is set
        CheckpointError           wrong keys or shapes, other feature specification
      DeviceError [5]             no such device, or out of its memory
      OutputError [6]             cannot write there, disk full
        NothingFoundError         nothing of a film is in the footage: no timeline to write
        FfmpegMissingError        no ffmpeg program to make a film with
        EditorNotFoundError       no editor to put a plugin into, or no hl for it to start
      TrainingError [7]           nothing to learn from, or the loss is no longer a number
      CheckError [8]              `hl check` found what a program refuses or misplaces

Where a builtin fits, the error is one too, so that library users can catch it by that name.
"""

from __future__ import annotations

import errno
from typing import ClassVar

LONGEST_MESSAGE = 1_000
"""Letters of an error's message."""
_NO_MEMORY = (
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to map segment",
    "can't start new thread",
    "could not create a primitive",
    "storage size calculation overflowed",
    "resource temporarily unavailable",
)


_TROUBLE = frozenset(
    (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, errno.ESTALE,
     errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTUNREACH)
)  # fmt: skip
"""What a system says of a file that hl can do nothing about: whoever asks, it is no bug."""


def shortened(text: str, most: int = 300) -> str:
    """Return a text for a message: its begin and its end where it is longer than any name.

    Args:
        text: The text.
        most: The most letters, 100 or more.
    """
    return text if len(text) <= most else f"{text[: most - 85]} ... {text[-80:]}"


class HlError(Exception):
    """Base of all errors `hl` raises on purpose.

    Args:
        message: What happened and to which file, one sentence without a full stop. It may quote
            what a file says, which can be as long as the file: beyond `LONGEST_MESSAGE` letters the
            middle is left out.
        hint: What to do next, one sentence; empty when there is nothing to add.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = shortened(message, LONGEST_MESSAGE)
        super().__init__(self.message)
        self.hint = hint


class UnexpectedError(HlError):
    """A bug: an exception that nobody foresaw, as its `__cause__`."""


def size_text(size_bytes: int) -> str:
    """Return a size for people, such as "17.7 MiB".

    Example:
        >>> size_text(512), size_text(18_581_152), size_text(5 << 30)
        ('512 B', '17.7 MiB', '5.0 GiB')
    """
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size, unit = size_bytes / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"


def unexpected(error: Exception, path: object = None) -> HlError:
    """Return the error that tells of an exception nobody foresaw.

    Args:
        error: What was raised; it becomes the cause.
        path: The file it happened with; None without one.

    The traceback goes to the log, on the level of debugging.
    """
    import logging  # Here: `hl --help` needs none.

    logging.getLogger(__name__).debug("nobody foresaw this", exc_info=error)
    where = "" if path is None else f"{path}: "
    if is_out_of_memory(error):
        found = HlError(f"{where}out of memory", hint="close other programs and try again")
    elif isinstance(error, OSError) and error.errno in _TROUBLE and error.filename is not None:
        found = MediaError(
            f"cannot use {error.filename}: {error.strerror}",
            hint="check its name and its permissions, and whether its disk answers",
        )
    else:
        found = UnexpectedError(
            f"{where}unexpected: {type(error).__name__}: {error}",
            hint="this is a bug in hl; run again with HL_DEBUG=1 and report the traceback "
            "with the output of `hl doctor`",
        )
    found.__cause__ = error
    return found


def reason_of(error: Exception) -> str:
    """Return why a file is left out, without a full stop; of a bug also how to report it."""
    found = error if isinstance(error, HlError) else unexpected(error)
    return f"{found.message}; {found.hint}" if isinstance(found, UnexpectedError) else found.message


def error_to_json(error: HlError) -> dict[str, str]:
    """Return an error as JSON values, for another process."""
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def error_from_json(value: dict[str, str]) -> HlError:
    """Return the error that `error_to_json` gave."""
    kind = globals().get(value["kind"])
    if not (isinstance(kind, type) and issubclass(kind, HlError)):
        kind = HlError
    return kind(value["message"], hint=value["hint"])


class UsageError(HlError):
    """The command line or a setting asks for something that does not exist."""

    exit_code = 2


class RecipeError(UsageError):
    """A training recipe has an unknown key or a bad value."""


class MediaError(HlError):
    """A media file cannot be used."""

    exit_code = 3


class MediaNotFoundError(MediaError, FileNotFoundError):
    """There is no file of that name."""

    def __str__(self) -> str:
        return self.message


class MediaUnreadableError(MediaError):
    """The file is damaged, empty, or not media at all."""


class NoVideoStreamError(MediaError):
    """The file has no picture."""


class TimelineError(MediaError):
    """A timeline file is damaged, or says something that cannot be cut without guessing."""


class DocumentError(MediaError):
    """A scores document is damaged or of another schema."""


class ModelError(HlError):
    """A model or its weights cannot be used."""

    exit_code = 4


class UnknownModelError(ModelError):
    """No manifest has that name."""


class DownloadError(ModelError):
    """The server, the network or the disk stopped a download."""


class ChecksumError(ModelError):
    """The bytes on disk are not the published ones."""


class OfflineError(ModelError):
    """A download is needed and HL_OFFLINE forbids it."""


class CheckpointError(ModelError):
    """A checkpoint does not fit the network or the feature specification."""


class DeviceError(HlError):
    """The device is not there, or out of memory."""

    exit_code = 5


class OutputError(HlError):
    """An output file cannot be written."""

    exit_code = 6


class NothingFoundError(OutputError):
    """Nothing of a film is in the footage: there is no timeline to write."""


class FfmpegMissingError(OutputError):
    """There is no ffmpeg program on this machine."""


class EditorNotFoundError(OutputError):
    """There is no editing program to put a plugin into, or no `hl` for it to start."""


class TrainingError(HlError):
    """There is nothing to learn from, or the loss is no longer a number."""

    exit_code = 7


class CheckError(HlError):
    """`hl check` found something that a program refuses or misplaces."""

    exit_code = 8


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says in one of many ways that there is no memory left.

    Libraries that cannot be loaded, threads and processes that cannot be started are among them.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        if isinstance(seen, MemoryError) or any(words in text for words in _NO_MEMORY):
            return True
        if isinstance(seen, OSError) and seen.errno in (errno.ENOMEM, errno.EAGAIN):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
