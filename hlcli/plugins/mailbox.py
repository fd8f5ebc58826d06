r"""The other end of `plugins/resolve/lib/mailbox.lua`: files and messages, without the work.

Resolve's free edition runs scripts of its menu without files and programs from 21.1 on. Such a
script can load a file of Lua, and it can write a preference of Fusion. So `hl resolve` writes files
that return one value into the folder `hl-resolve`, and reads what a script says from `Fusion.prefs`
as `HlResolveMessage = "TIME-UNIQUE:JOB:BASE64"`: when it was sent, in seconds since 1970; a name of
its own; the name of a job's folder, or "-"; and records (`timeline/resolve_records.py`) in UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hlcli.plugins.baking import lua_string
from hlcli.plugins.places import find_places
from hlcli.plugins.system import System

PROTOCOL = 1
"""The number that `companion.lua` and the scripts must agree on."""
LARGEST_PREFS = 16 << 20
"""Bytes of a Fusion.prefs that are read; ours and other programs' are some tens of kilobytes."""
_MESSAGE = re.compile(
    rb'HlResolveMessage = "((\d{1,12})-[0-9A-Za-z]{1,60}):([0-9a-f]{16}|-):([A-Za-z0-9+/=]*)"'
)


def mailbox_dir(system: System) -> Path:
    """Return the folder of the jobs that Resolve's scripts ask for; it may not exist yet."""
    if system.platform == "windows":
        local = system.variable("LOCALAPPDATA", system.home / "AppData" / "Local")
        return local / "hl-resolve"
    if system.platform == "macos":
        return system.home / "Library" / "Caches" / "hl-resolve"
    return system.variable("XDG_CACHE_HOME", system.home / ".cache") / "hl-resolve"


def lua_name(folder: Path) -> bytes:
    """Return a folder's name as plain Lua opens it: on Windows, within the code page.

    Where the code page has no such letters, it is the short name that Windows keeps beside, and
    empty where it keeps none.
    """
    if sys.platform == "win32" and not str(folder).isascii():
        return _in_the_code_page(folder).replace(b"\\", b"/")
    return os.fsencode(folder.as_posix())


if sys.platform == "win32":

    def _in_the_code_page(folder: Path) -> bytes:
        import ctypes

        room = ctypes.create_unicode_buffer(32768)
        # The folder itself may not be there yet.
        found = ctypes.windll.kernel32.GetShortPathNameW(str(folder.parent), room, len(room))
        short = Path(room.value) / folder.name if found else folder
        for name in (str(folder), str(short)):
            try:
                return name.encode("mbcs", "strict")
            except UnicodeEncodeError:
                continue
        return b""


def prefs_files(system: System) -> Iterator[Path]:
    """Yield the preferences of every Resolve on this machine: one file for each profile."""
    for place in find_places("resolve-fusion", system, all_users=False, force=True):
        yield from sorted((place.folder / "Profiles").glob("*/Fusion.prefs"))


@dataclass(frozen=True, slots=True)
class Message:
    """What a script said."""

    id: str
    """Its own name: the same message may be written again."""
    time: int
    """When it was sent, in seconds since 1970."""
    job: str | None
    """Name of the job's folder: 16 hexadecimal digits."""
    content: bytes
    """Records; what a file is called need not be UTF-8."""


def read_message(prefs: bytes) -> Message | None:
    r"""Return the last whole message in a Fusion.prefs; None without one.

    The file is Lua in the code page of Windows, or UTF-8; the message in it is ASCII.

    Example:
        >>> read_message(b'\tHlResolveMessage = "7-a:0123456789abcdef:aGk=",')
        Message(id='7-a', time=7, job='0123456789abcdef', content=b'hi')
    """
    found = list(_MESSAGE.finditer(prefs))
    if not found:
        return None
    name, time, job, content = (group.decode("ascii") for group in found[-1].groups())
    try:
        decoded = base64.b64decode(content, validate=True)
    except binascii.Error:
        return None
    return Message(id=name, time=int(time), job=None if job == "-" else job, content=decoded)


def lua_value(content: bytes) -> str:
    """Return a file of Lua that returns a text, for a script that may open no other."""
    return f"return {lua_string(content)}\n"
