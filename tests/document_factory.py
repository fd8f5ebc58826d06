"""Scores documents for tests, of any rate and length."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hlcli.document import AudioRecord, ModelRecord, ScoresDocument, VideoRecord, find_moments
from hlcli.moments import Moment, Selection

IDENTITY = "a" * 64
WEIGHTS = "b" * 64


def make_document(
    *,
    path: str = "/footage/match.mp4",
    num_frames: int = 1800,
    frame_rate: Fraction = Fraction(30),
    start_timecode: str | None = None,
    audio: int = 1,
    spans: list[tuple[float, float]] | None = None,
    scores: list[float] | None = None,
    identity: str = IDENTITY,
    model_sha256: str = WEIGHTS,
    selection: Selection | None = None,
    damage: str | None = None,
    reasons: tuple[str, ...] = (),
    speech: tuple[tuple[float, float], ...] | None = None,
) -> ScoresDocument:
    """Return a document of a video with a hill every ten seconds, or with the given spans.

    The best of the given spans has the given reasons.
    """
    duration = float(num_frames / frame_rate)
    if scores is None:
        clips = np.arange(max(1, math.ceil(round(duration, 6))))
        scores = [float(0.1 + 0.8 * (t % 10 in (4, 5, 6)) * 0.99**t) for t in clips]
    document = ScoresDocument(
        video=VideoRecord(
            path=path,
            duration_seconds=duration,
            frame_rate=frame_rate,
            num_frames=num_frames,
            is_variable_rate=False,
            start_timecode=start_timecode,
            width=1920,
            height=1080,
            rotation_degrees=0,
            audio=(AudioRecord(channels=2, sample_rate=48000),) * audio,
            sha256_head=identity,
        ),
        model=ModelRecord(name="tiny", version="1", sha256=model_sha256),
        modality="va" if audio else "v",
        clip_seconds=1.0,
        scores=tuple(scores),
        raw_scores=tuple(4 * score - 2 for score in scores),
        picture_scores=tuple(scores),
        sound_scores=tuple(scores) if audio else None,
        shot_boundaries_seconds=(),
        damage=damage,
        speech=speech,
        moments=(),
    )
    if spans is not None:
        return document.with_moments(
            [
                Moment(
                    start_seconds=start,
                    end_seconds=end,
                    score=round(0.9 - 0.1 * index, 6),
                    peak_seconds=(start + end) / 2,
                    picture=0.5,
                    sound=0.5 if audio else None,
                    why="both" if audio else "picture",
                    reasons=() if index else reasons,
                )
                for index, (start, end) in enumerate(spans)
            ]
        )
    return document.with_moments(find_moments(document, selection or Selection()))
