"""Names of the kinds of sound that the sound encoder tells apart, without torch.

Axes: C AudioSet classes 521.
"""

from __future__ import annotations

from hlcli.features.class_names import read_class_names

NUM_CLASSES = 521
"""C, the AudioSet classes behind the probabilities."""


def event_names() -> tuple[str, ...]:
    """Return the names of the 521 AudioSet classes, in the order of the probabilities.

    Raises:
        CheckpointError: The bundled list is missing or damaged.
    """
    return read_class_names("yamnet.classes.json", count=NUM_CLASSES, kind="sound")
