"""Short fingerprints of features, by which takes are found from scores documents alone.

A fixed random projection to a few numbers of 8 bits keeps the angles between feature vectors to
some hundredths.

Axes: T clips, D feature size, N numbers of a fingerprint.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hlcli.features.types import RowArray

PICTURE_SIZE, SOUND_SIZE = 48, 24
"""N of pictures and of sounds, in numbers of 8 bits."""
_BLOCK = 4096
_SCALE = 42.0  # a number has a standard deviation of 1; three of them fill 8 bits


def fingerprints(rows_TD: RowArray, size: int) -> str:
    """Return the fingerprints of feature vectors: signed bytes, `size` a clip, in base64."""
    matrix_DN = _projection(rows_TD.shape[1], size)
    blocks: list[bytes] = []
    for start in range(0, len(rows_TD), _BLOCK):
        rows = rows_TD[start : start + _BLOCK].astype(np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        numbers = np.clip(np.round(rows @ matrix_DN * _SCALE), -127, 127)
        blocks.append(numbers.astype(np.int8).tobytes())
    return base64.b64encode(b"".join(blocks)).decode("ascii")


@lru_cache(maxsize=4)
def _projection(num_features: int, size: int) -> npt.NDArray[np.float32]:
    """Return a matrix of 1 and -1 that is the same everywhere and for ever."""
    num_bits = num_features * size
    digest = hashlib.shake_256(b"hl fingerprint").digest((num_bits + 7) // 8)
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))[:num_bits]
    return (bits.astype(np.float32) * 2 - 1).reshape(num_features, size)
