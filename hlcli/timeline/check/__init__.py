"""What is known to make an editor refuse or misplace a timeline, as code.

One module for each kind of file and family of rules; `hlcli.timeline.check.rules` lists every rule
with where it is from.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from hlcli.errors import HlError, TimelineError, UsageError
from hlcli.timeline.check.findings import Findings, Violation
from hlcli.timeline.check.rules import PROGRAMS, RULES, Rule, Severity
from hlcli.timeline.formats import FORMATS, TARGETS, check_target, module_of
from hlcli.timeline.paths import is_file
from hlcli.timeline.read import READERS
from hlcli.timeline.read.bounds import json_text, read_bytes, reading

__all__ = [
    "PROGRAMS",
    "RULES",
    "SUFFIXES",
    "Rule",
    "Severity",
    "Violation",
    "check_program",
    "check_timeline",
    "programs_of",
]

SUFFIXES = tuple(READERS)
"""Extensions of files that can be checked."""


def check_program(name: str) -> str:
    """Return the program of a value of --for that there are rules for, as `PROGRAMS` calls it.

    Raises:
        UsageError: It is unknown, or there are no rules for it.
    """
    program = check_target(name)
    if program.name not in PROGRAMS:
        raise UsageError(
            f"nothing is known about what {program.title} refuses",
            hint=f"--for takes one of {', '.join(PROGRAMS)}",
        )
    return program.name


def programs_of(path: Path) -> list[str]:
    """Return the programs that a timeline is checked for where none is named.

    All that read such a file; of an `.otio` that `hl` wrote for one of them, only that one.
    """
    suffix = path.suffix.lower()
    known = FORMATS[suffix].targets if suffix in FORMATS else ()
    suffix = suffix.removesuffix("d") if suffix == ".fcpxmld" else suffix
    reading_it = [name for name in PROGRAMS if suffix in TARGETS[name].reads]
    programs = [name for name in PROGRAMS if name in known] or reading_it or list(PROGRAMS)[:2]
    if suffix == ".otio":
        # What cannot be read is said by the check itself.
        with contextlib.suppress(HlError, ValueError, KeyError, TypeError):
            written_for = json.loads(json_text(read_bytes(path)))["metadata"]["hl"]["dialect"]
            if written_for in programs:
                return [written_for]
    return programs


def check_timeline(path: str | Path, *, target: str, look_at_media: bool = True) -> list[Violation]:
    """Check a timeline against what one program is known to refuse or misplace.

    Args:
        path: The timeline.
        target: The program, one of `PROGRAMS`.
        look_at_media: Whether the media is looked at; False where it is on another machine.

    Returns:
        What was found, in the order of the file; empty for a timeline without fault.

    Raises:
        UsageError: The program or the extension is unknown.
        TimelineError: The file cannot be read at all.
    """
    path, target = Path(path), check_program(target)
    suffix = path.suffix.lower()
    if suffix == ".fcpxmld":
        path, suffix = path / "Info.fcpxml", ".fcpxml"
    if suffix not in SUFFIXES:
        raise UsageError(
            f"cannot check {path}: the extension {path.suffix or '(none)'} is unknown",
            hint=f"use one of {', '.join(SUFFIXES)}",
        )
    if not is_file(path):
        raise TimelineError(f"no such timeline: {path}", hint="check the spelling")
    findings = Findings(target, look_at_media=look_at_media, folder=path.parent)
    if suffix not in TARGETS[target].reads:
        best = TARGETS[target].reads[0]
        findings.add(
            "format-not-read",
            path.name,
            f"{findings.program} does not read {suffix}",
            hint=f"export {best} --for {target}",
        )
        return findings.problems
    checks = module_of(FORMATS[suffix].check or "check.cuts")
    with reading(path):
        checks.check(path, findings)
    return findings.problems
