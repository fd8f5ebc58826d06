#!/usr/bin/env python3
"""How well `hl match` finds the shots of a film again, after all that happens to them in an edit.

    .venv/bin/python scripts/bench_match.py FOOTAGE... --foreign VIDEO... --work FOLDER
    .venv/bin/python scripts/bench_match.py FOOTAGE... --row plain --row "all at once"

Films are made of random stretches of the footage with ffmpeg, one for each row, and matched. What
is right is known from how they were made. Foreign films are made of --foreign in the same way:
whatever is claimed of them is wrong. `--hours 100` searches made-up features of real size instead.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hlcli.errors import HlError
from hlcli.matching.match import FilmMatch, match_film
from hlcli.matching.search import PlaceSearch, Spread
from hlcli.media.discover import find_videos
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.workflows.score import Pipeline

SIZE = (640, 360)
OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to each shot of a film."""

    name: str
    filters: str = ""
    """Of ffmpeg, after the shot has its size."""
    before: str = ""
    """Of ffmpeg, before it has."""
    size: tuple[int, int] = SIZE
    rate: int = 25
    speed: float = 1.0
    dissolve: float = 0.0
    """Length of each transition, in seconds."""
    quality: int = 20
    """H.264's constant rate factor."""


_TITLE = (
    "drawbox=x=iw*0.1:y=ih*0.72:w=iw*0.8:h=ih*0.14:color=black@0.6:t=fill,"
    "drawbox=x=iw*0.14:y=ih*0.755:w=iw*0.35:h=ih*0.03:color=white:t=fill,"
    "drawbox=x=iw*0.14:y=ih*0.805:w=iw*0.6:h=ih*0.03:color=white:t=fill"
)
_GRADE = "eq=contrast=1.35:brightness=0.06:saturation=1.5:gamma=0.8,colorbalance=rs=.2:bs=-.2"
CHANGES = (
    Change("plain"),
    Change("scaled to 320x180, strongly compressed", size=(320, 180), quality=34),
    Change("graded", _GRADE),
    Change("cropped to 80 %", before="crop=iw*0.8:ih*0.8:iw*0.15:ih*0.05"),
    Change(
        "letterbox",
        before="crop=iw:ih*0.75",
        filters="pad=iw:ih/0.75:0:(oh-ih)/2",
        size=(640, 272),
    ),
    Change("4 % faster", speed=1.04),
    Change("5 % slower", speed=0.95),
    Change("1 % faster", speed=1.01),
    Change("half speed", speed=0.5),
    Change("double speed", speed=2.0),
    Change("24 frames a second", rate=24),
    Change("30 frames a second", rate=30),
    Change("dissolves of 0.8 s", dissolve=0.8),
    Change("titles", _TITLE),
    Change("vertical 9:16", before="crop=ih*9/16:ih", size=(270, 480)),
    Change(
        "all at once",
        before="crop=iw*0.88:ih*0.8",
        filters=f"{_GRADE},{_TITLE},pad=iw:ih/0.75:0:(oh-ih)/2",
        size=(480, 204),
        rate=24,
        speed=1.04,
        dissolve=0.4,
        quality=30,
    ),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A shot of a film and where it is from."""

    file: int
    start: float
    """First instant of the source, in seconds."""
    length: float
    """In seconds of the film."""
    film: float
    """First instant in the film, in seconds; the middle of a transition."""


@dataclass(slots=True)
class Row:
    """Figures of one film."""

    name: str
    shots: int = 0
    found: int = 0
    wrong: int = 0
    frames_off: list[float] = field(default_factory=list)
    slip: list[float] = field(default_factory=list)
    seconds: float = 0.0
    film_seconds: float = 0.0


def choose(
    infos: list[MediaInfo], count: int, change: Change, seed: int, half: int | None = None
) -> list[Taken]:
    """Choose stretches at random: 1.2 to 4 seconds of the film each, of all or half the files."""
    chance = random.Random(seed)
    usable = [
        i for i, one in enumerate(infos) if one.duration_seconds > 2.6 and half in (None, i % 2)
    ]
    taken, at = [], 0.0
    for number in range(count):
        file = usable[chance.randrange(len(usable))]
        room = float(infos[file].duration_seconds) - 0.2
        length = round(min(chance.uniform(1.2, 4.0), room / change.speed) * change.rate)
        seconds = length / change.rate
        start = chance.uniform(0, room - seconds * change.speed)
        rate = float(infos[file].frame_rate)
        start = round(start * rate) / rate
        shown = at + (change.dissolve / 2 if number else 0)
        taken.append(Taken(file, start, seconds, shown))
        at += seconds - change.dissolve
    return taken


def make_film(
    path: Path, infos: list[MediaInfo], taken: list[Taken], change: Change, folder: Path
) -> None:
    """Make the film of some stretches."""
    program = str(find_ffmpeg().path)
    folder.mkdir(parents=True, exist_ok=True)
    width, height = change.size
    parts = []
    for number, one in enumerate(taken):
        part = folder / f"{number:03d}.mkv"
        chain = ",".join(
            text
            for text in (
                f"trim=start={max(0.0, one.start - 0.001):.4f}",
                f"setpts=(PTS-STARTPTS)/{change.speed}",
                f"fps={change.rate}:round=near",
                change.before,
                f"scale={width}:{height}:force_original_aspect_ratio=increase",
                f"crop={width}:{height}",
                change.filters,
                "setsar=1,format=yuv420p",
            )
            if text
        )
        subprocess.run(
            [program, "-v", "error", "-y", "-i", str(infos[one.file].path), "-an", "-vf", chain,
             "-frames:v", str(round(one.length * change.rate)), "-c:v", "ffv1", "-threads", "1",
             str(part)],
            check=True,
        )  # fmt: skip
        parts.append(part)
    inputs = [text for part in parts for text in ("-i", str(part))]
    if change.dissolve:
        steps, last, at = [], "[0:v]", 0.0
        for number in range(1, len(parts)):
            at += taken[number - 1].length - change.dissolve
            steps.append(
                f"{last}[{number}:v]xfade=duration={change.dissolve}:offset={at:.4f}[x{number}]"
            )
            last = f"[x{number}]"
    else:
        steps = ["".join(f"[{i}:v]" for i in range(len(parts))) + f"concat=n={len(parts)}[x]"]
        last = "[x]"
    subprocess.run(
        [program, "-v", "error", "-y", *inputs, "-f", "lavfi", "-i", "sine=frequency=440",
         "-filter_complex", ";".join(steps), "-map", last, "-map", f"{len(parts)}:a", "-shortest",
         "-c:v", "libx264", "-preset", "veryfast", "-crf", str(change.quality), "-threads", "1",
         "-c:a", "aac", str(path)],
        check=True,
    )  # fmt: skip
    for part in parts:
        part.unlink()


class Bench:
    """Matches films against one footage."""

    def __init__(self, footage: list[MediaInfo]) -> None:
        self.pipeline = Pipeline()
        self.footage = footage

    def rows(self, file: int) -> np.ndarray:
        """Return the embeddings of a file."""
        info = self.footage[file]
        return self.pipeline.features(info, content_identity(info.path)).visual_TV

    def match(self, film: Path) -> FilmMatch:
        """Match a film."""
        return match_film(probe(film), self.footage, self.rows, self.pipeline.encoders.visual)


def judge(row: Row, match: FilmMatch, film: MediaInfo, taken: list[Taken], bench: Bench,
          change: Change) -> list[str]:  # fmt: skip
    """Compare what was found with what is right; returns what is not."""
    rate = float(film.frame_rate)
    told = []
    covered: set[int] = set()
    for number, one in enumerate(taken):
        start, shown = one.film, one.length - change.dissolve * (0.5 if number else 0)
        shown -= change.dissolve / 2 if number < len(taken) - 1 else 0
        end = start + shown
        row.shots += 1
        best = None
        for place, shot in enumerate(match.shots):
            low, high = shot.film.start / rate, shot.film.stop / rate
            if min(high, end) - max(low, start) < OVERLAP * shown or shot.file != one.file:
                continue
            source_rate = float(bench.footage[one.file].frame_rate)
            begin = one.start + (start - one.film) * change.speed
            begin += change.dissolve / 2 * change.speed if number else 0
            ends = (
                shot.source_seconds(low) - begin,
                shot.source_seconds(high) - begin - shown * change.speed,
            )
            middle = (max(low, start) + min(high, end)) / 2
            slip = shot.source_seconds(middle) - begin - (middle - start) * change.speed
            off = max(map(abs, ends)) * source_rate
            if best is None or off < best[0]:
                best = (off, abs(slip) * source_rate, place)
        name = bench.footage[one.file].path.name
        if best is None:
            told.append(f"missed {name} {one.start:.2f} +{one.length:.2f} at {start:.2f}")
            continue
        covered.add(best[2])
        row.found += 1
        row.frames_off.append(best[0])
        row.slip.append(best[1])
        if best[0] > 2:
            shot = match.shots[best[2]]
            told.append(
                f"off {best[0]:.1f} slip {best[1]:.1f} {name} {one.start:.2f} +{one.length:.2f} "
                f"at {start:.2f}: film {shot.film.start / rate:.2f}-{shot.film.stop / rate:.2f} "
                f"x{shot.speed:.3f} alike {shot.alike:.2f}"
            )
    for place, shot in enumerate(match.shots):
        if place in covered:
            continue
        low, high = shot.film.start / rate, shot.film.stop / rate
        if not any(
            one.file == shot.file and one.film < high and low < one.film + one.length
            for one in taken
        ):
            row.wrong += 1
            told.append(
                f"wrong {bench.footage[shot.file].path.name} "
                f"at {low:.2f}-{high:.2f} alike {shot.alike:.2f}"
            )
    return told


def search_hours(hours: int, pictures: int) -> None:
    """Search made-up features of real size: rows as the store gives them, file by file."""
    chance = np.random.default_rng(0)
    rows = chance.random((1800, 1280), np.float32).astype(np.float16)
    spread = Spread()
    spread.add(rows)
    search = PlaceSearch(chance.random((pictures, 1280), np.float32), spread)
    began = time.monotonic()
    for file in range(hours * 2):
        search.look_in(file, np.roll(rows, file, axis=0))
        if file % 40 == 39:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{(file + 1) / 2:.0f} h: {time.monotonic() - began:.1f} s, peak {peak:.0f} MiB")


def main() -> None:
    """Run the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("footage", nargs="*")
    parser.add_argument("--foreign", nargs="*", default=[])
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--shots", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--half", type=int, choices=(0, 1), help="films of every second file only")
    parser.add_argument("--work", type=Path, default=Path("build/match"))
    parser.add_argument("--hours", type=int)
    parser.add_argument("--pictures", type=int, default=600)
    options = parser.parse_args()
    if options.hours:
        search_hours(options.hours, options.pictures)
        return
    footage = []
    for path in find_videos(options.footage):
        try:
            footage.append(probe(path))
        except HlError as error:
            print(error.message)
    print(f"{len(footage)} files, {sum(float(f.duration_seconds) for f in footage):.0f} s")
    bench = Bench(footage)
    options.work.mkdir(parents=True, exist_ok=True)
    for change in CHANGES:
        if options.row and change.name not in options.row:
            continue
        film = options.work / f"{change.name.replace(' ', '-').replace(':', '-')}.mp4"
        taken = choose(footage, options.shots, change, options.seed, options.half)
        if not film.exists():
            make_film(film, footage, taken, change, options.work / "parts")
        info = probe(film)
        row = Row(change.name, film_seconds=float(info.duration_seconds))
        began = time.monotonic()
        match = bench.match(film)
        row.seconds = time.monotonic() - began
        told = judge(row, match, info, taken, bench, change)
        show(row)
        print(*(f"    {text}" for text in told), sep="\n", flush=True)
    if options.foreign:
        foreign = [probe(path) for path in find_videos(options.foreign)]
        change = CHANGES[0]
        film = options.work / "foreign.mp4"
        taken = choose(foreign, 100, change, options.seed)
        if not film.exists():
            make_film(film, foreign, taken, change, options.work / "parts")
        began = time.monotonic()
        match = bench.match(film)
        print(f"| foreign | {len(match.shots)} claims, {time.monotonic() - began:.0f} s |")
        for shot in match.shots:
            print(f"    {shot.film} {footage[shot.file].path.name} {shot.alike:.2f} {shot.rect}")


def show(row: Row) -> None:
    """Print a row of the table."""
    off = np.array(row.frames_off or [np.nan])
    slip = np.array(row.slip or [np.nan])
    print(
        f"| {row.name} | {row.found} of {row.shots} | {int((off <= 2).sum())} | "
        f"{np.median(off):.1f} | {np.percentile(off, 95):.1f} | {np.percentile(slip, 95):.1f} | "
        f"{row.wrong} | {row.seconds:.0f} s for {row.film_seconds:.0f} s |",
        flush=True,
    )


if __name__ == "__main__":
    main()
