"""Footage with junk of known place, joined from real clips: what of each reaches a moment.

Each file is real pieces of 5 to 8 s and, between them, junk of 3 to 7 s. A part of the real pieces
is made dark, white or soft, as footage may be that somebody wants to keep.
"""

from __future__ import annotations

import itertools
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hlcli.document import ScoresDocument, find_moments
from hlcli.moments import Selection

WIDTH, HEIGHT, RATE = 320, 240, 25
JUNK = (
    "black", "covered lens", "colour bars", "slate", "leader", "title card", "slide", "credits",
    "frozen picture", "strong blur", "slight blur", "shaking", "floor",
)  # fmt: skip
NOT_LOOKED_FOR = ("shaking", "floor")
"""Kinds that `hlcli.media.unusable` leaves alone."""
GOOD = ("as it is", "dark and noisy", "nearly white", "soft")
_SIZE = f"{WIDTH}:{HEIGHT}"
_FILL = f"scale={_SIZE}:force_original_aspect_ratio=increase,crop={_SIZE},fps={RATE},setsar=1"
_LOOKS = {
    "as it is": "null",
    "dark and noisy": "eq=brightness=-0.3:contrast=0.7,noise=alls=10:allf=t",
    "nearly white": "eq=brightness=0.45:contrast=0.35",
    "soft": "gblur=sigma=3",
    "strong blur": "gblur=sigma=14",
    "slight blur": "gblur=sigma=5",
    "frozen picture": "trim=start_frame=10:end_frame=11,loop=-1:1:0,setpts=N/25/TB",
    "shaking": f"scale=400:300,crop={_SIZE}:x='40+40*sin(n*2.1)*cos(n*0.7)':"
    "y='30+30*sin(n*1.7)',tmix=frames=3",
}
_WORDS = (
    "camera", "sound", "light", "editor", "director", "music", "colour", "grip", "gaffer", "runner",
    "story", "night", "river", "house", "summer", "first", "second", "plan", "result", "question",
    "answer", "north", "south", "garden", "window", "Lee", "Stone", "Diaz", "Petrov", "Hall",
    "Wong", "Ito", "Smith", "Braun", "Novak",
)  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A stretch of a made file."""

    start: float
    """First instant, in seconds."""
    end: float
    """First instant after it, in seconds."""
    kind: str
    """One of `JUNK` or `GOOD`."""


def plant(clips: list[Path], work: Path, num_files: int) -> dict[Path, list[Piece]]:
    """Make files of real clips with five pieces of junk each.

    Args:
        clips: Real videos of five seconds and more.
        work: Where the files go; those that are there already are kept.
        num_files: How many.

    Returns:
        What each file is made of.
    """
    work.mkdir(parents=True, exist_ok=True)
    kinds = itertools.cycle(JUNK)
    made: dict[Path, list[Piece]] = {}
    for number in range(num_files):
        rng = np.random.default_rng(number)
        parts: list[tuple[str, float]] = []
        for _ in range(5):
            good = GOOD[int(rng.integers(1, len(GOOD)))] if rng.random() < 0.25 else GOOD[0]
            parts.append((good, round(float(rng.uniform(5, 8)) * RATE) / RATE))
            parts.append((next(kinds), round(float(rng.uniform(3, 7)) * RATE) / RATE))
        parts.append((GOOD[0], 6.0))
        path = work / f"planted-{number:03d}.mp4"
        places = np.cumsum([0.0, *(seconds for _, seconds in parts)])
        made[path] = [
            Piece(float(a), float(b), kind)
            for a, b, (kind, _) in zip(places[:-1], places[1:], parts, strict=True)
        ]
        sources = [clips[int(i)] for i in rng.choice(len(clips), 6, replace=len(clips) < 6)]
        if not path.exists():
            _make(path, parts, sources, rng, work)
    return made


def _make(
    path: Path,
    parts: list[tuple[str, float]],
    sources: list[Path],
    rng: np.random.Generator,
    work: Path,
) -> None:
    pieces: list[Path] = []
    for place, (kind, seconds) in enumerate(parts):
        piece = work / f"piece-{place}.mkv"
        # Junk of a real picture continues the clip before it.
        inputs = _inputs(kind, seconds, sources[place // 2], rng, work)
        tone = "sine=1000" if kind == "colour bars" else "anoisesrc=amplitude=0.002"
        run_ffmpeg(
            "-f", "lavfi", "-i", tone, *inputs, "-t", f"{seconds}", "-map", "1:v", "-map", "0:a",
            "-c:v", "libx264", "-preset", "ultrafast", "-crf", "14", "-pix_fmt", "yuv420p",
            "-r", str(RATE), "-c:a", "pcm_s16le", "-ar", "16000", "-ac", "1", str(piece),
        )  # fmt: skip
        pieces.append(piece)
    join_pieces(path, pieces)


def _inputs(
    kind: str, seconds: float, source: Path, rng: np.random.Generator, work: Path
) -> list[str]:
    """Return options of ffmpeg that make the picture of a piece its last input."""
    canvas = f"s={WIDTH}x{HEIGHT}:r={RATE}"
    if kind in _LOOKS:
        return ["-stream_loop", "-1", "-i", str(source), "-vf", f"{_FILL},{_LOOKS[kind]}"]
    if kind == "black":
        return ["-f", "lavfi", "-i", f"color=black:{canvas}"]
    if kind == "covered lens":
        return ["-f", "lavfi", "-i", f"color=0x101012:{canvas},noise=alls=8:allf=t"]
    if kind == "colour bars":
        names = ("smptebars", "smptehdbars", "pal75bars", "pal100bars")
        return ["-f", "lavfi", "-i", f"{names[int(rng.integers(len(names)))]}={canvas}"]
    if kind == "floor":
        texture = work / "floor.png"
        noise = Image.fromarray(rng.integers(60, 150, (90, 120, 3)).astype(np.uint8))
        noise.resize((480, 360), Image.Resampling.BICUBIC).save(texture)
        sway = f"crop={_SIZE}:x='80+20*sin(t)':y='60+10*cos(t*1.3)',noise=alls=6:allf=t"
        return ["-loop", "1", "-framerate", str(RATE), "-i", str(texture), "-vf", sway]
    if kind == "leader":
        for number in range(10):
            _page(rng, [str(9 - number)], 150, "black", "#909090").save(work / f"count{number}.png")
        return ["-framerate", "1", "-start_number", "1", "-i", str(work / "count%d.png"),
                "-vf", f"fps={RATE}"]  # fmt: skip
    back = ("black", "#101830", "white", "#e8e4da", "#404040")[int(rng.integers(5))]
    front = "black" if back in ("white", "#e8e4da") else "white"
    picture = work / "page.png"
    if kind == "credits":
        back, front = ("black", "white") if rng.random() < 0.7 else ("#182038", "#f0f0e0")
        lines = [f"{_words(rng, 1)}    {_words(rng, 2)}" if i % 4 else "" for i in range(70)]
        _page(rng, lines, 14, front, back, 1500).save(picture)
        speed = int(rng.integers(25, 70))
        roll = f"crop={_SIZE}:x=0:y='60+t*{speed}'"
        return ["-loop", "1", "-framerate", str(RATE), "-i", str(picture), "-vf", roll]
    if kind == "slide":
        lines = [_words(rng, 3), "", *(f"- {_words(rng, 3)}" for _ in range(4))]
        _page(rng, lines, 18, front, back).save(picture)
    elif kind == "slate":
        take = f"SCENE {rng.integers(90)}  TAKE {rng.integers(9)}"
        lines = [f"PROD {_words(rng, 2)}", f"ROLL A{rng.integers(100):03d}", take,
                 f"DIR {_words(rng, 2)}"]  # fmt: skip
        _page(rng, lines, 22, front, back).save(picture)
    else:
        _page(rng, [_words(rng, 3).upper()], 26, front, back).save(picture)
    fade = f"fade=in:d=1:color={back},fade=out:st={seconds - 1}:d=1:color={back}"
    return ["-loop", "1", "-framerate", str(RATE), "-i", str(picture),
            "-vf", fade if kind == "title card" else "null"]  # fmt: skip


def _page(
    rng: np.random.Generator,
    lines: list[str],
    size: int,
    front: str,
    back: str,
    height: int = HEIGHT,
) -> Image.Image:
    image = Image.new("RGB", (WIDTH, height), back)
    ink, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    top = 60.0 if height > HEIGHT else (height - 1.35 * size * len(lines)) / 2
    for line in lines:
        left = (WIDTH - ink.textlength(line, font=font)) / 2
        ink.text((max(8.0, left), top), line, fill=front, font=font)
        top += 1.35 * size
    return image


def _words(rng: np.random.Generator, count: int) -> str:
    return " ".join(rng.choice(_WORDS, count).tolist())


def run_ffmpeg(*arguments: str) -> None:
    """Run ffmpeg on one core."""
    subprocess.run(["ffmpeg", "-y", "-v", "error", "-threads", "1", *arguments], check=True)


def join_pieces(path: Path, pieces: list[Path]) -> None:
    """Make one file of pieces that lie in one folder; the pieces are removed."""
    names = pieces[0].with_name("pieces.txt")
    names.write_text("".join(f"file '{piece.name}'\n" for piece in pieces))
    run_ffmpeg(
        "-f", "concat", "-safe", "0", "-i", str(names), "-c:v", "libx264", "-preset", "veryfast",
        "-crf", "23", "-c:a", "aac", str(path),
    )  # fmt: skip
    for piece in [*pieces, names]:
        piece.unlink()


@dataclass
class Planted:
    """Seconds and spans over all files."""

    num_files: int = 0
    """Files."""
    planted: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of each kind."""
    spans: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Pieces of each kind."""
    left_out: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of each kind inside what is left out."""
    chosen: dict[tuple[str, str], dict[str, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )
    """By what was asked for and whether everything was kept: seconds of each kind in moments."""


def count_planted(documents: list[ScoresDocument], made: dict[Path, list[Piece]]) -> Planted:
    """Count how much of each kind is left out, and how much is in moments."""
    found = Planted(num_files=len(documents))
    for document in documents:
        pieces = made[Path(document.video.path)]
        unusable = [(one.start_seconds, one.end_seconds) for one in document.unusable or ()]
        choices = {
            (asked, rules): find_moments(document, Selection(top=top, keep_all=rules == "before"))
            for asked, top in (("nothing", None), ("--top 10", 10))
            for rules in ("before", "after")
        }
        for piece in pieces:
            found.planted[piece.kind] += piece.end - piece.start
            found.spans[piece.kind] += 1
            found.left_out[piece.kind] += _overlap(piece, unusable)
            for key, moments in choices.items():
                spans = [(moment.start_seconds, moment.end_seconds) for moment in moments]
                found.chosen[key][piece.kind] += _overlap(piece, spans)
    return found


def _overlap(piece: Piece, spans: list[tuple[float, float]]) -> float:
    return sum(max(0.0, min(piece.end, end) - max(piece.start, start)) for start, end in spans)


def print_planted(found: Planted) -> None:
    """Print the two tables of docs/benchmarks/moments.md."""
    print(f"{found.num_files} files, {sum(found.spans[kind] for kind in JUNK)} planted spans\n")
    keys = [(asked, rules) for asked in ("nothing", "--top 10") for rules in ("before", "after")]
    print("| planted | spans | seconds | left out | " + " | ".join(map(" ".join, keys)) + " |")
    print("|---|--:|--:|--:|" + "--:|" * len(keys))
    looked_for = [kind for kind in JUNK if kind not in NOT_LOOKED_FOR]
    groups = [*((kind, [kind]) for kind in JUNK), ("all that is looked for", looked_for),
              ("all", list(JUNK))]  # fmt: skip
    for name, kinds in groups:
        print(_row(found, name, kinds, keys))
    print("\n| good | pieces | seconds | left out |")
    print("|---|--:|--:|--:|")
    for name, kinds in [*((kind, [kind]) for kind in GOOD), ("all", list(GOOD))]:
        print(_row(found, name, kinds, []))


def _row(found: Planted, name: str, kinds: list[str], keys: list[tuple[str, str]]) -> str:
    seconds = sum(found.planted[kind] for kind in kinds)
    out = sum(found.left_out[kind] for kind in kinds)
    cells = [f"{sum(found.chosen[key][kind] for kind in kinds):.1f}" for key in keys]
    share = f"{100 * out / seconds:.1f} %" if seconds else "-"
    spans = sum(found.spans[kind] for kind in kinds)
    return "| " + " | ".join([name, str(spans), f"{seconds:.0f}", share, *cells]) + " |"
