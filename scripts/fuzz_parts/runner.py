"""Runs each file in a forked child with limits and counts the outcomes."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hlcli.errors import HlError

MOST_SECONDS = 60
MOST_BYTES = 1 << 30
_ROOM_BYTES = 2 << 30
"""What a child may reserve: more than it may use, or memory that is only reserved would count."""
_UNFORESEEN = (AttributeError, IndexError, KeyError, NameError, TypeError)


class Maker(Protocol):
    """Makes damaged files and knows how to read them."""

    folder: Path

    def make(self, seed: int, number: int) -> Path:
        """Write the file of a number into the folder."""

    def read(self, path: Path) -> list[str]:
        """Read it in every way; return in words what each gave."""


def outcome(call: object) -> str:
    """Call something that reads a file; return what came of it."""
    assert callable(call)
    try:
        call()
    except HlError as error:
        if len(error.message) > 1_100 or "\n" in error.message:
            return f"bad: a message of {len(error.message)} letters"
        cause = error.__cause__
        if isinstance(cause, _UNFORESEEN):
            return f"refused by the boundary: {type(cause).__name__} {_place(cause)}"
        return f"refused, exit code {error.exit_code}"
    except Exception as error:  # noqa: BLE001 the very thing that is looked for
        return f"bad: {type(error).__name__} {_place(error)}"
    return "read"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-2:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


@dataclass
class Table:
    """Counts of outcomes by kind of file."""

    rows: dict[str, Counter[str]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    boundary: Counter[str] = field(default_factory=Counter)
    highest_bytes: int = 0
    longest_seconds: float = 0.0
    num_files: int = 0

    @property
    def num_bad(self) -> int:
        """How many files came to what must not be."""
        return len(self.bad)

    def add(self, kind: str, outcomes: Sequence[str]) -> None:
        """Count the outcomes of one file."""
        row = self.rows.setdefault(kind, Counter())
        row["files"] += 1
        for text in outcomes:
            word = "refused" if text.startswith("refused") else text.partition(":")[0]
            row[word] += 1
            if text.startswith("refused by the boundary"):
                row["boundary"] += 1
                self.boundary[text.partition(": ")[2]] += 1

    def text(self) -> str:
        """Return everything as Markdown."""
        names = ("files", "read", "refused", "boundary", "bad")
        head = ("kind", "files", "read", "refused", "of these by the boundary", "bad")
        lines = [f"| {' | '.join(head)} |", "| --- " + "| ---: " * len(names) + "|"]
        for kind, row in sorted(self.rows.items()):
            lines.append(f"| {kind} | " + " | ".join(f"{row[name]:,}" for name in names) + " |")
        total = sum(self.rows.values(), Counter())
        lines.append("| all | " + " | ".join(f"{total[name]:,}" for name in names) + " |")
        lines.append("")
        lines.append(
            f"Highest memory of a child {self.highest_bytes / 2**20:,.0f} MiB, "
            f"longest {self.longest_seconds:.1f} s of CPU, {len(self.bad)} bad."
        )
        lines += [f"boundary: {count:5d} {what}" for what, count in self.boundary.most_common(30)]
        lines += [f"BAD {line}" for line in self.bad]
        return "\n".join(lines)


def run(
    maker: Maker,
    numbers: Sequence[int],
    *,
    seed: int,
    seconds: float,
    keep: Path,
    keep_all: bool,
    table: Table,
) -> None:
    """Make and read the files of some numbers, each in a child of its own."""
    begun = time.monotonic()
    for number in numbers:
        if time.monotonic() - begun > seconds:
            break
        path = maker.make(seed, number)
        outcomes, used_bytes, cpu_seconds = _in_child(maker, path)
        table.add(path.suffix, outcomes)
        table.num_files += 1
        table.highest_bytes = max(table.highest_bytes, used_bytes)
        table.longest_seconds = max(table.longest_seconds, cpu_seconds)
        bad = [text for text in outcomes if text.startswith("bad")]
        if used_bytes > MOST_BYTES:
            bad.append(f"bad: {used_bytes / 2**20:.0f} MiB")
        table.bad += [f"{number} {path.suffix} {text}" for text in bad]
        if bad or keep_all:
            keep.mkdir(parents=True, exist_ok=True)
            path.replace(keep / path.name)
            print(f"{number} {path.name}: {outcomes}", file=sys.stderr, flush=True)
        else:
            path.unlink(missing_ok=True)
        if number % 500 == 499:
            print(f"{number + 1}: {table.num_bad} bad", file=sys.stderr, flush=True)


def _in_child(maker: Maker, path: Path) -> tuple[list[str], int, float]:
    """Return the outcomes, the memory and the CPU time of a child."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reader)
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
            room = _reserved() + _ROOM_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (room, room))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(4 * MOST_SECONDS)  # for one that sleeps; others wait for the processor
            os.write(writer, json.dumps(maker.read(path)).encode()[:60_000])
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    _, status, usage = os.wait4(child, 0)
    scale = 1 if sys.platform == "darwin" else 1024
    try:
        outcomes = json.loads(answer)
    except ValueError:
        outcomes = []
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        late = number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL)
        outcomes.append(f"bad: {'over 60 s' if late else signal.Signals(number).name}")
    elif status or not outcomes:
        outcomes.append("bad: the child ended without a word")
    return outcomes, usage.ru_maxrss * scale, usage.ru_utime + usage.ru_stime


def _reserved() -> int:
    """Return the address space this process has, in bytes; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()
