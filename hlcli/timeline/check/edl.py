"""Rules for CMX 3600 edit decision lists."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from hlcli.timeline.check.findings import Findings
from hlcli.timeline.read.bounds import lines_of, read_bytes
from hlcli.timeline.timecode import parse_timecode

_LABEL = r"\d{2}[:;.]\d{2}[:;.]\d{2}[:;.]\d{2}"
_EVENT = re.compile(
    rf"^(\d+)\s+(\S+)\s+(\S+)\s+\S+(?:\s+\d+)?\s+({_LABEL})\s+({_LABEL})\s+({_LABEL})\s+({_LABEL})"
)
_NO_MEDIA = ("BL", "BLACK", "BARS")


def check(path: Path, findings: Findings) -> None:
    """Check one file."""
    text = read_bytes(path).decode("utf-8-sig", "replace")
    lines = [line.rstrip() for line in lines_of(text)]
    first = next((line for line in lines if line.strip()), "")
    if not first.upper().startswith("TITLE:"):
        findings.add("edl-title-missing", "line 1", f"it is {first[:40]!r}")
    drop_frame: bool | None = None
    ends: dict[str, int] = {}
    events = 0
    unnamed = ""
    base = _base(lines)
    for number, line in enumerate(lines, start=1):
        where = f"line {number}"
        if line.startswith("FCM:"):
            drop_frame = "NON" not in line.upper()
            continue
        if line.startswith("*"):
            if re.match(r"\*\s*(FROM CLIP NAME|SOURCE FILE)\s*:", line):
                unnamed = ""
            continue
        match = _EVENT.match(line)
        if match is None:
            continue
        events += 1
        if unnamed:
            findings.add("edl-clip-name-missing", unnamed, "the event has no FROM CLIP NAME")
        where = f"line {number}, event {match[1]}"
        unnamed = "" if match[2].upper() in _NO_MEDIA else where
        if len(match[2]) > 8:
            findings.add("edl-reel-long", where, f"the reel {match[2]} has {len(match[2])} letters")
        labels = match.groups()[3:]
        counts_drop = [";" in label for label in labels]
        if drop_frame not in (counts_drop[0], counts_drop[2]):
            findings.add(
                "edl-counting",
                where,
                "there is no FCM line"
                if drop_frame is None
                else f"the timecode is {labels[0]}, "
                f"FCM says {'drop' if drop_frame else 'non-drop'} frame",
            )
        source_in, source_out, record_in, record_out = _frames(labels, base)
        if source_out - source_in != record_out - record_in:
            findings.add(
                "lengths-differ",
                where,
                f"{record_out - record_in} frames on the timeline, {source_out - source_in} of "
                "the source",
            )
        channel = "V" if "V" in match[3] or match[3] == "B" else match[3]
        before = ends.get(channel)
        if before is not None and record_in < before:
            findings.add("clips-overlap", where, f"it starts {before - record_in} frames early")
        elif before is not None and record_in == before + 1:
            findings.add("gap-of-one-frame", where, "one black frame before it")
        ends[channel] = max(before or 0, record_out)
    if unnamed:
        findings.add("edl-clip-name-missing", unnamed, "the event has no FROM CLIP NAME")
    if not events:
        findings.add("no-clip", path.name, "the list has no event")


def _base(lines: list[str]) -> int:
    """Return the labels of a second: of those that fit, the first at which all lengths agree."""
    events = [match.groups()[3:] for line in lines if (match := _EVENT.match(line))]
    labels = [label for event in events for label in event]
    most = max((int(label[-2:]) for label in labels), default=0)
    drops = any(";" in label for label in labels)
    bases = [n for n in (24, 25, 30, 50, 60) if most < n and (not drops or n % 30 == 0)] or [100]

    def disagreeing(base: int) -> int:
        frames = [_frames(event, base) for event in events]
        return sum(b - a != d - c for a, b, c, d in frames)

    return min(bases, key=disagreeing)


def _frames(labels: tuple[str, ...], base: int) -> list[int]:
    return [parse_timecode(_plain(label), Fraction(base)) for label in labels]


def _plain(label: str) -> str:
    """Write a label with the sign of drop-frame, if any, before the frames only."""
    sign = ";" if ";" in label else ":"
    parts = re.split("[:;.]", label)
    return ":".join(parts[:3]) + sign + parts[3]
