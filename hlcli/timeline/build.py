"""Moments become an edit decision list: the one place where seconds become frames.

* One video track, one audio track for each sound track of a source; the sources in the order given,
  the moments of each in time order, back to back. `Layout` says otherwise.
* The timeline has the rate, the size and the way of counting of the first source, and starts at
  frame 0. A source of another rate keeps its own frames, so that not one is lost to rounding; its
  place on the timeline is rounded once, from the exact sum of all lengths before it.
* An instant becomes the frame whose start is nearest, for starts and ends alike; the last one is
  clamped to the end of the file.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

from hlcli.document import ScoresDocument, VideoRecord
from hlcli.errors import OutputError, UsageError
from hlcli.moments import Moment, in_words
from hlcli.timeline.accents import Play, on_accents, play_of
from hlcli.timeline.edit_list import EditList, Event, Highlight, Marker, Sound, Source
from hlcli.timeline.paths import readable
from hlcli.timeline.ranking import ranks
from hlcli.timeline.timecode import (
    frame_at,
    has_drop_frame,
    is_drop_frame,
    parse_timecode,
)

Order: TypeAlias = Literal["time", "rank"]
"""Moments as they happened, or the best first."""

_BANDS = ((0.8, "GREEN"), (0.6, "CYAN"), (0.4, "YELLOW"), (0.0, "ORANGE"))
_SIDES = {"picture": "the picture", "sound": "the sound", "both": "picture and sound"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How moments are laid on a timeline."""

    order: Order = "time"
    """Within the whole timeline: "rank" puts the best moment of all videos first."""
    markers_only: bool = False
    """Lay every source down whole, with a marker over each moment, and cut nothing."""
    track_per_source: bool = False
    """Give each source tracks of its own, so that one click mutes or hides it."""
    start_timecode: str | None = None
    """Timecode at which the timeline starts ("01:00:00:00"; ";" = drop-frame); None is zero."""
    frame_rate: Fraction | None = None
    """Rate of the timeline, in frames per second; None takes the first source's."""
    path_maps: tuple[tuple[str, str], ...] = ()
    """Pairs (from, to) of folders, for media that the editor sees under another path."""
    music: Path | None = None
    """Music that begins with the timeline: cuts move to its accents by a few frames."""


_AS_IT_HAPPENED = Layout()


def build_edit_list(
    documents: Sequence[ScoresDocument], *, name: str, layout: Layout = _AS_IT_HAPPENED
) -> EditList:
    """Lay the moments of one or several videos on a timeline.

    Args:
        documents: Scores documents with moments, in the order of the timeline.
        name: Name of the timeline.
        layout: Order, tracks, rate and paths.

    Raises:
        OutputError: No document has a moment, or none lies within its video.
        UsageError: The start timecode is none at the timeline's rate.
    """
    if not any(document.moments for document in documents):
        raise OutputError(
            f"there is no moment to put on the timeline {readable(name)}",
            hint="--top 3 or --target-duration takes the best all the same, "
            "a lower --threshold more",
        )
    first = documents[0].video
    frame_rate = layout.frame_rate or first.frame_rate
    drop_frame = is_drop_frame(first.start_timecode, frame_rate)
    start = 0
    if layout.start_timecode is not None:
        try:
            start = parse_timecode(layout.start_timecode, frame_rate)
        except ValueError as error:
            raise UsageError(
                f"the timeline cannot start there: {error}", hint="write it as 01:00:00:00"
            ) from error
        drop_frame = is_drop_frame(layout.start_timecode, frame_rate)
    pieces = list(_whole(documents, layout) if layout.markers_only else _cuts(documents, layout))
    if not any(piece.markers for piece in pieces):
        raise OutputError(
            f"no moment of the timeline {readable(name)} lies within its video",
            hint="the scores are of another or a longer file: run hl score again",
        )
    if layout.order == "rank" and not layout.markers_only:
        pieces.sort(key=lambda piece: piece.rank)
    if layout.music is not None and not layout.markers_only:
        # Here: a timeline without music needs nothing that decodes.
        from hlcli.media.accents import find_accents

        seconds = sum(len(piece.frames) / piece.source.frame_rate for piece in pieces)
        accents = find_accents(layout.music, float(seconds))
        pieces = _on_accents(pieces, frame_rate, accents.tolist())
    return EditList(
        name=readable(f"{name} (draft)" if any(one.draft for one in documents) else name),
        frame_rate=frame_rate,
        events=tuple(_placed(pieces, frame_rate, layout)),
        start_frame=start,
        drop_frame=drop_frame and has_drop_frame(frame_rate),
        width=first.width,
        height=first.height,
        sample_rate=first.audio[0].sample_rate if first.audio else 48000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    source: Source
    frames: range
    markers: tuple[Marker, ...]
    highlight: Highlight | None
    play: Play | None = None
    """How far its ends may move; None where they are none, or it is whole."""

    @property
    def rank(self) -> int:
        return 0 if self.highlight is None else self.highlight.rank


def _placed(pieces: Sequence[_Piece], frame_rate: Fraction, layout: Layout) -> Iterator[Event]:
    """Lay pieces back to back; positions are rounded once, from the exact sum before them."""
    video_tracks: dict[Source, int] = {}
    first_audio_tracks: dict[Source, int] = {}
    num_audio_tracks = 0
    at, seconds = 0, Fraction(0)
    for piece in pieces:
        source = piece.source
        if source not in video_tracks:
            video_tracks[source] = len(video_tracks) if layout.track_per_source else 0
            first_audio_tracks[source] = num_audio_tracks if layout.track_per_source else 0
            num_audio_tracks += len(source.audio)
        seconds += len(piece.frames) / source.frame_rate
        end = max(at + 1, frame_at(seconds, frame_rate))
        if source.frame_rate == frame_rate:
            # A rounded place before it must not lengthen or shorten it.
            end = at + len(piece.frames)
        yield Event(
            source=source,
            frames=piece.frames,
            record=range(at, end),
            video_track=video_tracks[source],
            sound=tuple(
                Sound(stream, first_audio_tracks[source] + stream)
                for stream in range(len(source.audio))
            ),
            markers=piece.markers,
            highlight=piece.highlight,
        )
        at = end


def _cuts(documents: Sequence[ScoresDocument], layout: Layout) -> Iterator[_Piece]:
    for document, ranking in zip(documents, ranks(documents), strict=True):
        source = Source.from_video(
            document.video,
            damage=document.damage,
            captions=document.transcript or (),
            path_maps=layout.path_maps,
        )
        found = list(_in_frames(document, ranking))
        all_limits = _limits(source.num_frames, [frames for _, _, frames in found])
        for (moment, rank, frames), limits in zip(found, all_limits, strict=False):
            peak = frame_at(moment.peak_seconds, source.frame_rate)
            peak = min(max(peak, frames.start), frames[-1])
            yield _Piece(
                source=source,
                frames=frames,
                markers=(
                    _marker(moment, rank, range(peak, peak + 1), draft=document.draft),
                    *(mark for mark in _marks(document) if mark.frames.start in frames),
                ),
                highlight=Highlight(moment=moment, rank=rank, model=document.model),
                play=None if layout.music is None else _play(document, moment, frames, limits),
            )


def _limits(num_frames: int, stretches: Sequence[range]) -> Iterator[range]:
    """Yield which frames each of some stretches may have: half the way to the next ones."""
    ends = [0, *(end for one in stretches for end in (one.start, one.stop)), num_frames]
    middles = [(before + after) // 2 for before, after in zip(ends[::2], ends[1::2], strict=True)]
    middles[0], middles[-1] = 0, num_frames
    for start, stop in itertools.pairwise(middles):
        yield range(start, stop)


def _play(document: ScoresDocument, moment: Moment, frames: range, limits: range) -> Play:
    rate = document.video.frame_rate
    play = play_of(
        frames,
        limits,
        [frame_at(cut, rate) for cut in document.shot_boundaries_seconds],
        [(math.floor(start * rate), math.ceil(end * rate)) for start, end in document.speech or ()],
    )
    if moment.continues:
        play = replace(play, starts=range(frames.start, frames.start + 1))
    return play


def _on_accents(
    pieces: Sequence[_Piece], frame_rate: Fraction, accents_seconds: Sequence[float]
) -> list[_Piece]:
    def goes_on(piece: _Piece, following: _Piece) -> bool:
        is_joint = following.highlight is not None and following.highlight.moment.continues
        return is_joint or (
            piece.source == following.source and piece.frames.stop == following.frames.start
        )

    stays = [goes_on(*pair) for pair in itertools.pairwise(pieces)] + [True]
    moved = on_accents(
        [
            (piece.frames, piece.source.frame_rate, None if is_no_cut else piece.play)
            for piece, is_no_cut in zip(pieces, stays, strict=True)
        ],
        frame_rate,
        accents_seconds,
    )
    return [
        replace(
            piece,
            frames=frames,
            markers=tuple(
                replace(marker, frames=range(place, place + 1))
                for marker in piece.markers
                for place in [min(max(marker.frames.start, frames.start), frames.stop - 1)]
            ),
        )
        for piece, frames in zip(pieces, moved, strict=True)
    ]


def _whole(documents: Sequence[ScoresDocument], layout: Layout) -> Iterator[_Piece]:
    for document, ranking in zip(documents, ranks(documents), strict=True):
        source = Source.from_video(
            document.video,
            damage=document.damage,
            captions=document.transcript or (),
            path_maps=layout.path_maps,
        )
        yield _Piece(
            source=source,
            frames=range(source.num_frames),
            markers=tuple(
                _marker(moment, rank, frames, draft=document.draft)
                for moment, rank, frames in _in_frames(document, ranking)
            )
            + tuple(_marks(document)),
            highlight=None,
        )


def _marks(document: ScoresDocument) -> Iterator[Marker]:
    """Yield what somebody marked while recording."""
    video = document.video
    for mark in document.marks or ():
        frame = min(frame_at(mark.start_seconds, video.frame_rate), video.num_frames - 1)
        yield Marker(frames=range(frame, frame + 1), name=readable(mark.name), color="BLUE")


def _in_frames(
    document: ScoresDocument, ranking: Sequence[int]
) -> Iterator[tuple[Moment, int, range]]:
    """Yield the moments in time order with their rank and their frames of the file."""
    video: VideoRecord = document.video
    before = 0
    for moment, rank in sorted(
        zip(document.moments, ranking, strict=True), key=lambda pair: pair[0].start_seconds
    ):
        start = max(before, frame_at(moment.start_seconds, video.frame_rate))
        end = min(max(start + 1, frame_at(moment.end_seconds, video.frame_rate)), video.num_frames)
        # Less than a frame may be left after the last clamp; an empty clip helps nobody.
        if start < end:
            yield moment, rank, range(start, end)
            before = end


def color_of_score(score: float) -> str:
    """Return the marker colour of a score, from green for the best to orange."""
    return next(color for least, color in _BANDS if score >= least or least == 0.0)


def why_words(moment: Moment) -> str:
    """Return in one line why a moment was chosen: "cheering, fast movement"."""
    if moment.reasons:
        return " ".join(readable(in_words(moment.reasons)).split())
    verb = "stand" if moment.why == "both" else "stands"
    return f"{_SIDES[moment.why]} {verb} out"


def _marker(moment: Moment, rank: int, frames: range, *, draft: bool) -> Marker:
    return Marker(
        frames=frames,
        name=f"H{rank:02d} {moment.score:.2f}",
        comment=f"{'draft ' if draft else ''}score {moment.score:.2f}, {why_words(moment)}",
        color=color_of_score(moment.score),
        rank=rank,
        score=moment.score,
        reasons=moment.reasons,
    )
