#!/usr/bin/env python3
"""Whether `hl` does on a GPU what it does on a CPU, and how fast: a table, within five minutes.

    scripts/gpu-check                   # the first GPU
    scripts/gpu-check --device cuda:1
    scripts/gpu-check --device cpu      # a short form of the same, where there is no GPU

Makes its own videos with ffmpeg and needs no network. Exit codes: 0 all agrees, 1 a score differs
by more than `MOST_DIFFERENCE`, 5 the device is not there.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hlcli import stages
from hlcli.errors import DeviceError, HlError
from hlcli.features.device import device_label, resolve_device
from hlcli.features.types import VideoFeatures
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.training.corpus import Corpus
from hlcli.training.recipe import DataConfig, Precision, RaslRecipe, TrainingConfig
from hlcli.training.run import train_on
from hlcli.workflows.score import Pipeline

MOST_DIFFERENCE = 0.02
"""Largest difference of a score between the device and the CPU, in [0, 1]: half precision."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is done."""

    long_seconds: int
    picture: str
    num_short: int
    steps: int


WHOLE = Size(long_seconds=600, picture="1920x1080", num_short=40, steps=60)
SHORT = Size(long_seconds=20, picture="320x180", num_short=2, steps=4)
UNIT_SECONDS = 20


def make_video(path: Path, *, seconds: int, picture: str, seed: int = 0) -> Path:
    """Make H.264 and AAC with a keyframe every 8 s; what is longer than a unit repeats it."""
    unit = path.with_suffix(".unit.mp4")
    shown = f"testsrc2=s={picture}:r=30,hue=h='77*floor(t/5)+{seed}',noise=alls=7:allf=t:all_seed=1"
    sound = f"sine=f={220 + 20 * seed}:r=48000,tremolo=f=0.7:d=0.8"
    command = [find_ffmpeg().path, "-v", "error", "-nostdin", "-y"]
    subprocess.run(
        [
            *(*command, "-f", "lavfi", "-i", shown, "-f", "lavfi", "-i", sound),
            *("-t", str(min(seconds, UNIT_SECONDS)), "-pix_fmt", "yuv420p", "-c:v", "libx264"),
            *("-preset", "superfast", "-bf", "2", "-g", "240", "-c:a", "aac", str(unit)),
        ],
        check=True,
    )
    loops = str(-(-seconds // UNIT_SECONDS) - 1)
    subprocess.run(
        [*command, "-stream_loop", loops, "-i", str(unit), "-c", "copy", str(path)], check=True
    )
    unit.unlink()
    return path


def features_of(pipeline: Pipeline, path: Path) -> VideoFeatures:
    return pipeline.features(probe(path), content_identity(path))


def training_rate(
    videos: list[VideoFeatures], pipeline: Pipeline, folder: Path, size: Size, precision: Precision
) -> float:
    """Return training steps a second; the first half of the steps warms up."""
    times: list[float] = []
    names = tuple(f"{place}.mp4" for place in range(len(videos)))
    recipe = RaslRecipe(
        output=str(folder / precision),
        data=DataConfig(sequence_clips=16, pseudo_categories=2, calibration_sequences=4),
        training=TrainingConfig(steps=size.steps, batch_size=8, precision=precision),
    )
    corpus = Corpus(spec=pipeline.encoders.spec, names=names, videos=tuple(videos))
    train_on(
        corpus,
        recipe,
        device=pipeline.device,
        on_step=lambda report: times.append(time.perf_counter()),
    )
    half = len(times) // 2
    return (len(times) - 1 - half) / (times[-1] - times[half])


def check(device: str, size: Size, folder: Path) -> bool:
    """Do all of it and print the table; returns whether the scores agree."""
    print("| | |\n|---|--:|", flush=True)

    def row(name: str, value: str) -> None:
        print(f"| {name} | {value} |", flush=True)

    row("device", device_label(resolve_device(device)))
    on_device = Pipeline(device=device, use_cache=False)
    on_cpu = Pipeline(device="cpu", use_cache=False)
    shorts = [
        make_video(folder / f"{seed}.mp4", seconds=10, picture="320x180", seed=seed)
        for seed in range(size.num_short)
    ]
    begin = time.perf_counter()
    _ = on_device.scorer
    row("networks loaded, s", f"{time.perf_counter() - begin:.1f}")
    # Also warms up what is measured below.
    ours, theirs = (np.asarray(one.score(shorts[0]).scores) for one in (on_device, on_cpu))
    rows = [features_of(one, shorts[0]).visual_TV.astype(np.float64) for one in (on_device, on_cpu)]
    lengths = [np.linalg.norm(one, axis=1) for one in rows]
    difference = float(np.abs(ours - theirs).max())
    row("largest difference of a score from the CPU's", f"{difference:.5f}")
    cosine = (rows[0] * rows[1]).sum(axis=1) / (lengths[0] * lengths[1])
    row("least cosine of a picture's row with the CPU's", f"{cosine.min():.6f}")

    begin = time.perf_counter()
    for path in shorts:
        on_device.score(path)
    row(f"{len(shorts)} files of 10 s, s", f"{time.perf_counter() - begin:.1f}")

    path = make_video(folder / "long.mp4", seconds=size.long_seconds, picture=size.picture)
    stages.taken()
    begin = time.perf_counter()
    decoded_by_cpu = np.asarray(on_device.score(path).scores)
    took = time.perf_counter() - begin
    row(f"hl score of {size.long_seconds} s of {size.picture}, s", f"{took:.1f}")
    row("seconds of video a second", f"{size.long_seconds / took:.1f}")
    for name, seconds in sorted(stages.taken().items()):
        row(f"of it: {name}, s (stages overlap)", f"{seconds:.1f}")

    if resolve_device(device).type == "cuda":
        os.environ["HL_HWACCEL"] = "cuda"
        begin = time.perf_counter()
        decoded_on_card = np.asarray(on_device.score(path).scores)
        row("the same with HL_HWACCEL=cuda, s", f"{time.perf_counter() - begin:.1f}")
        del os.environ["HL_HWACCEL"]
        decoding = float(np.abs(decoded_on_card - decoded_by_cpu).max())
        row("largest difference of a score that decoding on the card makes", f"{decoding:.5f}")

    videos = [features_of(on_device, path) for path in shorts[:4]]
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        rate = training_rate(videos, on_device, folder, size, precision)
        row(f"training steps a second, {precision}", f"{rate:.1f}")
    agrees = difference <= MOST_DIFFERENCE
    row("scores agree", "yes" if agrees else f"NO: more than {MOST_DIFFERENCE}")
    return agrees


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for a short form")
    options = parser.parse_args()
    try:
        device = str(resolve_device(options.device))
    except DeviceError as error:
        print(f"{error.message}; --device cpu runs a short form on the CPU", file=sys.stderr)
        return error.exit_code
    with tempfile.TemporaryDirectory(prefix="hl-gpu-check-") as folder:
        return 0 if check(device, SHORT if device == "cpu" else WHOLE, Path(folder)) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HlError as error:
        print(error.message, file=sys.stderr)
        sys.exit(error.exit_code)
