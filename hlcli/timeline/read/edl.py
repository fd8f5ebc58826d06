"""CMX 3600 edit decision lists.

A list says neither its rate nor where its media is: both come from the media, which is looked for
by its name. Each event is laid where its record labels put it; a speed (`M2`) is an effect of its
clip. What is no event and no comment that is known here is passed over, as programs write there
what they like.

Read here and not by otio-cmx3600-adapter, which knows two sound channels, gives up at a line that
it does not know, reads a speed only where source and record differ in length, and moves events that
overlap.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from hlcli.errors import MediaError, TimelineError
from hlcli.media.probe import probe
from hlcli.media.rates import TIMECODE
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.bounds import lines_of, read_bytes
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.types import Notes, ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, MissingMedia, Relinker
from hlcli.timeline.timecode import has_drop_frame, labels_per_second, parse_timecode

_EVENT = re.compile(
    r"^\s*(?P<number>\d+)\s+(?P<reel>\S.*?)\s+(?P<channels>\S+)\s+(?P<kind>C|D|W\d+|K[BO]?)\s+"
    r"(?:(?P<length>\d+)\s+)?"
    rf"(?P<labels>{TIMECODE}\s+{TIMECODE}\s+{TIMECODE}\s+{TIMECODE})\s*$",
    re.IGNORECASE,
)
_LOOKS_LIKE_AN_EVENT = re.compile(rf"^\s*\d+\s+\S.*\s{TIMECODE}\s+{TIMECODE}")
_COMMENT = re.compile(
    r"^[*\s]*(?P<word>FROM CLIP NAME|TO CLIP NAME|FROM CLIP|FROM FILE|SOURCE FILE|FREEZE FRAME|"
    r"OTIO REFERENCE \w+)\s*(?::(?P<text>.*))?$",
    re.IGNORECASE,
)
_SPEED = re.compile(rf"^M2\s+(?P<reel>.*?)\s*(?P<speed>-?\d+(?:\.\d*)?)\s+{TIMECODE}\s*$")
_LOCATOR = re.compile(r"^\*\s*LOC:\s*((?:\d{2}[:;]){3}\d{2})\s+(\w+)(.*)$")
_MORE_SOUND = re.compile(r"^AUD((?:\s+\d{1,2})+)\s*$")
_BLACK = ("BL", "BLACK")
# The patterns of events take time that grows with the square of the length; no event is longer.
_LONGEST_EVENT = 512
_VIDEO: str = otio.schema.TrackKind.Video
_AUDIO: str = otio.schema.TrackKind.Audio
# Rates that labels cannot tell apart are as far from one another as this.
_NO_SPEED = 0.002
# As many different frame labels, none in the second half of a second, are no chance.
_TELLING_LABELS = 8


@dataclass(kw_only=True)
class _Line:
    """One event with what stands below it."""

    number: str
    reel: str
    channels: str
    kind: str
    labels: tuple[str, str, str, str]
    """Source in and out, record in and out."""
    drop_frame: bool
    """Whether the list says that it counts so."""
    comments: dict[str, str] = field(default_factory=dict)
    more_sound: tuple[int, ...] = ()
    speed: float | None = None
    """Frames of the source per second, below 0 backwards."""

    @property
    def name(self) -> str:
        """What its clip is called."""
        return [*self._names(), self.number][0]

    @property
    def candidates(self) -> list[str]:
        """Names its file may have, the likeliest first."""
        paths = [
            text
            for word, text in self.comments.items()
            if text and word not in ("FROM CLIP NAME", "TO CLIP NAME", "FREEZE FRAME")
        ]
        return list(dict.fromkeys([*paths, *self._names()]))

    def _names(self) -> list[str]:
        # The name it comes from is that of the picture before, where it says where it goes.
        words = ("TO CLIP NAME", "FROM CLIP NAME") if self.kind != "C" else ("FROM CLIP NAME",)
        found = [text for word in words if (text := self.comments.get(word))][:1]
        return [*found, *([] if self.reel.upper() == "AX" else [self.reel])]


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one list; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    text = _text(read_bytes(path))
    title, lines = _lines(path, text)
    notes = Notes()
    files = _files(lines, relinker.beside(path.parent), known)
    rate = rate or _rate_of(path, lines, files, notes)
    try:
        timeline = _timeline(path, lines, files, rate, notes)
        first = timeline.global_start_time.value
        for label, color, words in map(
            _groups, filter(None, map(_LOCATOR.match, text.splitlines()))
        ):
            timeline.tracks.markers.append(
                _marker(parse_timecode(label, rate) - first, color, words, rate)
            )
    except ValueError as error:
        raise TimelineError(
            f"cannot read {path}: {error}", hint="its timecodes do not fit the rate of its media"
        ) from error
    timeline.name = title
    return edit_of_otio(
        timeline, folder=path.parent, relinker=relinker, known=known, rate=rate, notes=notes.lines()
    )


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _lines(path: Path, text: str) -> tuple[str, list[_Line]]:
    """Return the title of a list and its events.

    Raises:
        TimelineError: There is none, or one that cannot be read.
    """
    title, drop_frame = "", False
    found: list[_Line] = []
    for number, line in enumerate(lines_of(text), start=1):
        start_of_line = line[:_LONGEST_EVENT]
        match = _EVENT.match(line) if len(line) <= _LONGEST_EVENT else None
        if match is not None:
            in_, out, start, stop = match["labels"].split()
            found.append(
                _Line(
                    number=match["number"],
                    reel=match["reel"],
                    channels=match["channels"].upper(),
                    kind=match["kind"].upper(),
                    labels=(in_, out, start, stop),
                    drop_frame=drop_frame,
                )
            )
        elif _LOOKS_LIKE_AN_EVENT.match(start_of_line):
            raise TimelineError(
                f"cannot read {path}: line {number} is no event of a CMX 3600 list: "
                f"{line.strip()[:80]!r}",
                hint="open it in the program that wrote it, and export it again",
            )
        elif line.startswith("TITLE:"):
            title = title or line.partition(":")[2].strip()
        elif line.startswith("FCM"):
            drop_frame = "NON" not in line.upper()
        elif found:
            _comment(line.strip(), found)
    if not found:
        raise TimelineError(f"{path} has no event", hint="an EDL of the kind CMX 3600 is needed")
    if any(";" in label or "." in label for line in found for label in line.labels):
        # Where labels say how they count, they say it each for itself.
        for event in found:
            event.drop_frame = False
    _share_names(found)
    return title, found


def _comment(text: str, lines: list[_Line]) -> None:
    """Give what stands below an event to it."""
    line = lines[-1]
    if (match := _MORE_SOUND.match(text)) is not None:
        line.more_sound += tuple(map(int, match[1].split()))
    elif (match := _SPEED.match(text[:_LONGEST_EVENT])) is not None:
        # Of the two lines of a transition, that of its reel.
        same = [other for other in lines[-2:] if other.number == line.number]
        fitting = [other for other in same if other.reel == match["reel"].strip()] or [line]
        fitting[-1].speed = float(match["speed"])
    elif (match := _COMMENT.match(text)) is not None:
        line.comments.setdefault(match["word"].upper(), (match["text"] or "").strip())


def _share_names(lines: list[_Line]) -> None:
    """Give the two lines of a transition the names that stand below both of them."""
    for before, line in itertools.pairwise(lines):
        if line.number == before.number and line.kind != "C" and not before.comments:
            before.comments = {
                word: text for word, text in line.comments.items() if word != "TO CLIP NAME"
            }


def _files(
    lines: Sequence[_Line], relinker: Relinker, known: Sequence[Source]
) -> dict[tuple[str, ...], Source | Path]:
    """Return the files that are there, by the names that events have for them."""
    names = {source.name: source for source in known}
    found: dict[tuple[str, ...], Source | Path] = {}
    for candidates in dict.fromkeys(tuple(line.candidates) for line in lines):
        for name in candidates:
            file = names.get(name) or relinker.find(MissingMedia(path=name))
            if file is not None:
                found[candidates] = file
                break
    return found


def _rate_of(
    path: Path,
    lines: Sequence[_Line],
    files: dict[tuple[str, ...], Source | Path],
    notes: Notes,
) -> Fraction:
    """Return the rate of a list: that of its media at which its labels can be counted.

    Raises:
        TimelineError: No media is found, or its labels count at no rate of its media.
    """
    uses: Counter[Fraction] = Counter()
    rates: dict[Source | Path, Fraction] = {}
    for line in lines:
        file = files.get(tuple(line.candidates))
        if file is None:
            continue
        if file not in rates:
            try:
                rates[file] = (
                    file.frame_rate if isinstance(file, Source) else probe(file).frame_rate
                )
            except MediaError:
                continue  # A still, or sound alone: it has no say.
        uses[rates[file]] += 1
    if not uses:
        raise TimelineError(
            f"{path} does not say its frame rate, and its media is not beside it",
            hint="put its media beside it, or name their folder with --search",
        )
    frames = {int(re.split("[:;.]", label)[3]) for line in lines for label in line.labels}
    drops = any(";" in label for line in lines for label in line.labels)

    def can_count(rate: Fraction) -> bool:
        return max(frames) < labels_per_second(rate) and (not drops or has_drop_frame(rate))

    (most, _), *_ = uses.most_common(1)
    # Of rates with the same labels, that of most events; of others, the slowest that has them all.
    fitting = sorted(
        filter(can_count, uses), key=lambda rate: (labels_per_second(rate), -uses[rate])
    )
    chosen = fitting[0] if fitting else most
    half = chosen / 2
    if chosen >= 48 and can_count(half) and len(frames) >= _TELLING_LABELS:
        # Footage of twice the rate, as it is shot for timelines of 25 and 30.
        notes.add(
            f"the list does not say its rate: read at {_words(half)}, half that of its media, as "
            f"no label counts beyond it"
        )
        return half
    if len(uses) > 1:
        notes.add(
            f"the list does not say its rate, and its media has {' and '.join(map(_words, uses))}: "
            f"read at {_words(chosen)}"
        )
    return chosen


def _words(rate: Fraction) -> str:
    return f"{float(rate):.6g}"


def _timeline(
    path: Path,
    lines: Sequence[_Line],
    files: dict[tuple[str, ...], Source | Path],
    rate: Fraction,
    notes: Notes,
) -> otio.schema.Timeline:
    """Lay the events on tracks.

    Raises:
        ValueError: A label has more frames than the rate.
    """
    tracks: dict[str, list[tuple[range, _Line, int]]] = {}
    counts = {id(line): [_count(label, line, rate) for label in line.labels] for line in lines}
    first = min(count[2] for count in counts.values())
    for line in lines:
        in_, out, start, stop = counts[id(line)]
        if out < in_ and (line.speed or 0) >= 0:
            raise TimelineError(
                f"{path} has a cut that runs over midnight: {line.number}",
                hint="write the timeline as .otio or .xml, which count on",
            )
        record = range(start - first, stop - first)
        if line.kind in ("K", "KO"):
            notes.add(f"event {line.number} is a key over the picture: left out")
        elif len(record):
            # A transition has a line of no length for what it comes from.
            for name in _tracks_of(line):
                tracks.setdefault(name, []).append((record, line, in_))
    timeline = otio.schema.Timeline()
    timeline.global_start_time = _time(first, rate)
    timeline.metadata["hl"] = {"drop_frame": lines[0].drop_frame or ";" in lines[0].labels[2]}
    for name in sorted(tracks, key=lambda name: (name[0] != "V", int(name[1:]))):
        timeline.tracks.append(
            _track(name, _apart(tracks[name], notes), files, counts, rate, notes)
        )
    return timeline


def _count(label: str, line: _Line, rate: Fraction) -> int:
    if line.drop_frame and has_drop_frame(rate):
        label = f"{label[:8]};{label[9:]}"
    return parse_timecode(label, rate)


def _tracks_of(line: _Line) -> Iterator[str]:
    """Yield the tracks an event lies on: "V1", "A1"."""
    code = "V/A" if line.channels == "B" else line.channels
    named = [] if code == "NONE" else re.findall(r"V\d*|A+\d*", code)
    if not named and code != "NONE":
        named = ["V"]  # Something else that has a picture.
    found: dict[str, None] = {}
    for part in named:
        digits = part.lstrip("VA")
        if part[0] == "V" or digits:
            found[f"{part[0]}{int(digits or 1) or 1}"] = None
        else:
            found |= {f"A{number}": None for number in range(1, len(part) + 1)}
    yield from found | {f"A{number}": None for number in line.more_sound if number > 0}


def _apart(placed: list[tuple[range, _Line, int]], notes: Notes) -> list[tuple[range, _Line, int]]:
    """Let each event end where the next one on its track begins: what is recorded last is seen."""
    placed = sorted(placed, key=lambda part: part[0].start)
    found: list[tuple[range, _Line, int]] = []
    for index, (record, line, in_) in enumerate(placed):
        after = placed[index + 1] if index + 1 < len(placed) else None
        if after is not None and after[0].start < record.stop:
            notes.add(
                f"event {after[1].number} lies on event {line.number}: the earlier one ends there"
            )
            record = range(record.start, after[0].start)
        if len(record):
            found.append((record, line, in_))
    return found


def _track(
    name: str,
    placed: Sequence[tuple[range, _Line, int]],
    files: dict[tuple[str, ...], Source | Path],
    counts: dict[int, list[int]],
    rate: Fraction,
    notes: Notes,
) -> otio.schema.Track:
    track = otio.schema.Track(name=name, kind=_VIDEO if name[0] == "V" else _AUDIO)
    at = 0
    for record, line, in_ in placed:
        if record.start > at:
            track.append(otio.schema.Gap(source_range=_range(0, record.start - at, rate)))
        if line.kind != "C":
            track.append(otio.schema.Transition(transition_type="SMPTE_Dissolve"))
        at = record.stop
        if line.reel.upper() in _BLACK:
            track.append(otio.schema.Gap(source_range=_range(0, len(record), rate)))
            continue
        clip = otio.schema.Clip(name=line.name, source_range=_range(in_, len(record), rate))
        file = files.get(tuple(line.candidates))
        if line.reel.upper() == "BARS":
            clip.media_reference = otio.schema.GeneratorReference(generator_kind="SMPTEBars")
        elif isinstance(file, Path):
            clip.media_reference = otio.schema.ExternalReference(target_url=str(file))
        elif file is not None:
            clip.name = file.name
        if track.kind == _AUDIO:
            clip.metadata["hl"] = {"source": {"audio_channels": [int(name[1:]) - 1]}}
        effect = _effect(line, counts[id(line)], rate)
        if effect is not None:
            clip.effects.append(effect)
        track.append(clip)
    return track


def _effect(line: _Line, counts: Sequence[int], rate: Fraction) -> otio.schema.Effect | None:
    """Return the speed of an event; the lengths of source and record tell it where no line does."""
    in_, out, start, stop = counts
    if "FREEZE FRAME" in line.comments or line.speed == 0:
        return otio.schema.FreezeFrame()
    speed = (out - in_) / (stop - start) if line.speed is None else line.speed / float(rate)
    if abs(speed - 1) < _NO_SPEED or (line.speed is None and abs(out - in_ - stop + start) <= 1):
        return None
    return otio.schema.LinearTimeWarp(time_scalar=round(speed, 4))


def _groups(match: re.Match[str]) -> tuple[str, str, str]:
    return match[1], match[2], match[3].strip()


def _marker(at: int, color: str, words: str, rate: Fraction) -> otio.schema.Marker:
    marker = otio.schema.Marker(
        name=words.partition(",")[0], color=color.upper(), marked_range=_range(at, 1, rate)
    )
    marker.comment = words.partition(",")[2].strip()
    return marker


def _range(start: int, count: int, rate: Fraction) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(_time(start, rate), _time(count, rate))


def _time(frames: int, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(frames, float(rate))
