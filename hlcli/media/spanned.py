"""Recordings that a camera splits into several files, by their names.

GoPro's chapters have the chapter before the number of the recording: GX010042, GX020042, GX030042;
up to HERO5 GOPR0042, GP010042, GP020042. So the order of names is not the order of time.
"""

from __future__ import annotations

import re

_CHAPTER = re.compile(r"(G[HXSL])(\d\d)(\d{4})", re.IGNORECASE)
_FIRST = re.compile(r"GOPR(\d{4})", re.IGNORECASE)
_LATER = re.compile(r"GP(\d\d)(\d{4})", re.IGNORECASE)


def chapter_of(stem: str) -> tuple[str, int] | None:
    """Return what the chapters of a recording share, and which chapter a file is.

    Args:
        stem: Name of the file without its ending.

    Returns:
        A text like "gx0042" and a number that counts up within the recording; None for the name
        of no chapter.
    """
    if chapter := _CHAPTER.fullmatch(stem):
        return f"{chapter[1]}{chapter[3]}".lower(), int(chapter[2])
    if first := _FIRST.fullmatch(stem):
        return f"gp{first[1]}", 0
    if later := _LATER.fullmatch(stem):
        return f"gp{later[2]}", int(later[1])
    return None
