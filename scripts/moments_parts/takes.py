"""Footage with takes of known place, joined from real clips: how often two takes of one are kept.

Each file is eight real pieces of 4 to 7 s. One clip is there as three takes and one as two: each
take is cut, framed, lit, timed and recorded a little differently. Files in pairs share a clip, of
which the second has one more take. All other pieces are other clips or, where the folder has them,
other parts of the same recording ("v_NAME_g01_c02" is of one recording with "v_NAME_g01_c01"),
which are no takes.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hlcli.document import ScoresDocument
from moments_parts.planted import HEIGHT, RATE, WIDTH, join_pieces, run_ffmpeg

_OF_ONE_TAKE = 0.5
"""A moment shows a take if so many of its seconds, or of the take's, lie in it."""


@dataclass(frozen=True)
class TakePiece:
    """A stretch of a made file."""

    start: float
    """First instant, in seconds."""
    end: float
    """First instant after it, in seconds."""
    clip: str
    """What it shows: all pieces with the same are takes of one another."""


def plant_takes(clips: list[Path], work: Path, num_files: int) -> dict[Path, list[TakePiece]]:
    """Make files with takes.

    Args:
        clips: Real videos of seven seconds and more.
        work: Where the files go; those that are there already are kept.
        num_files: How many.

    Returns:
        What each file is made of.
    """
    work.mkdir(parents=True, exist_ok=True)
    recordings: dict[str, list[Path]] = defaultdict(list)
    for clip in clips:
        recordings[re.sub(r"_c\d+_\w+$", "", clip.stem)].append(clip)
    several = [group for group in recordings.values() if len(group) > 1]
    made: dict[Path, list[TakePiece]] = {}
    shared: Path | None = None
    for number in range(num_files):
        rng = np.random.default_rng(1000 + number)
        drawn = [clips[int(i)] for i in rng.choice(len(clips), 4, replace=False)]
        alike = several[int(rng.integers(len(several)))] if several else drawn[3:]
        others = [drawn[2], *[alike[int(i)] for i in rng.permutation(len(alike))[:2]]]
        if number % 2 == 0:
            shared = drawn[2]
        elif shared is not None:
            others[0] = shared
        sources = [drawn[0]] * 3 + [drawn[1]] * 2 + others
        order = rng.permutation(len(sources))
        path = work / f"takes-{number:03d}.mp4"
        seconds = {source: float(rng.uniform(4, 6)) for source in sorted(set(sources))}
        parts = [(sources[int(i)], _variation(seconds[sources[int(i)]], rng)) for i in order]
        if not path.exists():
            _make(path, parts, work)
        ends = list(itertools.accumulate(part[1].seconds for part in parts))
        starts = [0.0, *ends[:-1]]
        made[path] = [
            TakePiece(start, end, source.stem)
            for start, end, (source, _) in zip(starts, ends, parts, strict=True)
        ]
    return made


@dataclass(frozen=True)
class _Variation:
    seconds: float
    offset: float
    picture: str
    sound: str


def _variation(seconds: float, rng: np.random.Generator) -> _Variation:
    """Return how one take differs from another."""
    speed, zoom = rng.uniform(0.95, 1.05), rng.uniform(1.0, 1.1)
    wide, high = round(WIDTH * zoom / 2) * 2, round(HEIGHT * zoom / 2) * 2
    left, top = (int(rng.integers(0, size + 1)) for size in (wide - WIDTH, high - HEIGHT))
    light, contrast = rng.uniform(-0.05, 0.05), rng.uniform(0.9, 1.1)
    sway = f"{left}+2*sin(n*{rng.uniform(0.05, 0.2):.3f})"
    picture = (
        f"setpts=PTS/{speed:.4f},fps={RATE},"
        f"scale={wide}:{high}:force_original_aspect_ratio=increase,"
        f"crop={WIDTH}:{HEIGHT}:x='{sway}':y={top},"
        f"eq=brightness={light:.3f}:contrast={contrast:.3f},noise=alls=4:allf=t,setsar=1"
    )
    sound = f"atempo={speed:.4f},volume={rng.uniform(-3, 3):.1f}dB"
    length = round(seconds * rng.uniform(0.92, 1.08) * RATE) / RATE
    return _Variation(length, float(rng.uniform(0, 0.9)), picture, sound)


def _make(path: Path, parts: list[tuple[Path, _Variation]], work: Path) -> None:
    pieces: list[Path] = []
    for place, (source, how) in enumerate(parts):
        piece = work / f"piece-{place}.mkv"
        run_ffmpeg(
            "-ss", f"{how.offset:.3f}", "-i", str(source),
            "-f", "lavfi", "-i", "anoisesrc=amplitude=0.002:r=16000",
            "-filter_complex",
            f"[0:v]{how.picture},tpad=stop=-1:stop_mode=clone[v];"
            + (f"[0:a]aresample=16000,{how.sound},apad[s];[s][1:a]amix=normalize=0[a]"
               if _has_sound(source) else "[1:a]anull[a]"),
            "-map", "[v]", "-map", "[a]", "-t", f"{how.seconds}",
            "-c:v", "libx264", "-preset", "ultrafast", "-crf", "14", "-pix_fmt", "yuv420p",
            "-c:a", "pcm_s16le", "-ar", "16000", "-ac", "1", str(piece),
        )  # fmt: skip
        pieces.append(piece)
    join_pieces(path, pieces)


@dataclass
class TakesFound:
    """Counts over all files."""

    moments: int = 0
    """Moments."""
    kept_twice: int = 0
    """Moments that show a take of what a better one in the same file shows."""
    kept_twice_across: int = 0
    """Moments that show a take of what a better one in another file shows."""
    listed: int = 0
    """Alternatives listed."""
    wrong: int = 0
    """Alternatives that are no take of their moment."""
    missed: int = 0
    """Other takes of a moment that are not listed."""


def count_takes(
    documents: Sequence[ScoresDocument], made: dict[Path, list[TakePiece]]
) -> TakesFound:
    """Count takes among the moments of documents."""
    found = TakesFound()
    seen: list[tuple[Path, str]] = []
    ranked = sorted(
        (
            (Path(document.video.path), moment)
            for document in documents
            for moment in document.moments
        ),
        key=lambda pair: -pair[1].score,
    )
    for path, moment in ranked:
        found.moments += 1
        span = moment.start_seconds, moment.end_seconds
        clips = _shown(made[path], span)
        for clip in clips:
            found.kept_twice += (path, clip) in seen
            found.kept_twice_across += any(there != path and shown == clip for there, shown in seen)
        seen += [(path, clip) for clip in clips]
        listed = set()
        for take in moment.alternatives:
            there = path if take.video is None else Path(take.video)
            found.listed += 1
            part = take.start_seconds, take.end_seconds
            shown = _shown(made[there], part)
            found.wrong += not set(shown) & set(_shown(made[path], span, least=0.3))
            listed |= {(there, place) for place, piece in enumerate(made[there])
                       if _share(piece, part) > _OF_ONE_TAKE}  # fmt: skip
        here = next(
            (place for place, piece in enumerate(made[path])
             if piece.start <= moment.peak_seconds < piece.end), None
        )  # fmt: skip
        if here is not None:
            others = {
                (there, place)
                for there in {Path(document.video.path) for document in documents}
                for place, piece in enumerate(made[there])
                if piece.clip == made[path][here].clip and (there, place) != (path, here)
            }
            found.missed += len(others - listed)
    return found


def _shown(
    pieces: Sequence[TakePiece], span: tuple[float, float], least: float = _OF_ONE_TAKE
) -> list[str]:
    """Return the clips that make up so much of a span."""
    return [
        piece.clip for piece in pieces
        if _overlap(piece, span) >= least * (span[1] - span[0])
    ]  # fmt: skip


def _share(piece: TakePiece, span: tuple[float, float]) -> float:
    return _overlap(piece, span) / (piece.end - piece.start)


def _overlap(piece: TakePiece, span: tuple[float, float]) -> float:
    return max(0.0, min(piece.end, span[1]) - max(piece.start, span[0]))


def _has_sound(path: Path) -> bool:
    from hlcli.media.probe import probe

    return probe(path).has_audio
