"""Composes training sequences out of segments, with planted highlights and without.

A planted sequence has a background, a part that is planted in it, and sometimes one-off pieces
that are neither. What is planted comes from one pseudo-category, since a highlight is usually more
than one clip of its kind; the background is one take, a few that look alike, or a compilation of
everything else. No label is used: which category is planted is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hlcli.model.projection import scale_features
from hlcli.training.clips import ClipSource
from hlcli.training.recipe import DataConfig
from hlcli.training.segments import Segment, SegmentPool

Piece: TypeAlias = tuple[int, int, int]
"""Video, first clip and clip after the last."""
Float64 = npt.NDArray[np.float64]

_MOST_LOOKED_AT = 64
_STILL = 1e-3
_MOST_ALIKE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One training sequence, cut and pasted from the corpus."""

    pieces: tuple[Piece, ...]
    """The pieces in order."""
    planted_T: npt.NDArray[np.bool_]
    """Clips of the planted part, shape `(T,)`; all False where nothing is planted."""


class Planter:
    """Composes sequences from the segments of a corpus.

    Args:
        corpus: Where the segments come from.
        segments: All segments; at most 64 of a pseudo-category are looked at to know it.
        data: How sequences are composed.
    """

    def __init__(self, corpus: ClipSource, segments: SegmentPool, data: DataConfig) -> None:
        self.data = data
        self._centres: dict[int, Float64] = {}
        self._activity: dict[int, float] = {}
        for category in segments.categories:
            alike = segments.of([category])
            every = np.linspace(0, len(alike) - 1, min(len(alike), _MOST_LOOKED_AT)).round()
            pictures, motion = [], []
            for index in every.astype(np.int64):
                segment = alike[int(index)]
                seen = corpus.read(segment.video, segment.start, segment.stop)
                wide = seen.visual_TV.astype(np.float32, copy=False)
                pictures.append(scale_features(wide).mean(axis=0, dtype=np.float64))
                motion.append(float(np.log(seen.motion_T + _STILL).mean()))
            self._centres[category] = np.mean(pictures, axis=0)
            self._activity[category] = float(np.mean(motion))

    def plant(self, rng: np.random.Generator, pool: SegmentPool, num_clips: int) -> Sequence:
        """Compose a sequence of exactly `num_clips` clips with a planted part.

        Args:
            rng: Draws everything.
            pool: Segments to use, of two categories or more.
            num_clips: T, at least 2.
        """
        planted_category, background, unused = self._cast(rng, pool)
        share = rng.uniform(self.data.planted_min, self.data.planted_max)
        num_planted = min(max(1, round(share * num_clips)), num_clips - 1)
        planted = self.fill(rng, pool.of([planted_category]), num_planted)
        free = num_clips - num_planted
        rest: list[Piece] = []
        if unused and rng.random() < self.data.distractor_probability:
            wanted = round(rng.uniform(0.0, self.data.distractor_max) * num_clips)
            rest = self._one_offs(rng, pool, unused, min(wanted, free - 1))
            free -= sum(stop - start for _, start, stop in rest)
        rest += self.fill(rng, pool.of(background), free)
        tagged = [(piece, True) for piece in planted] + [(piece, False) for piece in rest]
        tagged = [tagged[i] for i in rng.permutation(len(tagged))]
        flags = [flag for piece, flag in tagged for _ in range(piece[1], piece[2])]
        return Sequence(pieces=tuple(piece for piece, _ in tagged), planted_T=np.array(flags))

    def fill(
        self, rng: np.random.Generator, pool: SegmentPool | list[Segment], num_clips: int
    ) -> list[Piece]:
        """Random pieces, `num_clips` in all; no segment comes again before all have come."""
        pieces = []
        deck: list[int] = []
        while num_clips > 0:
            deck = deck or rng.permutation(len(pool)).tolist()
            segment = pool[deck.pop()]
            wanted = int(rng.integers(self.data.min_piece_clips, self.data.max_piece_clips + 1))
            length = min(wanted, segment.num_clips, num_clips)
            start = segment.start + int(rng.integers(segment.num_clips - length + 1))
            pieces.append((segment.video, start, start + length))
            num_clips -= length
        return pieces

    def _cast(
        self, rng: np.random.Generator, pool: SegmentPool
    ) -> tuple[int, list[int], list[int]]:
        """Category that is planted, those of the background, and those left for one-offs."""
        planted, first, *others = rng.permutation(pool.categories).tolist()
        calmer, livelier = sorted((planted, first), key=self._activity.__getitem__)
        if rng.random() < self.data.active_share:
            planted, first = livelier, calmer
        else:
            planted, first = calmer, livelier
        kind = rng.random()
        if kind < self.data.mixed_share:
            return planted, [first, *others], []
        if kind < self.data.mixed_share + self.data.alike_share:
            others.sort(key=lambda other: self._distance(first, other))
            num_alike = int(rng.integers(2, _MOST_ALIKE + 1))
            return planted, [first, *others[: num_alike - 1]], others[num_alike - 1 :]
        return planted, [first], others

    def _distance(self, first: int, second: int) -> float:
        return float(np.linalg.norm(self._centres[first] - self._centres[second]))

    def _one_offs(
        self, rng: np.random.Generator, pool: SegmentPool, categories: list[int], num_clips: int
    ) -> list[Piece]:
        """At most one piece of each category, in random order, `num_clips` in all at most."""
        pieces: list[Piece] = []
        for category in rng.permutation(categories).tolist():
            if num_clips < 1:
                break
            piece = self.fill(rng, pool.of([category]), num_clips)[0]
            pieces.append(piece)
            num_clips -= piece[2] - piece[1]
        return pieces
