"""The user's own models: each a folder that appears whole under a name nobody had.

`NAME/` holds `NAME.toml` (the manifest), `model.safetensors`, `card.json`, `card.md` for people,
and `recipe.toml` where there was a recipe.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli import toml
from hlcli.atomic import atomic_write, unfinished_path, write_text
from hlcli.errors import CheckpointError, OutputError, UsageError
from hlcli.paths import own_models_dir
from hlcli.zoo.card import ModelCard
from hlcli.zoo.card_text import card_markdown
from hlcli.zoo.chosen import chosen_name, reset_choice, write_choice
from hlcli.zoo.folders import own_folder, own_names
from hlcli.zoo.header import safetensors_metadata
from hlcli.zoo.manifest import ModelManifest, find_model, read_manifest, write_manifest
from hlcli.zoo.reservation import (
    WRITABLE_HINT,
    Reservation,
    delete,
    locked,
    reserve,
    staging,
)

WEIGHTS_FILE = "model.safetensors"
"""The detector."""
CARD_FILE = "card.json"
"""Its card, `hl.model-card/1`."""
CARD_TEXT_FILE = "card.md"
"""The same for people."""
RECIPE_FILE = "recipe.toml"
"""What it was made with, where there was a recipe."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What `remove` deleted."""

    path: Path
    """The folder that is gone."""
    size_bytes: int
    """How much it held."""
    was_default: bool
    """Whether it was the user's default; then that choice is gone too."""


def register(
    model_file: Path,
    *,
    card: ModelCard,
    training_data: str,
    source: str,
    licence: str = "yours",
    version: str = "1",
    scores: Mapping[str, float] | None = None,
    recipe: str | None = None,
    reservation: Reservation | None = None,
) -> ModelManifest:
    """Copy a detector into the user's models; it appears whole or not at all, overwriting nothing.

    The kind and the feature specification are read from the file. Whether the network fits its
    weights is not looked at: load it first (`hlcli.model.exchange` does).

    Args:
        model_file: What `hl train` or `hl finetune` wrote.
        card: The card; its name, description and parent go into the manifest too.
        training_data: What it learned from, one sentence.
        source: Who made it, and how.
        licence: Licence of the weights.
        version: Version of the weights.
        scores: Measured numbers by name.
        recipe: TOML it was made with; None when there was none.
        reservation: What `reserve` gave for that name; when left out the name is reserved here.

    Raises:
        UsageError: The name is taken, held by another process, or not a name.
        CheckpointError: The file is missing, no safetensors, or not a detector of hl.
        OutputError: The folder cannot be written or the disk is full.
    """
    with contextlib.ExitStack() as stack:
        if reservation is None:
            reservation = stack.enter_context(reserve(card.name))
        if reservation.name != card.name:
            raise ValueError(
                f"the name {reservation.name!r} is held and the card says {card.name!r}"
            )
        with staging(card.name) as folder:
            sha256, size_bytes = _copy(model_file, folder / WEIGHTS_FILE)
            kind, features = _facts(folder / WEIGHTS_FILE, name=str(model_file))
            try:
                manifest = ModelManifest(
                    name=card.name,
                    kind=kind,
                    version=version,
                    description=card.description,
                    file=WEIGHTS_FILE,
                    sha256=sha256,
                    size_bytes=size_bytes,
                    licence=licence,
                    source=source,
                    training_data=training_data,
                    feature_spec=features,
                    scores=scores or {},
                    parent=card.parent.name if card.parent else None,
                )
                write_manifest(folder / f"{card.name}.toml", manifest)
                if recipe is not None:
                    toml.loads(recipe)
                    write_text(folder / RECIPE_FILE, recipe)
            except ValueError as error:
                raise CheckpointError(
                    f"{model_file} cannot be registered: {error}",
                    hint="give a model.safetensors that `hl train` wrote",
                ) from error
            write_text(folder / CARD_FILE, card.to_json())
            write_text(folder / CARD_TEXT_FILE, card_markdown(card))
            _place(folder, own_folder(card.name))
    return read_manifest(own_folder(card.name) / f"{card.name}.toml")


def read_card(name: str) -> ModelCard:
    """Return the card of one of the user's models.

    Raises:
        CheckpointError: It is missing or damaged.
    """
    path = own_folder(name) / CARD_FILE
    try:
        return ModelCard.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"the card of {name} cannot be used: {path}: {error}",
            hint="docs/reference/model-card.md lists every key",
        ) from error


def read_recipe(name: str) -> str | None:
    """Return the TOML that one of the user's models was made with; None where there was none.

    Raises:
        CheckpointError: The file cannot be read.
    """
    path = own_folder(name) / RECIPE_FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"the recipe of {name} cannot be read: {path}: {error}",
            hint="delete the file; the model works without it",
        ) from error


def make_default(name: str) -> ModelManifest:
    """Take a detector from now on where none is named.

    Raises:
        UsageError: It is an encoder, or hidden.
        UnknownModelError: There is no such model.
        OutputError: The folder of own models cannot be written.
    """
    manifest = find_model(name)
    if not manifest.is_detector or manifest.hidden:
        raise UsageError(
            f"{name} cannot be the default: it is "
            + ("for tests" if manifest.is_detector else manifest.called),
            hint="take a detector from `hl models list`",
        )
    if manifest.default and manifest.is_bundled:
        # So that a later version of hl may bring a better one.
        reset_choice()
    else:
        write_choice(name)
    return manifest


def remove(name: str) -> Removed | None:
    """Delete one of the user's models with everything in its folder, damaged ones too.

    Returns:
        What was deleted; None when the user has no model of that name.

    Raises:
        UsageError: Another process is making or removing a model of that name.
        OutputError: The folder cannot be deleted.
    """
    if name not in own_names():
        return None
    folder = own_folder(name)
    with locked(name):
        size_bytes = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
        was_default = False
        with contextlib.suppress(CheckpointError):
            was_default = chosen_name() == name
        doomed = unfinished_path(own_models_dir(), name)
        try:
            # The rename takes it away whole; deleting file by file would leave half a model.
            folder.rename(doomed)
        except OSError as error:
            raise OutputError(
                f"cannot remove {folder}: {error.strerror or error}",
                hint="close the programs that use it and check the rights of the folder",
            ) from error
        if was_default:
            reset_choice()
        delete(doomed)
    return Removed(path=folder, size_bytes=size_bytes, was_default=was_default)


def _copy(source: Path, target: Path) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with source.open("rb") as stream, atomic_write(target) as copy:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                copy.write(chunk)
    except OSError as error:
        raise CheckpointError(
            f"cannot read the model file {source}: {error.strerror or error}",
            hint="give a model.safetensors that `hl train` wrote",
        ) from error
    return digest.hexdigest(), size_bytes


def _facts(weights: Path, *, name: str) -> tuple[Any, dict[str, Any]]:
    """Read kind and feature specification from the header that `hlcli.model.checkpoint` writes."""
    metadata = safetensors_metadata(weights, name=name)
    try:
        header = json.loads(metadata["hl"])
        return header["kind"], dict(header["feature_spec"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{name} is not a model of hl: its header lacks or garbles {error}",
            hint="give a model.safetensors that `hl train` wrote",
        ) from error


def _place(folder: Path, target: Path) -> None:
    try:
        # Fails where something stands, also where file systems have no locks.
        folder.rename(target)
    except OSError as error:
        if target.exists():
            raise UsageError(
                f"{target} is there already", hint="choose another name, nothing was changed"
            ) from error
        raise OutputError(
            f"cannot make {target}: {error.strerror or error}", hint=WRITABLE_HINT
        ) from error
