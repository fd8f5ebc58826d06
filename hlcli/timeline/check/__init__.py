"""What is known to make an editor refuse or misplace a timeline, as code.

One module for each kind of file and family of rules; `hlcli.timeline.check.rules` lists every rule
with where it is from.
"""

from __future__ import annotations

from pathlib import Path

from hlcli.errors import TimelineError, UsageError
from hlcli.timeline.check.findings import Findings, Problem
from hlcli.timeline.check.rules import PROGRAMS, RULES, Rule, Severity
from hlcli.timeline.paths import is_file
from hlcli.timeline.read.bounds import reading

__all__ = ["PROGRAMS", "RULES", "SUFFIXES", "Problem", "Rule", "Severity", "check_timeline"]

SUFFIXES = (".otio", ".xml", ".edl", ".fcpxml")
"""Extensions of files that can be checked."""


def check_timeline(path: Path, *, target: str, look_at_media: bool = True) -> list[Problem]:
    """Check a timeline against what one program is known to refuse or misplace.

    Args:
        path: The timeline.
        target: The program: `resolve` or `premiere`.
        look_at_media: Whether the media is looked at; False where it is on another machine.

    Returns:
        What was found, in the order of the file; empty for a timeline without fault.

    Raises:
        UsageError: The program or the extension is unknown.
        TimelineError: The file cannot be read at all.
    """
    if target not in PROGRAMS:
        raise UsageError(f"--for: {target!r} is unknown", hint=f"use one of {', '.join(PROGRAMS)}")
    if not is_file(path):
        raise TimelineError(f"no such timeline: {path}", hint="check the spelling")
    findings = Findings(target, look_at_media=look_at_media, folder=path.parent)
    suffix = path.suffix.lower()
    if suffix == ".otio":
        from hlcli.timeline.check.otio import check
    elif suffix == ".xml":
        from hlcli.timeline.check.fcp7 import check
    elif suffix == ".edl":
        from hlcli.timeline.check.edl import check
    elif suffix == ".fcpxml":
        from hlcli.timeline.check.fcpxml import check
    else:
        raise UsageError(
            f"cannot check {path}: the extension {path.suffix or '(none)'} is unknown",
            hint=f"use one of {', '.join(SUFFIXES)}",
        )
    with reading(path):
        check(path, findings)
    return findings.problems
