"""The score of a video over time, its moments shaded, and lanes of what else is known below it.

Axes: T clips, N columns of pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.clock_text import clock_text
from hlcli.document import ScoresDocument
from hlcli.moments import Observation
from hlcli.rendering.drawing import Box, Drawing, Ink, Line, Text

QUIET_DBFS = -60.0
"""What the loudness lane shows as nothing."""
LOW_SCORE = 0.5
"""A video that scores below this throughout is drawn to its own scale, as on the terminal."""
ALWAYS = ("cheering", "laughter", "applause", "music", "speech")
"""Sounds that have a lane even where none is found."""
_MOST_OTHERS = 4
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where a curve is drawn: the same marks and letters at any width."""

    width: int = 1120
    """Of the whole drawing, in pixels."""
    left: int = 84
    """Room for names at the left, in pixels."""
    right: int = 12
    """Room at the right, in pixels."""
    curve_height: int = 150
    """Of the score curve, in pixels."""
    lane_height: int = 20
    """Of each lane, in pixels."""
    letters: int = 13
    """Size of the letters, in pixels."""

    @property
    def inside(self) -> int:
        """Width of what is drawn over time, in pixels."""
        return self.width - self.left - self.right


WIDE = Frame()
NARROW = Frame(width=420, left=70, right=8, curve_height=110, lane_height=18, letters=12)
"""For the screens of telephones."""


def extremes(
    values_T: npt.ArrayLike, columns: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the lowest and the highest value of each column of pixels.

    Args:
        values_T: One value per clip, shape `(T,)`, at least one.
        columns: N, the most columns; fewer clips get a column each.

    Returns:
        Two rows of shape `(min(T, N),)`: no peak is lost, however many clips share a column.
    """
    values = np.asarray(values_T, dtype=np.float64)
    count = min(columns, len(values))
    starts = np.arange(count) * len(values) // count
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def draw_curve(
    document: ScoresDocument,
    *,
    lanes: bool = False,
    frame: Frame = WIDE,
    title: str = "",
    links: Sequence[str] = (),
) -> Drawing:
    """Draw the score curve of a video and, below it, its lanes.

    The lanes are loudness, sounds, sights, motion and cuts, as far as the document has them.

    Args:
        document: The scores, with their moments.
        lanes: Whether to draw them.
        frame: Size.
        title: Stands above the curve.
        links: Where a click on each moment leads, in the order of the moments.
    """
    plot = _Plot(document, frame)
    if title:
        plot.title(title)
    plot.scores(links)
    if lanes:
        plot.lanes()
    plot.axis()
    return plot.drawing


def lanes_of(document: ScoresDocument) -> dict[str, list[Observation]]:
    """Return the sounds and sights that get a lane: `ALWAYS`, then the most frequent others.

    Args:
        document: The scores; one of an earlier `hl` has no lanes.
    """
    found: dict[str, list[Observation]] = {}
    for name in ALWAYS if document.sounds is not None else ():
        found[name] = []
    sounds = document.sounds or ()
    if document.speech is not None:
        # Where somebody speaks is known better than where it sounds like speech.
        sounds = tuple(sound for sound in sounds if sound.name != "speech") + tuple(
            Observation(name="speech", start_seconds=start, end_seconds=end, score=1.0)
            for start, end in document.speech
        )
    sides = (sounds, document.sights or ())
    for observations in sides:
        lengths: dict[str, float] = {}
        for one in observations:
            length = one.end_seconds - one.start_seconds
            lengths[one.name] = lengths.get(one.name, 0.0) + length
        usual = sorted(lengths, key=lambda name: (-lengths[name], name))
        for name in [name for name in usual if name not in found][:_MOST_OTHERS]:
            found[name] = []
        for observation in observations:
            if observation.name in found:
                found[observation.name].append(observation)
    return found


class _Plot:
    """A drawing that grows downwards."""

    def __init__(self, document: ScoresDocument, frame: Frame) -> None:
        self._document = document
        self._frame = frame
        self._seconds = document.video.duration_seconds
        self.drawing = Drawing(width=frame.width, height=8)
        self._top = 0  # of what has marks of time

    def title(self, text: str) -> None:
        size = self._frame.letters + 2
        self.drawing.height += size + 4
        self._text(8, self.drawing.height - 4, text, ink="ink", size=size, is_bold=True)

    def scores(self, links: Sequence[str]) -> None:
        frame, scores = self._frame, self._document.scores
        badge = frame.letters + 6
        top = self.drawing.height + badge
        bottom = top + frame.curve_height
        self._top = top
        highest = max(scores)
        full = highest if 0 < highest < LOW_SCORE else 1.0
        for part in (0.0, 0.5, 1.0):
            y = bottom - part * frame.curve_height
            self._box(frame.left, y, frame.inside, 1, "grid")
            label = f"{part * full:.2f}".rstrip("0").rstrip(".")
            self._text(frame.left - 6, y + 4, label, anchor="end")
        for one in self._document.unusable or ():
            left, right = self._x(one.start_seconds), self._x(one.end_seconds)
            label = f"{one.reason} at {clock_text(one.start_seconds)}"
            width = max(1.5, right - left)
            self._box(left, top, width, frame.curve_height, "unusable", label)
        for index, moment in enumerate(self._document.moments):
            left, right = self._x(moment.start_seconds), self._x(moment.end_seconds)
            width = max(2.0, right - left)
            href = links[index] if index < len(links) else None
            at = clock_text(moment.start_seconds)
            label = f"Moment {index + 1} at {at}, score {moment.score:.2f}"
            self.drawing.shapes.append(
                Box(left, top, width, frame.curve_height, "moment", href, label)
            )
        self._numbers(top - 5)
        rows = extremes(np.minimum(scores, full) / full, frame.inside)
        lows, highs = (self._points(bottom - row_N * frame.curve_height) for row_N in rows)
        if len(rows[0]) < len(scores):
            self.drawing.shapes.append(Line([*highs, *reversed(lows)], "curve", is_closed=True))
        self.drawing.shapes.append(Line(highs, "curve"))
        self.drawing.height = bottom + 2

    def _numbers(self, y: float) -> None:
        """Number the moments, best first; one that has no room stays without."""
        taken: list[tuple[float, float]] = []
        for index, moment in enumerate(self._document.moments):
            middle = self._x((moment.start_seconds + moment.end_seconds) / 2)
            half = self._frame.letters * 0.35 * len(str(index + 1)) + 2
            if all(middle + half <= left or right <= middle - half for left, right in taken):
                taken.append((middle - half, middle + half))
                self._text(middle, y, str(index + 1), ink="ink", anchor="middle", is_bold=True)

    def lanes(self) -> None:
        document = self._document
        if document.loudness is not None:
            self._area("loudness", (np.asarray(document.loudness) - QUIET_DBFS) / -QUIET_DBFS)
        for name, observations in lanes_of(document).items():
            top, height = self._lane(name), self._frame.lane_height
            for left, right, score, start in self._bars(observations):
                tall = max(0.25, score) * (height - 3)
                label = f"{name} at {clock_text(start)}"
                self._box(left, top + height - tall, right - left, tall, "lane", label)
        if document.motion is not None:
            usual = float(np.percentile(document.motion, 99))
            self._area("motion", np.asarray(document.motion) / max(usual, 0.01))
        cuts = self._document.shot_boundaries_seconds
        if cuts:
            top = self._lane("cuts")
            for x in sorted({math.floor(self._x(cut)) for cut in cuts}):
                self._box(x, top + 3, 1, self._frame.lane_height - 3, "cut")

    def _bars(
        self, observations: Sequence[Observation]
    ) -> Iterator[tuple[float, float, float, float]]:
        """Yield left, right, score and start of what can be told apart on so many pixels."""
        bar: tuple[float, float, float, float] | None = None
        for observation in observations:
            left = self._x(observation.start_seconds)
            right = max(left + 1.5, self._x(observation.end_seconds))
            if bar is not None and left < bar[1] + 1:
                bar = (bar[0], max(bar[1], right), max(bar[2], observation.score), bar[3])
                continue
            if bar is not None:
                yield bar
            bar = (left, min(right, self._frame.left + self._frame.inside), observation.score,
                   observation.start_seconds)  # fmt: skip
        if bar is not None:
            yield bar

    def axis(self) -> None:
        frame = self._frame
        letter = frame.letters
        longest = 0.62 * letter * (len(clock_text(self._seconds)) + 2)
        step = next(
            (one for one in _STEPS if one / self._seconds * frame.inside >= longest), _STEPS[-1]
        )
        bottom = self.drawing.height + 2
        self._box(frame.left, bottom, frame.inside, 1, "faint")
        for number in range(math.floor(self._seconds / step) + 1):
            x = self._x(number * step)
            self._box(x, bottom, 1, 4, "faint")
            # The first and the last label stay inside.
            half = 0.3 * letter * len(clock_text(number * step))
            if x + half <= frame.width:
                self._text(x, bottom + letter + 6, clock_text(number * step), anchor="middle")
        self.drawing.height = bottom + letter + 14

    def _lane(self, name: str) -> int:
        """Make room for a lane and return its top."""
        top = self.drawing.height + 4
        self.drawing.height = top + self._frame.lane_height
        self._text(self._frame.left - 6, self.drawing.height - 5, name, anchor="end")
        self._box(self._frame.left, self.drawing.height, self._frame.inside, 1, "grid")
        return top

    def _area(self, name: str, values_T: npt.ArrayLike) -> None:
        top, height = self._lane(name), self._frame.lane_height
        _, high_N = extremes(np.clip(values_T, 0.0, 1.0), self._frame.inside)
        points = self._points(top + height * (1 - high_N))
        ends = [(points[0][0], top + height), *points, (points[-1][0], top + height)]
        self.drawing.shapes.append(Line(ends, "lane", is_closed=True))

    def _points(self, ys_N: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
        """Return a point in the middle of each column; the outer ones reach the ends."""
        left, inside, count = self._frame.left, self._frame.inside, len(ys_N)
        xs = left + (np.arange(count) + 0.5) * inside / count
        # Whole tenths: what cannot be seen makes no bytes.
        points = list(zip(xs.round(1).tolist(), ys_N.round(1).tolist(), strict=True))
        return [(left, points[0][1]), *points[1:-1], (left + inside, points[-1][1])]

    def _x(self, seconds: float) -> float:
        share = min(max(seconds / self._seconds, 0.0), 1.0)
        return self._frame.left + share * self._frame.inside

    def _box(
        self, x: float, y: float, width: float, height: float, ink: Ink, label: str = ""
    ) -> None:
        self.drawing.shapes.append(Box(x, y, width, height, ink, None, label))

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        ink: Ink = "faint",
        size: int | None = None,
        anchor: str = "start",
        is_bold: bool = False,
    ) -> None:
        size = size or self._frame.letters
        self.drawing.shapes.append(Text(x, y, text, ink, size, anchor, is_bold))  # type: ignore[arg-type]
