"""Fits the taste head: a ranking loss between what was kept and what was passed over.

Every kept clip shall score above every passed-over clip of the same file: the mean logistic loss
over such pairs, the parent's raw score included, plus a ridge. The problem is convex and solved to
its minimum, so the same marks give the same taste.

Axes: T clips, V feature size.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from hlcli.errors import TrainingError
from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.model.fusion import FusedScorer, has_sound
from hlcli.model.scorer import Modality
from hlcli.model.taste import TasteHead, TasteSide, smoothed, unit_rows

RIDGE = 0.05
"""Weight of the squared norm, for features of mean squared length `_POWER`. Chosen on composites
of training groups: 0.03 to 0.3 differ by a point from ten spans on, less is better for one."""
AUDIO_SCALE = 0.5
"""Length of the sound's features beside the picture's."""
_POWER = 100.0
# 1,000 x 4,000 pairs of float64 are 32 MB; of several files each has its share.
_MOST_KEPT, _MOST_DROPPED = 1_000, 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedVideo:
    """One file of the footage and what the editor did with it."""

    name: str
    """File name, for messages."""
    features: VideoFeatures
    """Its features, T clips."""
    marks_T: npt.NDArray[np.int8]
    """1 where a clip was kept, 0 where it was passed over, -1 where nobody said, shape `(T,)`."""
    untuned: Mapping[Modality, FloatArray] | None = None
    """Raw scores of the scorer that taste is added to, shape `(T,)`, for each modality the video
    has; None computes them anew whenever a taste is fitted."""


def with_untuned_scores(scorer: FusedScorer, videos: Sequence[MarkedVideo]) -> list[MarkedVideo]:
    """Return the videos with the raw scores without any taste, for those that have marks."""
    bare = scorer.with_taste(None)
    return [
        dataclasses.replace(video, untuned=_untuned(bare, video))
        if (video.marks_T >= 0).any()
        else video
        for video in videos
    ]


def fit_taste(
    scorer: FusedScorer, videos: Sequence[MarkedVideo], *, ridge: float = RIDGE
) -> TasteHead:
    """Learn what an editor keeps.

    Args:
        scorer: The parent; a taste of its own is left out.
        videos: All files of the footage; those without marks still tell what it looks like.
        ridge: Weight of the squared norm of the map, above 0.

    Raises:
        TrainingError: No file has both kept and passed-over clips.
    """
    if not any(_has_both(video.marks_T) for video in videos):
        raise TrainingError(
            "no file has both kept and passed-over footage",
            hint="mark at least one span to keep and one to drop in the same file",
        )
    scorer = scorer.with_taste(None)
    centre_V = _centre([video.features.visual_TV for video in videos])
    with_sound = [video for video in videos if has_sound(video.features)]
    visual_weights: dict[Modality, FloatArray] = {}
    audio: TasteSide | None = None
    visual_weights["v"] = _fit(scorer, videos, "v", ridge, visual=centre_V)[0]
    if any(_has_both(video.marks_T) for video in with_sound):
        centre_A = _centre([_sound(video) for video in with_sound])
        alone = _fit(scorer, with_sound, "a", ridge, audio=centre_A)[0]
        of_picture, of_sound = _fit(
            scorer, with_sound, "va", ridge, visual=centre_V, audio=centre_A
        )
        visual_weights["va"] = of_picture
        audio = TasteSide(centre_V=centre_A, weight_V={"a": alone, "va": of_sound})
    else:
        visual_weights["va"] = visual_weights["v"]
    return TasteHead(
        visual=TasteSide(centre_V=centre_V, weight_V=visual_weights),
        audio=audio,
    )


def _fit(
    scorer: FusedScorer,
    videos: Sequence[MarkedVideo],
    modality: Modality,
    ridge: float,
    *,
    visual: FloatArray | None = None,
    audio: FloatArray | None = None,
) -> list[FloatArray]:
    """Weights of each sense given by its centre, in the order picture, sound."""
    marked = [video for video in videos if _has_both(video.marks_T)]
    share = len(marked) ** 0.5
    chosen = [
        np.union1d(
            _evenly(video.marks_T == 1, math.ceil(_MOST_KEPT / share)),
            _evenly(video.marks_T == 0, math.ceil(_MOST_DROPPED / share)),
        )
        for video in marked
    ]
    blocks, factors = [], []
    for centre_V, scale in ((visual, 1.0), (audio, AUDIO_SCALE)):
        if centre_V is None:
            continue
        power, num_clips, parts = 0.0, 0, []
        # One file at a time: the features of a hundred hours do not fit twice.
        for video, indices in zip(marked, chosen, strict=True):
            rows = video.features.visual_TV if centre_V is visual else _sound(video)
            off_TV = smoothed(unit_rows(rows).astype(np.float64) - centre_V)
            power += float((off_TV**2).sum())
            num_clips += len(off_TV)
            parts.append(off_TV[indices])
        factor = scale * np.sqrt(_POWER / max(power / num_clips, 1e-12))
        blocks.append([factor * part for part in parts])
        factors.append(factor)
    inputs = [np.concatenate(senses, axis=1) for senses in zip(*blocks, strict=True)]
    offsets = [
        (video.untuned or _untuned(scorer, video))[modality][indices]
        for video, indices in zip(marked, chosen, strict=True)
    ]
    marks = [video.marks_T[indices] for video, indices in zip(marked, chosen, strict=True)]
    weight = rank_weights(inputs, offsets, marks, ridge)
    sizes = np.cumsum([part[0].shape[1] for part in blocks])[:-1]
    return [
        (factor * part).astype(np.float32)
        for factor, part in zip(factors, np.split(weight, sizes), strict=True)
    ]


def _untuned(scorer: FusedScorer, video: MarkedVideo) -> dict[Modality, FloatArray]:
    sides: tuple[Modality, ...] = ("v", "a", "va") if has_sound(video.features) else ("v",)
    return scorer.raw_scores(video.features, sides)


def rank_weights(
    inputs: Sequence[npt.NDArray[np.float64]],
    offsets: Sequence[npt.NDArray[np.floating]],
    marks: Sequence[npt.NDArray[np.int8]],
    ridge: float,
) -> npt.NDArray[np.float64]:
    """Minimise the mean logistic loss over pairs of each file, plus the ridge.

    Args:
        inputs: Features of each file, `(T, V)`.
        offsets: What is added to the score of each clip, `(T,)`.
        marks: 1 kept, 0 passed over, -1 unknown, `(T,)`; each file has both of the first.
        ridge: Weight of half the squared norm, above 0.

    Returns:
        Score per unit of feature, float64, shape `(V,)`.

    Raises:
        TrainingError: The loss is no longer a number.
    """
    said = np.concatenate([x[y >= 0] for x, y in zip(inputs, marks, strict=True)])
    if len(said) < said.shape[1]:
        # The minimum lies in the span of the clips: solve there, however many features there are.
        _, sizes, directions = np.linalg.svd(said, full_matrices=False)
        basis = directions[(sizes > sizes[0] * 1e-9) & (sizes > 0)].T
    else:
        basis = np.eye(said.shape[1])
    if not said.any():
        # All clips are alike to this sense, as in silence: it has no say.
        return np.zeros(len(basis))
    files = []
    for x, offset, y in zip(inputs, offsets, marks, strict=True):
        reduced = torch.from_numpy(x @ basis)
        base = torch.from_numpy(offset.astype(np.float64))
        files.append((reduced[y == 1], base[y == 1], reduced[y == 0], base[y == 0]))
    weight = torch.zeros(basis.shape[1], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight], max_iter=300, tolerance_grad=1e-9, tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> torch.Tensor:
        solver.zero_grad()
        total = 0.5 * ridge * (weight @ weight)
        for kept, kept_base, dropped, dropped_base in files:
            lead = (kept @ weight + kept_base)[:, None] - (dropped @ weight + dropped_base)
            total = total + torch.nn.functional.softplus(-lead).mean() / len(files)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    solver.step(loss)  # type: ignore[no-untyped-call]
    found = basis @ weight.detach().numpy()
    if not np.isfinite(found).all():
        raise TrainingError(
            "the marks could not be learned: the loss is no longer a number",
            hint="check the marks; if they are right, report this as a bug of hl",
        )
    return np.asarray(found)


def _centre(rows: Sequence[npt.NDArray[np.floating]]) -> FloatArray:
    total = np.sum([unit_rows(one).sum(axis=0, dtype=np.float64) for one in rows], axis=0)
    centre: FloatArray = (total / sum(len(one) for one in rows)).astype(np.float32)
    return centre


def _sound(video: MarkedVideo) -> npt.NDArray[np.floating]:
    assert video.features.audio_TA is not None
    return video.features.audio_TA


def _has_both(marks_T: npt.NDArray[np.int8]) -> bool:
    return bool((marks_T == 1).any() and (marks_T == 0).any())


def _evenly(chosen_T: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.int64]:
    """Indices of the chosen clips, evenly thinned out to `most`."""
    indices = np.flatnonzero(chosen_T)
    if len(indices) <= most:
        return indices
    thinned: npt.NDArray[np.int64] = indices[
        np.linspace(0, len(indices) - 1, most).round().astype(np.int64)
    ]
    return thinned
