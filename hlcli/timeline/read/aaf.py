"""Advanced Authoring Format, through `otio-aaf-adapter`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from hlcli.errors import UsageError
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.types import ReadTimeline


def read(
    path: Path,
    *,
    search: Sequence[Path] = (),
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one composition; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    if find_spec("otio_aaf_adapter") is None:
        raise UsageError(
            f"cannot read {path}: the extra for AAF is not installed",
            hint='pip install "hlcli[aaf]"',
        )
    timeline = load(path, "AAF")
    return edit_of_otio(timeline, folder=path.parent, search=search, known=known, rate=rate)
