"""Where in the footage a picture of the film may come from, by the stored features.

Axes: Q pictures of the film, T clips of a file, V size of an embedding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.features.types import RowArray
from hlcli.matching.signature import FloatArray

MOST_PLACES = 32
"""Places of the footage that are kept for each picture of the film."""
MOST_CANDIDATES = 24
"""Places at which a shot is looked for."""
_APART_SECONDS = 2.0
_BLOCK_ROWS = 4096
# So many pictures of the footage count as pictures of the film: a film of three shots has no mean.
_FEW_ROWS = 20
_LEAST_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place of the footage that may be what a shot shows."""

    file: int
    """Index of the file."""
    offset_seconds: float
    """About the instant of the file that is shown at instant 0 of the film."""
    film_seconds: float
    """Instant of the film picture that looks most like it."""
    weight: float
    """How much speaks for it; compares with others of the same shot."""


class Spread:
    """Mean and deviation of embeddings, added up block by block."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: npt.NDArray[np.float64] | float = 0.0
        self._squares: npt.NDArray[np.float64] | float = 0.0

    def add(self, rows: RowArray) -> None:
        """Count rows in, `(N, V)`."""
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS].astype(np.float64)
            self._count += len(block)
            self._sum = self._sum + block.sum(axis=0)
            self._squares = self._squares + (block * block).sum(axis=0)

    def including(self, rows: RowArray) -> Spread:
        """Return the spread of rows, drawn towards this one where they are few."""
        found = Spread()
        found.add(rows)
        share = _FEW_ROWS / max(self._count, 1)
        found._count += _FEW_ROWS if self._count else 0
        found._sum = found._sum + share * self._sum
        found._squares = found._squares + share * self._squares
        return found

    def standard(self, rows: RowArray) -> FloatArray:
        """Return rows without mean and deviation, of length 1."""
        mean = self._sum / max(self._count, 1)
        deviation = np.sqrt(np.maximum(self._squares / max(self._count, 1) - mean * mean, 0))
        wide = (rows.astype(np.float32) - np.float32(mean)) / np.float32(deviation + _LEAST_SPREAD)
        found: FloatArray = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-6)
        return found


class PlaceSearch:
    """Looks for pictures of the film in one file after the other; memory does not grow.

    What sets the whole film apart from the whole footage is left out: its grading, its format.

    Args:
        pictures_QV: Embeddings of pictures of the film.
        footage: Spread of the embeddings of the footage.
    """

    def __init__(self, pictures_QV: RowArray, footage: Spread) -> None:
        self._footage = footage
        self._queries = footage.including(pictures_QV).standard(pictures_QV)
        count = len(self._queries)
        self._alike = np.full((count, MOST_PLACES), -np.inf, np.float32)
        self._files = np.full((count, MOST_PLACES), -1, np.int64)
        self._seconds = np.zeros((count, MOST_PLACES), np.float64)

    def look_in(self, file: int, rows_TV: RowArray, *, clip_seconds: float = 1.0) -> None:
        """Look for all pictures in one file.

        Args:
            file: Index of the file.
            rows_TV: Embedding of the middle of each clip.
            clip_seconds: Length of a clip.
        """
        for start in range(0, len(rows_TV), _BLOCK_ROWS):
            block = self._footage.standard(rows_TV[start : start + _BLOCK_ROWS])
            self._take(file, self._queries @ block.T, start, clip_seconds)

    def _take(self, file: int, alike_QT: FloatArray, start: int, clip_seconds: float) -> None:
        alike = alike_QT.copy()
        apart = round(_APART_SECONDS / clip_seconds)
        rows = np.arange(len(alike))
        span = np.arange(alike.shape[1])
        for _ in range(min(MOST_PLACES, -(-alike.shape[1] // (apart + 1)))):
            best = alike.argmax(axis=1)
            value = alike[rows, best]
            worst = self._alike.argmin(axis=1)
            better = value > self._alike[rows, worst]
            if not better.any():
                return
            self._alike[rows[better], worst[better]] = value[better]
            self._files[rows[better], worst[better]] = file
            self._seconds[rows[better], worst[better]] = (start + best[better] + 0.5) * clip_seconds
            alike[np.abs(span[None] - best[:, None]) <= apart] = -np.inf

    def candidates(
        self, pictures: Sequence[int] | npt.NDArray[np.intp], seconds_Q: npt.NDArray[np.float64]
    ) -> list[Candidate]:
        """Return where a shot may come from, the likeliest first.

        Args:
            pictures: Indices of the pictures of the shot.
            seconds_Q: Instant of each picture of the film.
        """
        found: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
        for picture in pictures:
            at = float(seconds_Q[picture])
            for place in np.flatnonzero(self._files[picture] >= 0):
                alike = float(self._alike[picture, place])
                offset = float(self._seconds[picture, place]) - at
                found[int(self._files[picture, place])].append((alike, offset, at))
        candidates: list[Candidate] = []
        for file, hits in found.items():
            while hits:
                # What agrees with the likeliest hit of the file is one candidate with it.
                alike, offset, at = max(hits)
                near = [hit for hit in hits if abs(hit[1] - offset) <= _APART_SECONDS]
                weight = alike + 0.05 * (len({hit[2] for hit in near}) - 1)
                candidates.append(Candidate(file, offset, at, weight))
                hits = [hit for hit in hits if abs(hit[1] - offset) > _APART_SECONDS]
        candidates.sort(key=lambda one: -one.weight)
        return candidates[:MOST_CANDIDATES]
