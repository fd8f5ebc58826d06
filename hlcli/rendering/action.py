"""Where the subject is: how a 9:16 crop follows it through a wide picture.

Faces come first, then what moves. The crop holds still as long as the subject is well inside it,
moves no faster than a viewer takes for a camera's move, and jumps only where the source itself
cuts. A head is inside or outside, never halved where it can be helped. Black bars of the source are
no part of the picture. The same shot gives the same path every time.

Axes: N pictures of a shot, W columns of a small picture, P places of the crop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hlcli.media.canvas import Planes, split
from hlcli.media.signals import find_shot_boundaries
from hlcli.rendering.faces import Face

FASTEST_WIDTHS_PER_SECOND = 0.5
"""Greatest speed of the crop, in widths of the whole picture per second."""
LOOK_WIDTH = 128
"""Width at which pictures are compared, in pixels."""
SECONDS_BETWEEN_FACES = 0.75
"""How often faces are looked for."""
# Changes of brightness below this are noise of the camera or the encoder.
_NOISE = 8
_PLACES = 41
_STEPS_PER_SECOND = 8
_SMOOTHED_SECONDS = 0.25
_REMEMBERED_SECONDS = 2.0
# What a second costs: a face outside, all that moves outside, the crop at the edge, and a move over
# the whole width.
_FACE, _MOTION, _MOTION_BESIDE_FACES, _OFF_CENTRE, _MOVE = 4.0, 1.0, 0.3, 0.1, 1.0
# Part of the crop in which a subject may be anywhere.
_CORE = 0.6
# A head is wider than the face that is found.
_HEAD = 0.35
_BLACK, _LEAST_STEP, _WIDEST_BAR = 24, 40, 0.3

Path1D = npt.NDArray[np.float64]
Picture = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Inner:
    """What is left of a picture without black bars, in parts of its width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in the pictures of a shot."""

    change_NW: Path1D
    """How much each column differs from the picture before, beyond noise, shape `(N, W)`."""
    cuts: tuple[int, ...] = ()
    """Pictures with which the source cuts to something else, ascending."""
    faces: dict[int, list[Face]] = field(default_factory=dict)
    """Faces of the pictures in which they were looked for."""
    inner: Inner = Inner()
    """The picture without black bars."""


def look(
    pictures: Iterable[Planes], *, pictures_per_second: float, faces: Callable[[int], list[Face]]
) -> Seen:
    """Look through a shot once.

    Args:
        pictures: Small pictures in the order they are shown, all of one size.
        pictures_per_second: Of the pictures, above 0.
        faces: Finds the faces of the picture of that number; asked about the newest only.
    """
    change: list[npt.NDArray[np.float64]] = []
    steps: list[float] = []
    found: dict[int, list[Face]] = {}
    between = max(1, round(SECONDS_BETWEEN_FACES * pictures_per_second))
    before: Picture | None = None
    brightest: Picture | None = None
    for number, planes in enumerate(pictures):
        luma = split(planes)[0].astype(np.float32)
        if before is not None and brightest is not None:
            steps.append(float(np.abs(luma - before).mean()) / 255)
            own = np.abs(_without_shift(before, luma))
            change.append(np.maximum(own - _NOISE, 0).sum(axis=0, dtype=np.float64))
            brightest = np.maximum(brightest, luma)
        else:
            brightest = luma
        if number % between == between // 2:
            found[number] = faces(number)
        before = luma
    if brightest is None:
        return Seen(np.zeros((1, LOOK_WIDTH)))
    width = brightest.shape[1]
    instants = np.arange(len(steps) + 1) / pictures_per_second
    cuts = find_shot_boundaries(
        instants[:-1], instants[1:], np.asarray(steps, dtype=np.float32), keyframes_only=False
    )
    starts = tuple(round(float(cut) * pictures_per_second) for cut in cuts)
    # The first picture, and each after a cut, has the next one's.
    rows = [change[0] if change else np.zeros(width), *change]
    for start in starts:
        rows[start] = rows[start + 1] if start + 1 < len(rows) else np.zeros(width)
    return Seen(np.asarray(rows), starts, found, _inner(brightest))


def follow(seen: Seen, *, part: float, pictures_per_second: float) -> Path1D:
    """Return the path of a crop that follows the subject.

    Args:
        seen: From `look`.
        part: Width of the crop, in widths of the whole picture.
        pictures_per_second: Of the pictures, above 0.

    Returns:
        Centre of the crop along the width, from 0 to 1, one for each picture.
    """
    count = len(seen.change_NW)
    inner = seen.inner
    low, high = inner.left + part / 2, inner.right - part / 2
    if high <= low:
        return np.full(count, (inner.left + inner.right) / 2)
    places = np.linspace(low, high, _PLACES)
    edges = [0, *(cut for cut in seen.cuts if 0 < cut < count), count]
    return np.concatenate(
        [
            _path(seen, range(start, stop), places, part, pictures_per_second)
            for start, stop in itertools.pairwise(edges)
        ]
    )


def crop_places(path: Path1D, *, whole: int, part: int) -> list[int]:
    """Return the left edges of crops that follow a path, in even pixels.

    Args:
        path: Centres from 0 to 1.
        whole: Width of the picture, in pixels.
        part: Width of the crop, in pixels.
    """
    edges = np.clip(path * whole - part / 2, 0, whole - part)
    return [int(edge) // 2 * 2 for edge in edges]


def _path(
    seen: Seen, pictures: range, places: Path1D, part: float, pictures_per_second: float
) -> Path1D:
    """Return the path through pictures that no cut parts: the cheapest, then smoothed."""
    step = max(1, round(pictures_per_second / _STEPS_PER_SECOND))
    starts = np.arange(pictures.start, pictures.stop, step)
    change_SW = np.add.reduceat(seen.change_NW[pictures.start : pictures.stop], starts - starts[0])
    cost_SP = _cost_of_motion(change_SW, places, part)
    numbers = np.array([face for face in seen.faces if seen.faces[face] and face in pictures])
    if len(numbers):
        cost_SP *= _MOTION_BESIDE_FACES
        for row, start in enumerate(starts):
            nearest = int(numbers[np.abs(numbers - start - step / 2).argmin()])
            # Who turns away for a moment is still there.
            if abs(nearest - start) <= _REMEMBERED_SECONDS * pictures_per_second:
                cost_SP[row] += _cost_of_faces(seen.faces[nearest], places, part)
    middle = (seen.inner.left + seen.inner.right) / 2
    cost_SP += _OFF_CENTRE * np.abs(places - middle)
    cost_SP *= step / pictures_per_second
    chosen = places[_cheapest(cost_SP, places, step / pictures_per_second)]
    path = np.interp(np.arange(pictures.start, pictures.stop), starts + (step - 1) / 2, chosen)
    reach = round(_SMOOTHED_SECONDS * pictures_per_second)
    kernel = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    smooth = np.convolve(np.pad(path, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
    return np.asarray(smooth)


def _cost_of_motion(change_SW: Path1D, places: Path1D, part: float) -> Path1D:
    """Return what share of the motion each place of the crop misses, shape `(S, P)`.

    What all columns have in common is the camera's motion.
    """
    own_SW = np.maximum(change_SW - np.median(change_SW, axis=1, keepdims=True), 0)
    total_S = own_SW.sum(axis=1)
    all_S = change_SW.sum(axis=1)
    usual = float(all_S.mean())
    if usual <= 0:
        return np.zeros((len(change_SW), len(places)))
    columns = (np.arange(change_SW.shape[1]) + 0.5) / change_SW.shape[1]
    away_PW = np.abs(columns - places[:, None]) / (part / 2)
    inside_PW = np.clip((1 - away_PW) / (1 - _CORE), 0, 1)
    missed_SP = total_S[:, None] - own_SW @ inside_PW.T
    return np.asarray(_MOTION * missed_SP / np.maximum(all_S, usual)[:, None])


def _cost_of_faces(faces: Sequence[Face], places: Path1D, part: float) -> Path1D:
    """Return what each place of the crop misses of the faces, larger ones first, shape `(P,)`."""
    cost_P = np.zeros(len(places))
    weights = [(face.right - face.left) * face.score for face in faces]
    for face, weight in zip(faces, weights, strict=True):
        more = _HEAD * (face.right - face.left)
        left, right = face.left - more, face.right + more
        low, high = places - part / 2, places + part / 2
        width = min(right - left, part)
        inside_P = np.clip(np.minimum(high, right) - np.maximum(low, left), 0, width) / width
        halved_P = (inside_P > 0.02) & (inside_P < 0.98)
        # A large face belongs in the middle, a small one leaves room for what it looks at.
        off_P = np.abs(places - (left + right) / 2) / part * min(1.0, (right - left) / part)
        cost_P += weight / sum(weights) * (1 - inside_P + 0.5 * halved_P + 0.3 * off_P)
    return _FACE * cost_P


def _cheapest(cost_SP: Path1D, places: Path1D, seconds: float) -> npt.NDArray[np.intp]:
    """Return the row of places that costs least, moves included."""
    spacing = float(places[1] - places[0])
    farthest = max(1, int(FASTEST_WIDTHS_PER_SECOND * seconds / spacing))
    from_to = np.abs(np.arange(len(places))[:, None] - np.arange(len(places)))
    move_PP = np.where(from_to > farthest, np.inf, _MOVE * spacing * from_to)
    total_P = cost_SP[0]
    came = np.zeros(cost_SP.shape, dtype=np.intp)
    for step in range(1, len(cost_SP)):
        reached_PP = total_P[:, None] + move_PP
        came[step] = reached_PP.argmin(axis=0)
        total_P = reached_PP[came[step], np.arange(len(places))] + cost_SP[step]
    chosen = np.empty(len(cost_SP), dtype=np.intp)
    chosen[-1] = int(total_P.argmin())
    for step in range(len(cost_SP) - 1, 0, -1):
        chosen[step - 1] = came[step, chosen[step]]
    return chosen


def _without_shift(before: Picture, after: Picture) -> Picture:
    """Return how two pictures differ beyond a small shift of the whole, as a camera's, `(H, W)`."""
    difference = after - before
    down, across = np.gradient((before + after) / 2)
    slopes = np.stack([across.ravel(), down.ravel()])
    square = slopes @ slopes.T + np.eye(2)
    shift = np.linalg.solve(square, slopes @ difference.ravel())
    rest: Picture = difference - shift[0] * across - shift[1] * down
    # Where the pictures differ in more than a shift, it explains nothing.
    return np.where(np.abs(rest) < np.abs(difference), rest, difference)


def _inner(brightest_HW: Picture) -> Inner:
    """Return the picture without bars: even black at an edge, throughout, and a step behind it."""
    height, width = brightest_HW.shape
    rows = np.percentile(brightest_HW, 98, axis=1)
    left, right = _bars(np.percentile(brightest_HW, 98, axis=0))
    top, bottom = _bars(rows)
    return Inner(left / width, top / height, 1 - right / width, 1 - bottom / height)


def _bars(levels: npt.NDArray[np.floating]) -> tuple[int, int]:
    """Return the length of the black bar at either end of a row of levels."""
    bright = np.flatnonzero(levels > _BLACK)
    if not len(bright):
        return 0, 0
    first, last = int(bright[0]), int(bright[-1])
    lengths = []
    for bar, inside in ((first, levels[first:]), (len(levels) - 1 - last, levels[last::-1])):
        is_bar = 0 < bar <= _WIDEST_BAR * len(levels) and inside[:3].max() >= _LEAST_STEP
        # The edge lies within a pixel of the small picture, which goes too.
        lengths.append(bar + 1 if is_bar else 0)
    return lengths[0], lengths[1]
