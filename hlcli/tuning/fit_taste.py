"""Fits the taste head: a ranking loss between what was kept and what was passed over.

Every kept clip shall score above every passed-over clip that it is compared with
(`hlcli.tuning.compare`): the mean logistic loss over such pairs, the parent's raw score included,
plus a ridge. The problem is convex and solved to its minimum, so the same marks give the same
taste.

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
from hlcli.tuning.compare import COMPARE_HINT, NOTHING_TO_COMPARE, Comparison, comparisons

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
    camera: str = ""
    """What recorded it; files of the same are compared with each other."""
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
        TrainingError: There is nothing kept, or nothing passed over to compare it with.
    """
    if not comparisons(videos):
        raise TrainingError(NOTHING_TO_COMPARE, hint=COMPARE_HINT)
    scorer = scorer.with_taste(None)
    centre_V = _centre([video.features.visual_TV for video in videos])
    with_sound = [video for video in videos if has_sound(video.features)]
    visual_weights: dict[Modality, FloatArray] = {}
    audio: TasteSide | None = None
    visual_weights["v"] = _fit(scorer, videos, "v", ridge, visual=centre_V)[0]
    if comparisons(with_sound):
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
    compared = comparisons(videos)
    share = len(compared) ** 0.5
    # Of each comparison, the clips of each of its files.
    chosen = [
        _chosen(one, videos, math.ceil(_MOST_KEPT / share), math.ceil(_MOST_DROPPED / share))
        for one in compared
    ]
    used = sorted({index for one in compared for index in one.files})
    blocks, factors = [], []
    for centre_V, scale in ((visual, 1.0), (audio, AUDIO_SCALE)):
        if centre_V is None:
            continue
        power, num_clips = 0.0, 0
        parts: list[list[npt.NDArray[np.float64]]] = [[] for _ in compared]
        # One file at a time: the features of a hundred hours do not fit twice.
        for index in used:
            video = videos[index]
            rows = video.features.visual_TV if centre_V is visual else _sound(video)
            off_TV = smoothed(unit_rows(rows).astype(np.float64) - centre_V)
            power += float((off_TV**2).sum())
            num_clips += len(off_TV)
            for part, clips in zip(parts, chosen, strict=True):
                if index in clips:
                    part.append(off_TV[clips[index]])
        factor = scale * np.sqrt(_POWER / max(power / num_clips, 1e-12))
        blocks.append([factor * np.concatenate(part) for part in parts])
        factors.append(factor)
    inputs = [np.concatenate(senses, axis=1) for senses in zip(*blocks, strict=True)]
    untuned = {
        index: (videos[index].untuned or _untuned(scorer, videos[index]))[modality]
        for index in used
    }
    offsets = [
        np.concatenate([untuned[index][clips[index]] for index in sorted(clips)])
        for clips in chosen
    ]
    marks = [
        np.concatenate([one.marks(videos, index)[clips[index]] for index in sorted(clips)])
        for one, clips in zip(compared, chosen, strict=True)
    ]
    weight = rank_weights(inputs, offsets, marks, ridge, [one.weight for one in compared])
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
    weights: Sequence[float] | None = None,
) -> npt.NDArray[np.float64]:
    """Minimise the mean logistic loss over pairs of each comparison, plus the ridge.

    Args:
        inputs: Features of the clips of each comparison, `(T, V)`.
        offsets: What is added to the score of each clip, `(T,)`.
        marks: 1 kept, 0 passed over, -1 unknown, `(T,)`; each comparison has both of the first.
        ridge: Weight of half the squared norm, above 0.
        weights: How much each comparison counts, above 0; None counts all the same.

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
    shares = np.ones(len(inputs)) if weights is None else np.asarray(weights, np.float64)
    compared = []
    for share, x, offset, y in zip(shares / shares.sum(), inputs, offsets, marks, strict=True):
        reduced = torch.from_numpy(x @ basis)
        base = torch.from_numpy(offset.astype(np.float64))
        is_kept, is_passed = torch.from_numpy(y == 1), torch.from_numpy(y == 0)
        compared.append(
            (float(share), reduced[is_kept], base[is_kept], reduced[is_passed], base[is_passed])
        )
    weight = torch.zeros(basis.shape[1], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight], max_iter=300, tolerance_grad=1e-9, tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> torch.Tensor:
        solver.zero_grad()
        total = 0.5 * ridge * (weight @ weight)
        for share, kept, kept_base, passed, passed_base in compared:
            lead = (kept @ weight + kept_base)[:, None] - (passed @ weight + passed_base)
            total = total + share * torch.nn.functional.softplus(-lead).mean()
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
    total = np.sum([unit_rows(row).sum(axis=0, dtype=np.float64) for row in rows], axis=0)
    centre: FloatArray = (total / sum(len(row) for row in rows)).astype(np.float32)
    return centre


def _sound(video: MarkedVideo) -> npt.NDArray[np.floating]:
    assert video.features.audio_TA is not None
    return video.features.audio_TA


def _chosen(
    compared: Comparison, videos: Sequence[MarkedVideo], most_kept: int, most_passed: int
) -> dict[int, npt.NDArray[np.int64]]:
    """Return the clips of each file that a comparison takes, evenly thinned out to the limits."""
    marks = [compared.marks(videos, index) for index in sorted(compared.files)]
    together = np.concatenate(marks)
    taken = np.union1d(
        _evenly(together == 1, most_kept),
        _evenly(together == 0, most_passed),
    )
    ends = np.cumsum([len(mark) for mark in marks])
    starts = ends - [len(mark) for mark in marks]
    return {
        index: taken[(taken >= start) & (taken < end)] - start
        for index, start, end in zip(sorted(compared.files), starts, ends, strict=True)
    }


def _evenly(chosen_T: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.int64]:
    """Indices of the chosen clips, evenly thinned out to `most`."""
    indices = np.flatnonzero(chosen_T)
    if len(indices) <= most:
        return indices
    thinned: npt.NDArray[np.int64] = indices[
        np.linspace(0, len(indices) - 1, most).round().astype(np.int64)
    ]
    return thinned
