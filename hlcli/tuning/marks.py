"""Marks of an editor: a table of spans to keep and to drop, or the markers of a timeline."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction
from pathlib import Path

from hlcli.errors import TrainingError, UsageError, shortened
from hlcli.media.camera_marks import read_camera_marks
from hlcli.media.probe import probe
from hlcli.moments import Observation
from hlcli.moments.marks import AFTER_SECONDS, BEFORE_SECONDS
from hlcli.progress import Progress, silent
from hlcli.timeline.edit_list import Event, Marker
from hlcli.timeline.paths import is_file, readable
from hlcli.timeline.read import READERS
from hlcli.timeline.read.bounds import read_bytes
from hlcli.timeline.relink import MissingMedia
from hlcli.timeline.timecode import format_timecode, is_drop_frame, parse_timecode
from hlcli.tuning.cut import read_edit, wanted_of
from hlcli.tuning.footage import Footage, RawFile
from hlcli.tuning.spans import Annotations, MarkedSpan

COLUMNS = ("file", "start", "end", "label")
"""Names of the first line of a table, in any order, among others. Without start and end, a line is
about the whole file, as it is where both are empty."""
POINT_SECONDS = Fraction(4)
"""What a marker without a length stands for: so much of the file, around it."""

_HINT = "the first line is file,start,end,label; the others are like take1.mp4,12.5,17,keep"
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_TIMECODE = re.compile(r"\d{2}:\d{2}:\d{2}[:;]\d{2,3}", re.ASCII)
_WORD = re.compile(r"\s*(keep|drop)\b", re.IGNORECASE)
_MOMENT = re.compile(r"H\d+ [01]\.\d+", re.ASCII)
"""What hl calls a moment's marker."""
_PAST_END_SECONDS = Fraction(1)


def read_marks(path: Path, footage: Footage) -> Annotations:
    """Read what an editor marked.

    Args:
        path: A table (.csv, .tsv, .txt), or a timeline with markers.
        footage: The raw files.

    Raises:
        UsageError: There is no such file, or its ending is unknown.
        TrainingError: A line of the table cannot be used; the message names it.
        TimelineError: The timeline cannot be read.
        MediaError: A file of the timeline cannot be used.
    """
    suffix = path.suffix.lower()
    if not is_file(path):
        raise UsageError(f"no such file of marks: {path}", hint="check the spelling of --labels")
    if suffix in READERS:
        return _of_markers(path, footage)
    if suffix not in (".csv", ".tsv", ".txt"):
        raise UsageError(
            f"cannot read marks from {path}: the extension {suffix or '(none)'} is unknown",
            hint=f"give a .csv, or a timeline ({', '.join(READERS)}) with markers",
        )
    return _of_table(path, footage)


def marks_of_cameras(footage: Footage, *, progress: Progress = silent) -> Annotations:
    """Return what was marked while recording, as `hlcli.media.camera_marks` finds it.

    Args:
        footage: The raw files.
        progress: Called with the files looked at.
    """
    spans: list[MarkedSpan] = []
    notes: list[str] = []
    for done, file in enumerate(footage.files):
        progress("looking for marks", done, len(footage.files))
        info = probe(footage.may_read(file.path))
        marks, problems = read_camera_marks(info, footage.may_read)
        notes += [f"{file.path.name}: {problem}" for problem in problems]
        for mark in marks:
            start = max(Fraction(0), mark.seconds - Fraction(BEFORE_SECONDS))
            end = min(mark.seconds + Fraction(AFTER_SECONDS), file.info.duration_seconds)
            where = f"the mark {mark.name!r} of {file.path.name}"
            spans.append(MarkedSpan(file=file, start=start, end=end, keep=True, where=where))
    return Annotations(
        way="labels", file=Path("marks of the cameras"), spans=tuple(spans), notes=tuple(notes)
    )


def marks_of_timeline(
    path: Path, footage: Footage
) -> tuple[dict[str, list[Observation]], tuple[str, ...]]:
    """Return the markers of a timeline as marks of the media that they lie over.

    What hl set itself marks nothing, nor does a marker that says "drop". Colours do not count:
    several formats do not keep them.

    Args:
        path: The timeline.
        footage: The raw files.

    Returns:
        The marks of each file by its content identity, and a sentence for what is not used.

    Raises:
        UsageError: The extension is unknown, or an extra that reads it is not installed.
        TimelineError: The timeline cannot be read.
        MediaError: A file of the timeline cannot be used.
    """
    read = read_edit(path, footage)
    found: dict[str, list[Observation]] = {}
    lost: dict[str, int] = {}
    for event in read.edit.events:
        for marker in event.markers:
            if _is_own(marker) or _word(marker) == "drop":
                continue
            file = footage.find(wanted_of(event.source, footage.may_read), base=path.parent)
            if isinstance(file, str):
                lost[file] = lost.get(file, 0) + 1
                continue
            rate, length = event.source.frame_rate, float(file.info.duration_seconds)
            start, end = (float(at / rate) for at in (marker.frames.start, marker.frames.stop))
            if start < length:
                mark = Observation(
                    name=readable(marker.name) or "marker",
                    start_seconds=round(start, 6),
                    end_seconds=round(min(end, length), 6),
                    score=1.0,
                )
                found.setdefault(file.identity, []).append(mark)
    return found, (*read.notes, *_not_used(lost))


def parse_instant(text: str, file: RawFile) -> Fraction:
    """Return an instant of a file in seconds from its first frame.

    Args:
        text: Seconds ("12.5"), a clock time from the beginning ("1:02:03.5", "2:03"), or a
            timecode of the file ("01:00:12:05", "01:00:12;05"), which counts as the file does.
        file: The file.

    Raises:
        ValueError: It is none of these, or before the file begins.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return Fraction(text)
    clock = _CLOCK.fullmatch(text)
    if clock and Fraction(clock[3]) < 60 and not (clock[1] and int(clock[2]) >= 60):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + Fraction(clock[3])
    if not _TIMECODE.fullmatch(text):
        raise ValueError(
            f"{text!r} is neither seconds (12.5), a clock time (0:01:12.5) nor a timecode "
            "(01:00:12:05)"
        )
    frame = parse_timecode(text, file.info.frame_rate) - file.source.start_frame
    if frame < 0:
        first = format_timecode(
            file.source.start_frame,
            file.info.frame_rate,
            drop_frame=is_drop_frame(file.info.start_timecode, file.info.frame_rate),
        )
        raise ValueError(f"{text} is before the first frame of {file.path.name}, {first}")
    return frame / file.info.frame_rate


def _of_table(path: Path, footage: Footage) -> Annotations:
    rows = csv.reader(io.StringIO(text := _text(path), newline=""), delimiter=_delimiter(text))
    header: list[str] | None = None
    spans: list[MarkedSpan] = []
    lost: dict[str, int] = {}
    line = 0
    try:
        for row in rows:
            line, cells = rows.line_num, [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if header is None:
                header = _header(cells)
                continue
            if len(cells) < len(header) and any(name in COLUMNS for name in header[len(cells) :]):
                raise ValueError(f"it has {len(cells)} values for {len(header)} columns")
            values = dict(zip(header, cells, strict=False))
            found = _find(values["file"], footage, path.parent)
            if isinstance(found, str):
                lost[found] = lost.get(found, 0) + 1
            else:
                spans.append(_span(values, found, where=f"line {line} of {path.name}"))
    except (ValueError, csv.Error) as error:
        raise TrainingError(
            f"line {max(line, 1)} of {path}: {shortened(str(error))}", hint=_HINT
        ) from error
    if header is None:
        raise TrainingError(f"{path} is empty", hint=_HINT)
    notes = [
        f"{count} {'mark is' if count == 1 else 'marks are'} not used: {reason}"
        for reason, count in lost.items()
    ]
    return Annotations(
        way="labels",
        file=path,
        spans=tuple(spans),
        num_unmatched=sum(lost.values()),
        notes=tuple(notes),
    )


def _text(path: Path) -> str:
    data = read_bytes(path)
    # Excel's "Unicode text" is UTF-16 with tabs.
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TrainingError(
            f"line {line} of {path}: it is not UTF-8", hint="save the table as CSV UTF-8"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise TrainingError(f"line {line} of {path}: it holds a null byte", hint=_HINT)
    return text


def _delimiter(text: str) -> str:
    """Return what separates the columns: a comma, or in some countries a semicolon, or a tab."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    return max(",;\t", key=first.count)


def _header(cells: list[str]) -> list[str]:
    names = [cell.lower() for cell in cells]
    asked = COLUMNS if {"start", "end"} & set(names) else ("file", "label")
    missing = [name for name in asked if name not in names]
    if missing:
        raise ValueError(f"the header lacks {', '.join(missing)}")
    twice = sorted({name for name in COLUMNS if names.count(name) > 1})
    if twice:
        raise ValueError(f"the header has {', '.join(twice)} twice")
    return names


def _find(name: str, footage: Footage, base: Path) -> RawFile | str:
    if not name:
        raise ValueError("it names no file")
    return footage.find(MissingMedia(path=name), base=base)


def _span(values: dict[str, str], file: RawFile, *, where: str) -> MarkedSpan:
    label = values["label"].lower()
    if label not in ("keep", "drop"):
        raise ValueError(f"the label is {values['label']!r}, not keep or drop")
    if not values.get("start") and not values.get("end"):
        whole = file.info.duration_seconds
        return MarkedSpan(
            file=file, start=Fraction(0), end=whole, keep=label == "keep", where=where
        )
    # In some countries a comma stands before the decimals.
    start, end = (parse_instant(values[name].replace(",", "."), file) for name in ("start", "end"))
    if end <= start:
        raise ValueError(f"it ends at {values['end']}, not after its start {values['start']}")
    length = file.info.duration_seconds
    if start >= length or end > length + _PAST_END_SECONDS:
        raise ValueError(
            f"{values['start']} to {values['end']} leaves {file.path.name}, which is "
            f"{float(length):.2f} s long"
        )
    return MarkedSpan(
        file=file, start=start, end=min(end, length), keep=label == "keep", where=where
    )


def _of_markers(path: Path, footage: Footage) -> Annotations:
    read = read_edit(path, footage)
    spans: list[MarkedSpan] = []
    lost: dict[str, int] = {}
    num_silent = 0
    for event in read.edit.events:
        for marker in event.markers:
            keep = verdict(marker)
            if keep is None:
                num_silent += 1
                continue
            file = footage.find(wanted_of(event.source, footage.may_read), base=path.parent)
            if isinstance(file, str):
                lost[file] = lost.get(file, 0) + 1
                continue
            start, end = _stretch(event, marker, file)
            where = f"the marker {marker.name or marker.color!r} of {path.name}"
            spans.append(MarkedSpan(file=file, start=start, end=end, keep=keep, where=where))
    notes = _not_used(lost)
    if num_silent:
        notes.append(
            f"{num_silent} markers say neither keep nor drop, and are neither green nor red"
        )
    return Annotations(
        way="labels",
        file=path,
        spans=tuple(spans),
        num_unmatched=sum(lost.values()),
        notes=(*read.notes, *notes),
    )


def _not_used(lost: dict[str, int]) -> list[str]:
    return [
        f"{count} {'marker is' if count == 1 else 'markers are'} not used: {reason}"
        for reason, count in lost.items()
    ]


def verdict(marker: Marker) -> bool | None:
    """Return whether a marker keeps or drops; None when it says neither.

    Its name or comment begins with "keep" or "drop", or else it is green or red. Green markers
    that hl set itself say nothing: they are what it found, not what an editor thinks of it.
    """
    if word := _word(marker):
        return word == "keep"
    if marker.color == "RED":
        return False
    return True if marker.color == "GREEN" and marker.rank is None else None


def _word(marker: Marker) -> str | None:
    words = (_WORD.match(text) for text in (marker.name, marker.comment))
    return next((word[1].lower() for word in words if word), None)


def _is_own(marker: Marker) -> bool:
    """Whether hl set a marker for a moment; not every format keeps more than its name."""
    return marker.rank is not None or _MOMENT.fullmatch(marker.name) is not None


def _stretch(event: Event, marker: Marker, file: RawFile) -> tuple[Fraction, Fraction]:
    rate = event.source.frame_rate
    start, end = marker.frames.start / rate, marker.frames.stop / rate
    if len(marker.frames) == 1:
        centre = (start + end) / 2
        start, end = centre - POINT_SECONDS / 2, centre + POINT_SECONDS / 2
    return max(Fraction(0), start), min(end, file.info.duration_seconds)
