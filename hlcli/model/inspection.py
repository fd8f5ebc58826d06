"""Looks at a detector from elsewhere before it is trusted: does it load, and with what numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from hlcli.errors import CheckpointError, HlError
from hlcli.features.backbones import is_backbone
from hlcli.features.types import FeatureSpec
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.load import load_scorer
from hlcli.plain_data import FieldError, fill
from hlcli.zoo.card import MAX_TEXT_LETTERS
from hlcli.zoo.header import check_safetensors
from hlcli.zoo.manifest import ModelManifest, find_model
from hlcli.zoo.weights import location

MAX_SETTING = 1 << 16
"""Largest whole number in a detector's configuration: sizes, windows, counts of layers."""

EXTRACTION_VERSION = 1
"""Newest `FeatureSpec.extraction_version` that this version of hl makes; a test compares."""

_HINT = "get the file again, or train the model again"
_REPEATED = ("num_layers", "num_decoder_layers", "standing_members")


def check_loads(
    weights: Path,
    *,
    name: str = "",
    manifest: ModelManifest | None = None,
    spec: FeatureSpec | None = None,
) -> Checkpoint:
    """Load a detector as `hl score` would, after checks that keep a hostile one from harm.

    Args:
        weights: The model file.
        name: What an error calls it; its path when empty.
        manifest: Its kind is compared, when given.
        spec: Its feature specification is compared, when given.

    Returns:
        What the file says, tensors included.

    Raises:
        CheckpointError: Not safetensors, not a detector of this version, names or shapes that do
            not fit, numbers that are not finite, or another kind or specification.
    """
    if not weights.is_file():
        raise CheckpointError(f"there is no model file {name or weights}", hint="check the path")
    # Its limit comes first: what follows reads the whole header into memory.
    check_safetensors(weights, name=name)
    kind: Any = manifest.kind if manifest is not None else None
    try:
        checkpoint = Checkpoint.read(weights)
        _check_config(checkpoint)
        for tensor_name, array in checkpoint.tensors.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{tensor_name} holds numbers that are not finite")
        load_scorer(weights, kind=kind, feature_spec=spec)
    except HlError as error:
        # The copy that is looked at has a name of no use to the user.
        called = name or str(weights)
        message = error.message.replace(str(weights), called)
        if called not in message:
            message = f"{called}: {message}"
        raise CheckpointError(message, hint=error.hint or _HINT) from error
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
    ) as error:
        raise CheckpointError(
            f"{name or weights} is not a detector that can be loaded: {error}",
            hint=_HINT,
        ) from error
    return checkpoint


def spec_of(manifest: ModelManifest, *, name: str) -> FeatureSpec:
    """Return the features a detector reads.

    Args:
        manifest: The detector.
        name: What an error calls it.

    Raises:
        CheckpointError: Its table is not usable, or this version of hl makes older features.
    """
    try:
        spec = fill(FeatureSpec, manifest.feature_spec or {}, where="features")
    except FieldError as error:
        raise CheckpointError(f"{name}: {error.message}", hint=error.hint) from error
    if spec.extraction_version > EXTRACTION_VERSION:
        raise CheckpointError(
            f"{name} reads features of version {spec.extraction_version}, this hl makes version "
            f"{EXTRACTION_VERSION}",
            hint="update hl",
        )
    return spec


def check_texts(manifest: ModelManifest, *, name: str) -> None:
    """Refuse texts that would play tricks on a terminal: all of them are printed some day.

    Args:
        manifest: A manifest from elsewhere.
        name: What an error calls it.

    Raises:
        CheckpointError: A text holds control codes or is too long.
    """
    for item in fields(manifest):
        for text in _texts(getattr(manifest, item.name)):
            if len(text) > MAX_TEXT_LETTERS or any(unicodedata.category(c) == "Cc" for c in text):
                raise CheckpointError(
                    f"{name}: the key `{item.name}` of its manifest holds control codes or is "
                    "too long",
                    hint="nothing was imported; ask for the file anew",
                )


def missing_encoders(manifest: ModelManifest) -> list[str]:
    """Say which of a detector's encoders are not here, a sentence each; empty when all are.

    A detector without its encoders scores nothing, but they can be made or fetched later.
    """
    spec = manifest.feature_spec or {}
    problems = []
    for side in ("visual", "audio"):
        name, sha256 = str(spec.get(f"{side}_encoder")), spec.get(f"{side}_sha256")
        if side == "visual" and is_backbone(name):
            problems.append(
                f"it needs the backbone {name} (sha256 {sha256}); HL_BACKBONE_WEIGHTS says where "
                "its weight file is"
            )
            continue
        try:
            encoder = find_model(name)
        except HlError:
            problems.append(f"it needs the encoder {name}, which this hl does not know: update hl")
            continue
        if encoder.sha256 != sha256:
            problems.append(
                f"it needs other weights of the encoder {name} than are known here: sha256 {sha256}"
            )
        elif location(encoder) == "not here":
            how = "pull" if encoder.url is not None else "convert"
            problems.append(
                f"it needs the encoder {name}, which is not here: run `hl models {how} {name}`"
            )
    return problems


def _check_config(checkpoint: Checkpoint) -> None:
    """Bound what building the network may cost before its shapes are compared."""
    for key, value in checkpoint.config.items():
        if isinstance(value, int) and abs(value) > MAX_SETTING:
            raise ValueError(f"its configuration asks for {key} = {value}")
        # Each layer has tensors of its own, and they are all in the file.
        if key in _REPEATED and isinstance(value, int) and value > len(checkpoint.tensors):
            raise ValueError(f"its configuration asks for {key} = {value}, which the file lacks")


def _texts(value: object) -> Iterator[str]:
    values = [*value, *value.values()] if isinstance(value, Mapping) else [value]
    yield from (value for value in values if isinstance(value, str))
