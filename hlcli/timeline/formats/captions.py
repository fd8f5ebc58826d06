"""Captions of the finished film, as SubRip (.srt) and WebVTT (.vtt).

Each event of the timeline takes the captions of its source along, cut to what is said in it: by the
words where they are known, else by the time. Times count from the first frame of the film.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event
from hlcli.timeline.paths import readable

LEAST_SECONDS = 0.2
"""A caption of which less would be shown is left out."""
LINE_LETTERS = 42
"""Longest line that broadcasters allow."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A caption of the film."""

    start_seconds: float
    end_seconds: float
    text: str


def captions_of(edit: EditList) -> list[Shown]:
    """Return what is said in a film, in order.

    Raises:
        UsageError: No source has a transcript.
    """
    if not any(source.captions for source in edit.sources):
        raise UsageError(
            f"there is no transcript of {edit.sources[0].name} to make captions of",
            hint="name one: --transcript FILE.srt, .vtt or .json",
        )
    pictures = [event for event in edit.events if event.video_track is not None]
    shown = [
        caption
        for event in sorted(pictures or edit.events, key=lambda event: event.record.start)
        for caption in _said_in(event, edit.frame_rate)
    ]
    return [one for one in shown if one.end_seconds - one.start_seconds >= LEAST_SECONDS]


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write the captions of a film, as SubRip or WebVTT by the extension.

    Raises:
        UsageError: See `captions_of`.
        OutputError: It cannot be written there.
    """
    is_web = path.suffix.lower() == ".vtt"
    blocks = ["WEBVTT\n"] if is_web else []
    for number, caption in enumerate(captions_of(edit), start=1):
        mark = "." if is_web else ","
        text = html.escape(caption.text, quote=False) if is_web else caption.text
        times = f"{_clock(caption.start_seconds, mark)} --> {_clock(caption.end_seconds, mark)}"
        blocks.append(f"{number}\n{times}\n{text}\n")
    write_text(path, "\n".join(blocks))


def _said_in(event: Event, frame_rate: Fraction) -> Iterator[Shown]:
    rate = event.source.frame_rate
    start, end = float(event.frames.start / rate), float(event.frames.stop / rate)
    offset = float(event.record.start / frame_rate) - start
    film_end = float(event.record.stop / frame_rate)
    for caption in event.source.captions:
        if caption.end_seconds <= start or caption.start_seconds >= end:
            continue
        first, last, text = caption.start_seconds, caption.end_seconds, caption.text
        words = [word for word in caption.words if start <= (word[0] + word[1]) / 2 < end]
        if caption.words and not words:
            continue
        if len(words) < len(caption.words):
            first, last = words[0][0], words[-1][1]
            text = " ".join(word for _, _, word in words)
        first, last = max(first, start), min(last, end)
        yield Shown(first + offset, min(last + offset, film_end), _wrapped(text))


def _wrapped(text: str) -> str:
    lines = readable(text).splitlines()
    if max(map(len, lines), default=0) <= LINE_LETTERS:
        return "\n".join(lines)
    return "\n".join(textwrap.wrap(" ".join(lines), LINE_LETTERS))


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"
