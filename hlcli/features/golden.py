"""The proof each encoder ships with: a fixed input, and what the published network made of it.

`scripts/convert_weights.py` runs the published networks on these inputs and stores their outputs;
tests, and anyone who doubts a machine, run ours on the same inputs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray
from hlcli.features.yamnet import HOP_SAMPLES, PATCH_SAMPLES, SAMPLE_RATE


def golden_pictures(size: int = 224) -> npt.NDArray[np.uint8]:
    """Return two made-up pictures, the same on every machine, shape `(2, size, size, 3)`.

    The first is smooth, the second full of edges: a wrong padding, channel order or
    normalisation shows in both.
    """
    y, x = np.mgrid[0:size, 0:size].astype(np.int64)
    smooth = np.stack([x * 255 // (size - 1), y * 255 // (size - 1), (x * y) // 196 % 256], axis=-1)
    noise = (x * 7919 + y * 104729 + x * y * 31) % 256
    edges = np.stack(
        [noise, np.where((x // 16 + y // 28) % 2, 230, 20), (noise + x) % 256], axis=-1
    )
    return np.stack([smooth, edges]).astype(np.uint8)


def golden_sound() -> FloatArray:
    """Return three made-up patches of sound in [-1, 1], shape `(3, 15600)`.

    A chord that swells, a hiss, and a train of clicks.
    """
    seconds = np.arange(PATCH_SAMPLES) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (220.0, 277.18, 329.63))
    counter = np.arange(PATCH_SAMPLES, dtype=np.int64)
    hiss = (counter * counter * 7919 + counter * 104729) % 65521 / 32760.5 - 1.0
    clicks = np.where(counter % (12 * HOP_SAMPLES) < 40, 0.9, 0.0)
    sound = np.stack([chord / 3 * np.sin(np.pi * seconds / seconds[-1]), 0.3 * hiss, clicks])
    return np.asarray(sound, dtype=np.float32)
