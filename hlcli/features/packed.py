"""Features as a file: the layout of safetensors, which other programs read.

Written and read array by array: the library holds the whole file twice, which for a day of video
is a gibibyte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.measures import PictureMeasures

_FORMAT = "hl.features/2"
_REQUIRED = ("visual_TV", "motion_T", "shot_boundaries_seconds")
_SOUND = ("audio_TA", "events_TC", "loudness_T", "speech_S2")
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_LONGEST_HEAD = 1024 * 1024

Array = npt.NDArray[np.floating[Any]]
Arrays = dict[str, Array]


def pack(identity: str, features: VideoFeatures) -> tuple[bytes, list[Array]]:
    """Return the head of the file and the arrays that follow it, in order."""
    arrays: Arrays = {}
    for name in (*_REQUIRED, *_SOUND):
        array = getattr(features, name)
        if array is not None:
            arrays[name] = _smallest(np.ascontiguousarray(array))
    if features.pictures is not None:
        for field in dataclasses.fields(features.pictures):
            array = getattr(features.pictures, field.name)
            arrays[f"pictures.{field.name}"] = np.ascontiguousarray(array)
    about = json.dumps(
        {
            "identity": identity,
            "spec_digest": features.spec_digest,
            "duration_seconds": features.duration_seconds,
            "damage": features.damage,
            "has_pictures": features.pictures is not None,
        },
        sort_keys=True,
    )
    head: dict[str, Any] = {
        "__metadata__": {"format": _FORMAT, "about": about, "sha256": _digest(about, arrays)}
    }
    # The widest first, so that each array starts at a multiple of its items' size.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    offset = 0
    for name in names:
        array = arrays[name]
        end = offset + array.nbytes
        head[name] = {
            "dtype": _DTYPE_NAMES[array.dtype.str],
            "shape": array.shape,
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, [arrays[name] for name in names]


def unpack(stream: IO[bytes], identity: str, spec: FeatureSpec) -> VideoFeatures:
    """Rebuild features from an open file.

    Args:
        stream: The file, at its start.
        identity: The video whose features they must be.
        spec: What they must have been made with.

    Raises:
        ValueError, KeyError, TypeError: Damaged, or the features of something else.
    """
    size = os.fstat(stream.fileno()).st_size
    head_bytes = int.from_bytes(stream.read(8), "little")
    if head_bytes > min(size, _LONGEST_HEAD):
        raise ValueError("cut off")
    head = json.loads(stream.read(head_bytes))
    if not isinstance(head, dict):
        raise TypeError("no table of arrays")
    metadata = head.pop("__metadata__")
    arrays: Arrays = {}
    place = 0
    for name in sorted(head, key=lambda name: int(head[name]["data_offsets"][0])):
        start, end = head[name]["data_offsets"]
        shape = tuple(head[name]["shape"])
        dtype = np.dtype(_DTYPES[head[name]["dtype"]])
        if start != place or end > size or end - start != math.prod(shape) * dtype.itemsize:
            raise ValueError("the arrays do not lie side by side")
        array = np.empty(shape, dtype)
        if stream.readinto(bytes_of(array)) != array.nbytes:  # type: ignore[attr-defined]
            raise ValueError("cut off")
        arrays[name] = array
        place = end
    if stream.read(1):
        raise ValueError("longer than it was written")
    if metadata["format"] != _FORMAT or metadata["sha256"] != _digest(metadata["about"], arrays):
        raise ValueError("not what was written")
    about = json.loads(metadata["about"])
    if about["identity"] != identity or about["spec_digest"] != spec.digest():
        raise ValueError("the features of another video or specification")
    for name, width in (("visual_TV", spec.visual_size), ("audio_TA", spec.audio_size)):
        if name in arrays and arrays[name].shape[1:] != (width,):
            raise ValueError(f"{name} has the shape {arrays[name].shape}")
    pictures: dict[str, Any] = {
        field.name: arrays[f"pictures.{field.name}"]
        for field in dataclasses.fields(PictureMeasures)
        if about["has_pictures"]
    }
    loudness_T, speech_S2 = arrays.get("loudness_T"), arrays.get("speech_S2")
    if speech_S2 is not None and speech_S2.shape[1:] != (2,):
        raise ValueError(f"speech_S2 has the shape {speech_S2.shape}")
    return VideoFeatures(
        spec_digest=about["spec_digest"],
        duration_seconds=about["duration_seconds"],
        visual_TV=arrays["visual_TV"],
        audio_TA=arrays.get("audio_TA"),
        events_TC=arrays.get("events_TC"),
        motion_T=arrays["motion_T"].astype(np.float32),
        loudness_T=None if loudness_T is None else loudness_T.astype(np.float32),
        shot_boundaries_seconds=arrays["shot_boundaries_seconds"].astype(np.float64),
        pictures=PictureMeasures(**pictures) if pictures else None,
        speech_S2=None if speech_S2 is None else speech_S2.astype(np.float64),
        damage=about["damage"],
    )


def bytes_of(array: Array) -> memoryview:
    """Return the array's own memory as a row of bytes; nothing is copied."""
    return array.reshape(-1).view(np.uint8).data


def _smallest(array: Array) -> Array:
    """Return float16 where that loses nothing (extraction rounds to it), else the array."""
    if array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array


def _digest(about: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(about.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(bytes_of(array))
    return digest.hexdigest()
