"""What a timeline file may ask for, and what becomes of one that asks for more.

Timelines come from other people. A few kilobytes can name a thousand million clips, and brackets
100,000 deep end OpenTimelineIO's parser with a segmentation fault. So a file is measured before a
parser sees it, and what nested sequences lay down is counted while they are laid down.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import struct
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import opentimelineio as otio

from hlcli.errors import HlError, TimelineError, shortened

MOST_BYTES = 128 << 20
"""Size of a file of text, in bytes. A feature film with all its metadata is some 50 MB."""
MOST_DEPTH = 256
"""Brackets or elements within each other. A clip in 32 nested sequences lies about 200 deep."""
MOST_LETTERS = 8_192
"""Letters of a line of an EDL: a path, and what stands before it. What looks for patterns in a line
may take time that grows with the square of this."""
MOST_VALUES = 2_000_000
"""Objects, lists or elements of a file: each takes up to 250 bytes of memory."""
MOST_NAMED_VALUES = 3_000_000
"""Values of JSON objects together: each takes up to 300 bytes, where one object has them all."""
MOST_ITEMS = 100_000
"""Clips, gaps and the like, when everything that is nested has been laid down."""
MOST_TRACKS = 1_000
"""Tracks of one kind."""
MOST_HOURS = 1_000
"""Length of a timeline, in hours. Editors stop at 24; all footage of a folder may be longer."""

_HINT = "open it in the program that wrote it, and export it again"
_DEBUG_HINT = f"{_HINT}; HL_DEBUG=1 shows where reading stopped"


class TooMuchError(ValueError):
    """A file asks for more than any real timeline has."""


class ItemCount:
    """Counts what one timeline lays down."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int = 1) -> None:
        """Count some items.

        Raises:
            TooMuchError: They are more than `MOST_ITEMS`.
        """
        self._count += count
        if self._count > MOST_ITEMS:
            raise TooMuchError(
                f"its sequences lay down more than {MOST_ITEMS:,} clips and gaps, nested ones "
                "counted each time they are used"
            )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a bad file makes its reader raise into one kind of error.

    This is the boundary around everything that follows from the content of a file: parsing it,
    and making cuts or violations of it. Which error a damaged byte ends in is up to the parser it
    meets, those of the standard library, of OpenTimelineIO and of pyaaf2 included, so there is no
    list of places to guard. It stands here and no further out, so that a mistake in `hl` itself,
    in rendering or writing for example, stays what it is; and none of it is lost: the first error
    is the cause of the one that is raised, and HL_DEBUG=1 lets it through.

    Args:
        path: The file, for the message.

    Raises:
        TimelineError: In place of any of them.
    """
    try:
        yield
    except HlError as error:
        if isinstance(error, TimelineError) and path.name not in error.message:
            error.message = f"{path}: {error.message}"
        error.args = (error.message,)
        raise
    except (
        ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
        ValueError, EOFError, ET.ParseError, struct.error, zipfile.BadZipFile, zlib.error,
        otio.exceptions.OTIOError,
    ) as error:  # fmt: skip
        if os.environ.get("HL_DEBUG"):
            raise
        raise TimelineError(
            f"cannot read {path}: {_in_words(error)}",
            hint=_HINT if isinstance(error, TooMuchError) else _DEBUG_HINT,
        ) from error


def _in_words(error: BaseException) -> str:
    """Return one line about an error of a parser."""
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines()]
    said = shortened(next(filter(None, lines), ""))
    # The message of these is a key or a name, which alone says nothing.
    is_bare = isinstance(error, AttributeError | LookupError | TypeError) or not said
    if is_bare and not isinstance(error, UnicodeError):
        return f"it holds what hl does not understand ({type(error).__name__}: {said})"
    return said


def read_bytes(path: Path) -> bytes:
    """Return a file of text as bytes.

    Raises:
        TimelineError: It has more than `MOST_BYTES`.
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TimelineError(
            f"{path} has more than {MOST_BYTES >> 20} MiB: that is no timeline",
            hint="export only the sequence that is wanted",
        )
    return data


def lines_of(text: str) -> list[str]:
    """Return the lines of an EDL.

    Raises:
        TooMuchError: One has more than `MOST_LETTERS`.
    """
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if len(line) > MOST_LETTERS:
            raise TooMuchError(
                f"line {number} has {len(line):,} letters: a line of an EDL has {MOST_LETTERS:,} "
                "at most"
            )
    return lines


def json_text(data: bytes) -> str:
    """Return JSON that its parsers can take.

    Raises:
        TooMuchError: It is nested too deep, or holds too many values.
        ValueError: It is not UTF-8 or no JSON, or has an object that OpenTimelineIO crashes at.
    """
    text = data.decode("utf-8-sig")
    # A quote that a backslash stands before ends no string. Pairs of backslashes go first.
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    codes = np.frombuffer(plain, np.uint8)
    # Whether an odd number of quotes stands before; splitting makes millions of pieces of 60 MB.
    is_string = np.logical_xor.accumulate(codes == ord('"'))
    outside = codes[~is_string].tobytes()
    del plain, codes, is_string
    brackets = outside.translate(_STEP, _NO_BRACKETS)
    if max(itertools.accumulate(map(_DEPTH.__getitem__, brackets)), default=0) > MOST_DEPTH:
        raise TooMuchError(f"brackets are nested more than {MOST_DEPTH} deep")
    if (
        len(brackets) > 2 * MOST_VALUES
        or outside.count(b",") > 3 * MOST_VALUES
        or outside.count(b":") > MOST_NAMED_VALUES
    ):
        raise TooMuchError(f"it holds more than {MOST_VALUES:,} values")
    json.loads(text, object_pairs_hook=_check_object)
    return text


def _check_object(pairs: list[tuple[str, Any]]) -> None:
    """Refuse what ends the process in OpenTimelineIO 0.18; keeps nothing of what it has seen."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object has two values of one name")
    schema = value.get("OTIO_SCHEMA")
    if not isinstance(schema, str):
        return
    name, _, version = schema.rpartition(".")
    if not re.fullmatch(r"[1-9]\d{0,8}", version, re.ASCII) or name in ("UnknownSchema", "Test"):
        raise ValueError(f"there is no {shortened(schema)!r} in OpenTimelineIO")
    if name == "Clip" and version == "1" and "media_references" in value:
        raise ValueError("a Clip.1 has media_references, which came with Clip.2")


_CHUNK_BYTES = 1 << 16
_STEP = bytes.maketrans(b"[{]}", b"\1\1\0\0")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEPTH = (-1, 1)


def xml_root(path: Path, tag: str, *, title: str) -> ET.Element:
    """Return the root of an XML file.

    Args:
        path: The file.
        tag: Name that its first element must have.
        title: What files of this kind are called.

    Raises:
        TimelineError: It is no XML, or XML of another kind.
        TooMuchError: It is nested too deep, or has too many elements.
    """
    data = read_bytes(path)
    # Every encoding that expat reads has these as in ASCII, UTF-16 with a zero byte beside them.
    if data.count(b"<") > 2 * MOST_VALUES:
        raise TooMuchError(f"it holds more than {MOST_VALUES:,} elements")
    if b"<!ENTITY" in data.replace(b"\0", b""):
        raise TooMuchError("it defines entities, which no editor writes")
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(("start", "end"))
    depth = 0
    root: ET.Element | None = None
    try:
        for start in range(0, len(data), _CHUNK_BYTES):
            parser.feed(data[start : start + _CHUNK_BYTES])
            for event, element in cast("Iterator[tuple[str, ET.Element]]", parser.read_events()):
                root = element if root is None else root
                depth += 1 if event == "start" else -1
                if depth > MOST_DEPTH:
                    raise TooMuchError(f"elements are nested more than {MOST_DEPTH} deep")
        parser.close()
    except (ET.ParseError, LookupError) as error:
        raise TimelineError(f"cannot read {path}: {_in_words(error)}", hint=_HINT) from error
    if root is None or root.tag != tag:
        raise TimelineError(f"{path} is no {title} file", hint=f"it must begin with <{tag}>")
    return root
