"""What a run will cost, said before it starts.

The rates were measured with `hl score` and `hl finetune` (docs/benchmarks/speed.md) on two cores;
an estimate is good to a factor of two.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlcli import paths
from hlcli.cores import num_cores
from hlcli.errors import OutputError
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec
from hlcli.tuning.footage import RawFile

VIDEO_SECONDS_PER_CORE_SECOND = 6.5
"""Video read and encoded in a second of one core: 1080p H.264, a keyframe every 8 s."""
STEP_SECONDS = {"cpu": 2.2, "gpu": 0.05}
"""One step of going on with the training; on a CPU, of one core."""
_EVENT_CLASSES = 521
_MOST_CORES = 8
_LABEL_SECONDS = 20.0
_START_SECONDS = 3.0
# Weights, two moments and an average while it trains; the model and its copy at the end.
_MODEL_COPIES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Time and disk of a run."""

    video_seconds: float
    """Length of the footage."""
    new_seconds: float
    """Part of it that was never read before; the features of the rest are stored."""
    reading_seconds: float
    """Time to read what is new."""
    training_seconds: float
    """Time for everything else."""
    disk_bytes: int
    """Room that features, training state and model take."""

    @property
    def seconds(self) -> float:
        """Time in all."""
        return self.reading_seconds + self.training_seconds


def estimate_run(
    files: Sequence[RawFile],
    spec: FeatureSpec,
    *,
    model_bytes: int,
    steps: int,
    has_labels: bool,
    on_gpu: bool,
) -> Estimate:
    """Estimate a run from the lengths of its files.

    Args:
        files: The footage.
        spec: What its features are made with.
        model_bytes: Size of the parent.
        steps: Training steps; 0 when there is no training.
        has_labels: Whether a taste is fitted and checked.
        on_gpu: Whether the networks run on a GPU; decoding does not.
    """
    store = FeatureStore(paths.features_dir())
    new = [file for file in files if not store.has(file.identity, spec)]
    new_seconds = float(sum(file.info.duration_seconds for file in new))
    cores = min(num_cores(), _MOST_CORES)
    row_bytes = 2 * (spec.visual_size + spec.audio_size + _EVENT_CLASSES) + 8
    training = steps * (STEP_SECONDS["gpu"] if on_gpu else STEP_SECONDS["cpu"] / cores)
    return Estimate(
        video_seconds=float(sum(file.info.duration_seconds for file in files)),
        new_seconds=new_seconds,
        reading_seconds=new_seconds / (VIDEO_SECONDS_PER_CORE_SECOND * cores),
        training_seconds=_START_SECONDS + training + _LABEL_SECONDS * has_labels,
        disk_bytes=int(new_seconds / spec.clip_seconds * row_bytes) + _MODEL_COPIES * model_bytes,
    )


def check_room(estimate: Estimate, folder: Path) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        OutputError: There is less room than the estimate.
    """
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    if free < estimate.disk_bytes:
        raise OutputError(
            f"the disk is too full: {folder} has room for {free / 2**20:.0f} MiB and the run "
            f"needs about {estimate.disk_bytes / 2**20:.0f} MiB",
            hint="free some space, or set HL_MODELS_DIR and HL_CACHE_DIR to another disk",
        )
