"""What a picture shows, from features that are stored: ImageNet's 1000 classes, without torch.

Axes: T clips, V visual feature size, C ImageNet classes 1000.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from hlcli.errors import CheckpointError
from hlcli.features.class_names import read_class_names
from hlcli.features.types import FloatArray, RowArray

NUM_CLASSES = 1000
"""C, ImageNet's classes in their usual order."""
_ROWS_AT_ONCE = 4096


def picture_names() -> tuple[str, ...]:
    """Return ImageNet's classes, the names of each separated by commas.

    Raises:
        CheckpointError: The bundled list is missing or damaged.
    """
    return read_class_names("imagenet.classes.json", count=NUM_CLASSES, kind="picture")


class PictureClasses:
    """The last layer of an image encoder that was trained to name ImageNet's classes.

    Args:
        weights: The encoder's weights.

    Raises:
        CheckpointError: They cannot be read, or have no such layer.
    """

    def __init__(self, weights: Path) -> None:
        try:
            with safe_open(str(weights), "np") as file:
                self._weight_CV: FloatArray = file.get_tensor("classifier.weight")
                self._bias_C: FloatArray = file.get_tensor("classifier.bias")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{weights} names no classes: {error}") from error
        if self._weight_CV.shape[0] != NUM_CLASSES:
            raise CheckpointError(f"{weights} names {len(self._weight_CV)} classes")

    def probabilities(self, visual_TV: RowArray) -> FloatArray:
        """Return the probability of each class in each clip, float32, shape `(T, C)`.

        Args:
            visual_TV: The encoder's features, shape `(T, V)`.
        """
        parts = []
        for start in range(0, len(visual_TV), _ROWS_AT_ONCE):
            rows_NV = visual_TV[start : start + _ROWS_AT_ONCE].astype(np.float32)
            logits_NC = rows_NV @ self._weight_CV.astype(np.float32).T + self._bias_C
            likely_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
            parts.append(likely_NC / likely_NC.sum(axis=1, keepdims=True))
        return np.concatenate(parts)
