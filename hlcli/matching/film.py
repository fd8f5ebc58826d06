"""The film as it is looked for: its shots, their pictures without bars."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.matching.signature import picture_inside
from hlcli.media.grey import WHOLE, GreyReader, Rect
from hlcli.media.probe import MediaInfo
from hlcli.media.signals import find_shot_boundaries
from hlcli.progress import Progress, silent

STAGE = "looking for the shots"
"""Name of the stage that counts seconds of the film."""
PICTURE_SECONDS = 0.5
"""A picture of the film is looked up so often, and at least twice a shot."""
LONGEST_SECONDS = 20
"""Longer shots are looked for in parts."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch of the film between two cuts, or a part of a long one."""

    frames: range
    """Frames of the film, half-open."""
    inside: Rect
    """The picture without bars."""

    def pictures(self, frame_rate: float) -> list[int]:
        """Return the frames by which it is looked up, rising."""
        count = max(2, round(len(self.frames) / frame_rate / PICTURE_SECONDS))
        places = (np.arange(count) + 0.5) / count * len(self.frames)
        return sorted({self.frames.start + int(place) for place in places})


def find_shots(info: MediaInfo, *, progress: Progress = silent) -> list[Shot]:
    """Read a film once and return its shots, in order.

    Raises:
        MediaUnreadableError: It is damaged or missing in a place.
    """
    change: list[float] = []
    rows_max: list[npt.NDArray[np.uint8]] = []
    columns_max: list[npt.NDArray[np.uint8]] = []
    before: npt.NDArray[np.int16] | None = None
    rate = float(info.frame_rate)
    with GreyReader.open(info) as reader:
        for number, frame in enumerate(reader.frames(range(info.num_frames))):
            # Grain is no border: a pixel alone does not make a row bright.
            rows_max.append(np.partition(frame, -3, axis=1)[:, -3])
            columns_max.append(np.partition(frame, -3, axis=0)[-3])
            small = frame[::2, ::2].astype(np.int16)
            if before is not None:
                change.append(float(np.abs(small - before).mean()) / 255)
            before = small
            if number % 50 == 0:
                progress(STAGE, number / rate, info.num_frames / rate)
    seconds = np.arange(info.num_frames) / rate
    cuts = find_shot_boundaries(
        seconds[:-1], seconds[1:], np.asarray(change, np.float32), keyframes_only=False
    )
    edges = [0, *(round(one * rate) for one in cuts), info.num_frames]
    rows, columns = np.asarray(rows_max), np.asarray(columns_max)
    of_film = picture_inside(rows.max(axis=0), columns.max(axis=0))
    longest = round(LONGEST_SECONDS * rate)
    shots = []
    for start, stop in itertools.pairwise(edges):
        own = picture_inside(rows[start:stop].max(axis=0), columns[start:stop].max(axis=0))
        # A dark edge is no bar: bars are of the film, or as wide on both sides.
        inside = own if _is_even(own) else of_film
        for part in range(start, stop, longest):
            shots.append(Shot(range(part, min(part + longest, stop)), inside))
    return [shot for shot in shots if len(shot.frames)]


def _is_even(rect: Rect) -> bool:
    left, top, right, bottom = rect
    return rect != WHOLE and abs(left - (1 - right)) < 0.03 and abs(top - (1 - bottom)) < 0.03
