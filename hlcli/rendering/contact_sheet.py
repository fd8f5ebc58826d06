"""A contact sheet: one picture with a thumbnail, timecode, rank and score for each moment."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw

from hlcli.atomic import write_bytes
from hlcli.errors import UsageError
from hlcli.media.probe import MediaInfo
from hlcli.media.still import read_stills
from hlcli.progress import Progress, silent
from hlcli.rendering.lettering import Lettering
from hlcli.rendering.sheet_plan import Section, SheetCell, timecode_of
from hlcli.timeline.build import color_of_score

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""What a sheet can be written as, by extension."""
HIGHEST_PIXELS = 65500
"""Tallest sheet, in pixels: JPEG has no more."""
_MOST_PIXELS = 150_000_000
"""Largest sheet: it is drawn in memory, three bytes a pixel."""
_PAPER, _BEHIND, _INK, _FAINT = (22, 24, 29), (38, 41, 48), (232, 230, 227), (150, 154, 163)
_COLORS = {
    "GREEN": (95, 211, 141),
    "CYAN": (92, 200, 214),
    "YELLOW": (230, 205, 90),
    "ORANGE": (226, 145, 78),
}
_NARROWEST_CELL = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLook:
    """Size and lettering of a sheet.

    Raises:
        UsageError: The columns would be too narrow or the sheet too small.
    """

    columns: int = 4
    """Thumbnails in a row, at least 1."""
    width: int = 1600
    """Width of the sheet, in pixels."""
    font: Path | None = None
    """A font file for names in any script; None takes the one that Pillow brings."""

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise UsageError(f"--columns must be at least 1, got {self.columns}")
        if not 160 <= self.width <= 16000:
            raise UsageError(f"--width must be from 160 to 16000 pixels, got {self.width}")
        if self.cell_width < _NARROWEST_CELL:
            raise UsageError(
                f"{self.columns} columns are too narrow for a sheet of {self.width} pixels",
                hint=f"give --columns {max(1, self.width // 100)} or fewer, or a larger --width",
            )

    @property
    def margin(self) -> int:
        """Room around the sheet and between thumbnails, in pixels."""
        return max(4, self.width // 100)

    @property
    def cell_width(self) -> int:
        """Width of a thumbnail, in pixels."""
        return (self.width - self.margin * (self.columns + 1)) // self.columns


def write_contact_sheet(
    path: Path,
    videos: Sequence[tuple[Section, MediaInfo]],
    *,
    look: SheetLook,
    progress: Progress = silent,
) -> list[str]:
    """Draw a sheet, the same bytes for the same moments of the same videos.

    Args:
        path: Picture to write, with an extension of `SUFFIXES`. Appears whole or not at all.
        videos: Sections, each with what `probe` said about its file; at least one.
        look: Its size and lettering.
        progress: Called with the pictures decoded.

    Returns:
        Names that the font could not show as they are, as they are.

    Raises:
        UsageError: The extension is unknown, the font cannot be read, or the sheet would be
            taller than a picture can be.
        MediaError: A file can no longer be opened.
        OutputError: It cannot be written.
    """
    check_suffix(path)
    sheet = _Sheet(look, videos)
    done, total = 0, sum(len(section.shots) for section, _ in videos)
    progress("pictures", done, total)
    for number, (section, info) in enumerate(videos):
        cells = sheet.cells(number)
        by_frame: dict[int, list[int]] = {}
        for index, shot in enumerate(section.shots):
            sheet.label(cells[index], shot)
            by_frame.setdefault(shot.frame, []).append(index)
        within = {shot.frame: shot.within for shot in section.shots if shot.within is not None}
        height = _box_height(info, look)
        for still in read_stills(info, by_frame, height=height, within=within):
            for index in by_frame[still.frame]:
                timecode = timecode_of(section.source, still.shown)
                sheet.label(cells[index], replace(section.shots[index], timecode=timecode))
                sheet.paste(cells[index], Image.fromarray(still.rgb_HWC))
                done += 1
                progress("pictures", done, total)
    progress("pictures", total, total)
    picture = io.BytesIO()
    options = {"quality": 88} if SUFFIXES[path.suffix.lower()] == "JPEG" else {"compress_level": 9}
    sheet.image.save(picture, SUFFIXES[path.suffix.lower()], **options)
    write_bytes(path, picture.getvalue())
    return sheet.changed_names


def check_suffix(path: Path) -> None:
    """Refuse a file name that is no picture's.

    Raises:
        UsageError: The extension is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"cannot draw a contact sheet to {path}", hint=f"use one of {', '.join(SUFFIXES)}"
        )


def _box_height(info: MediaInfo, look: SheetLook) -> int:
    """Return the height of a video's thumbnails: their shape, but never higher than wide."""
    return max(1, min(look.cell_width, round(look.cell_width * info.height / info.width)))


@dataclass(frozen=True, slots=True)
class _Cell:
    left: int
    top: int
    height: int


class _Sheet:
    """The picture and where things stand on it."""

    def __init__(self, look: SheetLook, videos: Sequence[tuple[Section, MediaInfo]]) -> None:
        self._look = look
        self._lettering = Lettering(look.font)
        self._heading_size = max(11, look.width // 70)
        self._label_size = self._size_that_fits([section for section, _ in videos])
        has_reasons = any(shot.reasons for section, _ in videos for shot in section.shots)
        self._label_height = (3 if has_reasons else 2) * self._label_size
        self.changed_names: list[str] = []
        tops = list(self._tops(videos))
        highest = min(HIGHEST_PIXELS, _MOST_PIXELS // look.width)
        if tops[-1] > highest:
            raise UsageError(
                f"the sheet would be {tops[-1]} pixels tall, one of {look.width} pixels' width has "
                f"{highest} at most",
                hint="choose fewer moments with --top, more --columns or a smaller --width",
            )
        self.image = Image.new("RGB", (look.width, tops[-1]), _PAPER)
        self._draw = ImageDraw.Draw(self.image)
        self._cells = []
        for (section, info), top in zip(videos, tops[:-1], strict=True):
            self._head(section, top)
            self._cells.append(list(self._places(section, _box_height(info, look), top)))

    def cells(self, section: int) -> list[_Cell]:
        """Return where the shots of a section stand."""
        return self._cells[section]

    def paste(self, cell: _Cell, picture: Image.Image) -> None:
        """Put a thumbnail in the middle of its place, whole."""
        width = self._look.cell_width
        picture.thumbnail((width, cell.height), Image.Resampling.LANCZOS)
        left = cell.left + (width - picture.width) // 2
        self.image.paste(picture, (left, cell.top + (cell.height - picture.height) // 2))

    def label(self, cell: _Cell, shot: SheetCell) -> None:
        """Write rank, timecode and score below a thumbnail, and keep its place dark."""
        right, bottom = cell.left + self._look.cell_width, cell.top + cell.height
        below = bottom + self._label_height
        self._draw.rectangle((cell.left, bottom, right - 1, below - 1), fill=_PAPER)
        self._draw.rectangle((cell.left, cell.top, right - 1, bottom - 1), fill=_BEHIND)
        middle = bottom + self._label_size + max(1, self._label_size // 8)
        font = self._lettering.font(self._label_size)
        self._draw.text((cell.left, middle), _left_label(shot), fill=_INK, font=font, anchor="lm")
        if shot.score is not None:
            color = _COLORS[color_of_score(shot.score)]
            score = f"{shot.score:.2f}"
            self._draw.text((right, middle), score, fill=color, font=font, anchor="rm")
            length = round(self._look.cell_width * min(max(shot.score, 0.0), 1.0))
            thickness = max(2, self._label_size // 6)
            if length:
                bar = (cell.left, bottom, cell.left + length - 1, bottom + thickness - 1)
                self._draw.rectangle(bar, fill=color)
        if shot.reasons:
            below = middle + self._label_size * 5 // 4
            words = self._lettering.shown(shot.reasons)
            words = self._lettering.fitting(words, self._label_size, self._look.cell_width)
            self._draw.text((cell.left, below), words, fill=_FAINT, font=font, anchor="lm")

    def _head(self, section: Section, top: int) -> None:
        name = section.source.name
        shown = self._lettering.shown(name)
        if shown != name:
            self.changed_names.append(name)
        margin, size = self._look.margin, self._heading_size
        number = len(section.shots)
        count = f"{number} moment{'s' * (number != 1)}"
        room = self._look.width - 3 * margin - self._lettering.width(count, size)
        middle = top + size
        font = self._lettering.font(size)
        name = self._lettering.fitting(shown, size, room)
        self._draw.text((margin, middle), name, fill=_INK, font=font, anchor="lm")
        right = self._look.width - margin
        self._draw.text((right, middle), count, fill=_FAINT, font=font, anchor="rm")

    def _tops(self, videos: Sequence[tuple[Section, MediaInfo]]) -> Iterator[int]:
        """Yield where each section starts, then the height of the sheet."""
        top = self._look.margin
        for section, info in videos:
            yield top
            rows = math.ceil(len(section.shots) / self._look.columns)
            row_height = self._row_height(_box_height(info, self._look))
            top += 2 * self._heading_size + rows * row_height
        yield top

    def _row_height(self, box_height: int) -> int:
        return box_height + self._label_height + self._look.margin

    def _places(self, section: Section, height: int, top: int) -> Iterator[_Cell]:
        look = self._look
        for index in range(len(section.shots)):
            row, column = divmod(index, look.columns)
            yield _Cell(
                look.margin + column * (look.cell_width + look.margin),
                top + 2 * self._heading_size + row * self._row_height(height),
                height,
            )

    def _size_that_fits(self, sections: Sequence[Section]) -> int:
        labels = [f"{_left_label(shot)}  0.00" for section in sections for shot in section.shots]
        longest = max(labels, key=len)
        size = max(9, self._look.cell_width // 18)
        while size > 6 and self._lettering.width(longest, size) > self._look.cell_width:
            size -= 1
        return size


def _left_label(shot: SheetCell) -> str:
    return shot.timecode if shot.rank is None else f"{shot.rank}.  {shot.timecode}"
