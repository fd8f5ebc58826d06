"""Which encoder of this ffmpeg to use, and how to ask it for a quality."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

from hlcli.errors import UsageError
from hlcli.media.ffmpeg import FfmpegProgram

SOFTWARE = ("libx264", "libopenh264")
"""H.264 in software, the best first."""
HARDWARE = ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf", "h264_mf")
"""H.264 in hardware, tried in this order."""
_TRIAL_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmEncoder:
    """An encoder that works here."""

    name: str
    """As ffmpeg calls it."""
    options: dict[str, Any]
    """Options of `ffmpeg.output` that ask for the quality."""
    remark: str = ""
    """Why it is not the one asked for; empty otherwise."""


def choose_encoder(program: FfmpegProgram, wanted: str, quality: int | None) -> FilmEncoder:
    """Find an encoder that really encodes a picture on this machine.

    "auto" is software: the same film on every machine. "hardware" tries what there is and falls
    back to software with a word; any other name is taken as it is.

    Args:
        program: The ffmpeg to ask.
        wanted: "auto", "hardware", or the name of an ffmpeg video encoder.
        quality: Constant quality, 0 to 51, lower is better; None is the default.

    Raises:
        UsageError: The encoder does not work here, or there is none at all.
    """
    names = {"auto": SOFTWARE, "hardware": (*HARDWARE, *SOFTWARE)}.get(wanted, (wanted,))
    why = ""
    for name in names:
        options = _options(name, quality)
        failed = _trial(program, name, options)
        if failed is None:
            is_fallback = wanted == "hardware" and name in SOFTWARE
            remark = f"no hardware encoder works here, {name} was used" if is_fallback else ""
            return FilmEncoder(name=name, options=options, remark=remark)
        why = why or failed
    if wanted in ("auto", "hardware"):
        raise UsageError(
            f"{program.path} has no H.264 encoder that works: {why}",
            hint="install an ffmpeg with libx264, or name another encoder with --encoder",
        )
    raise UsageError(
        f"the encoder {wanted} does not work in {program.path}: {why}",
        hint="leave --encoder out, or use --encoder hardware to try what this machine has",
    )


def _trial(program: FfmpegProgram, name: str, options: dict[str, Any]) -> str | None:
    """Return why an encoder cannot encode one picture; None when it can."""
    import ffmpeg

    # Hardware encoders refuse very small pictures.
    picture = ffmpeg.input("color=black:size=320x256:rate=25", format="lavfi")
    graph = ffmpeg.output(
        picture, "-", format="null", vcodec=name, pix_fmt="yuv420p", vframes=1, **options
    ).global_args("-v", "error", "-nostdin")
    try:
        done = subprocess.run(
            graph.compile(cmd=program.path), capture_output=True, timeout=_TRIAL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else f"it ended with {done.returncode}"


def _options(name: str, quality: int | None) -> dict[str, Any]:
    if name == "libx264":
        return {"crf": 18 if quality is None else quality, "preset": "medium"}
    if name == "libx265":
        crf = 21 if quality is None else quality
        return {"crf": crf, "preset": "medium", "tag:v": "hvc1", "x265-params": "log-level=error"}
    level = 20 if quality is None else quality
    if name.endswith("_nvenc"):
        return {"rc": "vbr", "cq": level, "b:v": 0}
    if name.endswith("_videotoolbox"):
        # Its scale is 1 to 100, and higher is better.
        return {"q:v": max(1, 100 - 2 * level)}
    if name.endswith("_qsv"):
        return {"global_quality": level}
    if name.endswith("_amf"):
        return {"rc": "cqp", "qp_i": level, "qp_p": level}
    if name.endswith("_mf"):
        return {"rate_control": "quality", "quality": max(1, 100 - 2 * level)}
    if name == "libopenh264":
        return {"rc_mode": "quality", "qmin": level, "qmax": min(51, level + 10)}
    return {} if quality is None else {"q:v": quality}
