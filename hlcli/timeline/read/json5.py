"""JSON5, as LosslessCut writes its projects, as the JSON that it means."""

from __future__ import annotations

import json
import re

from hlcli.errors import shortened

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>[{}\[\],:])
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]{1,16}|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<word>[A-Za-z_$][\w$]*)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|.)", re.DOTALL)
_MEANING = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_WORDS = ("true", "false", "null")


def json_of(text: str) -> str:
    """Return the JSON of a JSON5 text; whether its values make sense is for the JSON parser.

    Raises:
        ValueError: It holds what is no JSON5, infinities and what is not a number included.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"line {line}: {shortened(text[at : at + 20])!r} is no JSON5")
        at = token.end()
        value = token[0]
        if token.lastgroup == "text":
            value = json.dumps(_ESCAPE.sub(_unescaped, value[1:-1]))
        elif token.lastgroup == "number":
            value = _number(value)
        elif token.lastgroup == "word" and value not in _WORDS:
            value = json.dumps(value)
        elif token.lastgroup == "space":
            continue
        if value in ("}", "]") and found and found[-1] == ",":
            found.pop()
        found.append(value)
    return "".join(found)


def _unescaped(escape: re.Match[str]) -> str:
    what = escape[1]
    if what[0] in "ux" and len(what) > 1:
        return chr(int(what[1:], 16))
    if what in ("\n", "\r", "\r\n"):
        return ""  # a text goes on in the next line
    return _MEANING.get(what, what)


def _number(text: str) -> str:
    if "x" in text.lower():
        return str(int(text, 16))
    text = text.removeprefix("+")
    sign = "-" if text.startswith("-") else ""
    whole, point, rest = text.removeprefix("-").partition(".")
    digits = rest.lstrip("0123456789")
    if point and len(digits) == len(rest):
        rest = "0" + rest  # "1." and "1.e3"
    return f"{sign}{whole or '0'}{point}{rest}"
