"""What `hl export --list-formats` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType


def formats_table() -> Iterator[RenderableType]:
    """Yield the table of formats by extension and that of programs by their value of --for."""
    from rich.table import Table

    from hlcli.timeline.formats import FORMATS, TARGETS, suffixes_for

    formats = Table(box=None, header_style="bold")
    for title in ("-o", "format", "--for", "opens in"):
        formats.add_column(title, overflow="fold", no_wrap=title == "-o")
    for entry in FORMATS.values():
        targets = ", ".join(entry.targets) if entry.kind == "timeline" else ""
        formats.add_row(entry.suffix, entry.title, targets, entry.opens_in)
    yield formats
    yield ""
    programs = Table(box=None, header_style="bold")
    for title in ("--for", "program", "a folder gets", "-o can be"):
        programs.add_column(title, overflow="fold", no_wrap=title == "--for")
    for target in TARGETS.values():
        suffixes = ", ".join(suffixes_for(target))
        programs.add_row(target.name, target.title, f"NAME{target.suffix}", suffixes)
    yield programs
