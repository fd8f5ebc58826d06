"""What a run will learn from, known before anything is decoded.

Every mistake that can be seen in the footage, the cuts and the marks is found here, in seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hlcli.errors import TrainingError, UnknownModelError, UsageError
from hlcli.features.device import resolve_device
from hlcli.features.types import FeatureSpec
from hlcli.media.clips import ClipGrid
from hlcli.media.discover import MayRead, any_file
from hlcli.media.identity import content_identity
from hlcli.paths import own_models_dir
from hlcli.progress import Progress, silent
from hlcli.tuning.adapt import AdaptSettings
from hlcli.tuning.compare import COMPARE_HINT, NOTHING_TO_COMPARE, comparisons, notes_of
from hlcli.tuning.cut import SHORT_SECONDS, read_cut
from hlcli.tuning.estimate import Estimate, check_room, estimate_run
from hlcli.tuning.footage import Footage
from hlcli.tuning.marks import marks_of_cameras, read_marks
from hlcli.tuning.spans import Annotations, Marks, check_contradictions, marks_of
from hlcli.zoo.manifest import ModelManifest, default_model_name, find_model
from hlcli.zoo.reservation import check_free

STEPS = AdaptSettings().steps
"""Steps of going on with the training where none are given."""
LEAST_SECONDS = 10
"""Shorter footage teaches nothing."""
_WORK_FOLDER = ".finetune"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSettings:
    """What the user asked for."""

    name: str
    """Name of the model to make."""
    footage: tuple[str, ...]
    """Files, folders and globs."""
    cuts: tuple[Path, ...] = ()
    """Finished cuts of that footage."""
    films: tuple[Path, ...] = ()
    """Finished films of that footage: each is matched against it, and is a cut then."""
    labels: tuple[Path, ...] = ()
    """Tables of marks, or timelines with markers."""
    from_marks: bool = False
    """Whether what was marked while recording is kept, and the rest of those files passed over."""
    search: tuple[Path, ...] = ()
    """Folders to look in for files that cuts and marks name."""
    parent: str | None = None
    """Model to start from; None takes the default one."""
    device: str = "auto"
    """As `--device` names it."""
    steps: int = STEPS
    """Training steps on the footage, at least 1."""
    adapt: bool | None = None
    """Whether the detector adapts to the footage without labels, a network by training. None does
    so where there are no cuts and no marks, which teach more."""
    seed: int = 0
    """Seed of everything random, at least 0."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"--steps is at least 1, got {self.steps}", hint="try --steps 40")
        if self.seed < 0:
            raise UsageError(f"--seed is at least 0, got {self.seed}", hint="try --seed 0")
        if not self.footage:
            raise UsageError("no footage is named", hint="name files or folders of raw video")
        if self.adapt is False and not self.has_marks:
            raise UsageError(
                "--no-adapt leaves nothing to learn from",
                hint="leave it out, or give --from-cut or --labels",
            )

    @property
    def has_marks(self) -> bool:
        """Whether there are cuts or marks."""
        return bool(self.cuts or self.films or self.labels or self.from_marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetunePlan:
    """A run that can start."""

    settings: FinetuneSettings
    """What the user asked for."""
    parent: ModelManifest
    """The model to start from."""
    spec: FeatureSpec
    """Its features."""
    footage: Footage
    """The raw files."""
    annotations: tuple[Annotations, ...]
    """What cuts and marks say."""
    estimate: Estimate
    """What it will cost."""
    adapts: bool
    """Whether the detector adapts to the footage itself."""
    notes: tuple[str, ...]
    """What was decided, one sentence each, without a full stop."""

    @property
    def num_steps(self) -> int:
        """Training steps of the network; 0 where none is trained."""
        return self.settings.steps if self.adapts and self.parent.kind == "rasl" else 0


def make_plan(
    settings: FinetuneSettings, *, may_read: MayRead = any_file, progress: Progress = silent
) -> FinetunePlan:
    """Look at footage, cuts and marks, and estimate what the run will cost.

    Args:
        settings: What the user asked for.
        may_read: Asked before a file is opened.
        progress: Called with the files looked at.

    Raises:
        UsageError: The name is taken or no name; a file of marks or a cut cannot be read.
        MediaError: Footage is missing, or a cut takes something from a file that cannot be used.
        ModelError: The parent is unknown or an encoder.
        TrainingError: Nothing to learn from: no readable or too little footage, no matched span,
            marks that contradict each other.
        DeviceError: There is no such device.
        OutputError: The disk has too little room.
    """
    check_free(settings.name)
    device = resolve_device(settings.device)
    parent = find_model(settings.parent or default_model_name())
    if not parent.is_detector:
        raise UnknownModelError(
            f"{parent.name} is {parent.called}, not a detector",
            hint="run `hl models list` and name a detector with --parent",
        )
    notes = []
    adapts = settings.adapt if settings.adapt is not None else not settings.has_marks
    if adapts and parent.kind == "subspace":
        if not settings.has_marks:
            raise TrainingError(
                f"{parent.name} cannot learn from footage alone",
                hint="give --from-cut or --labels, or take --parent rarity or rasl",
            )
        adapts = False
        notes.append(f"{parent.name} does not adapt to footage: only the marks are learned")
    elif not adapts and settings.adapt is None:
        notes.append("the taste is learned, which takes seconds; --adapt learns from the rest, too")
    footage = Footage(
        settings.footage,
        search=settings.search,
        without=[content_identity(may_read(film)) for film in settings.films],
        may_read=may_read,
        progress=progress,
    )
    annotations = tuple(
        [read_cut(path, footage) for path in settings.cuts]
        + [read_marks(path, footage) for path in settings.labels]
        + ([marks_of_cameras(footage, progress=progress)] if settings.from_marks else [])
    )
    length = float(sum(file.info.duration_seconds for file in footage.files))
    if length < LEAST_SECONDS:
        raise TrainingError(
            f"the footage is {length:.1f} seconds long: too little to learn from",
            hint=f"give at least {LEAST_SECONDS} seconds; minutes teach more",
        )
    check_contradictions(annotations)
    if annotations:
        notes += _check_matched(annotations, footage)
    spec = FeatureSpec.from_table(parent.feature_spec)
    estimate = estimate_run(
        footage.files,
        spec,
        model_bytes=parent.size_bytes,
        steps=settings.steps if adapts and parent.kind == "rasl" else 0,
        has_labels=settings.has_marks,
        on_gpu=device.type != "cpu",
    )
    check_room(estimate, own_models_dir())
    return FinetunePlan(
        settings=settings,
        parent=parent,
        spec=spec,
        footage=footage,
        annotations=annotations,
        estimate=estimate,
        adapts=adapts,
        notes=tuple(notes),
    )


def work_folder(plan: FinetunePlan, identities: Sequence[str]) -> Path:
    """Return where a stopped run is kept; the same footage and settings find it again.

    Cuts and marks do not count: they are learned anew in seconds.

    Args:
        plan: The run.
        identities: Content identities of the files that could be read.
    """
    wanted = {
        "parent": plan.parent.sha256,
        "footage": sorted(identities),
        "steps": plan.settings.steps,
        "seed": plan.settings.seed,
    }
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    return own_models_dir() / _WORK_FOLDER / f"{plan.settings.name}.{digest[:16]}"


def work_folders(name: str) -> list[Path]:
    """Return what stopped runs of a model left, with whatever footage and settings."""
    # A name has no dot.
    return sorted((own_models_dir() / _WORK_FOLDER).glob(f"{name}.*"))


@dataclass(frozen=True, slots=True)
class _MarkedFile:
    """A file before its features are known."""

    marks_T: Marks
    camera: str


def _check_matched(annotations: Sequence[Annotations], footage: Footage) -> list[str]:
    """Refuse cuts and marks from which nothing can be learned, before hours of decoding.

    Returns:
        What is to be known about how files are compared.
    """
    if not any(annotation.spans for annotation in annotations):
        reasons = [note for annotation in annotations for note in annotation.notes]
        raise TrainingError(
            "nothing in the cuts and marks is about the footage: "
            + ("; ".join(reasons) or "they hold no span"),
            hint="name the folder of the raw files, or look for them with --search FOLDER",
        )
    files = [
        _MarkedFile(
            marks_of(annotations, file, ClipGrid.covering(file.info.duration_seconds).num_clips),
            file.camera,
        )
        for file in footage.files
    ]
    if not comparisons(files):
        raise TrainingError(NOTHING_TO_COMPARE, hint=COMPARE_HINT)
    notes = []
    shown = {span.file.identity for annotation in annotations for span in annotation.spans}
    unused = {file.identity for annotation in annotations for file in annotation.unused} - shown
    if unused:
        notes.append(
            f"{len(unused)} {'file' if len(unused) == 1 else 'files'} shorter than {SHORT_SECONDS} "
            "seconds in the folders of the cut, not shown by it, count as passed over"
        )
    return notes + notes_of(files)
