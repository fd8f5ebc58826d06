"""The path of `hl` written into a plugin's file, as its language spells it.

The programs that run plugins have no shell's PATH, so a plugin must know where `hl` is. The result
is ASCII whatever the path holds: no editor, and no reader of another encoding, can spoil it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from hlcli.errors import OutputError


@dataclass(frozen=True, slots=True)
class _Language:
    line: re.Pattern[bytes]
    quote: Callable[[str], str]


def _lua(text: str) -> str:
    """Return a Lua string of the text's bytes; Lua 5.1 has no other escapes than those of bytes."""
    return '"' + "".join(_lua_byte(byte) for byte in os.fsencode(text)) + '"'


def _lua_byte(byte: int) -> str:
    letter = chr(byte)
    if letter in '"\\':
        return "\\" + letter
    # Always three digits: a digit that follows is not part of it.
    return letter if 32 <= byte < 127 else f"\\{byte:03d}"


def _line(before: str, after: str) -> re.Pattern[bytes]:
    return re.compile(rf'^({before})"hl"({after})(?=\r?$)'.encode(), re.MULTILINE)


_LANGUAGES = {
    "lua": _Language(_line(r"local HL = ", r"(?:  --[^\r\n]*)?"), _lua),
    # Lone surrogates, which stand for bytes outside UTF-8, stay what they are in both.
    "python": _Language(_line(r"HL(?:: str)? = ", r"(?:  #[^\r\n]*)?"), ascii),
    "javascript": _Language(_line(r"(?:export )?const HL = ", r";(?:  //[^\r\n]*)?"), json.dumps),
}
LANGUAGES = tuple(_LANGUAGES)
"""Languages a plugin's file may be in."""


def bake(content: bytes, *, language: str, program: str, name: str) -> bytes:
    """Return a file with the path of `hl` in its one `HL = "hl"` line.

    Args:
        content: The file as shipped.
        language: One of `LANGUAGES`.
        program: The absolute path of `hl`.
        name: What the file is called, for the error.

    Raises:
        OutputError: The file has no such line, or several.

    Example:
        >>> bake(b'local HL = "hl"', language="lua", program="/opt/hl", name="x.lua")
        b'local HL = "/opt/hl"'
    """
    found = _LANGUAGES[language]
    quoted = found.quote(program).encode("ascii")
    baked, count = found.line.subn(lambda line: line[1] + quoted + line[2], content)
    if count != 1:
        raise OutputError(
            f"{name} has {count} lines for the path of hl, not one",
            hint="install again: `pip install --force-reinstall hlcli`",
        )
    return baked
