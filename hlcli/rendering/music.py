"""Music under a film, lowered where somebody speaks in it.

All of the film's sound is there before any music is added, so the level can go down before a voice
begins. Where nothing finds speech, it goes down where the film is loud. Music that is too short
starts again; whatever its length, it fades out with the film.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hlcli.errors import OutputError
from hlcli.media.stereo import SoundFileInfo, read_sound
from hlcli.media.waveform import as_speech
from hlcli.rendering.sound import CUT_FADE_SECONDS, SoundFile

LOWERED_DB = -12.0
"""By how much music goes down under the film's own sound."""
LOUD_DB = -36.0
"""Level (RMS) from which the film's own sound counts where nothing finds speech, in dB below full
scale."""
FADE_OUT_SECONDS = 2.0
"""Length of the fade at the end; at most a quarter of the film."""
_STEP_SECONDS = 0.02
_BEFORE_SECONDS, _AFTER_SECONDS = 0.3, 0.6
"""How long before speech the music is low, and how long after it."""
_GLIDE_SECONDS = 0.3
_BLOCK_STEPS = 100

Samples = npt.NDArray[np.float32]
"""Shape `(N, 2)`."""
FindSpeech: TypeAlias = Callable[[Iterable[npt.NDArray[np.float32]]], npt.NDArray[np.float64]]
"""Takes blocks of mono sound at 16 kHz; returns the start and the end of each stretch of speech, in
seconds, shape `(S, 2)`."""


def add_music(
    sound: SoundFile | None,
    music: SoundFileInfo,
    folder: Path,
    *,
    level_db: float,
    num_samples: int,
    sample_rate: int,
    find_speech: FindSpeech | None = None,
) -> SoundFile:
    """Return a sound track of the film with music under it.

    Args:
        sound: The track; None for a film without sound.
        music: The music; its first sound track is taken.
        folder: Where to put files.
        level_db: Level of the music, in dB; 0 is as in its file.
        num_samples: Length of the film.
        sample_rate: Of the film, in Hz.
        find_speech: What finds speech in the film's own sound; without it the music goes by level.

    Raises:
        MediaError: The music cannot be read.
        OutputError: The disk is full.
    """
    try:
        tune = _decoded(music, folder / "music.raw", num_samples, sample_rate)
        own = None if sound is None else np.memmap(sound.path, dtype="<f4", mode="r").reshape(-1, 2)
        path, peak = folder / "with-music.raw", 0.0
        step = round(_STEP_SECONDS * sample_rate)
        count = -(-num_samples // step)
        if own is None:
            is_over = np.zeros(count, np.bool_)
        elif find_speech is None:
            is_over = _loud(own, count, step)
        else:
            is_over = _spoken(own, count, sample_rate, find_speech)
        gains_db = level_db + _lowering(is_over)
        fade_out = max(1, round(min(FADE_OUT_SECONDS * sample_rate, num_samples / 4)))
        with path.open("wb") as file:
            for start in range(0, num_samples, _BLOCK_STEPS * step):
                at = np.arange(start, min(start + _BLOCK_STEPS * step, num_samples))
                gain = 10 ** (np.interp(at / step - 0.5, np.arange(len(gains_db)), gains_db) / 20)
                gain *= np.clip((num_samples - at) / fade_out, 0, 1)
                gain *= _seams(at, len(tune), num_samples, round(CUT_FADE_SECONDS * sample_rate))
                block = tune[at % len(tune)] * gain[:, None]
                if own is not None:
                    block += own[at]
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
                file.write(block.astype("<f4").tobytes())
    except OSError as error:
        raise OutputError(
            f"cannot write the sound to {folder}: {error.strerror or error}",
            hint="free some space",
        ) from error
    return SoundFile(path=path, peak=peak)


def _decoded(music: SoundFileInfo, path: Path, num_samples: int, sample_rate: int) -> Samples:
    """Write as much of the music as a film needs into a file, and return that mapped."""
    written = 0
    with (
        contextlib.closing(read_sound(music, sample_rate=sample_rate)) as blocks,
        path.open("wb") as file,
    ):
        for block in blocks:
            part = block[:, : num_samples - written]
            file.write(np.ascontiguousarray(part.T, dtype="<f4").tobytes())
            written += part.shape[1]
            if written == num_samples:
                break
    return np.memmap(path, dtype="<f4", mode="r").reshape(-1, 2)


def _spoken(
    own: Samples, count: int, sample_rate: int, find_speech: FindSpeech
) -> npt.NDArray[np.bool_]:
    """Return in which steps somebody speaks, shape `(count,)`."""
    blocks = (own[start : start + sample_rate] for start in range(0, len(own), sample_rate))
    is_spoken = np.zeros(count, np.bool_)
    for start, end in find_speech(as_speech(blocks, sample_rate)) / _STEP_SECONDS:
        is_spoken[math.floor(start) : math.ceil(end)] = True
    return is_spoken


def _loud(own: Samples, count: int, step: int) -> npt.NDArray[np.bool_]:
    """Return which steps of so many samples are loud, shape `(count,)`."""
    levels = np.zeros(count)
    for start in range(0, count, _BLOCK_STEPS):
        part = np.asarray(own[start * step : (start + _BLOCK_STEPS) * step], dtype=np.float64)
        power = np.square(part).mean(axis=1)
        edges = np.arange(0, len(power), step)
        sums = np.add.reduceat(power, edges)
        levels[start : start + len(edges)] = sums / np.diff(np.append(edges, len(power)))
    is_loud: npt.NDArray[np.bool_] = levels > 10 ** (LOUD_DB / 10)
    return is_loud


def _lowering(is_over: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return by how much music is lowered in each step, in dB, around those it would be over."""
    before, after = (round(s / _STEP_SECONDS) for s in (_BEFORE_SECONDS, _AFTER_SECONDS))
    # 1 from `before` steps ahead of each of them to `after` steps behind it.
    near = np.convolve(is_over, np.ones(before + after + 1))[before : before + len(is_over)] > 0.5
    glide = round(_GLIDE_SECONDS / _STEP_SECONDS) // 2 * 2 + 1
    padded = np.pad(near.astype(float), glide // 2, mode="edge")
    lowering: npt.NDArray[np.float64] = LOWERED_DB * np.convolve(
        padded, np.ones(glide) / glide, mode="valid"
    )
    return lowering


def _seams(
    at: npt.NDArray[np.intp], length: int, num_samples: int, fade: int
) -> npt.NDArray[np.float64]:
    """Return the level where music starts again, so that it does not click."""
    gain = np.ones(len(at))
    if length >= num_samples:
        return gain
    place = at % length
    gain[:] = np.minimum(1, (length - place) / fade)
    again = at >= length
    gain[again] = np.minimum(gain[again], place[again] / fade)
    return gain
