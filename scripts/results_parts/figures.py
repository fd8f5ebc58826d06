"""What all figures of the page have in common."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

from hlcli.atomic import atomic_write
from hlcli.errors import UsageError

INK, FRAME = "#22262e", "#c3c8d0"
COLOURS = ("#2f6fb3", "#d1662a", "#3c8f5a", "#8a5bb0", "#b23a48", "#6b7280", "#a38a1e")


def pyplot() -> ModuleType:
    """Matplotlib, drawing to files only.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError(
            "the figures need matplotlib", hint="install the extra: pip install -e '.[docs]'"
        ) from error
    matplotlib.use("Agg")
    import matplotlib.pyplot

    pyplot: ModuleType = matplotlib.pyplot
    return pyplot


def plain_axes(axes: Any, *, title: str, x: str, y: str) -> None:
    """Give axes a title, labels and a quiet frame."""
    axes.set_title(title, color=INK, fontsize=9.5, loc="left")
    axes.set_xlabel(x, color=INK, fontsize=8.5)
    axes.set_ylabel(y, color=INK, fontsize=8.5)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(color=FRAME, linewidth=0.5, alpha=0.6)
    for spine in axes.spines.values():
        spine.set_color(FRAME)


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG of at most 256 colours, whole or not at all."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, facecolor="white")
    pyplot().close(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(drawn) as picture, atomic_write(path) as stream:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            stream, format="png", optimize=True
        )
