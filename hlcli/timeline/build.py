"""Moments become an OpenTimelineIO timeline: the one place where seconds become frames.

* One video and one audio track; the sources come in the order given, the moments of each in time
  order, back to back. Where a source has no sound the audio track has a gap.
* The timeline has the rate of the first source and starts at frame 0. A source of another rate
  keeps its own in its ranges, so that not a frame of it is lost to rounding.
* Every range of a source counts from the file's own start timecode, as editors do: a range that
  counts from 0 is "not found" by an editor that reads the timecode.
* An instant becomes the frame whose start is nearest, for starts and ends alike; the last one is
  clamped to the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from hlcli import __version__
from hlcli.document import ScoresDocument, VideoRecord
from hlcli.errors import OutputError
from hlcli.moments import Moment
from hlcli.timeline.dialect import GENERIC, Dialect, media_path, readable
from hlcli.timeline.ranking import ranks
from hlcli.timeline.timecode import frame_at, is_drop_frame, start_frame

METADATA_VERSION = 1
"""Version of what stands under `metadata["hl"]`."""

_BANDS = (
    (0.8, otio.schema.MarkerColor.GREEN),
    (0.6, otio.schema.MarkerColor.CYAN),
    (0.4, otio.schema.MarkerColor.YELLOW),
    (0.0, otio.schema.MarkerColor.ORANGE),
)
_REASONS = {"picture": "the picture", "sound": "the sound", "both": "picture and sound"}


def build_timeline(
    documents: Sequence[ScoresDocument], *, name: str, dialect: Dialect = GENERIC
) -> otio.schema.Timeline:
    """Lay the moments of one or several videos on a timeline.

    Args:
        documents: Scores documents with moments, in the order of the timeline.
        name: Name of the timeline.
        dialect: Whose conventions to follow.

    Raises:
        OutputError: No document has a moment.
    """
    if not any(document.moments for document in documents):
        raise OutputError(
            f"there is no moment to put on the timeline {readable(name)}",
            hint="--top 3 or --target-duration takes the best all the same, "
            "a lower --threshold more",
        )
    video_track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    audio_track = otio.schema.Track(name="A1", kind=otio.schema.TrackKind.Audio)
    for document, ranking in zip(documents, ranks(documents), strict=True):
        for moment, rank, span in _in_frames(document, ranking):
            otio_clip = _clip(document, moment, rank, span, dialect)
            otio_clip.markers.append(_marker(document.video, moment, rank, span))
            video_track.append(otio_clip)
            audio_track.append(
                _clip(document, moment, rank, span, dialect)
                if document.video.has_audio
                else otio.schema.Gap(source_range=_range(0, len(span), document.video.frame_rate))
            )
    first = documents[0].video
    timeline = otio.schema.Timeline(
        name=readable(name),
        global_start_time=otio.opentime.RationalTime(0, float(first.frame_rate)),
        metadata={
            "hl": {
                "version": METADATA_VERSION,
                "created_with": f"hl {__version__}",
                "dialect": dialect.name,
                "frame_rate": _ratio(first.frame_rate),
                "drop_frame": is_drop_frame(first.start_timecode, first.frame_rate),
                "width": first.width,
                "height": first.height,
                "num_moments": len(video_track),
            }
        },
    )
    timeline.tracks.append(video_track)
    timeline.tracks.append(audio_track)
    return timeline


def _in_frames(
    document: ScoresDocument, ranking: Sequence[int]
) -> Iterator[tuple[Moment, int, range]]:
    """Yield the moments in time order with their rank and their frames of the file."""
    video = document.video
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


def _clip(
    document: ScoresDocument, moment: Moment, rank: int, span: range, dialect: Dialect
) -> otio.schema.Clip:
    video, model = document.video, document.model
    first = start_frame(video.start_timecode, video.frame_rate)
    media = otio.schema.ExternalReference(
        target_url=dialect.target_url(video.path),
        available_range=_range(first, video.num_frames, video.frame_rate),
    )
    media.name = readable(media_path(video.path).name)
    return otio.schema.Clip(
        name=media.name,
        media_reference=media,
        source_range=_range(first + span.start, len(span), video.frame_rate),
        metadata={
            "hl": {
                "version": METADATA_VERSION,
                "rank": rank,
                "score": _short(moment.score),
                "why": moment.why,
                "picture": _short(moment.picture),
                "sound": _short(moment.sound),
                "peak_seconds": _short(moment.peak_seconds),
                "start_seconds": _short(moment.start_seconds),
                "end_seconds": _short(moment.end_seconds),
                "source": {
                    "sha256_head": video.sha256_head,
                    "frame_rate": _ratio(video.frame_rate),
                    "is_variable_rate": video.is_variable_rate,
                    "start_timecode": video.start_timecode,
                    "drop_frame": is_drop_frame(video.start_timecode, video.frame_rate),
                    "width": video.width,
                    "height": video.height,
                    "rotation_degrees": video.rotation_degrees,
                    "damage": None if document.damage is None else readable(document.damage),
                },
                "model": {"name": model.name, "version": model.version, "sha256": model.sha256},
            }
        },
    )


def _marker(video: VideoRecord, moment: Moment, rank: int, span: range) -> otio.schema.Marker:
    """Mark the frame of the peak, counted like the clip's own range."""
    peak = min(max(frame_at(moment.peak_seconds, video.frame_rate), span.start), span[-1])
    first = start_frame(video.start_timecode, video.frame_rate)
    marker = otio.schema.Marker(
        name=f"H{rank:02d} {moment.score:.2f}",
        marked_range=_range(first + peak, 1, video.frame_rate),
        color=next(color for least, color in _BANDS if moment.score >= least or least == 0.0),
        metadata={"hl": {"version": METADATA_VERSION, "rank": rank}},
    )
    marker.comment = f"score {moment.score:.2f}, {_REASONS[moment.why]} stands out"
    if moment.why == "both":
        marker.comment = f"score {moment.score:.2f}, picture and sound stand out"
    return marker


def _range(start: int, num_frames: int, frame_rate: Fraction) -> Any:
    rate = float(frame_rate)
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(float(start), rate),
        otio.opentime.RationalTime(float(num_frames), rate),
    )


def _ratio(frame_rate: Fraction) -> str:
    return f"{frame_rate.numerator}/{frame_rate.denominator}"


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6) + 0.0
