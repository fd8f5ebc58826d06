"""All text of the repository: links lead somewhere, nothing of our machines is in it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tracked_files() -> list[Path]:
    """Return what belongs to the repository, what is about to be added included."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def anchors(page: Path) -> set[str]:
    """Return the names that a page's headings can be linked by."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


def test_links_between_pages_exist() -> None:
    broken = []
    for page in tracked_files():
        if page.suffix != ".md":
            continue
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for link in re.findall(r"\]\(<?([^)>\s]+)>?(?: \"[^\"]*\")?\)", text):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = page.parent / unquote(parts.path) if parts.path else page
            if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert not broken, broken


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\(([^)]+\.md)\)", index)}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"}
    assert pages <= linked


# Put together here, so that this file holds none of them itself.
_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("download", "pytorch", "org"),
    )
]
_OUR_FOLDERS = re.compile(rf"(?<![\w.])/(?:{'|'.join(('work', 'root'))})/")


def test_no_file_names_a_registry_or_a_folder_of_our_machines() -> None:
    mirror = urlsplit(os.environ.get("PIP_INDEX_URL", "")).hostname
    hosts = [*_REGISTRIES, *([mirror] if mirror and "." in mirror[:-1] else [])]
    hosts = [host for host in hosts if host != "127.0.0.1"]
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a video or weights
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}: the host of a registry" for host in hosts if host in text]
        found += [f"{name}: {match[0]}" for match in _OUR_FOLDERS.finditer(text)]
    assert found == []
