"""Transcripts that lie beside a video: SubRip, WebVTT, and the JSON of speech recognisers."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli.errors import MediaError

SUFFIXES = (".srt", ".vtt", ".json")
"""What a transcript may end in, the first that is there first."""
_MOST_BYTES = 64 << 20
_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}", re.ASCII)
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said from one instant to another."""

    start_seconds: float
    """In seconds from the first video frame."""
    end_seconds: float
    """In seconds, after the start."""
    text: str
    """The words, on one line."""


def find_transcript(video: Path) -> Path | None:
    """Return the transcript of a video: `match.srt` or `match.en.srt` beside `match.mp4`.

    A `.json` counts only where it is a transcript: scores documents lie beside videos, too.

    Args:
        video: The video file.
    """
    try:
        names = sorted(path.name for path in video.parent.iterdir())
    except OSError:
        return None
    for suffix in SUFFIXES:
        for name in names:
            middle = name.lower().removesuffix(suffix)
            is_named_so = middle == video.stem.lower() or re.fullmatch(
                re.escape(video.stem.lower()) + r"\.[a-z]{2,3}(-[a-z0-9]+)?", middle
            )
            if name.lower().endswith(suffix) and is_named_so:
                path = video.parent / name
                if suffix != ".json" or _is_transcript(path):
                    return path
    return None


def read_transcript(path: Path) -> list[Caption]:
    """Read a transcript; captions without words or without length are left out.

    Args:
        path: A file with one of `SUFFIXES`. JSON is whisper's (`segments`), vosk's (`result`), or
            a list of objects with `start`, `end` and `text` or `word`, in seconds.

    Raises:
        MediaError: It cannot be read, or holds no caption.
    """
    text = _text(path)
    if path.suffix.lower() == ".json":
        try:
            found = list(_of_json(json.loads(text)))
        except (ValueError, RecursionError) as error:
            raise MediaError(f"{path} is no transcript: {error}") from error
    else:
        found = list(_of_lines(text))
    captions = [one for one in found if one.text and 0 <= one.start_seconds < one.end_seconds]
    if not captions:
        raise MediaError(
            f"{path} has no caption that can be read",
            hint="is it SubRip, WebVTT or whisper's JSON?",
        )
    return sorted(captions, key=lambda one: (one.start_seconds, one.end_seconds))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MediaError(f"{path} is too large to be a transcript")
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror or error}") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _of_lines(text: str) -> Iterator[Caption]:
    """Yield the captions of SubRip and WebVTT, which differ in what is passed over here."""
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        for number, line in enumerate(lines):
            times = _TIMES.match(line)
            if times is not None:
                words = html.unescape(_TAG.sub("", " ".join(lines[number + 1 :])))
                start, end = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
                yield Caption(start, end, " ".join(words.split()))
                break


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, rest = (part or "0" for part in parts)
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds) + float(f"0.{rest}")


def _of_json(value: Any) -> Iterator[Caption]:
    if isinstance(value, dict):
        value = value.get("segments", value.get("result", value.get("chunks")))
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("result"), list):
            yield from _of_json(item)  # a list of vosk's sentences
            continue
        if not isinstance(item, dict):
            continue
        start, end = _number(item.get("start")), _number(item.get("end"))
        text = item.get("text", item.get("word"))
        if start is not None and end is not None and isinstance(text, str):
            yield Caption(start, end, " ".join(text.split()))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _is_transcript(path: Path) -> bool:
    try:
        return bool(read_transcript(path))
    except MediaError:
        return False
