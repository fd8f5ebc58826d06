#!/usr/bin/env python3
"""How fast `hl` is beside ffmpeg's own decoding of the same file, where the time goes, and memory.

    .venv/bin/python scripts/bench.py                              # makes its own files (minutes)
    .venv/bin/python scripts/bench.py --write docs/benchmarks/speed.md
    .venv/bin/python scripts/bench.py --file mine.mp4 --repeat 5 --long-minutes 0

Every figure is of a whole process with its children (wait4), so start-up counts; the median of
--repeat runs. ffmpeg and `hl` take turns, so that what else the machine does hits both. "Cold"
means an empty feature cache (the file itself is in memory after ffmpeg's turn). POSIX only.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hlcli.atomic import write_text
from hlcli.errors import MediaUnreadableError
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.probe import probe
from hlcli.paths import cache_dir

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hlcli.features.encoder import Encoders
    from hlcli.model.scorer import Scorer

Result = TypeVar("Result")
HL = [sys.executable, "-m", "hlcli"]
ROOT = Path(__file__).resolve().parents[1]
# One unit is a whole number of the longest keyframe interval, so that joining keeps the spacing.
UNIT_SECONDS = 40
DEMO = ROOT / "docs/demo/big-buck-bunny-excerpt.mp4"
EASY_UNIT_SECONDS = 75
KEYFRAMES = {"keyframe every 8 s": 240, "keyframe every 1 s": 30}


@dataclass(frozen=True)
class Run:
    """One process, start to end, with its children."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def run(command: list[str], *, cache: Path | None = None) -> Run:
    """Run a command to its end; raises CalledProcessError with its stderr if it fails."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    if cache is not None:
        environment["HL_CACHE_DIR"] = str(cache)
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            raise subprocess.CalledProcessError(process.returncode, command, stderr=text)
    # Linux counts in KiB, macOS in bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def median(runs: list[Run]) -> Run:
    return Run(
        *(
            statistics.median(getattr(one, name) for one in runs)
            for name in ("wall_seconds", "cpu_seconds", "peak_mib")
        )
    )


def ffmpeg(*arguments: str) -> list[str]:
    return [find_ffmpeg().path, "-v", "error", "-nostdin", "-y", *arguments]


def make_file(folder: Path, keyframe_interval: int, minutes: int) -> Path:
    """Make 1080p30 H.264 and AAC at about 5 Mb/s: moving patterns with grain, a cut every 5 s.

    One unit is encoded and joined by stream copy until the length is reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"bench-{minutes}min-g{keyframe_interval}.mp4"
    if target.exists():
        return target
    unit = folder / f"unit-g{keyframe_interval}.mp4"
    if not unit.exists():
        say(f"encoding {unit}")
        part = unit.with_suffix(".part.mp4")
        # The hue jumps every 5 seconds; grain keeps the decoder as busy as camera footage does.
        picture = (
            "testsrc2=s=960x540:r=30,rotate=t/7:c=gray,zoompan=z='1.2+0.2*sin(on/70)':d=1:"
            "s=1920x1080:fps=30,hue=h='77*floor(t/5)',noise=alls=9:allf=t+u,format=yuv420p"
        )
        sound = "sine=f=220:r=48000,tremolo=f=0.7:d=0.8,aformat=channel_layouts=stereo"
        subprocess.run(
            ffmpeg(
                *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound),
                *("-t", str(UNIT_SECONDS), "-c:v", "libx264", "-preset", "veryfast"),
                *("-b:v", "5M", "-maxrate", "8M", "-bufsize", "10M", "-bf", "3"),
                *("-g", str(keyframe_interval), "-keyint_min", str(keyframe_interval)),
                *("-sc_threshold", "0", "-c:a", "aac", "-b:a", "160k", str(part)),
            ),
            check=True,
        )
        part.replace(unit)
    join(unit, minutes * 60 // UNIT_SECONDS, target)
    return target


def make_easy_file(folder: Path, minutes: int) -> Path:
    """Make 1080p30 H.264 and AAC of easy content at under 2 Mb/s: the demo scaled up and looped."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"bench-easy-{minutes}min.mp4"
    if target.exists():
        return target
    unit = folder / "unit-easy.mp4"
    if not unit.exists():
        say(f"encoding {unit}")
        part = unit.with_suffix(".part.mp4")
        subprocess.run(
            ffmpeg(
                *("-i", str(DEMO), "-t", str(EASY_UNIT_SECONDS), "-vf", "scale=1920:1080,fps=30"),
                *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"),
                *("-g", "240", "-keyint_min", "240", "-sc_threshold", "0"),
                *("-c:a", "aac", "-b:a", "128k", "-ar", "48000", str(part)),
            ),
            check=True,
        )
        part.replace(unit)
    join(unit, max(1, minutes * 60 // EASY_UNIT_SECONDS), target)
    return target


def join(unit: Path, count: int, target: Path) -> None:
    """Repeat a file by stream copy."""
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "list.txt"
        listing.write_text(f"file '{unit.absolute()}'\n" * count, encoding="utf-8")
        part = target.with_suffix(".part.mp4")
        subprocess.run(
            ffmpeg("-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", str(part)),
            check=True,
        )
        part.replace(target)


def measure_file(path: Path, *, repeat: int, model: list[str]) -> dict[str, list[Run]]:
    """Run every command on one file, taking turns."""
    found: dict[str, list[Run]] = {}

    def add(name: str, one: Run) -> None:
        found.setdefault(name, []).append(one)
        say(f"  {name}: {one.wall_seconds:.2f} s wall, {one.cpu_seconds:.2f} s CPU")

    for _ in range(repeat):
        add("ffmpeg, full decode to null", run(ffmpeg("-i", str(path), "-f", "null", "-")))
        add(
            "ffmpeg, 1 frame per second to null",
            run(ffmpeg("-i", str(path), "-vf", "fps=1", "-f", "null", "-")),
        )
        with tempfile.TemporaryDirectory() as folder:
            cache, output = Path(folder) / "cache", str(Path(folder) / "out.otio")
            score = [*HL, "score", str(path), "-o", output, "--quiet", *model]
            add("hl score, cold", run(score, cache=cache))
            add("hl score, stored scores", run(score, cache=cache))
            shutil.rmtree(cache / "scores", ignore_errors=True)
            add("hl score, stored features", run(score, cache=cache))
            export = [*HL, "export", str(path), "-o", output, "--top", "5", "--quiet"]
            add("hl export", run(export, cache=cache))
    return found


def measure_stages(path: Path, model: list[str]) -> dict[str, tuple[float, float]]:
    """Time each stage alone, in a fresh process: wall and CPU seconds by stage."""
    done = subprocess.run(
        [sys.executable, __file__, "--stages-of", str(path), *model],
        check=True,
        capture_output=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    return {name: (pair[0], pair[1]) for name, pair in json.loads(done.stdout).items()}


def stages(path: Path, model: str | None) -> dict[str, tuple[float, float]]:
    """Run the stages one after the other in this process."""
    found: dict[str, tuple[float, float]] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        found[name] = (time.perf_counter() - wall, time.process_time() - cpu)
        return result

    def start_up() -> tuple[Encoders, Scorer]:
        from hlcli.workflows.score import Pipeline

        pipeline = Pipeline(model_name=model, use_cache=False)
        return pipeline.encoders, pipeline.scorer

    encoders, scorer = timed("start-up: imports and weights", start_up)
    import numpy as np

    from hlcli.features.extract import extract_features
    from hlcli.features.sound import encode_sound
    from hlcli.media.clips import ClipGrid
    from hlcli.media.frames import read_pictures
    from hlcli.media.waveform import read_waveform

    info = timed("probe", lambda: probe(path))
    grid = ClipGrid.covering(info.duration_seconds)

    def decode() -> list[npt.NDArray[np.uint8]]:
        with read_pictures(
            info,
            grid,
            picture_size=encoders.visual.picture_size,
            num_workers=len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1,
        ) as reader:
            return [picture.rgb_HWC for picture in reader]

    pictures = timed("decode pictures", decode)
    size = encoders.visual.batch_size
    timed(
        "image encoder",
        lambda: [
            encoders.visual.encode(np.stack(pictures[i : i + size]))
            for i in range(0, len(pictures), size)
        ],
    )
    rate = encoders.audio.sample_rate
    blocks = timed("decode sound", lambda: list(read_waveform(info, sample_rate=rate)))
    timed("sound encoder", lambda: encode_sound(iter(blocks), grid, encoders.audio))
    features = timed(
        "all of these together, as hl score runs them",
        lambda: extract_features(info, encoders=encoders, use_audio=True),
    )
    timed("detector", lambda: scorer.score(features, modality="va"))
    return found


def hardware() -> list[str]:
    """Name the machine and the versions that matter."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    versions = ", ".join(f"{one} {importlib.metadata.version(one)}" for one in ("torch", "av"))
    return [
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {name} "
        f"({platform.machine()}), {cores} cores, {memory:.0f} GiB, {platform.system()}, "
        f"load average {os.getloadavg()[0]:.1f} at the start.",
        f"Python {platform.python_version()}, {versions}, ffmpeg {find_ffmpeg().version}.",
    ]


def table(path: Path, title: str, found: dict[str, list[Run]]) -> list[str]:
    seconds = float(probe(path).duration_seconds)
    full = found["ffmpeg, full decode to null"]
    lines = [
        f"## {title}",
        "",
        f"{seconds / 60:.1f} min, {path.stat().st_size * 8 / seconds / 1e6:.1f} Mb/s.",
        "",
        "| command | wall s | video s per wall s | CPU s | wall / full decode | peak MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, runs in found.items():
        one = median(runs)
        # Of each turn, then the median: a busy moment hits both of a pair.
        ratios = [a.wall_seconds / b.wall_seconds for a, b in zip(runs, full, strict=True)]
        lines.append(
            f"| {name} | {one.wall_seconds:.2f} | {seconds / one.wall_seconds:.1f} "
            f"| {one.cpu_seconds:.2f} | {statistics.median(ratios):.3f} | {one.peak_mib:.0f} |"
        )
    return [*lines, ""]


def stage_table(found: dict[str, tuple[float, float]]) -> list[str]:
    lines = [
        "Where the time goes, each stage alone in one process (they overlap in `hl score`):",
        "",
        "| stage | wall s | CPU s |",
        "|---|--:|--:|",
    ]
    lines += [f"| {name} | {wall:.2f} | {cpu:.2f} |" for name, (wall, cpu) in found.items()]
    return [*lines, ""]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, action="append", help="measure this file instead")
    parser.add_argument("--easy", action="store_true", help="one file of easy content instead")
    parser.add_argument("--folder", type=Path, help="where the files are made and kept")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=10, help="length of the files made")
    parser.add_argument("--long-minutes", type=int, default=120, help="for memory; 0 skips it")
    parser.add_argument("--model", help="detector; the default one if not given")
    parser.add_argument("--write", type=Path, help="also write the Markdown here")
    parser.add_argument("--stages-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stages_of:
        print(json.dumps(stages(options.stages_of, options.model)))
        return
    model = ["--model", options.model] if options.model else []
    lines = ["# Speed", "", "Made by `scripts/bench.py`; medians of "]
    lines[-1] += f"{options.repeat} runs of whole processes. " + " ".join(hardware())
    folder = options.folder or cache_dir() / "bench"
    if options.file:
        files = {path.name: path for path in options.file}
    elif options.easy:
        easy = make_easy_file(folder, options.minutes)
        files = {"1080p30 H.264 and AAC, easy content, keyframe every 8 s": easy}
    else:
        files = {
            f"1080p30 H.264 and AAC, {title}": make_file(folder, interval, options.minutes)
            for title, interval in KEYFRAMES.items()
        }
    lines.append("")
    for title, path in files.items():
        say(title)
        lines += table(path, title, measure_file(path, repeat=options.repeat, model=model))
        lines += stage_table(measure_stages(path, model))
    if options.long_minutes:
        source = next(iter(files.values()))
        count = max(2, round(options.long_minutes * 60 / float(probe(source).duration_seconds)))
        with tempfile.TemporaryDirectory(dir=source.parent if not options.file else None) as made:
            long_file = Path(made) / "long.mp4"
            join(source, count, long_file)
            say(f"{options.long_minutes} minutes, once")
            cold = [*HL, "score", str(long_file), "--no-cache", "--quiet", "--json", *model]
            one = run(cold)
            minutes = float(probe(long_file).duration_seconds) / 60
        lines += [
            "## Memory and length",
            "",
            f"{minutes:.0f} minutes of the first file, joined by stream copy, once: peak "
            f"{one.peak_mib:.0f} MiB, {one.wall_seconds:.0f} s wall "
            f"({minutes * 60 / one.wall_seconds:.1f} video s per wall s), "
            f"{one.cpu_seconds:.0f} s CPU.",
            "",
        ]
    help_run = median([run([*HL, "--help"]) for _ in range(max(5, options.repeat))])
    lines += [f"`hl --help` takes {help_run.wall_seconds:.3f} s.", ""]
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_text(options.write, text)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd))} failed:\n{error.stderr}")
    except MediaUnreadableError as error:
        sys.exit(error.message)
