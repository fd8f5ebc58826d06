"""Photographs of an event: seconds that look like them count for more.

Axes: T clips, N photographs, V visual feature size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hlcli.document import ScoresDocument
from hlcli.errors import MediaError, MediaUnreadableError
from hlcli.media.discover import MayRead, any_file
from hlcli.media.photographs import find_photographs, read_photograph
from hlcli.progress import Listener
from hlcli.timeline.paths import media_path, readable
from hlcli.zoo.manifest import find_detector

if TYPE_CHECKING:
    from hlcli.features.types import FeatureSpec, RowArray, VideoFeatures

_MOST_TOLD = 5


class Photographs:
    """The photographs of `--like`, looked at when the first video needs them.

    Args:
        inputs: Pictures, and folders of pictures.
        device: Where they are encoded: "auto", "cpu", "cuda", "cuda:N" or "mps".
        may_read: Asked before one is opened.

    Raises:
        MediaNotFoundError: One does not exist, or there is no picture in a folder.
    """

    def __init__(
        self,
        inputs: Sequence[str | Path],
        *,
        device: str = "auto",
        may_read: MayRead = any_file,
    ) -> None:
        self._paths = find_photographs(inputs, may_read)
        self._device = device
        self._rows: dict[str, RowArray] = {}
        self._error: MediaUnreadableError | None = None

    def likened(
        self, document: ScoresDocument, on: Listener, features: VideoFeatures | None = None
    ) -> ScoresDocument:
        """Return a document that says how much each clip looks like the photographs.

        Args:
            document: The scores of a video.
            on: Notified of photographs that cannot be used.
            features: The features it was made of; None takes those that are stored.

        Raises:
            MediaError: The features are not stored, or no photograph can be read.
            ModelError: The detector is gone, or the weights of its encoder are.
        """
        from hlcli.features.likeness import likeness
        from hlcli.features.store import stored_features

        spec = _spec(document)
        features = features or stored_features(document, spec)
        if features is None:
            name = readable(media_path(document.video.path).name)
            raise MediaError(
                f"{name}: what its pictures look like is no longer stored",
                hint="run `hl score` with --like instead: it decodes the video again",
            )
        alike_T = likeness(features.visual_TV, self._encoded(spec, on))
        row = tuple(round(float(value), 4) for value in alike_T[: len(document.scores)])
        return replace(document, likeness=row)

    def _encoded(self, spec: FeatureSpec, on: Listener) -> RowArray:
        """Return the photographs as the encoder of some features sees them, shape `(N, V)`."""
        from hlcli.features.device import resolve_device
        from hlcli.features.encoders import load_encoders_of

        if self._error is not None:
            raise self._error
        if spec.digest() in self._rows:
            return self._rows[spec.digest()]
        encoder = load_encoders_of(spec, resolve_device(self._device)).visual
        rows: list[RowArray] = []
        bad: list[MediaUnreadableError] = []
        for number, path in enumerate(self._paths):
            on.progress("photographs", number, len(self._paths))
            try:
                picture_HWC = read_photograph(path, size=spec.picture_size)
            except MediaUnreadableError as error:
                bad.append(error)
                if len(bad) <= _MOST_TOLD:
                    on.warning(f"{error.message}; {error.hint}")
                continue
            rows.append(encoder.encode(picture_HWC[np.newaxis]))
        if len(bad) > _MOST_TOLD:
            on.warning(f"{len(bad) - _MOST_TOLD} more photographs cannot be read")
        if not rows:
            # Every video meets it, and it is told once.
            self._error = MediaUnreadableError(
                f"none of the {len(self._paths)} photographs of --like can be read",
                hint=bad[0].hint,
            )
            raise self._error
        self._rows[spec.digest()] = np.concatenate(rows)
        return self._rows[spec.digest()]


def _spec(document: ScoresDocument) -> FeatureSpec:
    from hlcli.features.types import FeatureSpec

    manifest = find_detector(document.model.name)
    return FeatureSpec.from_table(manifest.feature_spec)
