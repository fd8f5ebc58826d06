"""Composite video files: real pictures and sound, encoded like anybody's footage.

So that neither size, rate, codec nor sound format gives a highlight away, every source clip is
first brought to one form (scaled and cropped to fill 320 x 240, 25 frames per second, 44.1 kHz
mono), once, and kept. Pieces of these are then joined and encoded as one H.264 and AAC file with
the encoder's own keyframes. What this cannot hide is the sharpness of the original.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from hlcli.atomic import atomic_write
from hlcli.errors import MediaNotFoundError, MediaUnreadableError, OutputError
from hlcli.evaluation.composite_plan import FRAME_RATE, CompositePlan
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.source import OPEN_OPTIONS

WIDTH, HEIGHT = 320, 240
SAMPLE_RATE = 44_100
_FORM_VERSION = 2
_SPARE_SECONDS = 1
# ffmpeg runs single-threaded, since x264's bits depend on the number of threads.
_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeFile:
    """One composite on disk, with and without its sound track."""

    plan: CompositePlan
    """What it is made of."""
    with_sound: Path
    """The whole file."""
    silent: Path
    """The same picture stream, copied bit for bit, and no sound track."""


def build_files(
    plans: Sequence[CompositePlan],
    *,
    folder: Path,
    rows: Sequence[Mapping[str, object]],
    work: Path,
) -> Iterator[CompositeFile]:
    """Make the files of all plans, two at a time; those already made are taken as they are.

    Args:
        plans: What to make.
        folder: Where the source clips lie.
        rows: The manifest, one mapping per clip, with `file` relative to `folder`.
        work: Folder for the clips in one form and for the composites; made if missing.

    Yields:
        The files in the order in which they are ready.

    Raises:
        MediaNotFoundError: A source clip is missing.
        MediaUnreadableError: A source clip is damaged or shorter than the manifest says.
        FfmpegMissingError: There is no ffmpeg program.
        OutputError: The work folder cannot be written.
    """
    try:
        for name in ("clips", "videos"):
            (work / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {work}: {error.strerror}", hint="choose another --work"
        ) from error
    needed = sorted({segment.clip for plan in plans for segment in plan.segments})
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            made = pool.map(lambda i: normalise(folder / str(rows[i]["file"]), work), needed)
            clip_of = dict(zip(needed, made, strict=True))
            jobs = [pool.submit(build_file, plan, clip_of=clip_of, work=work) for plan in plans]
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def normalise(source: Path, work: Path) -> Path:
    """Bring one clip to the common form, near-lossless; a clip without sound gets silence.

    Args:
        source: Clip in any format.
        work: Work folder; the result goes to `clips/` in it under the clip's content identity.

    Returns:
        The Matroska file, made now or before.

    Raises:
        MediaNotFoundError: There is no such clip.
        MediaUnreadableError: It cannot be decoded.
    """
    if not source.exists():
        raise MediaNotFoundError(f"no such file: {source}", hint="the manifest names it")
    target = work / "clips" / f"{content_identity(source)[:24]}-{_FORM_VERSION}.mkv"
    if target.exists():
        return target
    info = probe(source)
    given = ffmpeg.input(f"file:{source.absolute()}", threads=1, **OPEN_OPTIONS)
    picture = (
        given["v:0"]
        .filter("scale", "iw*sar", "ih")
        .filter("scale", WIDTH, HEIGHT, force_original_aspect_ratio="increase", flags="area")
        .filter("crop", WIDTH, HEIGHT)
        .filter("setsar", 1)
        .filter("fps", FRAME_RATE, start_time=0)
        # A container's duration may count sound that outlasts the picture: its last frame stays.
        .filter("tpad", stop_mode="clone", stop_duration=_SPARE_SECONDS)
        .filter("format", "yuv420p")
    )
    if info.has_audio:
        sound = given["a:0"].filter("aresample", SAMPLE_RATE, first_pts=0)
    else:
        sound = ffmpeg.input(f"anullsrc=r={SAMPLE_RATE}:cl=mono", format="lavfi")["a:0"]
    sound = sound.filter("aformat", sample_fmts="s16", channel_layouts="mono").filter("apad")
    _encode(
        target,
        picture,
        sound,
        format="matroska",
        vcodec="libx264",
        preset="ultrafast",
        crf=14,
        g=12,
        acodec="pcm_s16le",
        # `-shortest` lets endless padding fill the disk; a stated length cannot.
        t=f"{float(info.duration_seconds) + _SPARE_SECONDS:.6f}",
    )
    return target


def build_file(plan: CompositePlan, *, clip_of: Mapping[int, Path], work: Path) -> CompositeFile:
    """Join the segments of one plan and encode them, once with and once without sound.

    Args:
        plan: What to join.
        clip_of: The normalised source clips by their row in the manifest.
        work: Work folder; the files go to `videos/` in it.

    Raises:
        MediaUnreadableError: A clip is shorter than the plan takes from it.
    """
    content = json.dumps([asdict(s) | {"clip": clip_of[s.clip].name} for s in plan.segments])
    stem = f"{plan.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    with_sound = work / "videos" / f"{stem}.mp4"
    silent = work / "videos" / f"{stem}-silent.mp4"
    if not with_sound.exists():
        pieces = []
        for segment in plan.segments:
            piece = ffmpeg.input(
                f"file:{clip_of[segment.clip].absolute()}",
                ss=f"{segment.start_frame / FRAME_RATE:.2f}",
                t=f"{segment.num_frames / FRAME_RATE:.2f}",
                threads=1,
            )
            pieces += [piece["v:0"], piece["a:0"]]
        joined = ffmpeg.concat(*pieces, v=1, a=1).node
        _encode(
            with_sound,
            joined[0],
            joined[1],
            format="mp4",
            vcodec="libx264",
            preset="veryfast",
            crf=23,
            acodec="aac",
            audio_bitrate="96k",
            movflags="+faststart",
            num_frames=plan.num_frames,
        )
    if not silent.exists():
        given = ffmpeg.input(f"file:{with_sound.absolute()}", **OPEN_OPTIONS)
        _encode(silent, given["v:0"], format="mp4", vcodec="copy", movflags="+faststart")
    return CompositeFile(plan=plan, with_sound=with_sound, silent=silent)


def _encode(target: Path, *streams: Any, num_frames: int | None = None, **options: Any) -> None:
    program = find_ffmpeg()
    with tempfile.TemporaryDirectory() as folder:
        # The containers need a seekable file, so it is made aside and then put in place whole.
        made = Path(folder) / f"made{target.suffix}"
        graph = ffmpeg.output(
            *streams, str(made), threads=1, map_metadata=-1, fflags="+bitexact", **options
        )
        command = graph.global_args("-v", "error", "-nostdin").compile(cmd=program.path)
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0 or not made.exists():
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise MediaUnreadableError(
                f"ffmpeg could not make {target.name}: {lines[-1] if lines else 'no output'}",
                hint="check the clips of the manifest with `hl score`",
            )
        if num_frames is not None and probe(made).num_frames != num_frames:
            raise MediaUnreadableError(
                f"{target.name} has {probe(made).num_frames} frames instead of {num_frames}",
                hint="a clip is shorter than its duration_seconds in the manifest",
            )
        with made.open("rb") as stream, atomic_write(target) as output:
            shutil.copyfileobj(stream, output)
