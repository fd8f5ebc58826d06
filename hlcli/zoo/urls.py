"""Which addresses weights may come from."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.(safetensors|pt)")


def check_url(url: str) -> SplitResult:
    """Split an address that a download may use.

    Returns:
        The parts of `url`: https to any host, or plain http to this machine (tests, mirrors).

    Raises:
        ValueError: Another scheme, no host, a user name or password, or characters that do not
            belong into an address. The message says which.
    """
    if any(character <= " " or character >= "\x7f" for character in url) or "\\" in url:
        raise ValueError("an address has printable ASCII without spaces and backslashes")
    parts = urlsplit(url)
    try:
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from error
    if not host:
        raise ValueError("the address names no host")
    if "@" in parts.netloc:
        raise ValueError("the address must not hold a user name or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError(f"only https is allowed (http to this machine alone), got {parts.scheme}")
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def file_name(url: str) -> str:
    """Return the last part of an address's path, which names the file on a mirror too.

    Raises:
        ValueError: It is not a plain `.safetensors` or `.pt` name.
    """
    name = urlsplit(url).path.rpartition("/")[2]
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"the address must end in a plain .safetensors or .pt name, got {name!r}")
    return name


def mirrored(url: str, mirror: str) -> str:
    """Return where a mirror keeps the file of `url`: `<mirror>/<file name>`.

    Raises:
        ValueError: The mirror is not an allowed address, or has a query or fragment.
    """
    parts = check_url(mirror)
    if parts.query or parts.fragment:
        raise ValueError("a mirror's address has no ? and no #")
    return f"{mirror.rstrip('/')}/{file_name(url)}"
