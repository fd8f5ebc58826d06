"""Chapters for FFmpeg: put into a film with `ffmpeg -i FILM -i FILE -map_metadata 1 -codec copy`.

Places are whole frames of the timeline in its own time base, so that no rounding is ours; MP4
keeps chapters to the millisecond, Matroska to the nanosecond.
"""

from __future__ import annotations

import re
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.media.rates import rate_text
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats.chapters import chapters_of
from hlcli.timeline.paths import readable


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write the title and the chapters of a film.

    Raises:
        OutputError: It cannot be written there.
    """
    write_text(path, ffmetadata_text(edit))


def ffmetadata_text(edit: EditList) -> str:
    """Return the title and the chapters of a film in FFmpeg's format."""
    time_base = rate_text(1 / edit.frame_rate)
    lines = [";FFMETADATA1", f"title={_escaped(edit.name)}"]
    for chapter in chapters_of(edit):
        lines += [
            "[CHAPTER]",
            f"TIMEBASE={time_base}",
            f"START={chapter.frames.start}",
            f"END={chapter.frames.stop}",
            f"title={_escaped(chapter.title)}",
        ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Put a backslash before what has a meaning of its own, line ends included."""
    return re.sub(r"([=;#\\\n])", r"\\\1", readable(text).replace("\0", ""))
