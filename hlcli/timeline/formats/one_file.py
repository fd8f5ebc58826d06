"""For formats that cut one file."""

from __future__ import annotations

from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Source


def only_source(edit: EditList, title: str) -> Source:
    """Return the one file that a timeline takes from.

    Args:
        edit: The timeline.
        title: What the format is called, with its article.

    Raises:
        UsageError: There are several.
    """
    source, *others = edit.sources
    if others:
        raise UsageError(
            f"{title} is about one file, {edit.name} takes from {len(others) + 1}",
            hint="name a folder as output, it gets one for each video; .otio holds them all",
        )
    return source
