"""Rules for what a timeline cuts, for formats that have no rules of their own."""

from __future__ import annotations

from pathlib import Path

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.check.media_paths import check_names
from hlcli.timeline.read import read_timeline
from hlcli.timeline.read.types import MissingMediaError, NoClipError, OutsideMediaError


def check(path: Path, findings: Findings) -> None:
    """Check one file by reading it.

    Raises:
        UsageError: An extra that reads it is not installed.
        TimelineError: It cannot be read, or holds no timeline or several.
        MediaError: A media file cannot be used.
    """
    try:
        edit = read_timeline(path).edit
    except NoClipError as error:
        findings.add("no-clip", path.name, error.message)
    except MissingMediaError as error:
        findings.media(error.path, path.name)
    except OutsideMediaError as error:
        findings.add("range-outside", path.name, error.message)
    else:
        for source in edit.sources:
            findings.media(source.path, source.name)
        check_names([source.path for source in edit.sources], findings)
