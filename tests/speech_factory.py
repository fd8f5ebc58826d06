"""Speech made on the spot by espeak-ng, with pauses of known places."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Sound = npt.NDArray[np.float32]
Spans = list[tuple[float, float]]

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"
)

PHRASES = (
    "we measured the pressure at the first valve",
    "then the second one",
    "nothing moved for an hour",
    "the crew went to lunch",
    "and when they came back",
    "the gauge was at zero",
    "somebody had opened the gate",
    "it took three days to find the leak",
)


def phrase(
    text: str, folder: Path, *, rate: int = 48000, words_a_minute: int = 170, voice: str = "en"
) -> Sound:
    """Return one phrase without the silence around it, in [-1, 1], shape `(N,)`."""
    path = folder / "phrase.wav"
    speed = str(words_a_minute)
    subprocess.run(["espeak-ng", "-v", voice, "-s", speed, "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        times = np.arange(int(len(samples) * rate / file.getframerate())) / rate
        places = np.arange(len(samples)) / file.getframerate()
    sound = np.interp(times, places, samples).astype(np.float32)
    loud = np.flatnonzero(abs(sound) > 0.01)
    return sound[loud[0] : loud[-1] + 1]


def speech(
    folder: Path,
    *,
    pauses: Sequence[float] = (0.4,),
    phrases: Sequence[str] = PHRASES,
    lead: float = 1.0,
    rate: int = 48000,
    words_a_minute: int = 170,
) -> tuple[Sound, Spans]:
    """Return phrases with a pause after each, taken in turn, and where each phrase is, in seconds.

    Args:
        folder: For files on the way.
        pauses: Lengths of the pauses, in seconds.
        phrases: What is said.
        lead: Silence before the first phrase, in seconds.
        rate: Samples per second.
        words_a_minute: Pace.
    """
    parts = [np.zeros(round(lead * rate), np.float32)]
    length, spans = len(parts[0]), []
    for index, text in enumerate(phrases):
        said = phrase(text, folder, rate=rate, words_a_minute=words_a_minute)
        spans.append((length / rate, (length + len(said)) / rate))
        silence = np.zeros(round(pauses[index % len(pauses)] * rate), np.float32)
        parts += [said, silence]
        length += len(said) + len(silence)
    return np.concatenate(parts), spans
