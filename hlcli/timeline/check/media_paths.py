"""Rules for how a timeline names its media."""

from __future__ import annotations

import re

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.paths import media_path, path_of_url

_JOINED_HOST = re.compile(r"(?i)file://localhost[a-z]:")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


def check_path(url: str, where: str, findings: Findings) -> str:
    """Check a path or URL and return the path it means."""
    if not url.lower().startswith("file:"):
        findings.add("path-bare", where, f"the path is {url}", once=url)
        if not media_path(url).is_absolute():
            findings.add("path-relative", where, f"the path is {url}", once=url)
        if re.search("[#?%]", media_path(url).name):
            findings.add("name-unsafe", where, f"the name is {media_path(url).name}", once=url)
        return url
    findings.add("path-url", where, f"the path is {url}", once=url)
    return check_url(url, where, findings, encoded_is_wrong=True)


def check_url(url: str, where: str, findings: Findings, *, encoded_is_wrong: bool = False) -> str:
    """Check a file URL and return the path it means."""
    if _JOINED_HOST.match(url):
        findings.add("path-host", where, f"the path is {url}", once=url)
    rest = url.partition(":")[2]
    if encoded_is_wrong and _ENCODED.search(rest):
        findings.add("path-encoded", where, f"the path is {url}", once=url)
    if re.search(r"[#?\s]", rest) or not rest.isascii():
        findings.add("path-unescaped", where, f"the path is {url}", once=url)
        return rest.removeprefix("//localhost").removeprefix("//")
    return path_of_url(url)


def check_names(paths: list[str], findings: Findings) -> None:
    """Find files of one name in different folders."""
    by_name: dict[str, str] = {}
    for path in paths:
        name = media_path(path).name
        other = by_name.setdefault(name.casefold(), path)
        if other != path:
            findings.add(
                "media-same-name", name, f"{other} and {path} have one name", once=name.casefold()
            )
