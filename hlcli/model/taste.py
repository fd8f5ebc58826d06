"""What an editor keeps, learned from marks: a linear map on features, added to the raw score.

A detector says what stands out; taste says what this editor keeps of it. The sum goes through the
detector's squashing curve like any raw score.

Axes: T clips, V feature size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.errors import CheckpointError
from hlcli.features.types import FloatArray, RowArray, VideoFeatures
from hlcli.model.scorer import Modality

SMOOTHING_PASSES = 2
"""How often scores are averaged with their neighbours by (1/4, 1/2, 1/4): moments last seconds."""
PREFIX = "taste."
"""Start of the names of its tensors in a checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteSide:
    """One sense: where the footage lies in its features, and what counts there."""

    centre_V: FloatArray
    """Mean of the footage's unit vectors, float32, shape `(V,)`."""
    weight_V: Mapping[Modality, FloatArray]
    """Raw score per unit of feature, float32, shape `(V,)`, by modality that uses this sense."""

    def preferences(self, rows_TV: RowArray, modality: Modality) -> npt.NDArray[np.float64]:
        """How much each clip is to the editor's taste, shape `(T,)`, not smoothed."""
        weight_V = self.weight_V[modality].astype(np.float64)
        # (u - c) w without the copy of all rows that the difference would be.
        offset = float(self.centre_V.astype(np.float64) @ weight_V)
        liked_T: npt.NDArray[np.float64] = unit_rows(rows_TV).astype(np.float64) @ weight_V - offset
        return liked_T


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteHead:
    """What is added to a detector's raw scores."""

    visual: TasteSide
    """The picture; weights for "v" and "va"."""
    audio: TasteSide | None
    """The sound; weights for "a" and "va". None when the footage had none."""

    def preferences(self, features: VideoFeatures, modality: Modality) -> FloatArray:
        """What to add to the raw scores of a video, float32, shape `(T,)`, smoothed.

        Zero for the sound alone when the footage had none.
        """
        total_T = np.zeros(features.num_clips)
        if modality in self.visual.weight_V:
            total_T += self.visual.preferences(features.visual_TV, modality)
        if self.audio is not None and modality in self.audio.weight_V:
            assert features.audio_TA is not None
            total_T += self.audio.preferences(features.audio_TA, modality)
        return smoothed(total_T).astype(np.float32)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name, for a checkpoint."""
        made: dict[str, npt.NDArray[Any]] = {}
        sides = {"visual": self.visual} | ({} if self.audio is None else {"audio": self.audio})
        for name, side in sides.items():
            made[f"{name}.centre"] = side.centre_V
            made |= {f"{name}.weight_{key}": weight for key, weight in side.weight_V.items()}
        return {PREFIX + name: array for name, array in made.items()}

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, npt.NDArray[Any]], *, visual_size: int, audio_size: int
    ) -> TasteHead | None:
        """Read what `tensors` wrote; None when there is nothing of it.

        Args:
            tensors: All tensors of a checkpoint; others than ours are passed over.
            visual_size: V of the picture, from the feature specification.
            audio_size: V of the sound.

        Raises:
            CheckpointError: An array is missing, unexpected, of another shape or not finite.
        """
        found = {n.removeprefix(PREFIX): a for n, a in tensors.items() if n.startswith(PREFIX)}
        if not found:
            return None
        parts = ("centre", "weight_v", "weight_va")
        expected = {f"visual.{part}": (visual_size,) for part in parts}
        if "audio.centre" in found:
            parts = ("centre", "weight_a", "weight_va")
            expected |= {f"audio.{part}": (audio_size,) for part in parts}
        shapes = {name: array.shape for name, array in found.items()}
        if shapes != expected or not all(np.isfinite(array).all() for array in found.values()):
            wrong = sorted(n for n in expected.keys() | shapes if expected.get(n) != shapes.get(n))
            raise CheckpointError(
                "the taste in the model is damaged: "
                + (f"{', '.join(wrong)} are not as expected" if wrong else "it is not finite"),
                hint="get the model again, or run `hl finetune` again",
            )
        return cls(
            visual=TasteSide(
                centre_V=found["visual.centre"],
                weight_V={"v": found["visual.weight_v"], "va": found["visual.weight_va"]},
            ),
            audio=TasteSide(
                centre_V=found["audio.centre"],
                weight_V={"a": found["audio.weight_a"], "va": found["audio.weight_va"]},
            )
            if "audio.centre" in found
            else None,
        )


def unit_rows(rows_TV: RowArray) -> FloatArray:
    """Directions of the features after +-log(1 + |x|), float32: what there is, not how strong."""
    rows = rows_TV.astype(np.float32)
    logs = np.copysign(np.log1p(np.abs(rows)), rows)
    length_T1 = np.linalg.norm(logs, axis=1, keepdims=True)
    unit_TV: FloatArray = (logs / np.maximum(length_T1, 1e-9)).astype(np.float32)
    return unit_TV


def smoothed(values_T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average along the first axis with the neighbours; the ends count twice."""
    for _ in range(SMOOTHING_PASSES):
        padded = np.concatenate([values_T[:1], values_T, values_T[-1:]])
        values_T = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return values_T
