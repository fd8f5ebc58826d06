"""Proxies: smaller copies that cameras and editors lay beside their originals.

Which file is whose proxy is a matter of names:

* `.LRV` and `.LRF`, of action cameras and drones; GoPro calls that of GX010042.MP4 GL010042.LRV;
* folders called Proxy, Proxies or ProxyMedia beside the originals, as DaVinci Resolve, Blackmagic's
  generator and Premiere make them, and names that end in `_proxy`, `-proxy` or ` proxy`;
* Sony's SUB folder, where C0001S03.MP4 is the proxy of C0001.MP4 in CLIP.

Whether it is really one is a matter of rate, length, timecode and shape: `difference`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlcli.media.probe import MediaInfo

PROXY_SUFFIXES = (".lrv", ".lrf")
"""Endings that only proxies have, lower case."""
_FOLDERS = ("proxy", "proxies", "proxymedia", "proxy media")
_NAME = re.compile(r"(.+)[ ._-]prox(?:y|ies)", re.IGNORECASE)
_GOPRO = re.compile(r"G[HLX](\d{6})", re.IGNORECASE)
_SONY = re.compile(r"(.+)S\d\d", re.IGNORECASE)
_FRAMES_OFF = 2
"""Programs round the length of a proxy by a frame or two at its end."""
_SKIPS = (1, 2, 4)
_SHAPE = 0.05
"""Share by which the shapes of two pictures may differ: sizes are rounded to whole blocks."""

Place = tuple[Path, str]
"""Folder and name without its ending, of one spelling."""


def places_of_original(path: Path) -> list[Place]:
    """Return where the original of a proxy may lie; nothing for what is called like no proxy."""
    stem, folders = path.stem, [path.parent]
    is_proxy = path.suffix.lower() in PROXY_SUFFIXES
    if named := _NAME.fullmatch(stem):
        stem, is_proxy = named[1], True
    if path.parent.name.casefold() in _FOLDERS:
        folders, is_proxy = [path.parent.parent], True
    if path.parent.name.casefold() == "sub" and (sony := _SONY.fullmatch(stem)):
        stem, is_proxy = sony[1], True
        folders = [path.parent.parent / "CLIP", path.parent.parent / "Clip", path.parent.parent]
    return [_place(folder, stem) for folder in folders] if is_proxy else []


def without_proxies(paths: Iterable[Path]) -> list[Path]:
    """Leave out the proxies whose originals are there, too.

    Args:
        paths: Videos that were found; their order is kept.
    """
    found = list(paths)
    originals = {_place(path.parent, path.stem) for path in found if not places_of_original(path)}
    return [
        path for path in found if not any(place in originals for place in places_of_original(path))
    ]


class ProxyFinder:
    """Finds the proxies of originals; each folder is looked through once."""

    def __init__(self) -> None:
        self._proxies: dict[Path, dict[Place, list[Path]]] = {}

    def candidates(self, original: Path) -> list[Path]:
        """Return what is called like a proxy of a file; a proxy itself has none.

        Args:
            original: The file, with an absolute path.
        """
        if places_of_original(original):
            return []
        folder = original.parent
        if folder not in self._proxies:
            self._proxies[folder] = {}
            for path in _beside(folder):
                for place in places_of_original(path):
                    self._proxies[folder].setdefault(place, []).append(path)
        found = self._proxies[folder].get(_place(folder, original.stem), [])
        return sorted(path for path in found if path != original)


def original_of(proxy: Path) -> Path | None:
    """Return the file beside a proxy that is called like its original; None without one.

    Where several are, none is it.
    """
    places = places_of_original(proxy)
    found: dict[Path, None] = {}
    for folder in dict.fromkeys(folder for folder, _ in places):
        for path in _files(folder):
            if not places_of_original(path) and _place(folder, path.stem) in places:
                found[path] = None
    return next(iter(found)) if len(found) == 1 else None


def difference(
    original: MediaInfo, proxy: MediaInfo, *, may_skip_frames: bool = False
) -> str | None:
    """Say why a file is not the proxy of another, frame by frame; None when it is.

    Args:
        original: What `probe` said about the original.
        proxy: What it said about the smaller file.
        may_skip_frames: Whether it may have every second or every fourth frame alone.
    """
    times = original.frame_rate / proxy.frame_rate
    if times not in (_SKIPS if may_skip_frames else (1,)):
        return f"runs at {proxy.frame_rate} frames per second, not {original.frame_rate}"
    if abs(proxy.num_frames * times - original.num_frames) > _FRAMES_OFF * times:
        return f"has {proxy.num_frames} frames, not {round(original.num_frames / times)}"
    starts = [_start(original, int(times)), _start(proxy, 1)]
    if None not in starts and starts[0] != starts[1]:
        return f"starts at {proxy.start_timecode}, not {original.start_timecode}"
    shapes = [one.width / one.height for one in (proxy, original)]
    if abs(shapes[0] / shapes[1] - 1) > _SHAPE:
        return (
            f"shows {proxy.width} x {proxy.height} pixels, another shape than "
            f"{original.width} x {original.height}"
        )
    if original.has_audio and not proxy.has_audio:
        return "has no sound"
    return None


def _start(info: MediaInfo, times: int) -> tuple[str, int] | None:
    """Return the second at which a file starts, and the frame in it at a slower rate."""
    if info.start_timecode is None:
        return None
    seconds, frame = info.start_timecode.replace(";", ":").rsplit(":", 1)
    return seconds, int(frame) // times


def stem_key(stem: str) -> str:
    """Return what the names of an original and of its proxy share, endings left out."""
    gopro = _GOPRO.fullmatch(stem)
    return f"g{gopro[1]}" if gopro else stem.casefold()


def _place(folder: Path, stem: str) -> Place:
    return folder, stem_key(stem)


def _beside(folder: Path) -> Iterator[Path]:
    """Yield the files in which the proxies of a folder may be."""
    yield from _files(folder)
    for below in _folders(folder):
        if below.name.casefold() in (*_FOLDERS, "sub"):
            yield from _files(below)
    if folder.name.casefold() == "clip":
        for near in _folders(folder.parent):
            if near.name.casefold() == "sub":
                yield from _files(near)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []
