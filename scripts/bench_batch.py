"""Measure one process, `--jobs` and a local cluster of Ray over the same files, in one run.

    .venv/bin/python scripts/bench_batch.py --write docs/benchmarks/batch.md    # about 17 minutes
    .venv/bin/python scripts/bench_batch.py --short 10 --long 1 --minutes 2     # a sample

Makes short files of 5 to 15 s (a keyframe every second) and long ones (a keyframe every 8 s), all
1080p30 with sound and all of different content, and scores each kind by each way from an empty
cache. All processes below a run count: their CPU time is what /proc said last of each (seen five
times a second, start-up and end included), their memory is the most that PSS said of all at once
(pages that are shared count once). Linux only; Ray is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import filecmp
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import HL, KEYFRAMES, ROOT, ffmpeg, hardware, make_file, say

from hlcli.atomic import write_text
from hlcli.cores import num_cores
from hlcli.media.probe import probe
from hlcli.paths import cache_dir

LOOK_SECONDS = 0.2
LOOKS_A_PSS = 5
SHORT_SECONDS = (5, 15)
SHORT_KEYFRAMES, LONG_KEYFRAMES = KEYFRAMES["keyframe every 1 s"], KEYFRAMES["keyframe every 8 s"]
_TICKS = os.sysconf("SC_CLK_TCK")
_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """What a run took, all its processes together."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    num_processes: int


def measure(command: list[str], cache: Path) -> Cost:
    """Run a command to its end, and count all processes below this one meanwhile.

    Raises:
        CalledProcessError: It fails.
    """
    # What outlives its parent becomes a child of this process, and is still found.
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    cpu: dict[tuple[int, str], float] = {}
    peak = looks = 0
    with tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": str(ROOT), "HL_CACHE_DIR": str(cache)},
        )
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            pids = below(os.getpid(), cpu)
            if looks % LOOKS_A_PSS == 0:
                peak = max(peak, sum(map(pss_kib, pids)))
            looks += 1
            time.sleep(LOOK_SECONDS)
        wall = time.perf_counter() - begin
        code, usage = os.wait4(process.pid, 0)[1:]
        process.returncode = os.waitstatus_to_exitcode(code)
        if process.returncode:
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            raise subprocess.CalledProcessError(process.returncode, command, stderr=text)
    # What it waited for itself is exact; what its children left unwaited for is in the looks alone.
    spent = max(sum(cpu.values()), usage.ru_utime + usage.ru_stime)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return Cost(wall, spent, peak / 1024, len(cpu))


def below(top: int, cpu: dict[tuple[int, str], float]) -> list[int]:
    """Return the processes below one, and write down the CPU seconds that each has taken."""
    parents, taken = {}, {}
    for name in (one.name for one in Path("/proc").iterdir()):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
                parents[int(name)] = int(words[1])
                seconds = (int(words[11]) + int(words[12])) / _TICKS
                taken[int(name)] = ((int(name), words[19]), seconds)
    found: list[int] = []
    layer = {top}
    while layer:
        layer = {pid for pid, parent in parents.items() if parent in layer}
        found += layer
    cpu.update(taken[pid] for pid in found)
    return found


def pss_kib(pid: int) -> int:
    """Return the share of memory that a process has; 0 where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def make_short(folder: Path, source: Path, count: int) -> None:
    """Cut pieces of different lengths from a file, by stream copy."""
    folder.mkdir()
    chance = random.Random(1)
    last = int(probe(source).duration_seconds) - SHORT_SECONDS[1]
    for number in range(count):
        start, seconds = chance.randint(0, last), chance.randint(*SHORT_SECONDS)
        cut(
            source, folder / f"short{number:03d}.mp4", number, "-ss", str(start), "-t", f"{seconds}"
        )


def make_long(folder: Path, source: Path, count: int) -> None:
    """Copy a file, each copy with another content."""
    folder.mkdir()
    for number in range(count):
        cut(source, folder / f"long{number}.mp4", number)


def cut(source: Path, target: Path, number: int, *place: str) -> None:
    """Copy a piece of a file; its number makes it another content than every other."""
    copied = ("-i", str(source), "-c", "copy", "-metadata", f"comment={number}", str(target))
    subprocess.run(ffmpeg(*place, *copied), check=True)


def measure_ways(media: Path, folder: Path, ways: dict[str, list[str]]) -> dict[str, Cost]:
    """Score all videos of a folder by each way; every way must write the same document."""
    found: dict[str, Cost] = {}
    first: Path | None = None
    for number, (name, options) in enumerate(ways.items()):
        output = folder / f"{media.name}{number}.json"
        command = [*HL, "score", str(media), "-o", str(output), "--quiet", *options]
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            found[name] = one = measure(command, Path(cache))
        say(f"  {media.name}, {name}: {one.wall_seconds:.1f} s wall, {one.cpu_seconds:.1f} s CPU")
        first = first or output
        if not filecmp.cmp(first, output, shallow=False):
            sys.exit(f"{name} wrote another document than {next(iter(ways))}")
    return found


def rows(files: str, seconds: float, found: dict[str, Cost]) -> list[str]:
    """Return the rows of the table for one kind of files."""
    plain = next(iter(found.values()))
    return [
        f"| {files} | {name} | {one.wall_seconds:.1f} "
        f"| {plain.wall_seconds / one.wall_seconds:.2f} | {seconds / one.wall_seconds:.1f} "
        f"| {one.cpu_seconds:.1f} | {one.cpu_seconds / plain.cpu_seconds:.2f} "
        f"| {one.cpu_seconds / one.wall_seconds / num_cores():.2f} | {one.peak_mib:.0f} "
        f"| {one.num_processes} |"
        for name, one in found.items()
    ]


def main() -> None:
    """Make the files, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", type=int, default=100, help="how many short files")
    parser.add_argument("--long", type=int, default=4, help="how many long files")
    parser.add_argument("--minutes", type=int, default=10, help="length of a long one")
    parser.add_argument("--jobs", type=int, default=num_cores(), help="processes at a time")
    parser.add_argument("--folder", type=Path, help="where the files are made")
    parser.add_argument("--write", type=Path, help="also write the Markdown here")
    options = parser.parse_args()
    jobs = ["--jobs", str(options.jobs)]
    ways = {"`hl score`": [], f"`--jobs {options.jobs}`": jobs}
    if importlib.util.find_spec("ray") is not None:
        ways["`--engine ray`"] = ["--engine", "ray", *jobs]
    lines = [
        "# Many files on one machine",
        "",
        f"Made by `scripts/bench_batch.py`, one run. {' '.join(hardware())}",
        "",
        f"Short files have {SHORT_SECONDS[0]} to {SHORT_SECONDS[1]} s and a keyframe every second, "
        f"long ones {options.minutes} min and a keyframe every 8 s; all are 1080p30 H.264 of "
        "about 5 Mb/s with sound. Each run is cold and whole, start and end included; every way "
        "wrote the same document.",
        "",
        "| files | way | wall s | times plain | video s per wall s | CPU s | CPU / plain "
        f"| share of {num_cores()} cores busy | peak MiB, all processes | processes |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    kept = options.folder or cache_dir() / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="batch-", dir=kept) as made:
        folder = Path(made)
        kinds = (("short", options.short), ("long", options.long))
        if options.short:
            unit = make_file(kept, SHORT_KEYFRAMES, 1)
            make_short(folder / "short", unit, options.short)
        if options.long:
            unit = make_file(kept, LONG_KEYFRAMES, options.minutes)
            make_long(folder / "long", unit, options.long)
        for kind, count in kinds:
            if count:
                media = folder / kind
                seconds = sum(float(probe(one).duration_seconds) for one in media.iterdir())
                found = measure_ways(media, folder, ways)
                lines += rows(f"{count} {kind}, {seconds / 60:.1f} min", seconds, found)
    text = "\n".join([*lines, ""])
    print(text)
    if options.write:
        write_text(options.write, text)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd))} failed:\n{error.stderr}")
