"""Mutated videos, through all of the media layer: what `hl score`, stills and films read."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from hlcli.media.clips import ClipGrid
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.frames import read_pictures
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.stereo import SoundTrack
from hlcli.media.still import read_stills
from hlcli.media.waveform import read_waveform

_SEEDS = {
    "h264.mp4": ("libx264 -bf 2 -g 25", "aac"),
    "front.mp4": ("libx264 -g 12 -movflags +faststart", "aac -ac 6"),
    "fragments.mp4": ("libx264 -g 12 -movflags frag_keyframe+empty_moov", "aac"),
    "hevc.mp4": ("libx265 -x265-params log-level=none", "ac3"),
    "prores.mov": ("prores_ks", "pcm_s16le -ac 8"),
    "mjpeg.mov": ("mjpeg -pix_fmt yuvj420p", "pcm_s24le"),
    "h264.mkv": ("libx264 -g 25", "flac"),
    "ffv1.mkv": ("ffv1", "libopus"),
    "vp9.webm": ("libvpx-vp9 -deadline realtime", "libvorbis"),
    "mpeg4.avi": ("mpeg4", "mp3"),
    "mpeg2.ts": ("mpeg2video", "mp2"),
    "h264.ts": ("libx264 -g 25", "aac"),
    "mpeg1.mpg": ("mpeg1video", "mp2"),
    "sorenson.flv": ("flv", "mp3 -ar 44100"),
    "h264.flv": ("libx264", "aac"),
    "wmv.asf": ("wmv2", "wmav2"),
    "mpeg2.mxf": ("mpeg2video", "pcm_s16le -ar 48000"),
    "theora.ogv": ("libtheora", "libvorbis"),
    "raw.h264": ("libx264", ""),
}
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def prepare(folder: Path) -> list[Path]:
    """Make three seconds of video in each container, but for those this ffmpeg cannot write."""
    made = []
    for name, (video, audio) in _SEEDS.items():
        sound = ["-f", "lavfi", "-i", "anoisesrc=d=3:a=0.3"] if audio else []
        command = [
            *(find_ffmpeg().path, "-v", "error", "-y", "-nostdin"),
            *("-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=3", *sound),
            *("-pix_fmt", "yuv420p", "-c:v", *video.split()),
            *(("-c:a", *audio.split()) if audio else ()),
            str(folder / name),
        ]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            made.append(folder / name)
    return made


def mutate(seeds: Sequence[Path], target: Path, chance: random.Random) -> Path:
    """Write a damaged copy of one of the files; the same numbers give the same copy."""
    seed = chance.choice(seeds)
    data = bytearray(seed.read_bytes())
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        _damage(data, seeds, chance)
    path = target.with_suffix(seed.suffix)
    path.write_bytes(data)
    return path


def _damage(data: bytearray, seeds: Sequence[Path], chance: random.Random) -> None:
    # Headers are small, and what they say counts most.
    reach = len(data) if chance.random() < 0.5 else min(len(data), 4096)
    at = chance.randrange(max(1, reach - 8))
    length = chance.choice((1, 2, 4, 16, 188, 1000, 10000))
    way = chance.randrange(8)
    if way == 0:
        for _ in range(chance.choice((1, 3, 10, 100))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif way == 1:
        data[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(_EXTREMES))
    elif way == 2:
        data[at : at + length] = chance.randbytes(min(length, len(data) - at))
    elif way == 3:
        data[at : at + length] = bytes(min(length, len(data) - at))
    elif way == 4:
        del data[at : at + length]
    elif way == 5:
        data[at:at] = data[at : at + length] * chance.choice((1, 2, 20))
    elif way == 6:
        del data[max(100, chance.randrange(len(data))) :]
    else:
        other = chance.choice(seeds).read_bytes()
        data[at:] = other[chance.randrange(len(other)) :]
    if not data:
        data.append(0)


def use(path: Path) -> str:
    """Read a file as hl does, everything once."""
    content_identity(path)
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds)
    with read_pictures(info, grid, picture_size=64, num_workers=2) as reader:
        assert sum(1 for _ in reader) == grid.num_clips
        damage = info.damage or reader.signals.damage
    samples = sum(len(block) for block in read_waveform(info))
    assert samples in (0, round(info.duration_seconds * 16000))
    for _ in read_stills(info, [0, info.num_frames // 2, info.num_frames - 1], height=36):
        pass
    for stream in info.audio_streams:
        track = SoundTrack(path, stream.index, clock=info.clock, sample_rate=48000)
        assert sum(block.shape[1] for block in track.read(Fraction(1), 48000)) == 48000
        track.close()
    return "read, damage said" if damage else "read"
