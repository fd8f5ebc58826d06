"""YouTube Highlights: 550 videos of 6 domains, clips of about 100 frames, matched or not.

The headline is UMT's test split; beside it stand all labelled videos, as no label is used to train.

Axes: N annotated clips of a video.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo
from hlcli.evaluation.benchmarks.label_files import (
    damaged,
    number,
    read_json,
    read_json_lines,
    table,
)
from hlcli.evaluation.metrics import best_first, trapezoid_area, trapezoid_average_precision

DOMAINS = ("dog", "gymnastics", "parkour", "skating", "skiing", "surfing")
"""The six domains, in the order of published tables."""
COMMON_FRAME_RATES = (15.0, 24.0, 25.0, 30.0, 50.0, 60.0)
"""What a video without a stored frame rate is taken to run at, when its length fits."""

_SPLIT_FILE = Path(__file__).with_name("youtube_umt_test.json")
_RATE_TOLERANCE = 0.06
_DURATION_FIELD = 3
_HINT = (
    "--data takes a folder with labels/youtube_highlights/<domain>/<id>/match_label.json; "
    "see docs/reference/eval.md"
)
_PROTOCOL = (
    "Average precision over all annotated clips of a video, area by trapezoids as UMT's public "
    "code has it; positive is match label 1, negative are 0 and -1; mean over the videos of a "
    "domain, then over 6 domains. The headline is UMT's test split (157 videos with labels); the "
    "part all is every labelled video, the part lighthouse its 152 test videos. Ties by a seeded "
    "key. 95 % intervals: bootstrap over videos, drawn within their domain."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LighthouseEntry:
    """What a line of Lighthouse's label files says of a video."""

    frame_rate: float
    """Frames per second."""
    is_test: bool
    """Whether it stands in the file of the test split, which Lighthouse calls val."""


def load(data: Path) -> Benchmark:
    """Read the labels of all videos.

    Args:
        data: Folder with `labels/youtube_highlights/`, and perhaps `labels/youtube_highlight/`.

    Raises:
        UsageError: The labels are missing, or a file is damaged.
    """
    lighthouse = read_lighthouse(data / "labels" / "youtube_highlight")
    test = _umt_test()
    folder = data / "labels" / "youtube_highlights"
    videos = []
    for domain in DOMAINS:
        for path in sorted((folder / domain).glob("*/match_label.json")):
            name = path.parent.name
            spans_frames, match_N = read_match_label(path)
            entry = lighthouse.get(name)
            rate = entry.frame_rate if entry else estimated_frame_rate(path, spans_frames)
            parts = {"all"}
            if name in test[domain]:
                parts.add("test")
            if entry and entry.is_test:
                parts.add("lighthouse")
            positive_N = (match_N > 0).astype(np.float64)
            measure = _Measure(positive_N)
            videos.append(
                LabelledVideo(
                    name=name,
                    stratum=domain,
                    spans_seconds_N2=spans_frames / rate,
                    oracle_N=positive_N,
                    measure=measure,
                    measure_many=measure.many,
                    parts=frozenset(parts),
                )
            )
    if not videos:
        raise UsageError(f"no match_label.json in {folder}", hint=_HINT)
    others = ["all"]
    if any("lighthouse" in video.parts for video in videos):
        others.append("lighthouse")
    return Benchmark(
        name="youtube-highlights",
        protocol=_PROTOCOL,
        metrics=("map",),
        videos=tuple(videos),
        headline_part="test",
        other_parts=tuple(others),
    )


def read_match_label(path: Path) -> tuple[Float64, Float64]:
    """Return the clips' first and last frames, shape `(N, 2)`, and their labels, shape `(N,)`.

    Raises:
        UsageError: The file is missing, damaged, or its two lists differ in length.
    """
    value = read_json(path, hint=_HINT)
    if not isinstance(value, list) or len(value) != 2:
        raise damaged(path, "expected a list of clips and a list of labels", hint=_HINT)
    return _clips_and_labels(value[0], value[1], where=path)


def read_lighthouse(folder: Path) -> dict[str, LighthouseEntry]:
    """Read the label files of Lighthouse, for the frame rates and the split in them.

    Args:
        folder: Folder with `youtube_highlight_{train,val}_release.jsonl`; it may be missing.

    Raises:
        UsageError: A line is damaged, or a video stands there twice.
    """
    found: dict[str, LighthouseEntry] = {}
    for split in ("train", "val"):
        path = folder / f"youtube_highlight_{split}_release.jsonl"
        if not path.is_file():
            continue
        for where, row in read_json_lines(path, hint=_HINT):
            name = row.get("vid")
            if not isinstance(name, str) or name in found:
                raise damaged(where, f"vid is missing or there twice: {name!r:.40}", hint=_HINT)
            _clips_and_labels(row.get("clip"), row.get("match"), where=where)
            rate = number(row.get("fps"), what="fps", where=where, hint=_HINT)
            if rate <= 0:
                raise damaged(where, f"fps is not above zero: {rate}", hint=_HINT)
            found[name] = LighthouseEntry(frame_rate=rate, is_test=split == "val")
    return found


def estimated_frame_rate(label_path: Path, spans_frames_N2: Float64) -> float:
    """Return the frame rate of a video whose labels do not say it.

    `info.json` beside the labels has the whole seconds of the video. The last labelled frame over
    these is within a few per cent of the frame rate: the common rate nearby, or else the quotient.

    Raises:
        UsageError: `info.json` is missing or damaged.
    """
    path = label_path.with_name("info.json")
    info = read_json(path, hint=_HINT)
    if not isinstance(info, list) or len(info) <= _DURATION_FIELD:
        raise damaged(path, "expected a list with the duration as fourth entry", hint=_HINT)
    seconds = number(info[_DURATION_FIELD], what="the duration", where=path, hint=_HINT)
    if seconds <= 0:
        raise damaged(path, f"the duration is not above zero: {seconds}", hint=_HINT)
    quotient = float(spans_frames_N2[:, 1].max()) / seconds
    nearest = min(COMMON_FRAME_RATES, key=lambda rate: abs(rate / quotient - 1))
    return nearest if abs(nearest / quotient - 1) <= _RATE_TOLERANCE else quotient


class _Measure:
    """Average precision of one video."""

    def __init__(self, positive_N: Float64) -> None:
        self._positive_N = positive_N

    def __call__(self, scores_N: Float64, seed: int) -> Mapping[str, float]:
        return {"map": trapezoid_average_precision(self._positive_N, scores_N, seed=seed)}

    def many(self, scores_RN: Float64, seed: int) -> Float64:
        return trapezoid_area(self._positive_N[best_first(scores_RN, seed=seed).T])


def _clips_and_labels(clips: Any, labels: Any, *, where: Path | str) -> tuple[Float64, Float64]:
    spans = table(clips, columns=2, what="the list of clips", where=where, hint=_HINT)
    if not isinstance(labels, list) or len(labels) != len(spans):
        raise damaged(where, f"{len(spans)} clips, but not as many labels", hint=_HINT)
    match = table(
        [[label] for label in labels], columns=1, what="the list of labels", where=where, hint=_HINT
    )[:, 0]
    if not np.isin(match, (-1, 0, 1)).all():
        raise damaged(where, "a label is none of -1, 0 and 1", hint=_HINT)
    if (spans[:, 0] < 0).any() or (spans[:, 1] <= spans[:, 0]).any():
        raise damaged(where, "a clip ends before it starts", hint=_HINT)
    return spans, match


def _umt_test() -> dict[str, frozenset[str]]:
    split = json.loads(_SPLIT_FILE.read_text(encoding="utf-8"))["test"]
    return {domain: frozenset(split[domain]) for domain in DOMAINS}
