"""From the output of `hl train` to one of the user's models."""

from __future__ import annotations

import json
from pathlib import Path

from hlcli import toml
from hlcli.errors import UsageError
from hlcli.model.exchange import add_model
from hlcli.model.inspection import check_loads
from hlcli.training.loop import LOG_FILE
from hlcli.training.run import MODEL_FILE
from hlcli.zoo.card import Loss, ModelCard, TrainingSource
from hlcli.zoo.manifest import ModelManifest
from hlcli.zoo.reservation import check_free

_NOT_LOSSES = ("step", "learning_rate", "grad_norm")


def register_run(
    run: Path, *, name: str, created: str, description: str = "Trained on my own footage."
) -> ModelManifest:
    """Add what `hl train` wrote to the user's models.

    The recipe is the one inside the model file, which names no folders. The losses are read from
    the run's log where there is one.

    Args:
        run: The output folder of `hl train`, or the model file alone.
        name: Name of the model; must be free.
        created: Today, in ISO 8601.
        description: One sentence for lists and the card.

    Raises:
        UsageError: The name is taken, held by another process, or not a name; or the description
            is empty or holds control codes.
        CheckpointError: There is no model, or it is damaged.
        OutputError: The folder of own models cannot be written or the disk is full.
    """
    check_free(name)
    model_file = run / MODEL_FILE if run.is_dir() else run
    checkpoint = check_loads(model_file)
    log = model_file.with_name(LOG_FILE)
    try:
        card = ModelCard(
            name=name,
            description=description,
            created=created,
            lessons=(TrainingSource(way="training"),),
            losses=read_losses(log) if run.is_dir() and log.is_file() else (),
            hlcli_version=checkpoint.hlcli_version,
        )
    except ValueError as error:
        raise UsageError(
            f"the card of {name} cannot be written: {error}",
            hint="give another --description",
        ) from error
    return add_model(
        model_file,
        card=card,
        training_data="my own footage",
        source="hl train",
        recipe=toml.dumps(checkpoint.recipe) if checkpoint.recipe else None,
    )


def read_losses(log: Path) -> tuple[Loss, ...]:
    """Return the first and last value of each loss; a log that cannot be read has none."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        return tuple(
            Loss(name=key, first=float(first[key]), last=float(last[key]), num_steps=last["step"])
            for key in last
            if key not in _NOT_LOSSES
        )
    except (OSError, ValueError, LookupError, TypeError):
        return ()
