"""A drawing of boxes, lines and letters, as SVG and as a picture: both from one list of shapes.

Colours are named by what they stand for; a page that holds the SVG chooses them with its style
sheet, a file of its own brings `LIGHT`. Lengths are pixels, from the upper left corner.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, ImageDraw

from hlcli.errors import UsageError
from hlcli.rendering.lettering import Lettering
from hlcli.timeline.paths import legal_xml

Ink: TypeAlias = Literal[
    "paper", "ink", "faint", "grid", "curve", "moment", "lane", "cut", "unusable"
]
"""What a shape stands for, which decides its colour."""

LIGHT: dict[Ink, str] = {
    "paper": "#ffffff",
    "ink": "#1b1e23",
    "faint": "#5a616b",
    "grid": "#dfe2e7",
    "curve": "#1f5fbf",
    "moment": "#bfe6cb",
    "lane": "#7b8794",
    "cut": "#9aa3ad",
    "unusable": "#f2b8a8",
}
"""Colours on white paper."""

_SHARPNESS = 3
"""A picture is drawn this many times as large and then made smaller, for smooth edges."""
_HIGHEST_PIXELS = 30_000


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    ink: Ink
    href: str | None = None
    """Where a click leads, in SVG."""
    label: str = ""
    """What it is, for those who point at it; in SVG."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, or an area when it is closed."""

    points: Sequence[tuple[float, float]]
    ink: Ink
    is_closed: bool = False
    width: float = 1.5
    """Of the line; an area has none."""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of letters."""

    x: float
    y: float
    """Where the letters stand, not their middle."""
    text: str
    ink: Ink = "faint"
    size: int = 12
    anchor: Literal["start", "middle", "end"] = "start"
    is_bold: bool = False


Shape: TypeAlias = Box | Line | Text


@dataclass(slots=True, kw_only=True)
class Drawing:
    """Shapes, each over those before it."""

    width: int
    """In pixels."""
    height: int
    """In pixels."""
    shapes: list[Shape] = field(default_factory=list)

    def svg_body(self) -> str:
        """Return the shapes as SVG elements, whose classes are their inks."""
        return "".join(map(_element, self.shapes))


def svg_file(drawings: Sequence[Drawing], title: str) -> str:
    """Return drawings below one another as an SVG file on white paper.

    Args:
        drawings: At least one.
        title: What they show, for those who cannot see it.
    """
    width, height = _size(drawings)
    rules = "".join(
        f".{ink}{{fill:{color}}}.line.{ink}{{fill:none;stroke:{color}}}"
        for ink, color in LIGHT.items()
    )
    body, top = "", 0
    for drawing in drawings:
        body += f'<g transform="translate(0 {top})">{drawing.svg_body()}</g>'
        top += drawing.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="system-ui, sans-serif">'
        f"<title>{_text(title)}</title><style>{rules}</style>"
        f'<rect width="100%" height="100%" class="paper"/>{body}</svg>\n'
    )


def png_file(drawings: Sequence[Drawing], *, scale: int = 2) -> bytes:
    """Return drawings below one another as a PNG on white paper, the same bytes for the same ones.

    Args:
        drawings: At least one.
        scale: Pixels of the picture for each of a drawing.

    Raises:
        UsageError: It would be taller than a picture can be.
    """
    width, height = (scale * side for side in _size(drawings))
    if height > _HIGHEST_PIXELS:
        raise UsageError(
            f"a picture of {len(drawings)} curves would be {height} pixels tall, {_HIGHEST_PIXELS} "
            "are the most",
            hint="write .svg, or fewer videos at a time",
        )
    whole = Image.new("RGB", (width, height), LIGHT["paper"])
    lettering = Lettering()
    top = 0
    for drawing in drawings:
        whole.paste(_picture(drawing, scale, lettering), (0, top))
        top += drawing.height * scale
    data = io.BytesIO()
    whole.save(data, "PNG", compress_level=9)
    return data.getvalue()


def _size(drawings: Sequence[Drawing]) -> tuple[int, int]:
    return max(drawing.width for drawing in drawings), sum(drawing.height for drawing in drawings)


def _picture(drawing: Drawing, scale: int, lettering: Lettering) -> Image.Image:
    fine = scale * _SHARPNESS
    picture = Image.new("RGB", (drawing.width * fine, drawing.height * fine), LIGHT["paper"])
    draw = ImageDraw.Draw(picture)
    for shape in drawing.shapes:
        _paint(draw, shape, fine)
    size = (drawing.width * scale, drawing.height * scale)
    picture = picture.resize(size, Image.Resampling.BOX)
    # Letters are drawn last, on the picture in its own size: made smaller, they would be thin.
    draw = ImageDraw.Draw(picture)
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            draw.text(
                (shape.x * scale, shape.y * scale),
                lettering.shown(shape.text),
                fill=LIGHT[shape.ink],
                font=lettering.font(shape.size * scale),
                anchor={"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor],
            )
    return picture


def _element(shape: Shape) -> str:
    if isinstance(shape, Box):
        box = (
            f'<rect x="{_number(shape.x)}" y="{_number(shape.y)}" '
            f'width="{_number(shape.width)}" height="{_number(shape.height)}" '
            f'class="{shape.ink}"'
        )
        box += f"><title>{_text(shape.label)}</title></rect>" if shape.label else "/>"
        return box if shape.href is None else f"<a href={quoteattr(shape.href)}>{box}</a>"
    if isinstance(shape, Text):
        bold = ' font-weight="600"' if shape.is_bold else ""
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        return (
            f'<text aria-hidden="true" x="{_number(shape.x)}" y="{_number(shape.y)}" '
            f'class="{shape.ink}" font-size="{shape.size}"{anchor}{bold}>{_text(shape.text)}</text>'
        )
    path = "".join(_steps(shape.points))
    if shape.is_closed:
        return f'<path d="{path}z" class="{shape.ink}"/>'
    return (
        f'<path d="{path}" class="line {shape.ink}" stroke-width="{_number(shape.width)}" '
        'stroke-linejoin="round"/>'
    )


def _steps(points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Yield the commands of a path; points in the middle of a level stretch are left out."""
    for index, (x, y) in enumerate(points):
        level = 0 < index < len(points) - 1 and points[index - 1][1] == y == points[index + 1][1]
        if not level:
            yield f"{'L' if index else 'M'}{_number(x)} {_number(y)}"


def _paint(draw: ImageDraw.ImageDraw, shape: Shape, scale: int) -> None:
    if isinstance(shape, Box):
        left, top = shape.x * scale, shape.y * scale
        right = max(left, (shape.x + shape.width) * scale - 1)
        bottom = max(top, (shape.y + shape.height) * scale - 1)
        draw.rectangle((left, top, right, bottom), fill=LIGHT[shape.ink])
    elif isinstance(shape, Line) and len(shape.points) > 1:
        points = [(x * scale, y * scale) for x, y in shape.points]
        if shape.is_closed:
            draw.polygon(points, fill=LIGHT[shape.ink])
        else:
            width = max(1, round(shape.width * scale))
            draw.line(points, fill=LIGHT[shape.ink], width=width, joint="curve")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(legal_xml(text))
