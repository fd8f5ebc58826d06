"""The ffmpeg program, for the few things a filter graph does best."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import ffmpeg

from hlcli.atomic import atomic_write
from hlcli.errors import FfmpegMissingError, MediaUnreadableError
from hlcli.media.source import OPEN_OPTIONS, check_source


@dataclass(frozen=True, slots=True)
class FfmpegProgram:
    """An ffmpeg program that runs."""

    path: str
    """Absolute path of the program."""
    version: str
    """What it calls itself: "5.1.9-0+deb12u1", "n7.1", ..."""
    source: Literal["PATH", "imageio-ffmpeg"]
    """Where it was found."""


def find_ffmpeg() -> FfmpegProgram:
    """Return the ffmpeg on PATH, or else the one inside the imageio-ffmpeg wheel.

    Raises:
        FfmpegMissingError: Neither is there, or neither runs.
    """
    on_path = shutil.which("ffmpeg")
    if on_path and (version := _version(on_path)):
        return FfmpegProgram(str(Path(on_path).absolute()), version, "PATH")
    bundled = _bundled()
    if bundled and (version := _version(bundled)):
        return FfmpegProgram(bundled, version, "imageio-ffmpeg")
    raise FfmpegMissingError(
        "there is no ffmpeg program",
        hint="install ffmpeg, or reinstall the imageio-ffmpeg package, which brings one",
    )


def cut_excerpt(
    source: Path,
    output: Path,
    *,
    start_seconds: Fraction,
    duration_seconds: Fraction,
    height: int = 360,
) -> None:
    """Re-encode a piece of a video as a small MP4 (H.264 and AAC) that starts at 0.

    Args:
        source: Video to cut from.
        output: MP4 file to write; its folder must exist. Appears whole or not at all.
        start_seconds: First instant to keep, in seconds from the source's beginning.
        duration_seconds: Length to keep, in seconds.
        height: Height of the result in pixels, even; the width follows the shape.

    Raises:
        FfmpegMissingError: There is no ffmpeg program.
        MediaNotFoundError: There is no such source.
        MediaUnreadableError: ffmpeg cannot read the source, or nothing is left of it there.
        OutputError: The output cannot be written.
    """
    given = ffmpeg.input(
        _url(source), ss=_number(start_seconds), t=_number(duration_seconds), **OPEN_OPTIONS
    )
    _render(
        source,
        output,
        ffmpeg.filter(given["v:0"], "scale", -2, height),
        given["a?"],
        suffix=".mp4",
        format="mp4",
        vcodec="libx264",
        pix_fmt="yuv420p",
        crf=26,
        preset="slow",
        acodec="aac",
        ac=2,
        audio_bitrate="96k",
        movflags="+faststart",
        map_metadata=-1,
    )


def thumbnail(source: Path, seconds: Fraction, output: Path, *, height: int = 180) -> None:
    """Write one upright picture of a video.

    Args:
        source: Video to look into.
        seconds: Instant to show, in seconds from its beginning.
        output: Picture to write, `.jpg` or `.png`. Appears whole or not at all.
        height: Height of the picture in pixels, even; the width follows the shape.

    Raises:
        FfmpegMissingError: There is no ffmpeg program.
        MediaNotFoundError: There is no such source.
        MediaUnreadableError: ffmpeg cannot read the source, or it has no picture there.
        OutputError: The output cannot be written.
    """
    given = ffmpeg.input(_url(source), ss=_number(seconds), **OPEN_OPTIONS)
    codec = "png" if output.suffix.lower() == ".png" else "mjpeg"
    picture = ffmpeg.filter(given["v:0"], "scale", -2, height)
    _render(source, output, picture, suffix=output.suffix, format="image2", vcodec=codec, vframes=1)


def _render(source: Path, output: Path, *streams: Any, suffix: str, **options: Any) -> None:
    check_source(source)
    program = find_ffmpeg()
    with atomic_write(output) as target, tempfile.TemporaryDirectory() as folder:
        # MP4 needs a seekable file, and image2 would read a "%" in the output's own name.
        made = Path(folder) / f"made{suffix}"
        graph = ffmpeg.output(*streams, str(made), **options).overwrite_output()
        command = graph.global_args("-v", "error", "-nostdin").compile(cmd=program.path)
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0 or not made.exists() or made.stat().st_size == 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            why = lines[-1] if lines else "nothing of it lies in that range"
            raise MediaUnreadableError(
                f"ffmpeg could not use {source}: {why}", hint="check the file and the times"
            )
        with made.open("rb") as stream:
            shutil.copyfileobj(stream, target)


def _url(path: Path) -> str:
    return f"file:{path.absolute()}"


def _number(seconds: Fraction) -> str:
    return f"{float(seconds):.6f}"


def _bundled() -> str | None:
    # A wheel without a program for this platform raises RuntimeError.
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError):
        return None


@functools.cache  # asked before every encode; a program does not change while we run
def _version(program: str) -> str | None:
    try:
        done = subprocess.run(
            [program, "-hide_banner", "-version"], capture_output=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = done.stdout.decode(errors="replace").split()
    return words[2] if words[:2] == ["ffmpeg", "version"] and len(words) > 2 else None
