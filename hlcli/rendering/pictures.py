"""The pictures of a timeline, one after the other, as they go to the encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from hlcli.errors import MediaUnreadableError
from hlcli.media.canvas import Canvas, Colour, Planes, blank, crop, layered, split
from hlcli.media.probe import MediaInfo
from hlcli.media.shown import ShownFrames
from hlcli.rendering.action import LOOK_WIDTH, crop_places, follow, look
from hlcli.rendering.faces import Face, find_faces
from hlcli.rendering.media import MediaFile, even
from hlcli.rendering.shots import Shot, instants
from hlcli.timeline.edit_list import Event

_FEWEST_OPEN = 4
_FACES_WIDTH = 320
"""Width at which faces are looked for, in pixels."""


class PictureMaker:
    """Decodes shots and brings them to one size; close it when done."""

    def __init__(
        self,
        media: dict[str, MediaFile],
        *,
        size: tuple[int, int],
        frame_rate: Fraction,
        colour: Colour,
        vertical: bool,
    ) -> None:
        """Open nothing yet.

        Args:
            media: What is behind the sources.
            size: Width and height of the film in pixels, both even.
            frame_rate: Of the timeline.
            colour: What the film shall say about its colours.
            vertical: Crop each picture to the size and follow the action, instead of fitting it in.
        """
        self._media, self._size, self._frame_rate = media, size, frame_rate
        self._colour, self._vertical = colour, vertical
        self._readers: dict[tuple[str, int], ShownFrames] = {}
        self._most_open = _FEWEST_OPEN

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def film(self, shots: Sequence[Shot]) -> Iterator[Planes]:
        """Yield every picture of the film.

        Raises:
            MediaUnreadableError: A source is damaged where it is needed.
        """
        before: Iterator[Planes] = iter(())
        # Each layer of the two shots of a crossfade reads by itself.
        self._most_open = max(_FEWEST_OPEN, *(2 * (1 + len(shot.below)) + 2 for shot in shots), 0)
        for index, shot in enumerate(shots):
            # Two readers in turn: during a crossfade both shots may come from one file.
            pictures = self._shot(shot, index % 2)
            overlap = shot.lead + (shots[index - 1].tail if index else 0)
            for step in range(overlap):
                share = (step + 1) / (overlap + 1)
                yield _blended(next(before), next(pictures), share)
            yielded = len(shot.shown) - overlap
            hidden = shot.tail + (shots[index + 1].lead if index + 1 < len(shots) else 0)
            for _ in range(yielded - hidden):
                yield next(pictures)
            before = pictures

    def _shot(self, shot: Shot, turn: int) -> Iterator[Planes]:
        layers = [
            self._layer(event, shot.shown, turn + 2 * depth)
            for depth, event in enumerate(filter(None, (shot.event, *shot.below)))
        ]
        if not layers:
            for _ in shot.shown:
                yield blank(*self._size)
            return
        for pictures in zip(*layers, strict=True):
            *_, (lowest, opacity) = pictures
            shown = lowest if opacity is None else layered(blank(*self._size), lowest, opacity)
            for above, opacity in reversed(pictures[:-1]):
                shown = above if opacity is None else layered(shown, above, opacity)
            yield shown

    def _layer(
        self, event: Event, record: range, turn: int
    ) -> Iterator[tuple[Planes, Planes | None]]:
        """Yield the pictures of one event, and how opaque they are; None for wholly."""
        width, height = self._size
        info = self._media[event.source.path].picture
        reader = self._reader(info, turn)
        if self._vertical:
            canvas, lefts, top = self.framing(event, record, info, reader)
        else:
            canvas = Canvas(info, width=width, height=height, colour=self._colour)
        frames = reader.at(instants(event, record, self._frame_rate))
        shown = before = opacity = None
        for index in range(len(record)):
            try:
                frame = next(frames)
            except MediaUnreadableError as error:
                at = (record.start + index) / self._frame_rate
                raise MediaUnreadableError(
                    f"{error.message} (needed {float(at):.2f} s into the timeline)",
                    hint=error.hint,
                ) from error
            if frame is not before or shown is None:
                shown, before = canvas.place(frame), frame
                opacity = canvas.opacity(frame) if info.has_alpha else None
            if self._vertical:
                place = {"left": lefts[index], "top": top, "width": width, "height": height}
                yield crop(shown, **place), None if opacity is None else crop(opacity, **place)
            else:
                yield shown, opacity

    def framing(
        self, event: Event, record: range, info: MediaInfo, reader: ShownFrames
    ) -> tuple[Canvas, list[int], int]:
        """Look through a shot once, small, to know where its crop has to be.

        Args:
            event: What is shown.
            record: Frames of the timeline.
            info: What `probe` said about its source.
            reader: Reads that source.

        Returns:
            A canvas on which the picture without black bars fills the film's size, the left edge of
            the crop for each picture, and its upper edge.
        """
        width, height = self._size
        rate = float(self._frame_rate)
        small = self._small(info, LOOK_WIDTH)
        large = self._small(info, _FACES_WIDTH)
        newest: list[Any] = []

        def pictures() -> Iterator[Planes]:
            for frame in reader.at(instants(event, record, self._frame_rate)):
                newest[:] = [frame]
                yield small.place(frame)

        def faces(number: int) -> list[Face]:
            luma = split(large.place(newest[0]))[0]
            levels = np.clip((luma.astype(np.float32) - 16) * (255 / 219), 0, 255)
            return find_faces(np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2))

        seen = look(pictures(), pictures_per_second=rate, faces=faces)
        inner = seen.inner
        canvas = Canvas(
            info,
            width=even(Fraction(width / (inner.right - inner.left))),
            height=even(Fraction(height / (inner.bottom - inner.top))),
            colour=self._colour,
            cover=True,
        )
        path = follow(seen, part=width / canvas.width, pictures_per_second=rate)
        middle = (inner.top + inner.bottom) / 2 * canvas.height
        top = int(min(max(middle - height / 2, 0), canvas.height - height)) // 2 * 2
        return canvas, crop_places(path, whole=canvas.width, part=width), top

    def _small(self, info: MediaInfo, width: int) -> Canvas:
        height = even(width * Fraction(info.height, info.width))
        return Canvas(info, width=width, height=height, colour=self._colour)

    def _reader(self, info: MediaInfo, turn: int) -> ShownFrames:
        key = (str(info.path), turn)
        reader = self._readers.pop(key, None) or ShownFrames(info)
        # The one used longest ago goes; the last two may still be giving pictures.
        while len(self._readers) >= self._most_open:
            self._readers.pop(next(iter(self._readers))).close()
        self._readers[key] = reader
        return reader


def _blended(first: Planes, second: Planes, share: float) -> Planes:
    """Return two pictures in one; `share` is the second's, from 0 to 1."""
    weight = round(share * 256)
    mixed = first.astype(np.uint16) * (256 - weight) + second.astype(np.uint16) * weight
    return np.asarray((mixed + 128) >> 8, dtype=np.uint8)
