"""Finds faces in a small picture: MTCNN in numpy, since rendering needs no torch.

Three networks in a row (Zhang et al., 2016): the first looks at every place in several sizes, the
second and third look at what it proposes, each at a finer size. Weights: `model_zoo/mtcnn.md`.

Axes: N boxes or pictures, H and W pixels, C channels, K kernel size.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from hlcli.errors import CheckpointError
from hlcli.zoo.manifest import find_model
from hlcli.zoo.weights import weights_path

Float32 = npt.NDArray[np.float32]

SMALLEST = 1 / 14
"""Height of the smallest face that is looked for, in heights of the picture."""
_CELL, _STRIDE = 12, 2
_STEP = 0.709
_LEAST = (0.6, 0.7, 0.9)
"""Probability of a face from which each network passes a box on."""


class Face(NamedTuple):
    """Where a face is, in parts of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float
    score: float
    """Probability in [0, 1]."""


def find_faces(rgb_HWC: npt.NDArray[np.uint8]) -> list[Face]:
    """Return the faces of a picture, the surest first.

    Args:
        rgb_HWC: uint8, shape `(H, W, 3)`; three times the same plane does nearly as well.

    Raises:
        ModelError: The weights that belong to this version are missing or damaged.
    """
    height, width = rgb_HWC.shape[:2]
    picture = Image.fromarray(rgb_HWC)
    weights = _weights()
    boxes = _proposals(picture, weights)
    for net, size, least in (("rnet", 24, _LEAST[1]), ("onet", 48, _LEAST[2])):
        if not len(boxes):
            return []
        # Each box is made square and looked at a little closer.
        boxes = _square(boxes)
        parts_NCHW = np.stack([_cut(picture, box, size) for box in boxes])
        score_N, move_N4 = (_refine if net == "rnet" else _decide)(parts_NCHW, weights)
        passed = score_N >= least
        boxes, move_N4 = boxes[passed], move_N4[passed]
        boxes[:, 4] = score_N[passed]
        is_last = net == "onet"
        boxes = _moved(boxes, move_N4)
        boxes = boxes[_distinct(boxes, 0.7, of_smaller=is_last)]
    scale = np.array([width, height, width, height])
    found = [Face._make([*(box[:4] / scale).tolist(), float(box[4])]) for box in boxes]
    return sorted(found, key=lambda face: -face.score)


@cache
def _weights() -> Mapping[str, Float32]:
    from safetensors.numpy import load_file

    path = weights_path(find_model("mtcnn"))
    try:
        return load_file(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}", hint="install hl again") from error


def _proposals(picture: Image.Image, weights: Mapping[str, Float32]) -> Float32:
    """Return boxes that may be faces: left, top, right, bottom in pixels and score, `(N, 5)`."""
    shortest = min(picture.size)
    scale = _CELL / max(_CELL, SMALLEST * picture.height)
    found: list[Float32] = []
    while shortest * scale >= _CELL:
        size = (int(picture.width * scale + 1), int(picture.height * scale + 1))
        score_HW, move_4HW = _propose(_input(picture.resize(size, Image.Resampling.BOX)), weights)
        rows, columns = np.nonzero(score_HW >= _LEAST[0])
        boxes = np.stack(
            [
                np.floor((_STRIDE * columns + 1) / scale),
                np.floor((_STRIDE * rows + 1) / scale),
                np.floor((_STRIDE * columns + _CELL) / scale),
                np.floor((_STRIDE * rows + _CELL) / scale),
                score_HW[rows, columns],
            ],
            axis=1,
        ).astype(np.float32)
        kept = _distinct(boxes, 0.5)
        found.append(_moved(boxes[kept], move_4HW[:, rows, columns].T[kept]))
        scale *= _STEP
    boxes = np.concatenate(found) if found else np.zeros((0, 5), dtype=np.float32)
    return boxes[_distinct(boxes, 0.7)]


def _propose(x: Float32, weights: Mapping[str, Float32]) -> tuple[Float32, Float32]:
    x = _pool(_layer(x, weights, "pnet", 1), 2, 2)
    x = _layer(_layer(x, weights, "pnet", 2), weights, "pnet", 3)
    score = _softmax(_convolved(x, weights, "pnet.conv4_1"), axis=1)
    return score[0, 1], _convolved(x, weights, "pnet.conv4_2")[0]


def _refine(x: Float32, weights: Mapping[str, Float32]) -> tuple[Float32, Float32]:
    x = _pool(_layer(x, weights, "rnet", 1), 3, 2)
    x = _pool(_layer(x, weights, "rnet", 2), 3, 2)
    x = _flat(_layer(x, weights, "rnet", 3))
    x = _bent(_dense(x, weights, "rnet.dense4"), weights["rnet.prelu4.weight"])
    score = _softmax(_dense(x, weights, "rnet.dense5_1"), axis=1)
    return score[:, 1], _dense(x, weights, "rnet.dense5_2")


def _decide(x: Float32, weights: Mapping[str, Float32]) -> tuple[Float32, Float32]:
    x = _pool(_layer(x, weights, "onet", 1), 3, 2)
    x = _pool(_layer(x, weights, "onet", 2), 3, 2)
    x = _pool(_layer(x, weights, "onet", 3), 2, 2)
    x = _flat(_layer(x, weights, "onet", 4))
    x = _bent(_dense(x, weights, "onet.dense5"), weights["onet.prelu5.weight"])
    score = _softmax(_dense(x, weights, "onet.dense6_1"), axis=1)
    return score[:, 1], _dense(x, weights, "onet.dense6_2")


def _layer(x: Float32, weights: Mapping[str, Float32], net: str, number: int) -> Float32:
    slope = weights[f"{net}.prelu{number}.weight"]
    return _bent(_convolved(x, weights, f"{net}.conv{number}"), slope[:, None, None])


def _convolved(x_NCHW: Float32, weights: Mapping[str, Float32], name: str) -> Float32:
    kernel_OCKK, bias_O = weights[f"{name}.weight"], weights[f"{name}.bias"]
    size = kernel_OCKK.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x_NCHW, (size, size), axis=(2, 3))
    out = np.tensordot(windows, kernel_OCKK, axes=([1, 4, 5], [1, 2, 3])) + bias_O
    return np.ascontiguousarray(out.transpose(0, 3, 1, 2))


def _dense(x: Float32, weights: Mapping[str, Float32], name: str) -> Float32:
    return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def _bent(x: Float32, slope: Float32) -> Float32:
    return np.asarray(np.where(x > 0, x, slope * x))


def _pool(x_NCHW: Float32, size: int, stride: int) -> Float32:
    """Return the largest of each window; a window that begins inside counts at the border too."""
    height, width = x_NCHW.shape[2:]
    rows, columns = (-(-(length - size) // stride) for length in (height, width))
    more = [(0, 0), (0, 0)]
    more += [(0, max(0, n * stride + size - k)) for n, k in ((rows, height), (columns, width))]
    padded = np.pad(x_NCHW, more, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    return np.asarray(windows[:, :, ::stride, ::stride].max(axis=(4, 5)))


def _flat(x_NCHW: Float32) -> Float32:
    # The published weights count columns before rows.
    return np.asarray(x_NCHW.transpose(0, 3, 2, 1).reshape(len(x_NCHW), -1))


def _softmax(x: Float32, *, axis: int) -> Float32:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _input(picture: Image.Image) -> Float32:
    rgb = np.asarray(picture, dtype=np.float32)
    return np.ascontiguousarray(((rgb - 127.5) / 128).transpose(2, 0, 1)[None])


def _cut(picture: Image.Image, box: Float32, size: int) -> Float32:
    left, top, right, bottom = (int(edge) for edge in box[:4])
    left, top = max(0, left - 1), max(0, top - 1)
    right, bottom = min(picture.width, right), min(picture.height, bottom)
    inside = (left, top, max(left + 1, right), max(top + 1, bottom))
    part = picture.resize((size, size), Image.Resampling.BOX, box=inside)
    return np.asarray(_input(part)[0])


def _square(boxes: Float32) -> Float32:
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.asarray(np.hstack([middle - half, middle + half, boxes[:, 4:]]))


def _moved(boxes: Float32, move_N4: Float32) -> Float32:
    size = np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return np.hstack([boxes[:, :4] + move_N4 * size, boxes[:, 4:]]).astype(np.float32)


def _distinct(boxes: Float32, most: float, *, of_smaller: bool = False) -> list[int]:
    """Return which boxes to keep, the surest first: none that shares more than `most` with one."""
    order = list(np.argsort(-boxes[:, 4], kind="stable"))
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    kept: list[int] = []
    while order:
        best, rest = order[0], np.array(order[1:], dtype=np.intp)
        kept.append(int(best))
        low = np.maximum(boxes[rest, :2], boxes[best, :2])
        high = np.minimum(boxes[rest, 2:4], boxes[best, 2:4])
        shared = np.clip(high - low + 1, 0, None).prod(axis=1)
        whole = (
            np.minimum(areas[rest], areas[best])
            if of_smaller
            else (areas[rest] + areas[best] - shared)
        )
        order = [int(index) for index in rest[shared <= most * whole]]
    return kept
