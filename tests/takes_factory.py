"""Footage with takes of one another, and its scores documents."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from document_factory import IDENTITY, make_document

from hlcli.document import ScoresDocument
from hlcli.features.fingerprints import PICTURE_SIZE
from hlcli.moments.takes import Footage

Rows = npt.NDArray[np.float32]


def walk(seed: int, num_clips: int = 8, *, scene: int = 0, change: float = 0.25) -> Rows:
    """Return fingerprints of a shot in which something happens: a scene and a path of its own."""
    rng = np.random.default_rng(1000 + scene)
    place = rng.normal(0, 40, PICTURE_SIZE)
    steps = np.random.default_rng(seed).normal(0, 40 * change, (num_clips, PICTURE_SIZE))
    return (place + np.cumsum(steps, axis=0) / 2).astype(np.float32)


def again(rows: Rows, seed: int, *, speed: float = 1.0) -> Rows:
    """Return another take: a little faster or slower, and noisy."""
    times = np.minimum(np.arange(int(len(rows) / speed)) * speed, len(rows) - 1)
    at = np.arange(len(rows))
    taken = np.stack([np.interp(times, at, column) for column in rows.T], axis=1)
    noise = np.random.default_rng(seed).normal(0, 2, taken.shape)
    return (taken + noise).astype(np.float32)


def footage(shots: Sequence[Rows], sounds: Sequence[Rows] | None = None) -> Footage:
    ends = np.cumsum([len(shot) for shot in shots])
    return Footage(
        picture_TP=np.concatenate(shots),
        sound_TS=None if sounds is None else np.concatenate(sounds),
        cuts=[float(end) for end in ends[:-1]],
        clip_seconds=1.0,
        duration=float(ends[-1]),
    )


def takes_document(
    shots: Sequence[Rows],
    heights: Sequence[float],
    path: str = "/a/b.mp4",
    identity: str = IDENTITY,
) -> ScoresDocument:
    """Return a document at one clip a second, each shot high in its middle."""
    film = footage(shots)
    scores = np.concatenate(
        [
            height * np.hanning(len(shot) + 2)[1:-1]
            for shot, height in zip(shots, heights, strict=True)
        ]
    )
    row = tuple(round(float(score), 6) for score in scores)
    base = make_document(
        num_frames=len(row) * 25, frame_rate=Fraction(25), path=path, identity=identity
    )
    return dataclasses.replace(
        base,
        scores=row,
        raw_scores=row,
        picture_scores=row,
        sound_scores=None,
        shot_boundaries_seconds=tuple(film.cuts),
        looks=None,
        moments=(),
        picture_fingerprints=base64.b64encode(
            np.clip(np.round(film.picture_TP / 2), -127, 127).astype(np.int8).tobytes()
        ).decode(),
    )
