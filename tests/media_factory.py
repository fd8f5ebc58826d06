"""Makes small real videos; each distinct one is encoded once per test run.

Every frame has its own number painted along its lower edge as twelve black or white bars, so that
a test can read from the picture WHICH frame it was given, and a white patch in the upper left
corner, so that it can see which way up it is.
"""

from __future__ import annotations

import atexit
import dataclasses
import shutil
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]

NUM_BITS = 12
"""Frames that can be told apart: 4096, over a minute at 60 a second."""
_cache: dict[tuple[object, ...], Path] = {}
_folder: Path | None = None


def plain(index: int, image: Image) -> None:
    """Leave the picture gray."""


def moving_square(index: int, image: Image) -> None:
    """Paint a square that moves to the right by 3 pixels a frame."""
    height, width = image.shape[:2]
    left = 3 * index % (width - 24)
    image[height // 3 : height // 3 + 24, left : left + 24] = (200, 60, 30)


def shots(*starts: int) -> Callable[[int, Image], None]:
    """Return a painter that changes the whole picture at the given frame numbers."""
    levels = (60, 190, 100, 230, 30, 150)

    def paint(index: int, image: Image) -> None:
        shot = sum(index >= start for start in starts)
        image[:] = levels[shot % len(levels)]

    return paint


def read_frame_number(rgb_HWC: Image) -> int:
    """Read the number painted on an upright picture of any size."""
    height, width = rgb_HWC.shape[:2]
    row = rgb_HWC[int(height * 0.90)].mean(axis=1)
    centres = [int((bit + 0.5) * width / NUM_BITS) for bit in range(NUM_BITS)]
    return sum(1 << bit for bit, column in enumerate(centres) if row[column] > 128)


def is_upright(rgb_HWC: Image) -> bool:
    """Whether the white patch is in the upper left corner."""
    height, width = rgb_HWC.shape[:2]
    patch = rgb_HWC[height // 24, width // 24].mean()
    return bool(patch > 200)


def click_track(
    seconds: float, clicks: tuple[float, ...], *, sample_rate: int = 48000, channels: int = 2
) -> Sound:
    """Return silence with a 2 ms burst starting at each given second, shape `(channels, N)`."""
    wave = np.zeros(round(seconds * sample_rate), dtype=np.float32)
    burst = 0.8 * np.sin(2 * np.pi * 2000 * np.arange(sample_rate // 500) / sample_rate)
    for click in clicks:
        start = round(click * sample_rate)
        wave[start : start + len(burst)] = burst[: len(wave) - start]
    return np.tile(wave, (channels, 1))


@dataclass(frozen=True)
class AudioTrack:
    """One audio track of a made video."""

    wave: Sound
    """Samples in [-1, 1], shape `(channels, N)`."""
    sample_rate: int = 48000
    codec: str = "aac"
    start_seconds: Fraction = Fraction(0)
    """Timestamp of its first sample, in seconds."""
    language: str | None = None
    interleaved_samples: int = 1024
    """After each picture, the sound until then is written in multiples of this."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a made video is like."""

    name: str = "video.mp4"
    """File name; its ending chooses the container."""
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    rate: Fraction = Fraction(30)
    num_frames: int = 60
    width: int = 160
    height: int = 96
    gop: int = 12
    """Frames from keyframe to keyframe."""
    b_frames: int = 3
    options: tuple[tuple[str, str], ...] = ()
    paint: Callable[[int, Image], None] = plain
    """Paints frame `index` on a gray picture."""
    counter: bool = True
    """Whether to paint the frame number, which changes a tenth of the picture each frame."""
    first_number: int = 0
    """Number painted on the first frame, so that several videos can be told apart."""
    frame_times: tuple[Fraction, ...] | None = None
    """Start of each frame in seconds, for variable rates; overrides `num_frames`."""
    start_seconds: Fraction = Fraction(0)
    """Timestamp of the first frame."""
    audio: tuple[AudioTrack, ...] = field(default=())
    timecode: str | None = None
    rotation_degrees: int = 0
    """Clockwise turn a player makes, stored as a tag."""
    sample_aspect_ratio: Fraction | None = None
    format: str | None = None
    container_options: tuple[tuple[str, str], ...] = ()


def picture(recipe: Recipe, index: int) -> Image:
    """Return frame `index` as painted, before encoding and any rotation tag."""
    image = np.full((recipe.height, recipe.width, 3), 110, dtype=np.uint8)
    recipe.paint(index, image)
    top = int(recipe.height * 0.80)
    number = recipe.first_number + index
    assert number >> NUM_BITS == 0, f"frame {number} needs more than {NUM_BITS} bits"
    for bit in range(NUM_BITS if recipe.counter else 0):
        left, right = (round(edge * recipe.width / NUM_BITS) for edge in (bit, bit + 1))
        image[top:, left:right] = 235 if number >> bit & 1 else 16
    image[: recipe.height // 8, : recipe.width // 8] = 250
    return image


def make_video(folder: Path, recipe: Recipe | None = None, **changes: object) -> Path:
    """Write a video into `folder` and return its path.

    Args:
        folder: Where to put it.
        recipe: What to make; a plain two-second H.264 file by default.
        changes: Fields of the recipe to change.
    """
    recipe = dataclasses.replace(recipe or Recipe(), **changes)  # type: ignore[arg-type]
    key = _key(recipe)
    if key not in _cache:
        global _folder
        if _folder is None:
            _folder = Path(tempfile.mkdtemp(prefix="hl-media-"))
            # Not TemporaryDirectory: pytest-xdist's processes end before its finalizer may speak.
            atexit.register(shutil.rmtree, _folder, ignore_errors=True)
        made = _folder / f"{len(_cache)}{Path(recipe.name).suffix}"
        _encode(recipe, made)
        _cache[key] = made
    target = folder / recipe.name
    shutil.copyfile(_cache[key], target)
    return target


def _key(recipe: Recipe) -> tuple[object, ...]:
    values: list[object] = [Path(recipe.name).suffix]
    for each in dataclasses.fields(recipe):
        value = getattr(recipe, each.name)
        if each.name == "audio":
            value = tuple(
                (
                    t.wave.tobytes(),
                    t.wave.shape,
                    t.sample_rate,
                    t.codec,
                    t.start_seconds,
                    t.language,
                    t.interleaved_samples,
                )
                for t in value
            )
        if each.name != "name":
            values.append(value)
    return tuple(values)


def _encode(recipe: Recipe, target: Path) -> None:
    with av.open(
        str(target), "w", format=recipe.format, container_options=dict(recipe.container_options)
    ) as container:
        if recipe.timecode:
            container.metadata["timecode"] = recipe.timecode
        stream = container.add_stream(recipe.codec, rate=recipe.rate)
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, recipe.pix_fmt
        if recipe.rotation_degrees:
            # FFmpeg counts the turn of the stored picture anticlockwise.
            stream.set_display_rotation(-recipe.rotation_degrees)
        context = stream.codec_context
        context.gop_size = recipe.gop
        context.thread_count = 1
        if recipe.codec in ("libx264", "libx265", "mpeg2video", "mpeg4"):
            context.max_b_frames = recipe.b_frames
        if recipe.sample_aspect_ratio:
            context.sample_aspect_ratio = recipe.sample_aspect_ratio
        tick = Fraction(1, 90000) if recipe.frame_times else 1 / recipe.rate
        if recipe.start_seconds and recipe.codec != "mpeg2video":  # which takes real rates only
            tick = Fraction(1, 90000)
        context.time_base = tick
        context.options = _encoder_options(recipe) | dict(recipe.options)
        sounds = [_add_track(container, track) for track in recipe.audio]
        times = recipe.frame_times or tuple(i / recipe.rate for i in range(recipe.num_frames))
        for index, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(recipe, index), format="rgb24")
            frame = frame.reformat(format=recipe.pix_fmt)
            frame.pts = round((seconds + recipe.start_seconds) / tick)
            frame.time_base = tick
            container.mux(stream.encode(frame))
            for sound in sounds:
                sound(seconds + recipe.start_seconds)
        container.mux(stream.encode(None))
        for sound in sounds:
            sound(None)


def _encoder_options(recipe: Recipe) -> dict[str, str]:
    keyframes = str(recipe.gop)
    return {
        "libx264": {"preset": "veryfast", "crf": "18", "x264-params": "scenecut=0"},
        "libx265": {
            "preset": "ultrafast",
            "x265-params": f"log-level=none:keyint={keyframes}:min-keyint={keyframes}:scenecut=0",
        },
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "400k"},
        "libaom-av1": {"usage": "realtime", "cpu-used": "8", "b": "400k"},
        "libsvtav1": {"preset": "12", "crf": "35"},
        "mjpeg": {"q": "3"},
    }.get(recipe.codec, {})


def _add_track(
    container: av.container.OutputContainer, track: AudioTrack
) -> Callable[[Fraction | None], None]:
    channels = len(track.wave)
    stream = container.add_stream(track.codec, rate=track.sample_rate)
    stream.codec_context.layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels]
    if track.language:
        stream.metadata["language"] = track.language
    tick = Fraction(1, track.sample_rate)
    written = 0

    def write_until(seconds: Fraction | None) -> None:
        # Sound follows the picture closely, as cameras write it.
        nonlocal written
        total = track.wave.shape[1]
        end = total
        if seconds is not None:
            wanted = round((seconds - track.start_seconds) * track.sample_rate)
            end = min(total, wanted // track.interleaved_samples * track.interleaved_samples)
        while written < end:
            chunk = track.wave[:, written : min(end, written + 1024)]
            # Not in planes: PyAV cannot fill eight of them.
            frame = av.AudioFrame.from_ndarray(
                chunk.T.reshape(1, -1), format="flt", layout=stream.codec_context.layout.name
            )
            frame.sample_rate = track.sample_rate
            frame.time_base = tick
            frame.pts = written + round(track.start_seconds / tick)
            written += chunk.shape[1]
            container.mux(stream.encode(frame))
        if seconds is None:
            container.mux(stream.encode(None))

    return write_until


def write_wav(path: Path, samples: bytes, *, channels: int, sample_rate: int) -> Path:
    """Write a WAV file of 16-bit samples; returns its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples)
    return path
