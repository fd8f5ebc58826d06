"""A recording that a camera split into files: chosen from as one document, given back as several.

Axes: T clips.
"""

from __future__ import annotations

import base64
import bisect
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hlcli.document import Caption, ScoresDocument, VideoRecord, measure_moment
from hlcli.document.records import file_name, rounded
from hlcli.document.takes import fingerprint_rows
from hlcli.media.spanned import chapter_of
from hlcli.moments import Moment, Selection, Stretch
from hlcli.timeline.timecode import start_frame

_LEAST_PART_SECONDS = 0.5  # less of a moment than its handles is no use in another file
_ROWS = ("scores", "picture_scores", "sound_scores", "motion", "loudness", "likeness")
_STRETCHES = ("sounds", "sights", "marks", "unusable")

_Timed = TypeVar("_Timed", bound=Any)


@dataclass(frozen=True)
class Recording:
    """Files that are one recording."""

    places: tuple[int, ...]
    """Where its files stand in a run, in the order of time; two or more."""
    documents: tuple[ScoresDocument, ...]
    """Their scores."""

    @property
    def starts(self) -> list[float]:
        """When each file begins in the recording, in seconds, and when the last one ends."""
        lengths = (document.video.duration_seconds for document in self.documents)
        return list(itertools.accumulate(lengths, initial=0.0))

    def joined(self) -> ScoresDocument:
        """Return one document with the clock of the recording, without moments, as its first file.

        A clip has the values of the file's clip that its middle lies in: the files begin anywhere
        in the recording's seconds.
        """
        first, starts = self.documents[0], self.starts
        clip_seconds, duration = first.clip_seconds, rounded(starts[-1])
        clips: list[tuple[int, int]] = []
        for clip in range(max(1, math.ceil(duration / clip_seconds - 1e-6))):
            middle = min((clip + 0.5) * clip_seconds, duration)
            file = min(bisect.bisect_right(starts, middle), len(self.documents)) - 1
            inside = int((middle - starts[file]) / clip_seconds)
            clips.append((file, min(inside, len(self.documents[file].scores) - 1)))

        def row(name: str) -> Any:
            rows = [getattr(document, name) for document in self.documents]
            if any(one is None for one in rows):
                return None
            return tuple(rows[file][clip] for file, clip in clips)

        changes: dict[str, Any] = {name: row(name) for name in _ROWS}
        has_raw = all(document.raw_scores for document in self.documents)
        return dataclasses.replace(
            first,
            video=dataclasses.replace(
                first.video,
                duration_seconds=duration,
                num_frames=sum(document.video.num_frames for document in self.documents),
            ),
            raw_scores=row("raw_scores") if has_raw else (),
            shot_boundaries_seconds=tuple(
                start + cut
                for start, document in zip(starts, self.documents, strict=False)
                for cut in document.shot_boundaries_seconds
            ),
            looks=self._looks(clips),
            speech=self._speech(),
            transcript=self._shifted("transcript"),
            picture_fingerprints=self._fingerprints("picture_fingerprints", clips),
            sound_fingerprints=self._fingerprints("sound_fingerprints", clips),
            draft=any(document.draft for document in self.documents),
            moments=(),
            candidates=(),
            **changes,
            **{name: self._shifted(name) for name in _STRETCHES},
        )

    def split(self, joined: ScoresDocument) -> Iterator[ScoresDocument]:
        """Yield the document of each file with its part of the moments of the whole."""
        for file, document in enumerate(self.documents):
            yield document.with_moments(
                list(self._parts(joined.moments, file)), list(self._parts(joined.candidates, file))
            )

    def of_selection(self, selection: Selection) -> Selection:
        """Return a selection whose stretches in these files have the recording's clock."""
        names = [file_name(document.video.path) for document in self.documents]

        def shifted(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
            return tuple(
                next(
                    (
                        _later(dataclasses.replace(one, video=names[0]), start)
                        for name, start in zip(names, self.starts, strict=False)
                        if one.video is not None and one.is_of(name)
                    ),
                    one,
                )
                for one in stretches
            )

        return dataclasses.replace(
            selection, pins=shifted(selection.pins), avoids=shifted(selection.avoids)
        )

    def _parts(self, moments: Sequence[Moment], file: int) -> Iterator[Moment]:
        document, start = self.documents[file], self.starts[file]
        for moment in moments:
            parts = self._spans(moment)
            if file not in parts:
                continue
            first, last = (rounded(instant - start) for instant in parts[file])
            peak = rounded(min(max(moment.peak_seconds - start, first), last))
            yield dataclasses.replace(
                # What it is like, and how loud, is said by the file's own clock.
                measure_moment(document, first, last),
                score=moment.score,
                peak_seconds=peak,
                continues=file > min(parts),
            )

    def _spans(self, moment: Moment) -> dict[int, tuple[float, float]]:
        """Return what a moment has of each file, in seconds of the recording; no slivers."""
        parts = {
            file: (max(moment.start_seconds, start), min(moment.end_seconds, end))
            for file, (start, end) in enumerate(itertools.pairwise(self.starts))
        }
        longest = max(end - start for start, end in parts.values())
        least = min(_LEAST_PART_SECONDS, longest)  # of a short moment the longest part stays
        return {file: (start, end) for file, (start, end) in parts.items() if end - start >= least}

    def _shifted(self, name: str) -> Any:
        rows = [getattr(document, name) for document in self.documents]
        if all(one is None for one in rows):
            return None
        return tuple(
            _later(one, start)
            for start, row in zip(self.starts, rows, strict=False)
            for one in row or ()
        )

    def _speech(self) -> tuple[tuple[float, float], ...] | None:
        found: list[tuple[float, float]] = []
        for start, document in zip(self.starts, self.documents, strict=False):
            if document.speech is None:
                return None
            for begin, end in document.speech:
                if found and start + begin <= found[-1][1]:
                    found[-1] = found[-1][0], start + end  # it goes on over the joint
                else:
                    found.append((start + begin, start + end))
        return tuple(found)

    def _looks(self, clips: Sequence[tuple[int, int]]) -> tuple[int, ...] | None:
        # Groups of different files are different, as far as anybody knows.
        groups: dict[tuple[int, int], int] = {}
        looks = [document.looks for document in self.documents]
        if any(one is None for one in looks):
            return None
        return tuple(
            groups.setdefault((file, (looks[file] or ())[clip]), len(groups))
            for file, clip in clips
        )

    def _fingerprints(self, name: str, clips: Sequence[tuple[int, int]]) -> str | None:
        rows = []
        for document in self.documents:
            numbers = fingerprint_rows(getattr(document, name), len(document.scores))
            if numbers is None:
                return None
            rows.append(numbers)
        if len({one.shape[1] for one in rows}) > 1:
            return None
        joined = np.stack([rows[file][clip] for file, clip in clips])
        return base64.b64encode(joined.tobytes()).decode("ascii")


def chapters_together(documents: Sequence[ScoresDocument]) -> list[ScoresDocument]:
    """Return documents with the files of a recording after one another, in the order of time.

    A shell names those of `*.MP4` by their names, in which chapters of two recordings lie between
    each other: a moment over a joint would be cut apart.

    Args:
        documents: The files of a run; all others keep their order.
    """
    after: dict[int, tuple[int, ...]] = {}
    for recording in find_recordings(documents):
        after.update(dict.fromkeys(recording.places, ()))
        after[min(recording.places)] = recording.places
    places = [there for place in range(len(documents)) for there in after.get(place, (place,))]
    return [documents[place] for place in places]


def may_go_on(document: ScoresDocument) -> bool:
    """Whether a file is called as a part of a recording: what of it, only all files say."""
    return chapter_of(Path(document.video.path).stem) is not None


def find_recordings(documents: Sequence[ScoresDocument]) -> list[Recording]:
    """Return the files that a camera split one recording into.

    They are called so, show pictures of one size and rate, and the timecode of each goes on within
    a second of where the one before it ends. Names alone, or timecodes alone, prove nothing: many
    cameras count on over recordings that were started anew.

    Args:
        documents: The files of a run; recordings of one file are not returned.
    """
    by_name: dict[tuple[Path, str], list[tuple[int, int]]] = {}
    for place, document in enumerate(documents):
        path = Path(document.video.path)
        chapter = chapter_of(path.stem)
        if document.video.start_timecode is not None and chapter is not None:
            by_name.setdefault((path.parent, chapter[0]), []).append((chapter[1], place))
    found: list[list[int]] = []
    for files in by_name.values():
        before: tuple[int, int] | None = None
        for number, place in sorted(files):
            if (
                before is not None
                and number == before[0] + 1
                and _goes_on(documents[before[1]], documents[place])
            ):
                found[-1].append(place)
            else:
                found.append([place])
            before = number, place
    return [
        Recording(tuple(places), tuple(documents[place] for place in places))
        for places in found
        if len(places) > 1
    ]


def _goes_on(before: ScoresDocument, document: ScoresDocument) -> bool:
    kinds = {
        (one.model.sha256, one.modality, one.clip_seconds, _shape(one.video))
        for one in (before, document)
    }
    if len(kinds) > 1:
        return False
    start, expected = (
        start_frame(one.video.start_timecode, one.video.frame_rate) for one in (document, before)
    )
    video = before.video
    return abs(start - expected - video.num_frames) <= video.frame_rate


def _shape(video: VideoRecord) -> tuple[object, ...]:
    return video.width, video.height, video.frame_rate, len(video.audio)


def _later(one: _Timed, seconds: float) -> _Timed:
    moved: _Timed = dataclasses.replace(
        one, start_seconds=one.start_seconds + seconds, end_seconds=one.end_seconds + seconds
    )
    if isinstance(moved, Caption):
        words = tuple((start + seconds, end + seconds, word) for start, end, word in moved.words)
        return dataclasses.replace(moved, words=words)
    return moved
