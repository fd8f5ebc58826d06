"""Names of the kinds of sound that the sound encoder tells apart, without torch.

Axes: C AudioSet classes 521.
"""

from __future__ import annotations

import json

from hlcli.errors import CheckpointError
from hlcli.zoo.manifest import zoo_dir

NUM_CLASSES = 521
"""C, the AudioSet classes behind the probabilities."""


def event_names() -> tuple[str, ...]:
    """Return the names of the 521 AudioSet classes, in the order of the probabilities.

    Raises:
        CheckpointError: The bundled list is missing or damaged.
    """
    path = zoo_dir() / "weights" / "yamnet.classes.json"
    try:
        names = tuple(str(name) for name in json.loads(path.read_text(encoding="utf-8"))["names"])
        if len(names) != NUM_CLASSES:
            raise ValueError(f"{len(names)} names instead of {NUM_CLASSES}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the list of sound classes {path} cannot be used: {error}", hint="install hl again"
        ) from error
    return names
