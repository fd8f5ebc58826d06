"""Projects with an editor: composites of four labels in equal parts, of which one is kept.

Tuned on clips of the part train, tested on clips of the part test: no group is in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.evaluation.composite import compose_features, read_manifest
from hlcli.evaluation.composite_plan import (
    FRAME_RATE,
    MAX_SEGMENT_SECONDS,
    MIN_SEGMENT_SECONDS,
    CompositePlan,
    CompositeSegment,
    SourceClip,
    source_clips,
)
from hlcli.features.types import VideoFeatures
from hlcli.training.corpus import Corpus, open_corpus
from hlcli.training.recipe import DataConfig
from hlcli.training.split import Split, assign_splits

LABELS_A_PROJECT = 4
TRAIN_FILES, TEST_FILES = 6, 3
FILE_SECONDS = 100


@dataclass(frozen=True)
class Material:
    """Features of the clips of two parts, and what they show."""

    clips: Mapping[Split, Sequence[SourceClip]]
    features_of: Mapping[int, VideoFeatures]

    @property
    def labels(self) -> list[str]:
        return sorted({clip.label for clip in self.clips["train"] if clip.label is not None})


@dataclass(frozen=True)
class File:
    """One made-up file of a project."""

    features: VideoFeatures
    labels: tuple[str, ...]
    """Label of each segment, in playing order."""
    frames: tuple[int, ...]
    """Length of each segment, in frames."""

    def shows_T(self, label: str) -> npt.NDArray[np.bool_]:
        """True where most of a clip shows the label, shape `(T,)`."""
        of_frame = np.repeat([name == label for name in self.labels], self.frames)
        clips = [of_frame[at : at + FRAME_RATE] for at in range(0, len(of_frame), FRAME_RATE)]
        shows = [clip.mean() >= 0.5 for clip in clips]
        return np.array(shows[: self.features.num_clips])


def read_material(data: Path) -> Material:
    """Read the features of the parts train and test from the cache, extracting what is new."""
    rows = read_manifest(data)
    parts = assign_splits(rows)
    clips: dict[Split, Sequence[SourceClip]] = {}
    features_of: dict[int, VideoFeatures] = {}
    for part in ("train", "test"):
        manifest = str(data / "manifest.json")
        corpus, failed = open_corpus(DataConfig(manifest=manifest, split=part), device="cpu")
        assert isinstance(corpus, Corpus)
        assert not failed
        chosen = [index for index, split in enumerate(parts) if split == part]
        features_of |= dict(zip(chosen, corpus.videos, strict=True))
        clips[part] = source_clips(rows, chosen)
    return Material(clips=clips, features_of=features_of)


def project(
    material: Material, labels: Sequence[str], part: Split, *, num_files: int, seed: int
) -> list[File]:
    """Compose the files of a project; no clip comes again before all of its label were used."""
    random = np.random.default_rng([seed, part == "test"])
    decks: dict[str, list[SourceClip]] = {label: [] for label in labels}
    files = []
    for number in range(num_files):
        made: list[tuple[str, CompositeSegment]] = []
        for label in labels:
            left = round(FILE_SECONDS / len(labels) * FRAME_RATE)
            while left >= FRAME_RATE:
                if not decks[label]:
                    members = [c for c in material.clips[part] if c.label == label]
                    decks[label] = [members[i] for i in random.permutation(len(members))]
                clip = decks[label].pop()
                wanted = random.uniform(MIN_SEGMENT_SECONDS, MAX_SEGMENT_SECONDS) * FRAME_RATE
                num_frames = min(int(wanted), clip.num_frames, left)
                start = int(random.integers(0, clip.num_frames - num_frames + 1))
                left -= num_frames
                segment = CompositeSegment(
                    clip=clip.index, start_frame=start, num_frames=num_frames, highlight=False
                )
                made.append((label, segment))
        made = [made[i] for i in random.permutation(len(made))]
        plan = CompositePlan(
            name=f"{part}-{seed}-{number}", kind="rare", segments=tuple(s for _, s in made)
        )
        features, _ = compose_features(plan, material.features_of)
        files.append(
            File(features, tuple(n for n, _ in made), tuple(s.num_frames for _, s in made))
        )
    return files


def marks_of_cut(files: Sequence[File], keep: str, num_spans: int) -> list[npt.NDArray[np.int8]]:
    """Marks of an editor who keeps the first spans of one label and passes over the rest.

    Neighbouring segments of the label are one span. What lies after the last span kept and before
    the next of its label was seen and passed over; after that nobody looked.
    """
    marks, left = [], num_spans
    for file in files:
        marks_T = np.full(file.features.num_clips, -1, np.int8)
        at, before = 0, ""
        for label, frames in zip(file.labels, file.frames, strict=True):
            if label == keep and before != keep:
                if left == 0:
                    break
                left -= 1
            elif left == 0 and not (marks_T >= 0).any() and label != keep:
                break  # the cut was whole before this file
            before = label
            start, end = round(at / FRAME_RATE), round((at + frames) / FRAME_RATE)
            marks_T[start:end] = label == keep
            at += frames
        marks.append(marks_T)
    return marks
