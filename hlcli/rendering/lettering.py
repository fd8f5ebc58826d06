"""Text on a picture, with what the font has.

Pillow brings one font, which needs nothing installed and is the same everywhere; it has letters
without accents, digits and signs. A name in another script is shown as far as it goes.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from PIL import ImageFont

from hlcli.errors import UsageError

_NO_LETTER = "\U0010ffff"
UNKNOWN = "?"
"""Stands for a letter that the font lacks."""


class Lettering:
    """One font at any size, and what it can show.

    Raises:
        UsageError: The file is no font.
    """

    def __init__(self, font: Path | None = None) -> None:
        self._file = font
        self._sizes: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}
        self._shown: dict[str, str] = {}
        self._missing = self._outline(_NO_LETTER)

    def font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """Return the font at a size in pixels."""
        if size not in self._sizes:
            try:
                self._sizes[size] = (
                    ImageFont.load_default(size)
                    if self._file is None
                    else ImageFont.truetype(str(self._file), size)
                )
            except OSError as error:
                raise UsageError(
                    f"--font: cannot read {self._file} as a font",
                    hint="name a TrueType or OpenType file, .ttf or .otf",
                ) from error
        return self._sizes[size]

    def shown(self, text: str) -> str:
        """Return a text as it can be shown: accents dropped, then "?", where letters are missing.

        Example:
            >>> Lettering().shown("Caf\u00e9 \u65e5.mp4")
            'Cafe ?.mp4'
        """
        return "".join(self._letter(letter) for letter in text)

    def width(self, text: str, size: int) -> float:
        """Return the width of a text in pixels."""
        return self.font(size).getlength(text)

    def fitting(self, text: str, size: int, room: float) -> str:
        """Return a text with its middle left out where it would be wider than `room` pixels."""
        if self.width(text, size) <= room:
            return text
        for kept in range(len(text) - 1, 0, -1):
            shorter = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
            if self.width(shorter, size) <= room:
                return shorter
        return ""

    def _letter(self, letter: str) -> str:
        if letter not in self._shown:
            self._shown[letter] = self._nearest(letter)
        return self._shown[letter]

    def _nearest(self, letter: str) -> str:
        if letter == " " or self._has(letter):
            return letter
        plain = unicodedata.normalize("NFKD", letter)
        plain = "".join(part for part in plain if not unicodedata.combining(part))
        if plain != letter and all(part == " " or self._has(part) for part in plain):
            # Nothing is left of an accent that stands alone, which names from a Mac hold.
            return plain
        return UNKNOWN

    def _has(self, letter: str) -> bool:
        return letter.isprintable() and self._outline(letter) != self._missing

    def _outline(self, letter: str) -> tuple[tuple[int, int], bytes]:
        mask = self.font(20).getmask(letter)
        return mask.size, bytes(mask)
