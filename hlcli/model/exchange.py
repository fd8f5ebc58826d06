"""Detectors into the user's models and out again: from `hl train`, to a file, from a file.

Whatever comes in is loaded as `hl score` would before it gets a name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hlcli.errors import UsageError
from hlcli.model.inspection import check_loads, check_texts, spec_of
from hlcli.progress import Progress, silent
from hlcli.zoo import own
from hlcli.zoo.archive import SUFFIX, open_archive, write_archive
from hlcli.zoo.card import ModelCard
from hlcli.zoo.manifest import ModelManifest, find_model
from hlcli.zoo.reservation import Reservation, check_free, reserve, staging
from hlcli.zoo.weights import weights_path


def add_model(
    model_file: Path,
    *,
    card: ModelCard,
    training_data: str,
    source: str,
    scores: Mapping[str, float] | None = None,
    recipe: str | None = None,
    reservation: Reservation | None = None,
) -> ModelManifest:
    """Check that a detector loads, and register it; see `hlcli.zoo.own.register`.

    Raises:
        UsageError: The name is taken, held by another process, or not a name.
        CheckpointError: The file is missing, damaged, or not a detector of this version.
        OutputError: The folder of own models cannot be written or the disk is full.
    """
    check_loads(model_file)
    return own.register(
        model_file,
        card=card,
        training_data=training_data,
        source=source,
        scores=scores,
        recipe=recipe,
        reservation=reservation,
    )


def card_of(manifest: ModelManifest) -> ModelCard:
    """Return a detector's card; of one that is not the user's own, what its manifest says.

    Raises:
        CheckpointError: The card of an own model is missing or damaged.
    """
    if manifest.is_own:
        return own.read_card(manifest.name)
    settings: dict[str, Any] = {"training data": manifest.training_data}
    settings |= {f"measured {name}": value for name, value in manifest.scores.items()}
    return ModelCard(
        name=manifest.name, description=manifest.description, created=None, settings=settings
    )


def export_model(name: str, path: Path, *, progress: Progress = silent) -> ModelManifest:
    """Write a detector to one file that `import_model` reads on another machine.

    Args:
        name: An own, bundled or added detector; one with an address is downloaded if need be.
        path: The file to write, called `*.hlmodel`; what stood there is replaced.
        progress: Called with the bytes of a download.

    Raises:
        UsageError: The file is called otherwise, or the model is an encoder.
        ModelError: No such model, or its weights or card cannot be used.
        OutputError: The file cannot be written or the disk is full.
    """
    if path.suffix.lower() != SUFFIX:
        raise UsageError(
            f"{path} does not end in {SUFFIX}", hint=f"take a name such as {name}{SUFFIX}"
        )
    manifest = find_model(name)
    if not manifest.is_detector:
        raise UsageError(
            f"{name} is {manifest.called}; only detectors are exported",
            hint="encoders come with hl or are made with `hl models convert`",
        )
    weights = weights_path(manifest, progress=progress)
    recipe = own.read_recipe(name) if manifest.is_own else None
    write_archive(path, manifest, weights=weights, card=card_of(manifest), recipe=recipe)
    return manifest


def import_model(path: Path, *, name: str | None = None) -> ModelManifest:
    """Add a detector from a file; it appears whole and checked or not at all.

    Sizes, names, hash, safetensors header, manifest, card, every tensor's name and shape, and the
    feature specification are checked before the model gets its place.

    Args:
        path: What `export_model` wrote.
        name: Another name for it; its own when left out.

    Raises:
        UsageError: The name is taken, held by another process, or not a name.
        ChecksumError: The weights are other bytes than the manifest says.
        CheckpointError: The file is damaged, of another kind, or made for another version.
        OutputError: The folder of own models cannot be written or the disk is full.
    """
    with open_archive(path) as archive:
        manifest = archive.manifest
        check_texts(manifest, name=str(path))
        spec = spec_of(manifest, name=str(path))
        check_free(name or manifest.name)
        card = dataclasses.replace(archive.card, name=name or manifest.name)
        with reserve(card.name) as reservation, staging(card.name) as folder:
            weights = folder / own.WEIGHTS_FILE
            archive.extract_weights(weights)
            check_loads(weights, name=str(path), manifest=manifest, spec=spec)
            return own.register(
                weights,
                card=card,
                training_data=manifest.training_data,
                source=manifest.source,
                licence=manifest.licence,
                version=manifest.version,
                scores=manifest.scores,
                recipe=archive.recipe,
                reservation=reservation,
            )
