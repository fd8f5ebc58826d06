"""Accents of music: where something begins that stands out, as a drum does.

Spectral flux: how much louder each part of the spectrum gets from one hundredth of a second to the
next, added up over the parts (Böck, Krebs and Schedl, "Evaluating the Online Capabilities of Onset
Detection Methods", ISMIR 2012, describe the family). Of the peaks those are accents that are high
beside the highest around them.

Axes: S steps of a hundredth of a second, B bands, A accents.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.media.stereo import probe_sound, read_sound

SAMPLE_RATE = 22_050
"""At which music is looked at, in Hz."""
STEP_SAMPLES = 220
"""A hundredth of a second."""
_WINDOW_SAMPLES = 1_024
_NUM_BANDS = 40
_LOWEST_HZ, _HIGHEST_HZ = 30.0, 10_000.0
_COMPRESSION = 1_000.0
_NEAR_STEPS = 5  # no two accents are nearer
_AROUND_STEPS = 200  # what is compared with
_LEAST_OF_HIGHEST = 0.5
_LEAST_FLUX = 2.0  # below it is the noise of a fade


def find_accents(path: Path, seconds: float = 0.0) -> npt.NDArray[np.float64]:
    """Return when the accents of music are, in seconds from its first sample, shape `(A,)`.

    Args:
        path: A sound file, or a video whose first sound track is taken.
        seconds: How long it plays: music that is shorter starts again. 0 is once.

    Raises:
        MediaError: It cannot be read, or has no sound.
    """
    status = path.stat() if path.exists() else None
    key = (0, 0) if status is None else (status.st_mtime_ns, status.st_size)
    accents, length = _accents(path.absolute(), key)
    turns = max(1, math.ceil(seconds / length))
    return np.concatenate([accents + turn * length for turn in range(turns)])


@functools.lru_cache(maxsize=4)
def _accents(path: Path, written: tuple[int, int]) -> tuple[npt.NDArray[np.float64], float]:
    """Return accents, and how long the music is in seconds."""
    num_samples = 0

    def counted() -> Iterator[npt.NDArray[np.float32]]:
        nonlocal num_samples
        for block in read_sound(probe_sound(path), sample_rate=SAMPLE_RATE):
            num_samples += block.shape[1]
            yield block.mean(axis=0)

    accents = accents_of_flux(_flux(counted()))
    return accents, num_samples / SAMPLE_RATE


def accents_of_flux(flux_S: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the accents in a row of spectral flux, in seconds, ascending, shape `(A,)`.

    Args:
        flux_S: Flux of each step, 0 or more, shape `(S,)`.
    """
    near = _highest_around(flux_S, _NEAR_STEPS)
    around = _highest_around(flux_S, _AROUND_STEPS)
    is_accent = (flux_S == near) & (flux_S >= _LEAST_OF_HIGHEST * around) & (flux_S >= _LEAST_FLUX)
    steps = np.flatnonzero(is_accent)
    # Equal neighbours are one.
    steps = steps[np.diff(steps, prepend=-_NEAR_STEPS - 1) > _NEAR_STEPS]
    seconds: npt.NDArray[np.float64] = (steps * STEP_SAMPLES / SAMPLE_RATE).astype(np.float64)
    return seconds


def _flux(blocks: Iterator[npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
    """Return the spectral flux of each step, shape `(S,)`; step S begins at sample S * step."""
    bands = _bands()
    window = np.hanning(_WINDOW_SAMPLES).astype(np.float32)
    rest = np.zeros(_WINDOW_SAMPLES // 2, np.float32)
    before: npt.NDArray[np.float64] | None = None
    found: list[npt.NDArray[np.float64]] = []
    # The windows' middles go to the last sample.
    for block in itertools.chain(blocks, [rest]):
        rest = np.concatenate([rest, block])
        count = (len(rest) - _WINDOW_SAMPLES) // STEP_SAMPLES + 1
        if count <= 0:
            continue
        frames = np.lib.stride_tricks.sliding_window_view(rest, _WINDOW_SAMPLES)
        spectrum = np.abs(np.fft.rfft(frames[: count * STEP_SAMPLES : STEP_SAMPLES] * window))
        level_SB = np.log1p(_COMPRESSION * (spectrum @ bands) / _WINDOW_SAMPLES)
        before = level_SB[:1] if before is None else before
        rise = np.maximum(np.diff(level_SB, axis=0, prepend=before), 0.0)
        found.append(rise.sum(axis=1))
        before = level_SB[-1:]
        rest = rest[count * STEP_SAMPLES :]
    return np.concatenate(found)


def _bands() -> npt.NDArray[np.float64]:
    """Return which frequencies belong to each band, shape `(_WINDOW_SAMPLES / 2 + 1, B)`."""
    edges = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _NUM_BANDS + 1)
    frequencies = np.fft.rfftfreq(_WINDOW_SAMPLES, 1 / SAMPLE_RATE)
    inside = (frequencies[:, None] >= edges[:-1]) & (frequencies[:, None] < edges[1:])
    used = inside[:, inside.any(axis=0)].astype(np.float64)
    shares: npt.NDArray[np.float64] = used / used.sum(axis=0)
    return shares


def _highest_around(row_S: npt.NDArray[np.float64], steps: int) -> npt.NDArray[np.float64]:
    """Return the highest value within some steps of each, shape `(S,)`."""
    padded = np.pad(row_S, steps, constant_values=0.0)
    highest: npt.NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(
        padded, 2 * steps + 1
    ).max(axis=1)
    return highest
