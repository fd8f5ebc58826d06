"""The closed-form cross-modal subspace detector: no network, numpy only.

Clips are projected to the directions that picture and sound share over an unlabelled corpus, and
scored by how they stand out of their own video there, fused with motion and loudness. It is our
own baseline beside the RASL reconstruction, not part of the paper.

Axes: T clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hlcli.errors import CheckpointError
from hlcli.features.types import FloatArray, RowArray, VideoFeatures
from hlcli.model.calibration import Statistics
from hlcli.model.config import READOUTS, FusionConfig, SubspaceConfig
from hlcli.model.fusion import FusedScorer, side_of, signal_term
from hlcli.model.projection import ROWS_AT_ONCE, LinearMap, ProjectionPair
from hlcli.model.readouts import read_out


class SubspaceScorer(FusedScorer):
    """Scores by read-outs of the projected features.

    Args:
        config: Settings.
        projections: Fitted maps of picture and sound.
        spec_digest: Digest of the feature specification they were fitted on.
        statistics: Corpus statistics; empty until `calibrate` was called.
    """

    kind = "subspace"

    def __init__(
        self,
        config: SubspaceConfig,
        projections: ProjectionPair,
        *,
        spec_digest: str,
        statistics: Statistics | None = None,
        fusion: FusionConfig | None = None,
    ) -> None:
        super().__init__(
            spec_digest=spec_digest,
            fusion=fusion or config.fusion,
            statistics=statistics or Statistics(),
        )
        self.config = config
        self.projections = projections

    def available_terms(self) -> tuple[str, ...]:
        """See `FusedScorer.available_terms`."""
        spaces = [f"{side}_{name}" for side in ("picture", "sound") for name in READOUTS]
        return (*spaces, "motion", "loudness")

    def compute_terms(self, features: VideoFeatures, names: Iterable[str]) -> dict[str, FloatArray]:
        """See `FusedScorer.compute_terms`."""
        return closed_form_terms(
            features,
            names,
            self.projections,
            nearest_fraction=self.config.nearest_fraction,
            emptiness_power=self.config.emptiness_power,
        )


def closed_form_terms(
    features: VideoFeatures,
    names: Iterable[str],
    projections: ProjectionPair | None,
    *,
    nearest_fraction: float,
    emptiness_power: float = 0.0,
) -> dict[str, FloatArray]:
    """Signals and read-outs of the projected features, by term name; signals need no maps."""
    projected: dict[str, FloatArray] = {}
    terms: dict[str, FloatArray] = {}
    for name in names:
        signal = signal_term(features, name)
        if signal is not None:
            terms[name] = signal
            continue
        side = side_of(name)
        if side not in projected:
            rows = features.visual_TV if side == "picture" else features.audio_TA
            assert rows is not None
            assert projections is not None, name
            one = projections.visual if side == "picture" else projections.audio
            projected[side] = one(rows)
            if side == "picture" and emptiness_power:
                projected[side] = quieten_empty(projected[side], rows, power=emptiness_power)
        readout = name.rsplit("_", 1)[1]
        terms[name] = read_out(readout, projected[side], nearest_fraction=nearest_fraction)
    return terms


def quieten_empty(x_TD: FloatArray, visual_TV: RowArray, *, power: float) -> FloatArray:
    """Draw clips that show little towards the video's mean, so that they do not stand out.

    A cloudless sky, a black frame or a lens cap is far from everything else, but no highlight.
    The image encoder answers to it weakly: the length of its embedding, over the video's median
    length, is how much there is to see.

    Args:
        x_TD: Projected pictures, float32, shape `(T, D)`.
        visual_TV: Embeddings they were projected from, not normalised, shape `(T, V)`.
        power: How fast a deviation shrinks with the length; 0 leaves all as it is.
    """
    length_T = np.concatenate(
        [
            np.linalg.norm(visual_TV[start : start + ROWS_AT_ONCE].astype(np.float64), axis=1)
            for start in range(0, len(visual_TV), ROWS_AT_ONCE)
        ]
    )
    usual = max(float(np.median(length_T)), 1e-12)
    seen_T = np.minimum(1.0, length_T / usual) ** power
    mean_D = x_TD.mean(axis=0, dtype=np.float64)
    drawn: FloatArray = (mean_D + seen_T[:, None] * (x_TD - mean_D)).astype(np.float32)
    return drawn


def projection_tensors(projections: ProjectionPair) -> dict[str, FloatArray]:
    """The maps as named arrays for a checkpoint."""
    arrays: dict[str, FloatArray] = {}
    for name, one in (("visual", projections.visual), ("audio", projections.audio)):
        arrays[f"{name}.mean"] = one.mean_V
        arrays[f"{name}.weight"] = one.weight_VD
        arrays[f"{name}.rms"] = np.array([one.rms], np.float32)
    return arrays


def projections_from_tensors(
    arrays: Mapping[str, FloatArray], config: SubspaceConfig
) -> ProjectionPair:
    """Read what `projection_tensors` made.

    Raises:
        CheckpointError: A shape contradicts the settings.
    """
    maps = []
    dims = set()
    for name, size in (("visual", config.visual_size), ("audio", config.audio_size)):
        mean, weight = arrays[f"{name}.mean"], arrays[f"{name}.weight"]
        if mean.shape != (size,) or weight.shape[0] != size or weight.ndim != 2:
            raise CheckpointError(
                f"wrong shapes in the checkpoint: {name}.mean {mean.shape} and {name}.weight "
                f"{weight.shape} do not fit {size} features"
            )
        dims.add(weight.shape[1])
        maps.append(LinearMap(mean_V=mean, weight_VD=weight, rms=float(arrays[f"{name}.rms"][0])))
    if len(dims) != 1 or not 1 <= min(dims) <= config.dim:
        raise CheckpointError(
            f"wrong shapes in the checkpoint: {sorted(dims)} directions, the settings say "
            f"{config.dim}"
        )
    return ProjectionPair(visual=maps[0], audio=maps[1])
