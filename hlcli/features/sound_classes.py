"""Names of the kinds of sound that the sound encoder tells apart, without torch.

Axes: T clips, C AudioSet classes 521.
"""

from __future__ import annotations

import json

from hlcli.errors import CheckpointError
from hlcli.features.types import FloatArray, RowArray
from hlcli.zoo.manifest import zoo_dir

NUM_CLASSES = 521
"""C, the AudioSet classes behind the probabilities."""

GROUPS: dict[str, tuple[str, ...]] = {
    "cheering": ("Cheering", "Crowd", "Whoop"),
    "laughter": (
        "Laughter",
        "Baby laughter",
        "Giggle",
        "Snicker",
        "Belly laugh",
        "Chuckle, chortle",
    ),
    "applause": ("Applause", "Clapping"),
    "music": ("Music", "Singing"),
    "speech": ("Speech", "Child speech, kid speaking", "Conversation", "Narration, monologue"),
}
"""What is shown of a video: a name for each, and the AudioSet classes it stands for."""


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


def group_probabilities(events_TC: RowArray) -> dict[str, FloatArray]:
    """Return the probability of each of `GROUPS` in each clip, that of its most probable class.

    Args:
        events_TC: Probability of each AudioSet class, shape `(T, C)`.

    Returns:
        Rows in [0, 1], float32, shape `(T,)`, in the order of `GROUPS`.
    """
    places = {name: index for index, name in enumerate(event_names())}
    return {
        group: events_TC[:, [places[name] for name in names]].max(axis=1).astype("float32")
        for group, names in GROUPS.items()
    }
