"""From JSON values to a scores document that can be trusted."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from hlcli.document.fields import HINT, Fields
from hlcli.document.records import (
    SCHEMA,
    AudioRecord,
    ModelRecord,
    ScoresDocument,
    VideoRecord,
)
from hlcli.errors import DocumentError
from hlcli.moments import Moment

if TYPE_CHECKING:
    from hlcli.model.scorer import Modality
    from hlcli.moments import Why

_TIMECODE = re.compile(r"\d{2}:\d{2}:\d{2}[:;.]\d{2,3}")
_ROUNDING = 2e-6  # seconds are rounded to a millionth


def parse_document(value: object, *, source: str) -> ScoresDocument:
    """Check a parsed document and return it; see `ScoresDocument.from_json`."""
    fields = Fields(value, source)
    schema = fields.get("schema")
    if schema != SCHEMA:
        raise DocumentError(
            f"{source} is not a scores document of schema {SCHEMA}: schema is {schema!r}",
            hint="a newer hl wrote it: update hl" if str(schema).startswith("hl.scores/") else HINT,
        )
    video = _video(fields.inside("video"))
    clip_seconds = fields.number("clip_seconds", above=0.0)
    # The duration is rounded, so a clip more or less is right at a whole number of clips.
    clips = range(
        max(1, math.ceil((video.duration_seconds - _ROUNDING) / clip_seconds)),
        max(1, math.ceil((video.duration_seconds + _ROUNDING) / clip_seconds)) + 1,
    )
    scores = fields.numbers("scores", 0.0, 1.0)
    if len(scores) not in clips:
        raise fields.wrong("scores", f"has {len(scores)} clips, the duration needs {clips.start}")
    rows: dict[str, tuple[float, ...] | None] = {"raw_scores": fields.numbers("raw_scores")}
    for name in ("picture_scores", "sound_scores"):
        given = fields.get(name) is not None
        rows[name] = fields.numbers(name, 0.0, 1.0) if given else None
    for name, row in rows.items():
        if row is not None and len(row) != len(scores):
            raise fields.wrong(name, f"has {len(row)} clips, scores has {len(scores)}")
    cuts = fields.numbers("shot_boundaries_seconds", 0.0, math.inf)
    if list(cuts) != sorted(cuts):
        raise fields.wrong("shot_boundaries_seconds", "is not ascending")
    moments = tuple(_moment(item, video) for item in fields.items("moments"))
    in_time = sorted(moments, key=lambda moment: moment.start_seconds)
    for before, after in itertools.pairwise(in_time):
        if after.start_seconds < before.end_seconds:
            raise fields.wrong("moments", f"overlap at {after.start_seconds:g} s")
    model = fields.inside("model")
    return ScoresDocument(
        video=video,
        model=ModelRecord(
            name=model.text("name"),
            version=model.text("version"),
            sha256=model.text("sha256", r"[0-9a-f]{64}"),
        ),
        modality=cast("Modality", fields.text("modality", r"v|a|va")),
        clip_seconds=clip_seconds,
        scores=scores,
        raw_scores=rows["raw_scores"] or (),
        picture_scores=rows["picture_scores"],
        sound_scores=rows["sound_scores"],
        shot_boundaries_seconds=cuts,
        damage=None if fields.get("damage") is None else fields.text("damage"),
        moments=moments,
        created_with=fields.text("created_with"),
    )


def _video(fields: Fields) -> VideoRecord:
    rate_text = fields.text("frame_rate", r"[1-9]\d*/[1-9]\d*")
    frame_rate = Fraction(rate_text)
    if frame_rate > 1000:
        raise fields.wrong("frame_rate", f"must be at most 1000 frames per second, is {rate_text}")
    timecode = fields.get("start_timecode")
    if timecode is not None:
        fields.text("start_timecode", _TIMECODE.pattern)
    audio = tuple(
        AudioRecord(
            channels=track.integer("channels", 1),
            sample_rate=track.integer("sample_rate", 1),
            index=track.integer("index", 0) if track.has("index") else None,
        )
        for track in fields.items("audio")
    )
    if fields.flag("has_audio") != bool(audio):
        raise fields.wrong("has_audio", "disagrees with audio")
    rotation = fields.integer("rotation_degrees", 0)
    if rotation not in (0, 90, 180, 270):
        raise fields.wrong("rotation_degrees", "must be 0, 90, 180 or 270")
    return VideoRecord(
        path=fields.text("path"),
        duration_seconds=fields.number("duration_seconds", above=0.0),
        frame_rate=frame_rate,
        num_frames=fields.integer("num_frames", 1),
        is_variable_rate=fields.flag("is_variable_rate"),
        start_timecode=timecode,
        width=fields.integer("width", 1),
        height=fields.integer("height", 1),
        rotation_degrees=rotation,
        audio=audio,
        sha256_head=fields.text("sha256_head", r"[0-9a-f]{64}"),
        has_timecode_track=fields.flag("has_timecode_track", missing=True),
    )


def _moment(fields: Fields, video: VideoRecord) -> Moment:
    start = fields.number("start_seconds")
    end = fields.number("end_seconds")
    peak = fields.number("peak_seconds")
    if not 0 <= start < end <= video.duration_seconds + _ROUNDING:
        raise fields.wrong("end_seconds", f"{start:g} to {end:g} s is not inside the video")
    if not start <= peak <= end:
        raise fields.wrong("peak_seconds", f"{peak:g} s is not inside the moment")
    sides = {
        name: None if fields.get(name) is None else fields.number(name, 0.0, 1.0)
        for name in ("picture", "sound")
    }
    return Moment(
        start_seconds=start,
        end_seconds=end,
        score=fields.number("score", 0.0, 1.0),
        peak_seconds=peak,
        picture=sides["picture"],
        sound=sides["sound"],
        why=cast("Why", fields.text("why", r"picture|sound|both")),
    )
