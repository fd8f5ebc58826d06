"""One run of `hl finetune`: footage, cuts and marks in, one of the user's models out.

Features are kept in the cache, the training state in a folder of its own; a run that is stopped
anywhere goes on there and makes the same model. The taste is fitted in seconds, so it is not kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli import toml
from hlcli.atomic import make_folder
from hlcli.errors import TrainingError
from hlcli.features.device import memory_errors, resolve_device
from hlcli.features.encoders import load_encoders_of
from hlcli.features.types import VideoFeatures
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.exchange import add_model
from hlcli.model.fusion import FusedScorer
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.rarity import RarityScorer
from hlcli.progress import Progress, silent
from hlcli.training.corpus import Corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.fit_rarity import calibration_videos
from hlcli.training.loop import OnStep, ignore_step
from hlcli.training.recipe import DataConfig
from hlcli.tuning.adapt import AdaptSettings, adapt, adapt_background, trained_with
from hlcli.tuning.card import card_of_run, warnings_of
from hlcli.tuning.compare import NOTHING_TO_COMPARE, comparisons
from hlcli.tuning.fit_taste import MarkedVideo, fit_taste, with_untuned_scores
from hlcli.tuning.footage import LeftOut, RawFile
from hlcli.tuning.gather import gather_features
from hlcli.tuning.held_out import HeldOut, OnCheck, held_out, ignore_check
from hlcli.tuning.plan import FinetunePlan, work_folder, work_folders
from hlcli.tuning.spans import marks_of
from hlcli.zoo.card import ModelCard
from hlcli.zoo.manifest import ModelManifest, detector_kind
from hlcli.zoo.reservation import Reservation
from hlcli.zoo.weights import weights_path

_MODEL_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gave."""

    plan: FinetunePlan
    """What was learned from."""
    manifest: ModelManifest
    """The new model."""
    card: ModelCard
    """Its card."""
    check: HeldOut | None
    """Against its parent on held-out marks; None without marks or with too few."""
    left_out: tuple[LeftOut, ...]
    """Files that taught nothing."""

    @property
    def is_recommended(self) -> bool:
        """Whether the held-out marks say that it is better than its parent."""
        return self.check is not None and self.check.is_better


def run_plan(
    plan: FinetunePlan,
    reservation: Reservation | None,
    *,
    created: str,
    ranks: Ranks = ALONE,
    progress: Progress = silent,
    on_step: OnStep = ignore_step,
    on_check: OnCheck = ignore_check,
) -> Outcome | None:
    """Learn, check and register.

    Args:
        plan: What `make_plan` gave.
        reservation: The reserved name, in the first process; None in the others.
        created: Today, in ISO 8601.
        ranks: The processes that train together.
        progress: Called with seconds of new video.
        on_step: Called after each training step.
        on_check: Called after each held-out part.

    Returns:
        What came of it; None in processes that are not the first.

    Raises:
        TrainingError: Nothing to learn from, or the loss is no longer a number.
        ModelError: The parent or its encoders cannot be used.
        DeviceError: The device is out of memory.
        OutputError: The disk is full or cannot be written; what was done is kept.
    """
    device = resolve_device(plan.settings.device)
    with memory_errors(device):
        encoders = load_encoders_of(plan.spec, device)
        weights = weights_path(plan.parent, progress=progress)
        trained = _root_recipe(Checkpoint.read(weights).recipe)
        parent = load_scorer(
            weights,
            kind=detector_kind(plan.parent),
            device=device,
            feature_spec=plan.spec,
        )
        with ranks.first_alone():
            features, lost = gather_features(
                plan.footage.files, encoders=encoders, progress=progress
            )
        del encoders
        files = [file for file in plan.footage.files if file.identity in features]
        videos = marked_videos(plan, files, features)
        corpus = Corpus(
            spec=plan.spec,
            names=tuple(video.name for video in videos),
            videos=tuple(video.features for video in videos),
        )
        work = work_folder(plan, list(features))
        base = parent
        if plan.adapts and isinstance(parent, RarityScorer):
            base = adapt_background(parent, corpus)
        elif plan.adapts:
            make_folder(work, hint="set HL_MODELS_DIR to a folder you may write to")
            base = adapt(
                parent,
                corpus,
                settings=AdaptSettings(steps=plan.settings.steps, seed=plan.settings.seed),
                device=device,
                work=work,
                recipe=trained,
                ranks=ranks,
                on_step=on_step,
            )
        if not ranks.is_first or reservation is None:
            return None
        data = trained_with(trained).data if plan.parent.kind == "rasl" else DataConfig()
        if isinstance(parent, RarityScorer):
            sequences = calibration_videos(corpus, data, seed=plan.settings.seed)
        else:
            sequences = SequenceSampler(corpus, data, seed=plan.settings.seed).calibration()
        tuned, check = tune(
            parent, base, videos, sequences, is_marked=bool(plan.annotations), on_check=on_check
        )
    left_out = (*plan.footage.left_out, *lost)
    manifest, card = _register(
        plan,
        reservation,
        tuned,
        files,
        check,
        left_out,
        work,
        created,
        recipe=recipe_of(plan, trained),
    )
    for folder in work_folders(plan.settings.name):
        # The name is taken now: nothing can go on there.
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(plan=plan, manifest=manifest, card=card, check=check, left_out=left_out)


def marked_videos(
    plan: FinetunePlan, files: Sequence[RawFile], features: dict[str, VideoFeatures]
) -> list[MarkedVideo]:
    """Bring features and marks together.

    Raises:
        TrainingError: There are marks, and the files that could be read leave nothing to compare.
    """
    videos = [
        MarkedVideo(
            name=file.path.name,
            features=features[file.identity],
            marks_T=marks_of(plan.annotations, file, features[file.identity].num_clips),
            camera=file.camera,
        )
        for file in files
    ]
    if plan.annotations and not comparisons(videos):
        raise TrainingError(
            f"of the files that could be read, {NOTHING_TO_COMPARE}",
            hint="bring the missing files back and run the same command again",
        )
    return videos


def tune(
    parent: FusedScorer,
    base: FusedScorer,
    videos: Sequence[MarkedVideo],
    sequences: Sequence[VideoFeatures],
    *,
    is_marked: bool,
    on_check: OnCheck = ignore_check,
) -> tuple[FusedScorer, HeldOut | None]:
    """Make the model out of its parent, or of what adapting gave: calibration and taste.

    Args:
        parent: What the result is compared with.
        base: The same object as `parent`, or what adapting gave.
        videos: The footage with its marks.
        sequences: What calibration is fitted on.
        is_marked: Whether there are marks at all.
        on_check: Called after each held-out part.

    Raises:
        TrainingError: The marks cannot be learned.
    """
    tuned = base.with_taste(base.taste)
    check = None
    if is_marked:
        # A taste of the parent's own is replaced: two editors do not mix.
        bare = tuned.with_taste(None)
        videos = with_untuned_scores(bare, videos)
        untuned = bare if base is parent and parent.taste is None else parent
        check = held_out(untuned, bare, videos, on_check=on_check)
        tuned = bare.with_taste(fit_taste(bare, videos))
    if is_marked or base is not parent:
        # Standardising the terms anew on the footage was measured to cost most of the gain.
        tuned.calibrate_squash(sequences)
    return tuned, check


def _register(
    plan: FinetunePlan,
    reservation: Reservation,
    tuned: FusedScorer,
    files: Sequence[RawFile],
    check: HeldOut | None,
    left_out: Sequence[LeftOut],
    work: Path,
    created: str,
    *,
    recipe: dict[str, Any],
) -> tuple[ModelManifest, ModelCard]:
    make_folder(work, hint="set HL_MODELS_DIR to a folder you may write to")
    save_scorer(tuned, work / _MODEL_FILE, feature_spec=plan.spec, recipe=recipe)
    card = card_of_run(
        plan,
        files,
        check,
        warnings=warnings_of(plan, check, left_out),
        work=work,
        created=created,
    )
    manifest = add_model(
        work / _MODEL_FILE,
        card=card,
        training_data=f"{len(files)} files of my own footage",
        source="hl finetune",
        scores={"held_out_average_precision": round(check.after, 6)} if check else None,
        recipe=toml.dumps(recipe),
        reservation=reservation,
    )
    return manifest, card


def recipe_of(plan: FinetunePlan, parent_recipe: dict[str, Any]) -> dict[str, Any]:
    """Return what the model was made with; it names no folders.

    Args:
        plan: The run.
        parent_recipe: What the first of its parents was trained with.
    """
    return {
        "kind": "finetune",
        "parent": plan.parent.name,
        "parent_sha256": plan.parent.sha256,
        "adapt": plan.adapts,
        "steps": plan.num_steps,
        "seed": plan.settings.seed,
        "cuts": [path.name for path in plan.settings.cuts],
        "labels": [path.name for path in plan.settings.labels],
        "parent_recipe": parent_recipe,
    }


def _root_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return what the first parent was trained with, through all that was tuned since."""
    while recipe.get("kind") == "finetune":
        recipe = recipe.get("parent_recipe", {})
    return recipe
