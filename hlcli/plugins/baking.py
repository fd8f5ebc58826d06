"""What is written into a plugin's file when it is installed: the path of `hl`, and its parts.

The programs that run plugins have no shell's PATH, so a plugin must know where `hl` is. The path
is ASCII whatever it holds: no editor, and no reader of another encoding, can spoil it. A script in
the sandbox of Resolve's free edition may load no other file, so that its parts are put into it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hlcli.errors import OutputError


@dataclass(frozen=True, slots=True)
class _Language:
    line: re.Pattern[bytes]
    quote: Callable[[str], str]


def lua_string(content: bytes) -> str:
    r"""Return a Lua string of some bytes; Lua 5.1 has no other escapes than those of bytes.

    Example:
        >>> lua_string("\u00e4\n".encode())
        '"\\195\\164\\010"'
    """
    return '"' + "".join(_lua_byte(byte) for byte in content) + '"'


def _lua(text: str) -> str:
    return lua_string(os.fsencode(text))


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


_PARTS = b"local PARTS = {}"
_MAILBOX = b'local MAILBOX = ""'


def put_in(content: bytes, *, parts: Iterable[Path], mailbox: bytes, name: str) -> bytes:
    """Return a Lua script with its parts, and the folder of `hl resolve`, in it.

    Args:
        content: The script as shipped, with one line `local PARTS = {}` and one
            `local MAILBOX = ""`, each with or without a comment after it.
        parts: Files that become functions of that table, by their names without `.lua`.
        mailbox: The folder, as plain Lua on this system opens it; empty when it is not known.
        name: What the script is called, for the error.

    Raises:
        OutputError: The script lacks a line, or a part cannot be read.
    """
    functions = []
    for part in parts:
        try:
            text = part.read_bytes().rstrip().replace(b"\r\n", b"\n")
        except OSError as error:
            raise OutputError(f"cannot read {part}: {error.strerror or error}") from error
        functions.append(f"{part.stem} = function(...)\n".encode() + text + b"\nend,\n")
    for line, filled in (
        (_PARTS, b"local PARTS = {\n" + b"".join(functions) + b"}"),
        (_MAILBOX, b"local MAILBOX = " + lua_string(mailbox).encode("ascii")),
    ):
        if content.count(b"\n" + line) != 1:
            raise OutputError(
                f"{name} has no line {line.decode()}, or several",
                hint="install again: `pip install --force-reinstall hlcli`",
            )
        content = content.replace(b"\n" + line, b"\n" + filled)
    return content
