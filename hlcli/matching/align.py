"""Which source frame each film frame shows: a straight line in time, found to the frame.

Axes: F film frames, G source frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.matching.signature import FloatArray

LEAST_ALIKE = 0.35
"""Pictures that correlate less show something else, or one fades into another."""
FASTEST = 0.055
"""Speeds are looked for up to so much from normal."""
_SPEED_STEP = 0.01
_NEAR_FRAMES = 4.0
# What a speed other than normal must gain in mean logarithm of the difference to be believed.
_SPEED_GAIN = 0.02
_FLOOR = 0.004
# Two pictures must differ in so much of their details to show where one becomes the other.
_LEAST_APART = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """How film and source run beside each other."""

    offset_seconds: float
    """Instant of the source that is shown at instant 0 of the film."""
    speed: float
    """Seconds of the source for each second of the film: 1 is normal."""
    alike_F: FloatArray
    """Correlation of each film frame with its source frame, in [-1, 1]; 0 outside the source."""
    sharpness: float
    """By how much the line is better than those half a second beside it; near 0 where nothing
    moves, so that any place would do."""

    def source_seconds(self, film_seconds: float) -> float:
        """Return the instant of the source that is shown at an instant of the film."""
        return self.offset_seconds + self.speed * film_seconds


def fit_line(
    alike_FG: FloatArray,
    *,
    film_start: int,
    film_rate: float,
    source_start: int,
    source_rate: float,
    usual_speed: float = 1.0,
) -> Line:
    """Find the line along which the frames are most alike.

    Args:
        alike_FG: Correlation of each film frame with each source frame, in [-1, 1].
        film_start: Number of the first film frame.
        film_rate: Of the film, in frames per second.
        source_start: Number of the first source frame.
        source_rate: Of the source, in frames per second.
        usual_speed: The speed around which it is looked for: 1, or that of slow or fast motion.
    """
    num_film, num_source = alike_FG.shape
    seconds_F = (np.arange(num_film) - (num_film - 1) / 2) / film_rate
    padded = np.concatenate([alike_FG, np.zeros((num_film, 1), np.float32)], axis=1)
    rows = np.arange(num_film)[:, None]

    def along(places_O: npt.NDArray[np.float64], speed: float) -> FloatArray:
        """Return what lies along lines through source frames (from 0, at mid-film), `(F, O)`."""
        places = np.floor(places_O[None] + speed * source_rate * seconds_F[:, None]).astype(int)
        places[(places < 0) | (places >= num_source)] = num_source
        found: FloatArray = padded[rows, places]
        return found

    half = float(np.abs(seconds_F).max(initial=0.0)) * source_rate * usual_speed
    places_O = np.arange(-half, num_source + half, 0.5)
    # Short stretches cannot tell speeds apart.
    steps = int(FASTEST / _SPEED_STEP) if half * FASTEST > 0.5 else 0
    best = normal = (-1.0, 0.0, usual_speed)
    profile = np.zeros(len(places_O))
    for step in range(-steps, steps + 1):
        speed = usual_speed * (1 + step * _SPEED_STEP)
        values = np.maximum(along(places_O, speed) - LEAST_ALIKE, 0).mean(axis=0)
        profile = np.maximum(profile, values)
        place = int(values.argmax())
        found = (float(values[place]), float(places_O[place]), speed)
        best = max(best, found)
        if step == 0:
            normal = found
    near = np.abs(places_O - best[1])
    beside = profile[(near > 0.4 * source_rate) & (near < 0.8 * source_rate)]
    sharpness = best[0] - float(beside.max(initial=0.0)) if len(beside) else best[0]
    good = along(np.array([best[1]]), best[2])[:, 0] > LEAST_ALIKE
    place_at, speed = best[1:]
    if good.any():
        # Looked at closely from both: a shot in which little moves is as good at many speeds.
        starts = dict.fromkeys((normal[1:], best[1:]))
        _, place_at, speed = max(_fine(along, good, *start, half, usual_speed) for start in starts)
    alike_F = along(np.array([place_at]), speed)[:, 0]
    middle_film = (film_start + num_film / 2) / film_rate
    # A place is the boundary that the middle of the film's middle frame shows.
    middle_source = (source_start + place_at) / source_rate
    return Line(
        offset_seconds=middle_source - speed * middle_film,
        speed=speed,
        alike_F=alike_F,
        sharpness=sharpness,
    )


def find_seam(film_FP: FloatArray, before_FP: FloatArray, after_FP: FloatArray) -> int | None:
    """Find the first frame that shows more of what comes than of what goes.

    Args:
        film_FP: `signature.details` of each frame of the film around the seam.
        before_FP: The same of what goes, had it gone on.
        after_FP: The same of what comes, had it been there before.

    Returns:
        Between 0 and F; None where the two look the same, or some frame shows neither.
    """
    # How much of each is in each frame, by least squares.
    aa, bb, ab, fa, fb, ff = (
        (one * other).sum(axis=1, dtype=np.float64)
        for one, other in (
            (before_FP, before_FP),
            (after_FP, after_FP),
            (before_FP, after_FP),
            (film_FP, before_FP),
            (film_FP, after_FP),
            (film_FP, film_FP),
        )
    )
    apart = aa * bb - ab * ab
    if np.median(apart / np.maximum(aa * bb, 1e-6)) < _LEAST_APART:
        return None
    apart = np.maximum(apart, 1e-6)
    going = np.maximum((fa * bb - fb * ab) / apart, 0)
    coming = np.maximum((fb * aa - fa * ab) / apart, 0)
    if (going * fa + coming * fb < LEAST_ALIKE**2 * np.maximum(ff, 1)).any():
        return None
    share = coming / np.maximum(going + coming, 1e-6)
    # The step that fits the shares best.
    errors = np.concatenate([[0.0], np.cumsum(share - 0.5)])
    return int(errors.argmin())


def find_end(film_FP: FloatArray, shown_FP: FloatArray) -> int:
    """Find the first frame that shows less than half of what the first frames show.

    Args:
        film_FP: `signature.details` of each frame of the film around the end of a shot.
        shown_FP: The same of the shot, had it gone on.

    Returns:
        Between 0 and F.
    """
    energy = (shown_FP * shown_FP).sum(axis=1, dtype=np.float64)
    amounts = (film_FP * shown_FP).sum(axis=1, dtype=np.float64) / np.maximum(energy, 1e-6)
    usual = float(np.median(amounts[: (len(amounts) + 1) // 2]))
    share = np.clip(amounts / max(usual, 1e-6), 0, 1)
    return int(np.concatenate([[0.0], np.cumsum(0.5 - share)]).argmin())


def _fine(
    along: Callable[[npt.NDArray[np.float64], float], FloatArray],
    good: npt.NDArray[np.bool_],
    place: float,
    speed: float,
    half: float,
    usual_speed: float,
) -> tuple[float, float, float]:
    """Look closely around a line: where the differences are smallest, not the likeness largest.

    Returns:
        How good the best is, where it is, and its speed.
    """
    places = place + np.arange(-_NEAR_FRAMES, _NEAR_FRAMES + 0.01, 0.125)

    def value(one: float) -> tuple[float, float]:
        """Return the best value at a speed, and the middle of the places that are as good."""
        alike = along(places, one)[good]
        found = -np.log(1 - np.minimum(alike, 1) + _FLOOR).mean(axis=0)
        top = float(found.max())
        low = high = int(found.argmax())
        while low > 0 and found[low - 1] >= top - 1e-3:
            low -= 1
        while high < len(found) - 1 and found[high + 1] >= top - 1e-3:
            high += 1
        return top, float((places[low] + places[high]) / 2)

    normal, normal_place = value(usual_speed)
    best = (normal + _SPEED_GAIN, normal_place, usual_speed)
    if half * FASTEST > 0.5:
        step = max(0.0005, 0.25 / max(half, 1.0))
        for one in np.arange(speed - 0.012, speed + 0.0121, step):
            found, at = value(float(one))
            if found > best[0]:
                best = (found, at, float(one))
    return best
