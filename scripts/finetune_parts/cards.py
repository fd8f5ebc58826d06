"""Cards of short clips, each used whole or not at all, beside the long takes of `taste.py`.

    PYTHONPATH=scripts python -m finetune_parts.cards CLIPS WORK [--seeds 1]

CLIPS is the folder of labelled clips; WORK keeps the features of the clips as a second camera or
another light would have them (ffmpeg makes those). The picture alone; the parent is the default
detector. AP x 100 over all clips of all test files together: a card is chosen from as a whole.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from finetune_parts.footage import Material, marks_of_cut, project, read_material
from finetune_parts.taste import projects
from hlcli.evaluation.composite import read_manifest
from hlcli.evaluation.composite_plan import SourceClip
from hlcli.features.encoders import load_encoders_of
from hlcli.features.extract import extract_features
from hlcli.features.types import FeatureSpec, RowArray, VideoFeatures
from hlcli.media.probe import probe
from hlcli.model.fusion import FusedScorer
from hlcli.model.load import load_scorer
from hlcli.tuning.fit_taste import MarkedVideo, fit_taste
from hlcli.tuning.held_out import tied_average_precision
from hlcli.zoo.manifest import default_model_name, detector_kind, find_model
from hlcli.zoo.weights import weights_path

LOOKS = {
    "evening": "eq=brightness=-0.12:gamma=0.75:saturation=0.8,colorbalance=rm=.15:bm=-.15,"
    "noise=alls=8:allf=t",
    "phone": "eq=contrast=1.25:saturation=1.4:brightness=0.05,colorbalance=rm=-.08:bm=.1,"
    "unsharp=5:5:1.2,scale=426:320",
}
"""Other light, and another camera, as filters of ffmpeg."""
NUM_FILES = (1, 3, 10)
SECONDS = 8
Looks = dict[str, RowArray]
"""Pictures of a clip in another look, by its number and the look."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    manifest = find_model(default_model_name())
    spec = FeatureSpec.from_table(manifest.feature_spec)
    scorer = load_scorer(
        weights_path(manifest),
        kind=detector_kind(manifest),
        device=torch.device("cpu"),
        feature_spec=spec,
    )
    material = read_material(options.clips)
    looks = _looks(material, options.clips, options.work, spec)
    for row, cells in _rows(material, scorer, looks, options.seeds):
        print(f"| {row} | " + " | ".join(f"{np.mean(ap) * 100:.1f}" for ap in cells) + " |")
        sys.stdout.flush()
    return 0


def _looks(material: Material, clips: Path, work: Path, spec: FeatureSpec) -> Looks:
    stored = work / "looks.npz"
    if stored.is_file():
        return dict(np.load(stored))
    work.mkdir(parents=True, exist_ok=True)
    rows = read_manifest(clips)
    encoders = load_encoders_of(spec, torch.device("cpu"))
    made: Looks = {}
    for part in ("train", "test"):
        for clip in material.clips[part]:
            for look, filters in LOOKS.items() if clip.label else ():
                film = work / "look.mp4"
                command = ["ffmpeg", "-v", "error", "-y", "-t", str(SECONDS)]
                command += ["-i", str(clips / str(rows[clip.index]["file"])), "-an", "-vf", filters]
                command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", str(film)]
                subprocess.run(command, check=True)
                features = extract_features(probe(film), encoders=encoders)
                made[f"{clip.index} {look}"] = features.visual_TV
    np.savez(stored, **cast("Any", made))
    return made


def _rows(
    material: Material, scorer: FusedScorer, looks: Looks, seeds: int
) -> Iterator[tuple[str, list[list[float]]]]:
    yield "long takes, spans of files that have both", _long(material, scorer, seeds)
    yield "short files, untuned", [_card(material, scorer, looks, seeds, None)]
    yield (
        "short files, used whole or not",
        [_card(material, scorer, looks, seeds, count) for count in NUM_FILES],
    )
    for look in LOOKS:
        for of_kept, of_passed in ((0.5, 0.5), (0.8, 0.2), (1.0, 0.0)):
            for is_known in (False, True):
                yield (
                    f"{look}: {of_kept:.0%} of the kept, {of_passed:.0%} of the others"
                    + (", as a camera of its own" if is_known else ""),
                    [
                        _card(
                            material, scorer, looks, seeds, count,
                            look=look, shares=(of_kept, of_passed), is_known=is_known,
                        )
                        for count in NUM_FILES[1:]
                    ],
                )  # fmt: skip


def _long(material: Material, scorer: FusedScorer, seeds: int) -> list[list[float]]:
    cells: list[list[float]] = [[] for _ in NUM_FILES]
    for seed in range(seeds):
        for labels in projects(material.labels):
            train = project(material, labels, "train", num_files=6, seed=seed)
            test = project(material, labels, "test", num_files=3, seed=seed)
            for keep in labels[:2]:
                for cell, count in zip(cells, NUM_FILES, strict=True):
                    videos = [
                        MarkedVideo(
                            name="", features=file.features.without_audio(), marks_T=marks_T
                        )
                        for file, marks_T in zip(
                            train, marks_of_cut(train, keep, count), strict=True
                        )
                    ]
                    tuned = scorer.with_taste(fit_taste(scorer, videos))
                    cell.append(
                        _precision(
                            tuned,
                            [(one.features.without_audio(), one.shows_T(keep)) for one in test],
                        )
                    )
    return cells


def _card(
    material: Material,
    scorer: FusedScorer,
    looks: Looks,
    seeds: int,
    num_files: int | None,
    *,
    look: str | None = None,
    shares: tuple[float, float] = (0.0, 0.0),
    is_known: bool = False,
) -> list[float]:
    """AP of each project; None for the number of files leaves the detector untuned."""

    def features(clip: SourceClip, look: str | None) -> VideoFeatures:
        found = material.features_of[clip.index]
        visual_TV = found.visual_TV if look is None else looks[f"{clip.index} {look}"]
        count = min(SECONDS, found.num_clips, len(visual_TV))
        return dataclasses.replace(
            found.without_audio(),
            visual_TV=visual_TV[:count],
            motion_T=found.motion_T[:count],
            duration_seconds=float(count),
        )

    found = []
    for seed in range(seeds):
        for number, labels in enumerate(projects(material.labels)):
            for keep in labels[:2]:
                random = np.random.default_rng([seed, number])
                clips = [clip for clip in material.clips["train"] if clip.label in labels]
                clips = [clips[index] for index in random.permutation(len(clips))]
                videos: list[MarkedVideo] = []
                num_kept = 0
                for clip in clips:
                    is_kept = clip.label == keep
                    num_kept += is_kept
                    if is_kept and num_kept > (num_files or 0):
                        continue
                    is_other = random.random() < shares[0 if is_kept else 1]
                    one = features(clip, look if is_other else None)
                    videos.append(
                        MarkedVideo(
                            name=str(clip.index),
                            features=one,
                            marks_T=np.full(one.num_clips, int(is_kept), np.int8),
                            camera="b" if is_other and is_known else "a",
                        )
                    )
                tuned = scorer
                if num_files is not None:
                    tuned = scorer.with_taste(fit_taste(scorer, videos))
                test = []
                for clip in material.clips["test"]:
                    for shown in dict.fromkeys((None, look)) if clip.label in labels else ():
                        one = features(clip, shown)
                        test.append((one, np.full(one.num_clips, clip.label == keep)))
                found.append(_precision(tuned, test))
    return found


def _precision(scorer: FusedScorer, files: Sequence[tuple[VideoFeatures, np.ndarray]]) -> float:
    # The last, partial clip of a composite has no label.
    scores = [scorer.raw_scores(features, ("v",))["v"][: len(kept)] for features, kept in files]
    return tied_average_precision(
        np.concatenate([kept for _, kept in files]), np.concatenate(scores)
    )


if __name__ == "__main__":
    sys.exit(main())
