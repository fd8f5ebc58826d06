"""Names of timelines that are imported together."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.timeline.check.findings import Findings, Violation
from hlcli.timeline.read.otio import load


def taken_names(paths: Sequence[Path], target: str) -> Iterator[tuple[Path, Violation]]:
    """Yield the files whose timeline has the name of one before it."""
    names: dict[str, Path] = {}
    for path in paths:
        name = _name(path)
        if not name:
            continue
        other = names.setdefault(name, path)
        if other != path:
            findings = Findings(target, look_at_media=False, folder=path.parent)
            findings.add("name-taken", name, f"{other.name} has a timeline of that name, too")
            for problem in findings.problems:
                yield path, problem


def _name(path: Path) -> str:
    """Return the name under which a program imports a timeline; empty where none can be read."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".otio":
            timeline: otio.schema.Timeline = load(path, "otio_json")
            return str(timeline.name)
        text = path.read_bytes()
        if suffix == ".edl":
            match = re.search(rb"^TITLE:\s*(.*?)\s*$", text, re.M)
            return match[1].decode("utf-8", "replace") if match else ""
        root = ET.fromstring(text)
    except (TimelineError, OSError, ValueError, LookupError, ET.ParseError):
        return ""
    if suffix == ".xml":
        return root.findtext(".//sequence/name") or ""
    project = root.find(".//project")
    return "" if project is None else project.get("name", "")
