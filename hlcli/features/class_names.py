"""Names of what a network tells apart, from the lists beside its weights."""

from __future__ import annotations

import json

from hlcli.errors import CheckpointError
from hlcli.zoo.manifest import zoo_dir


def read_class_names(file: str, *, count: int, kind: str) -> tuple[str, ...]:
    """Return the names of a network's classes, in the order of its probabilities.

    Args:
        file: Name of the list among the bundled weights.
        count: How many names it must have.
        kind: What the classes are of, for the error: "sound", "picture".

    Raises:
        CheckpointError: The list is missing or damaged.
    """
    path = zoo_dir() / "weights" / file
    try:
        names = tuple(str(name) for name in json.loads(path.read_text(encoding="utf-8"))["names"])
        if len(names) != count:
            raise ValueError(f"{len(names)} names instead of {count}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the list of {kind} classes {path} cannot be used: {error}", hint="install hl again"
        ) from error
    return names
