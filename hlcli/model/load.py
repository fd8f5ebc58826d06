"""From a model file to a scorer and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hlcli.errors import CheckpointError
from hlcli.features.types import FeatureSpec
from hlcli.model.calibration import Statistics
from hlcli.model.checkpoint import Checkpoint, check_tensors
from hlcli.model.config import RarityConfig, RaslConfig, SubspaceConfig
from hlcli.model.fusion import FusedScorer
from hlcli.model.rarity import Background, RarityScorer
from hlcli.model.subspace import SubspaceScorer, projection_tensors, projections_from_tensors
from hlcli.model.taste import PREFIX, TasteHead
from hlcli.plain_data import FieldError, fill
from hlcli.zoo.manifest import DetectorKind

if TYPE_CHECKING:
    import torch


def load_scorer(
    weights: Path,
    *,
    kind: DetectorKind | None = None,
    device: str | torch.device = "cpu",
    feature_spec: FeatureSpec | None = None,
) -> FusedScorer:
    """Load a trained detector.

    Args:
        weights: A model file that `hl train` wrote.
        kind: What the manifest says it is; checked when given.
        device: Where to run a network, as `--device` names it; closed forms run on the CPU.
        feature_spec: Specification of the features it will be given; checked when given.

    Raises:
        CheckpointError: Damaged file, other kind, missing or unexpected names, wrong shapes,
            or another feature specification; the message says which.
    """
    checkpoint = Checkpoint.read(weights)
    if kind is not None and checkpoint.kind != kind:
        raise CheckpointError(
            f"{weights} is a model of kind {checkpoint.kind!r}, not {kind!r}",
            hint="correct the manifest, or give the other file",
        )
    if feature_spec is not None and feature_spec != checkpoint.feature_spec:
        ours, theirs = dataclasses.asdict(feature_spec), dataclasses.asdict(checkpoint.feature_spec)
        differ = [name for name in ours if ours[name] != theirs[name]]
        raise CheckpointError(
            f"{weights} was trained on other features: {', '.join(differ)} differ",
            hint="use the encoders the model was trained with, or train it again",
        )
    try:
        statistics = Statistics.from_json(checkpoint.statistics)
        if set(statistics.squash) != {"v", "a", "va"}:
            raise ValueError("the calibration is incomplete")
        taste = TasteHead.from_tensors(
            checkpoint.tensors,
            visual_size=checkpoint.feature_spec.visual_size,
            audio_size=checkpoint.feature_spec.audio_size,
        )
        own = {n: array for n, array in checkpoint.tensors.items() if not n.startswith(PREFIX)}
        checkpoint = dataclasses.replace(checkpoint, tensors=own)
        scorer: FusedScorer | None = None
        if checkpoint.kind == "rarity":
            scorer = _load_rarity(checkpoint, statistics)
        elif checkpoint.kind == "subspace":
            scorer = _load_subspace(checkpoint, statistics)
        elif checkpoint.kind == "rasl":
            scorer = _load_rasl(checkpoint, statistics, device)
        if scorer is not None:
            scorer.taste = taste
            return scorer
    except FieldError as error:
        raise CheckpointError(f"{weights}: {error.message}", hint=error.hint) from error
    except ValueError as error:
        raise CheckpointError(f"{weights}: {error}", hint="train the model again") from error
    raise CheckpointError(
        f"{weights} is a model of the unknown kind {checkpoint.kind!r}", hint="update hl"
    )


def save_scorer(
    scorer: FusedScorer, path: Path, *, feature_spec: FeatureSpec, recipe: dict[str, Any]
) -> None:
    """Write a trained detector to one model file, atomically.

    Raises:
        OutputError: The folder is missing or read-only, or the disk is full.
        CheckpointError: The scorer belongs to another feature specification.
    """
    if feature_spec.digest() != scorer.spec_digest:
        raise CheckpointError("the feature specification is not the one the model was trained on")
    tensors: dict[str, npt.NDArray[Any]]
    if isinstance(scorer, SubspaceScorer):
        tensors = dict(projection_tensors(scorer.projections))
        config = dataclasses.asdict(dataclasses.replace(scorer.config, fusion=scorer.fusion))
    elif isinstance(scorer, RarityScorer):
        tensors = dict(scorer.background.tensors())
        config = dataclasses.asdict(dataclasses.replace(scorer.config, fusion=scorer.fusion))
    else:
        from hlcli.model.rasl import RaslScorer

        assert isinstance(scorer, RaslScorer)
        state = scorer.network.state_dict()
        config = dataclasses.asdict(dataclasses.replace(scorer.config, fusion=scorer.fusion))
        tensors = {name: np.array(one.detach().cpu().numpy()) for name, one in state.items()}
    if scorer.taste is not None:
        tensors |= scorer.taste.tensors()
    Checkpoint(
        kind=scorer.kind,
        config=config,
        feature_spec=feature_spec,
        statistics=scorer.statistics.to_json(),
        recipe=recipe,
        tensors=tensors,
    ).write(path)


def _load_rarity(checkpoint: Checkpoint, statistics: Statistics) -> RarityScorer:
    config = fill(RarityConfig, checkpoint.config, where="config")
    names = ("background.mean", "background.direction")
    check_tensors(checkpoint.tensors, {name: (config.visual_size,) for name in names})
    return RarityScorer(
        config,
        Background.from_tensors(checkpoint.tensors),
        spec_digest=checkpoint.feature_spec.digest(),
        statistics=statistics,
    )


def _load_subspace(checkpoint: Checkpoint, statistics: Statistics) -> SubspaceScorer:
    config = fill(SubspaceConfig, checkpoint.config, where="config")
    shapes = {name: array.shape for name, array in checkpoint.tensors.items()}
    names = [f"{side}.{part}" for side in ("visual", "audio") for part in ("mean", "weight", "rms")]
    expected = {name: shapes.get(name, ()) for name in names}
    expected |= {f"{side}.rms": (1,) for side in ("visual", "audio")}
    check_tensors(checkpoint.tensors, expected)
    return SubspaceScorer(
        config,
        projections_from_tensors(checkpoint.tensors, config),
        spec_digest=checkpoint.feature_spec.digest(),
        statistics=statistics,
    )


def _load_rasl(
    checkpoint: Checkpoint, statistics: Statistics, device: str | torch.device
) -> FusedScorer:
    # Torch takes a second to import; the closed form does without.
    import torch

    from hlcli.features.device import resolve_device
    from hlcli.model.detector import RaslNetwork
    from hlcli.model.rasl import RaslScorer

    config = fill(RaslConfig, checkpoint.config, where="config")
    with torch.device("meta"):
        expected = {n: tuple(p.shape) for n, p in RaslNetwork(config).state_dict().items()}
    check_tensors(checkpoint.tensors, expected)
    network = RaslNetwork(config)
    network.load_state_dict({n: torch.from_numpy(a) for n, a in checkpoint.tensors.items()})
    return RaslScorer(
        network,
        spec_digest=checkpoint.feature_spec.digest(),
        statistics=statistics,
        device=resolve_device(device) if isinstance(device, str) else device,
    )
