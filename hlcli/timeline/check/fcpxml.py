"""Rules for FCPXML, as DaVinci Resolve reads it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.check.media_paths import check_names, check_url
from hlcli.timeline.check.rates import check_timeline_rate
from hlcli.timeline.read.bounds import xml_root
from hlcli.timeline.read.exact import exact_number, possible_seconds

_NEWEST = (1, 10)
_CLIPS = ("asset-clip", "clip", "video", "audio", "sync-clip", "mc-clip", "ref-clip")


def check(path: Path, findings: Findings) -> None:
    """Check one file.

    Raises:
        TimelineError: It is no FCPXML.
    """
    root = xml_root(path, "fcpxml", title="FCPXML")
    version = tuple(int(part) for part in re.findall(r"\d+", root.get("version", "0"))[:2])
    if version > _NEWEST:
        findings.add("fcpxml-version", path.name, f"it is version {root.get('version')}")
    resources = {element.get("id", ""): element for element in root.findall("resources/*")}
    paths = {}
    for identifier, element in resources.items():
        if element.tag == "asset":
            media = element.find("media-rep")
            url = (media.get("src") if media is not None else None) or element.get("src") or ""
            where = element.get("name") or identifier
            paths[identifier] = check_url(url, where, findings)
            findings.media(paths[identifier], where)
    check_names(list(dict.fromkeys(paths.values())), findings)
    sequences = list(root.iter("sequence"))
    clips = [element for element in root.iter() if element.tag in _CLIPS]
    if not sequences or not clips:
        findings.add("no-clip", path.name, "it has no clip")
    for project in root.iter("project"):
        if not project.get("name"):
            findings.add("name-missing", path.name, "the project has no name")
    for sequence in sequences:
        frame = _frame_duration(resources.get(sequence.get("format", "")))
        if frame is None:
            findings.add("fcpxml-rate-undefined", path.name, "its format has no frameDuration")
            continue
        check_timeline_rate(1 / frame, path.name, findings)
        for element in sequence.iter():
            if element.tag in (*_CLIPS, "gap"):
                _check_grid(element, frame, findings)
    for clip in clips:
        reference = clip.get("ref")
        if reference is not None and reference not in resources:
            findings.add("fcpxml-reference", _where(clip), f"it refers to {reference!r}")
        elif reference in paths:
            _check_range(clip, resources[reference], paths[reference], findings)


def _check_grid(element: ET.Element, frame: Fraction, findings: Findings) -> None:
    """Lengths on the spine are whole frames of the sequence."""
    value = _seconds(element.get("duration"))
    if value is not None and (value / frame).denominator != 1:
        findings.add("frames-not-whole", _where(element), f"it is {element.get('duration')} long")


def _check_range(clip: ET.Element, asset: ET.Element, path: str, findings: Findings) -> None:
    where = _where(clip)
    origin = _seconds(asset.get("start")) or Fraction(0)
    length = _seconds(asset.get("duration"))
    start, duration = _seconds(clip.get("start")), _seconds(clip.get("duration"))
    facts = findings.media(path, where)
    if facts is not None and facts.start_frame and origin == 0:
        findings.add(
            "range-from-zero",
            where,
            f"it counts from 0, the file from {float(facts.start_seconds):.3f} seconds",
            once=path,
        )
    if start is None or duration is None or length is None:
        return
    slack = Fraction(1, 20) if facts is None else 1 / facts.frame_rate
    if facts is not None:
        length = min(length, facts.duration_seconds)
    if start < origin - slack or start + duration > origin + length + slack:
        findings.add(
            "range-outside",
            where,
            f"it takes {float(start - origin):.3f} to {float(start - origin + duration):.3f} "
            f"seconds of {float(length):.3f}",
        )


def _frame_duration(element: ET.Element | None) -> Fraction | None:
    value = None if element is None else _seconds(element.get("frameDuration"))
    return value if value else None


def _seconds(text: str | None) -> Fraction | None:
    """Return "1001/30000s" or "5s" in seconds; None for what is no time."""
    try:
        return possible_seconds(exact_number((text or "").strip().removesuffix("s")))
    except ValueError:
        return None


def _where(element: ET.Element) -> str:
    return f"{element.get('name') or element.tag} at {element.get('offset', '0s')}"
