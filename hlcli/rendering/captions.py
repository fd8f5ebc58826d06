"""Captions drawn into the pictures of a film, for those who watch without sound.

White letters on a half-transparent band, at most two lines, inside the part of the picture that
neither a television nor the buttons of a phone's programs cover. A text that needs more lines is
shown in parts, each as long as its share of the letters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from hlcli.errors import UsageError
from hlcli.media.canvas import Colour, Planes, split
from hlcli.rendering.lettering import UNKNOWN, Lettering
from hlcli.timeline.formats.captions import Shown

MOST_LINES = 2
"""Lines of a caption that are shown at once."""
SYSTEM_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf",
    "arial.ttf", "Helvetica.ttc", "segoeui.ttf", "Arial Unicode.ttf", "NotoSansCJK-Regular.ttc",
    "PingFang.ttc", "msyh.ttc", "YuGothM.ttc", "malgun.ttf",
)  # fmt: skip
"""Fonts of the system that are taken, by file name: the first that has every letter."""
# Parts of the picture's height and width.
_LETTER_HEIGHT, _LETTER_HEIGHT_OF_WIDTH = 0.05, 0.06
_SMALLEST = 8
_WIDEST, _WIDEST_UPRIGHT = 0.8, 0.76
_BOTTOM, _BOTTOM_UPRIGHT = 0.93, 0.76  # programs for phones lay text over the last fifth
_BAND = 0.6
_BLACK, _GREY, _WHITE = 16, 128, 235
_WHITE_OF_CURVE = {16: 143, 18: 180}
"""White of graphics (203 cd/m2) in the luma of PQ and HLG, by ITU-R BT.2408."""

Mask = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class _Part:
    frames: range
    text: str


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A caption as it lies over a picture: `picture * kept + added`, in 1/256, for Y and UV."""

    top: int
    left: int
    kept: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]
    added: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]


def lettering_for(texts: Sequence[str], font: Path | None) -> tuple[Lettering, str]:
    """Return the font for some texts, and a sentence about letters that it lacks; "" for none.

    Args:
        texts: What shall be shown.
        font: A font file; None finds one on the system that has every letter, else the one that
            has most, else takes Pillow's own.

    Raises:
        UsageError: The file is no font.
    """
    letters = sorted({letter for text in texts for letter in text if not letter.isspace()})
    found: list[tuple[int, int, Lettering, str, list[str]]] = []
    names: Sequence[Path | None] = [font] if font else [*map(Path, SYSTEM_FONTS), None]
    for number, name in enumerate(names):
        try:
            lettering = Lettering(name)
        except UsageError:
            if name is None or font is not None:
                raise
            continue  # not on this system
        missing = [letter for letter in letters if lettering.shown(letter) != letter]
        called = "Pillow's own font" if name is None else name.name
        found.append((len(missing), number, lettering, called, missing))
        if not missing:
            break
    _, _, lettering, called, missing = min(found, key=lambda item: item[:2])
    if not missing:
        return lettering, ""
    some = " ".join(missing[:8]) + (" ..." if len(missing) > 8 else "")
    return lettering, (
        f"{called} lacks letters of the captions, shown without accents or as {UNKNOWN}: {some} "
        "(another font: --font FILE.ttf)"
    )


class CaptionPainter:
    """Draws the captions of a film; each is made once and laid over all of its pictures."""

    def __init__(
        self,
        captions: Sequence[Shown],
        lettering: Lettering,
        *,
        size: tuple[int, int],
        frame_rate: Fraction,
        colour: Colour,
    ) -> None:
        """Work out what is shown when.

        Args:
            captions: In the order of time; where two meet, the later one replaces the earlier.
            lettering: The font.
            size: Width and height of the film in pixels, both even.
            frame_rate: Of the film.
            colour: What the film says about its colours.
        """
        width, height = self._size = size
        self._lettering = lettering
        self._white = _WHITE_OF_CURVE.get(colour.curve, _WHITE)
        is_upright = height > width
        self._letter_height = max(
            _SMALLEST, round(min(height * _LETTER_HEIGHT, width * _LETTER_HEIGHT_OF_WIDTH))
        )
        self._room = width * (_WIDEST_UPRIGHT if is_upright else _WIDEST)
        self._bottom = round(height * (_BOTTOM_UPRIGHT if is_upright else _BOTTOM))
        self._parts = self._planned(captions, frame_rate)
        self._at = 0
        self._drawn: tuple[str, _Drawn] | None = None

    def over(self, planes: Planes, frame: int) -> Planes:
        """Return a picture with its caption, or the very same without one.

        Args:
            planes: The picture; it is left as it is.
            frame: Its number in the film, not smaller than in the call before.
        """
        while self._at < len(self._parts) and self._parts[self._at].frames.stop <= frame:
            self._at += 1
        if self._at == len(self._parts) or frame < self._parts[self._at].frames.start:
            return planes
        text = self._parts[self._at].text
        if self._drawn is None or self._drawn[0] != text:
            self._drawn = (text, self._draw(text))
        drawn = self._drawn[1]
        result: Planes = planes.copy()
        for index, plane in enumerate(split(result)):
            kept, added = drawn.kept[index > 0], drawn.added[index > 0]
            half = 2 if index else 1
            top, left = drawn.top // half, drawn.left // half
            box = plane[top : top + kept.shape[0], left : left + kept.shape[1]]
            box[:] = (box * kept + added) >> 8
        return result

    def _planned(self, captions: Sequence[Shown], frame_rate: Fraction) -> list[_Part]:
        parts: list[_Part] = []
        for index, caption in enumerate(captions):
            end = caption.end_seconds
            if index + 1 < len(captions):
                end = min(end, captions[index + 1].start_seconds)
            lines = self._lines(caption.text)
            pages = [lines[at : at + MOST_LINES] for at in range(0, len(lines), MOST_LINES)]
            letters = [sum(map(len, page)) for page in pages]
            done, first = 0, round(caption.start_seconds * frame_rate)
            last = round(end * frame_rate)
            for page, count in zip(pages, letters, strict=True):
                start = first + round((last - first) * done / sum(letters))
                done += count
                stop = first + round((last - first) * done / sum(letters))
                if stop > start:
                    parts.append(_Part(range(start, stop), "\n".join(page)))
        return parts

    def _lines(self, text: str) -> list[str]:
        """Break a text into lines that fit, of about the same length, in whole pages."""
        given = [" ".join(self._lettering.shown(line).split()) for line in text.splitlines()]
        given = [line for line in given if line]
        if len(given) <= MOST_LINES and all(self._width(line) <= self._room for line in given):
            return given  # as its author broke it: two who speak, for one
        words = " ".join(given).split()
        pieces = [piece for word in words for piece in self._broken(word)]
        lines = self._filled(pieces, self._room)
        if len(lines) < 2:
            return lines
        most = math.ceil(len(lines) / MOST_LINES) * MOST_LINES
        low, high = 0, math.ceil(self._room)
        while high - low > 1:
            middle = (low + high) // 2
            if len(self._filled(pieces, middle)) <= most:
                high = middle
            else:
                low = middle
        return self._filled(pieces, min(high, self._room))

    def _broken(self, word: str) -> list[str]:
        """Return the parts of a word that is wider than a line, as in scripts without spaces."""
        if self._width(word) <= self._room:
            return [f"{word} "]
        parts, part = [], ""
        for letter in word:
            if part and self._width(part + letter) > self._room / 2:
                parts.append(part)
                part = ""
            part += letter
        return [*parts, f"{part} "]

    def _filled(self, pieces: Sequence[str], room: float) -> list[str]:
        lines: list[str] = []
        for piece in pieces:
            if lines and self._width((lines[-1] + piece).rstrip()) <= room:
                lines[-1] += piece
            else:
                lines.append(piece)
        return [line.rstrip() for line in lines]

    def _width(self, text: str) -> float:
        return self._lettering.width(text, self._letter_height)

    def _draw(self, text: str) -> _Drawn:
        width, height = self._size
        letter = self._letter_height
        lines = text.split("\n")
        padding, step = max(2, round(letter * 0.35)), round(letter * 1.25)
        inner = math.ceil(max(map(self._width, lines)))
        # Even places and sizes: a sample of colour covers two pixels each way.
        box_width = min(_even(inner + 2 * padding), width)
        box_height = min(_even(step * len(lines) + 2 * padding), height)
        left = (width - box_width) // 4 * 2
        top = max(0, self._bottom - box_height) // 2 * 2
        band = Image.new("L", (box_width, box_height), 0)
        ImageDraw.Draw(band).rounded_rectangle(
            (0, 0, box_width - 1, box_height - 1), radius=padding, fill=255
        )
        letters = Image.new("L", (box_width, box_height), 0)
        pen = ImageDraw.Draw(letters)
        font = self._lettering.font(letter)
        for number, line in enumerate(lines):
            at = ((box_width - self._width(line)) / 2, padding + number * step + step * 0.05)
            pen.text(at, line, fill=255, font=font)
        band_HW, white_HW = (np.asarray(image, dtype=np.float32) / 255 for image in (band, letters))
        kept = (1 - _BAND * band_HW) * (1 - white_HW)
        added = _BLACK * _BAND * band_HW * (1 - white_HW) + self._white * white_HW
        kept_half = kept.reshape(box_height // 2, 2, box_width // 2, 2).mean(axis=(1, 3))
        return _Drawn(
            top,
            left,
            (_fixed(kept), _fixed(kept_half)),
            (_fixed(added), _fixed(_GREY * (1 - kept_half))),
        )


def _fixed(values: Mask) -> npt.NDArray[np.uint16]:
    # 255 * 256 is the most: a product and its sum stay within 16 bits.
    return np.asarray(np.round(values * 256), dtype=np.uint16)


def _even(size: int) -> int:
    return (size + 1) // 2 * 2
