"""Photographs: JPEG, PNG, HEIC and what else Pillow reads, upright, small enough for a network."""

from __future__ import annotations

import contextlib
import importlib
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from hlcli.errors import HlError, MediaNotFoundError, MediaUnreadableError
from hlcli.media.discover import MayRead, any_file

_HEIC = (".heic", ".heif", ".hif")
_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", *_HEIC,
)  # fmt: skip
_DRAFT = 4
"""JPEG is decoded at this many times the size that is wanted: faster, and no less sharp."""


def find_photographs(inputs: Sequence[str | Path], may_read: MayRead = any_file) -> list[Path]:
    """Return the photographs of some files and folders, each once, in the order given.

    Args:
        inputs: Files, whatever their ending, and folders, which are looked through to the bottom.
        may_read: Asked for each input, and for each picture of a folder, which is left out then.

    Raises:
        MediaNotFoundError: An input does not exist, or there is no picture in a folder.
    """
    found: dict[Path, None] = {}
    for text in inputs:
        path = may_read(Path(text).expanduser())
        if not path.exists():
            raise MediaNotFoundError(
                f"no such photograph or folder: {path}", hint="check the spelling"
            )
        inside = list(_inside(path, may_read)) if path.is_dir() else [path]
        if not inside:
            raise MediaNotFoundError(
                f"no photograph in the folder {path}",
                hint=f"pictures end in {', '.join(_SUFFIXES)}",
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def _inside(folder: Path, may_read: MayRead) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in _SUFFIXES and not hidden and path.is_file():
            with contextlib.suppress(HlError):
                yield may_read(path)


def read_photograph(path: Path, *, size: int) -> npt.NDArray[np.uint8]:
    """Return a photograph as frames of video are shown to a network: upright, whole, squeezed.

    Args:
        path: The file.
        size: Side of the result, in pixels.

    Returns:
        RGB, uint8, shape `(size, size, 3)`.

    Raises:
        MediaUnreadableError: It is damaged, far too large, or no picture.
    """
    if path.suffix.lower() in _HEIC:
        _read_heic(path)
    try:
        # What Pillow only warns of is a picture that it reads.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as opened:
                opened.draft("RGB", (_DRAFT * size, _DRAFT * size))
                upright = ImageOps.exif_transpose(opened)
                small = upright.convert("RGB").resize((size, size), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        said = re.sub(r"\s+", " ", str(error).replace(repr(str(path)), "it"))
        raise MediaUnreadableError(
            f"{path} cannot be read as a photograph: {said}",
            hint="convert it to JPEG, or remove it",
        ) from error
    return np.array(small, dtype=np.uint8)


def _read_heic(path: Path) -> None:
    """Let Pillow read HEIC, which iPhones take."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise MediaUnreadableError(
            f"{path} is HEIC, which needs an extra", hint='pip install "hlcli[photos]"'
        ) from error
