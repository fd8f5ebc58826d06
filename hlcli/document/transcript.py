"""What is said in a video: transcripts of other programs, read, checked, and kept in the document.

Read are SubRip (.srt), WebVTT (.vtt), and JSON: of whisper and what is built on it, with or without
words; of whisper.cpp; of vosk; and plain lists of segments.
"""

from __future__ import annotations

import bisect
import html
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli.document.fields import Fields
from hlcli.document.records import rounded
from hlcli.errors import DocumentError, shortened
from hlcli.moments import Pauses

SUFFIXES = (".srt", ".vtt", ".json")
"""Extensions of transcripts."""
PHRASE_SECONDS = 0.35
"""Shortest pause that ends a sentence where a transcript has no full stops."""

_STAMP = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_ARROW = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?:\s.*)?", re.ASCII)
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_STOP = re.compile(r"[.?!…。？！][\"'”’»)\]]*$")  # noqa: RUF001
_NEAR_SECONDS = 0.7  # between the end of a caption and the pause that is meant
_LONGEST_FILE = 64 * 1024 * 1024
_HINT = "give a .srt, a .vtt, or whisper's .json"

Word = tuple[float, float, str]
"""Start and end in seconds, and the word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A line of a transcript."""

    start_seconds: float
    """When it begins, in seconds from the first video frame."""
    end_seconds: float
    """When it ends, not before it begins."""
    text: str
    """What is said, not empty; may have several lines."""
    words: tuple[Word, ...] = ()
    """Its words, in order; empty where they are not known."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a document has it."""
        value: dict[str, Any] = {
            "start_seconds": rounded(self.start_seconds),
            "end_seconds": rounded(self.end_seconds),
            "text": self.text,
        }
        if self.words:
            value["words"] = [
                [rounded(start), rounded(end), word] for start, end, word in self.words
            ]
        return value

    @classmethod
    def parse(cls, fields: Fields) -> Caption:
        """Check the fields of a document and return the caption.

        Raises:
            DocumentError: A field is missing or wrong.
        """
        start = fields.number("start_seconds", 0.0)
        end = fields.number("end_seconds", start)
        words: list[Word] = []
        for item in fields.get("words") if fields.has("words") else ():
            word = _word(item)
            if word is None:
                raise fields.wrong("words", f"has {item!r}, which is no start, end and word")
            words.append(word)
        return cls(
            start_seconds=start, end_seconds=end, text=fields.text("text"), words=tuple(words)
        )


def read_transcript(path: Path) -> tuple[Caption, ...]:
    """Read a transcript; captions come in the order of time.

    Raises:
        DocumentError: The file is missing, too large, of another kind, or says nothing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DocumentError(f"{path} is no transcript: {path.suffix or 'no extension'}", hint=_HINT)
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise DocumentError(f"{path} is too large for a transcript", hint=_HINT)
        text = _decoded(path.read_bytes())
    except FileNotFoundError as error:
        raise DocumentError(f"{path} does not exist", hint=_HINT) from error
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror or error}") from error
    if path.suffix.lower() == ".json":
        captions = list(_of_json(text, path))
    else:
        captions = list(_of_cues(text))
    captions = sorted(captions, key=lambda caption: (caption.start_seconds, caption.end_seconds))
    if not captions:
        raise DocumentError(f"{path} is no transcript: it has no line with times", hint=_HINT)
    return tuple(captions)


def pauses_of(
    captions: Sequence[Caption],
    speech: Sequence[tuple[float, float]] | None,
    duration: float,
) -> Pauses:
    """Return where nobody speaks, and where sentences end.

    Words are exact; of captions without words only the sentences are taken, and the pauses are
    those of the sound. A sentence ends at a full stop, a question or an exclamation mark; in a
    transcript without any, before each pause of `PHRASE_SECONDS`.

    Args:
        captions: The transcript.
        speech: Stretches of speech found in the sound; None where nobody listened.
        duration: Length of the video, in seconds.
    """
    has_words = all(caption.words for caption in captions)
    parts: Iterable[Word] = (
        (word for caption in captions for word in caption.words)
        if has_words
        else ((caption.start_seconds, caption.end_seconds, caption.text) for caption in captions)
    )
    said: list[Word] = []
    for start, end, text in parts:
        start = max(start, said[-1][1]) if said else start
        if end > start:
            said.append((start, min(end, duration), text))
    said = [part for part in said if part[0] < duration]
    has_stops = any(_STOP.search(text) for _, _, text in said)
    ends = [
        part[1]
        for part, following in itertools.zip_longest(said, said[1:])
        if (has_stops and _STOP.search(part[2].strip()))
        or following is None
        or (not has_stops and following[0] - part[1] >= PHRASE_SECONDS)
    ]
    spans = [(start, end) for start, end, _ in said]
    if not has_words and speech is not None:
        spans = list(speech)
        ends = [stop for end in ends if (stop := _nearest_end(spans, end)) is not None]
    return Pauses(spans, duration, ends)


def agreement(captions: Sequence[Caption], speech: Sequence[tuple[float, float]]) -> float:
    """Return the share of the time of captions in which somebody really speaks, in [0, 1]."""
    starts = [start for start, _ in speech]
    total = with_speech = 0.0
    for caption in captions:
        total += caption.end_seconds - caption.start_seconds
        first = max(0, bisect.bisect_right(starts, caption.start_seconds) - 1)
        for start, end in speech[first:]:
            if start >= caption.end_seconds:
                break
            with_speech += max(
                0.0, min(end, caption.end_seconds) - max(start, caption.start_seconds)
            )
    return with_speech / total if total else 0.0


def _nearest_end(spans: Sequence[tuple[float, float]], instant: float) -> float | None:
    """Return the end of speech nearest to an instant, where one is near enough."""
    ends = [end for _, end in spans]
    place = bisect.bisect_left(ends, instant)
    near = [end for end in ends[max(0, place - 1) : place + 1]]
    best = min(near, key=lambda end: abs(end - instant), default=math.inf)
    return best if abs(best - instant) <= _NEAR_SECONDS else None


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What old subtitle programs write in western Europe.
        return data.decode("cp1252", "replace")


def _of_cues(text: str) -> Iterator[Caption]:
    """Yield the cues of SubRip and WebVTT: a line of two times, and lines of text up to a blank."""
    lines = iter(text.splitlines())
    for line in lines:
        times = _ARROW.fullmatch(line)
        if times is None:
            continue  # a number, a name, a heading, a comment
        groups = times.groups()
        start, end = _seconds(groups[:4]), _seconds(groups[4:])
        said = []
        for part in lines:
            if not part.strip():
                break
            said.append(html.unescape(_TAG.sub("", part)).strip())
        caption = _caption(start, end, "\n".join(part for part in said if part))
        if caption is not None:
            yield caption


def _seconds(stamp: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = stamp
    parts = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return parts + (float(f"0.{fraction}") if fraction else 0.0)


def _of_json(text: str, path: Path) -> Iterator[Caption]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is no transcript: {error}", hint=_HINT) from error
    words: list[Word] = []
    if isinstance(value, dict):
        words = _words(value.get("words", value.get("result")))
        found = [value[key] for key in ("segments", "transcription", "captions") if key in value]
        value = found[0] if found else None
    if isinstance(value, dict) and "segments" in value:
        value = value["segments"]
    if not isinstance(value, list):
        if not words:
            raise DocumentError(f"{path} is no transcript: it has no list of segments", hint=_HINT)
        value = []
        yield from _captions_of_words(words)
        return
    for number, item in enumerate(value, start=1):
        if not isinstance(item, dict):
            raise DocumentError(
                f"{path} is no transcript: segment {number} is {shortened(repr(item), 100)}",
                hint=_HINT,
            )
        offsets = item.get("offsets")
        start, end = _number(item.get("start")), _number(item.get("end"))
        if isinstance(offsets, dict):  # whisper.cpp, in milliseconds
            start, end = _number(offsets.get("from")), _number(offsets.get("to"))
            start, end = (None if one is None else one / 1000 for one in (start, end))
        own = _words(item.get("words", item.get("result")))
        if own:
            start = own[0][0] if start is None else start
            end = own[-1][1] if end is None else end
        said = item.get("text", item.get("content", " ".join(word for _, _, word in own)))
        if start is None or end is None or start > end or not isinstance(said, str):
            raise DocumentError(
                f"{path} is no transcript: segment {number} has no start, end and text", hint=_HINT
            )
        if not own and words:
            own = [word for word in words if start <= (word[0] + word[1]) / 2 < end]
        caption = _caption(start, end, said, own)
        if caption is not None:
            yield caption


def _captions_of_words(words: Sequence[Word]) -> Iterator[Caption]:
    """Put words together to lines of about ten, which end at full stops and pauses."""
    line: list[Word] = []
    for word, following in itertools.zip_longest(words, words[1:]):
        line.append(word)
        pause = math.inf if following is None else following[0] - word[1]
        if _STOP.search(word[2]) or pause >= PHRASE_SECONDS or len(line) == 10:
            caption = _caption(line[0][0], line[-1][1], " ".join(one[2] for one in line), line)
            if caption is not None:
                yield caption
            line = []


def _words(value: object) -> list[Word]:
    """Return the words of a segment; those without times (whisperX leaves some) are left out."""
    found = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            said = item.get("word", item.get("text"))
            word = _word([item.get("start"), item.get("end"), said])
            if word is not None:
                found.append(word)
    return sorted(found, key=lambda word: word[:2])


def _word(item: object) -> Word | None:
    if not isinstance(item, (list, tuple)) or len(item) != 3 or not isinstance(item[2], str):
        return None
    start, end, text = _number(item[0]), _number(item[1]), _plain(item[2])
    return (start, end, text) if start is not None and end is not None and start <= end else None


def _caption(start: float, end: float, text: str, words: Sequence[Word] = ()) -> Caption | None:
    """Return a caption; None where nothing is said in it, or for no time."""
    said = _plain(text)
    if not said or end <= start:
        return None
    return Caption(start_seconds=start, end_seconds=end, text=said, words=tuple(words))


def _plain(text: str) -> str:
    """Return a text without what no file can hold and what no screen shows."""
    lines = (" ".join(line.split()) for line in text.replace("\0", "").splitlines())
    return "\n".join(line for line in lines if line).encode("utf-8", "replace").decode("utf-8")


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e7 else None
