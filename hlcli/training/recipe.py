"""Training recipes: TOML in, typed settings, TOML out; every key is checked.

Axes: T clips of a training sequence.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hlcli import toml
from hlcli.errors import RecipeError
from hlcli.model.config import RarityConfig, RaslConfig, SubspaceConfig
from hlcli.plain_data import FieldError, fill, suggest

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]
"""What the network's encoders and decoders calculate with while they are trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which videos to learn from, and how training sequences are made of them. No labels."""

    folders: tuple[str, ...] = ()
    """Folders, files or globs of videos; relative to the current folder."""
    manifest: str = ""
    """A JSON list of rows with file, source, label and group, used only for splitting by group
    (labels never reach training); files are looked for beside it, or in the one of `folders`."""
    split: Literal["train", "dev", "test", "train+dev", "all"] = "all"
    """Part of the manifest to use; see `hlcli.training.split`."""
    shards: str = ""
    """Folder that keeps the features of a corpus too large for memory, extracted once and then
    read piece by piece; with neither folders nor a manifest, all that is in it is learned from.
    The same videos give the same model with and without. Empty: features are held in memory."""
    visual_encoder: str = "efficientnet-lite0"
    """What looks at the pictures: an encoder of `hl models list`, or a backbone such as
    `timm:NAME@FILE` (extra `backbones`). The detector works with this one only."""
    sequence_clips: int = 48
    """T, length of a training sequence, at least 8."""
    min_piece_clips: int = 4
    """Shortest piece of a composed sequence, at least 1; shorter when the video is."""
    max_piece_clips: int = 10
    """Longest piece of a composed sequence, at least `min_piece_clips`."""
    segment_clips: int = 16
    """Videos longer than this count as several, cut at this length, at least 2."""
    crop_share: float = 0.5
    """Share of sequences cut from one long video where the corpus has such, in [0, 1]."""
    pseudo_categories: int = 12
    """Groups of alike-looking segments that planted highlights are composed from, at least 2."""
    planted_share: float = 1.0
    """Share of the composed sequences with planted highlights, in [0, 1]."""
    planted_min: float = 0.08
    """Smallest part of a sequence that is planted, in (0, 1)."""
    planted_max: float = 0.35
    """Largest part of a sequence that is planted, in [`planted_min`, 1)."""
    mixed_share: float = 0.2
    """How often the background of a planted sequence is of all other pseudo-categories, as in a
    compilation, in [0, 1]."""
    alike_share: float = 0.4
    """How often it is of two to four pseudo-categories that look alike, in [0, 1]; in the rest it
    is of one."""
    active_share: float = 0.5
    """How often the livelier of the planted and the first background category is the planted one,
    in [0, 1]; 0.5 is no preference."""
    distractor_probability: float = 0.4
    """How often a planted sequence gets one-off pieces that are no highlights, in [0, 1]."""
    distractor_max: float = 0.15
    """Largest part of a sequence that one-off pieces take, in [0, 1)."""
    calibration_sequences: int = 64
    """Sequences of twice the length that calibration is fitted on, at least 4."""

    def __post_init__(self) -> None:
        if self.sequence_clips < 8 or self.segment_clips < 2 or self.calibration_sequences < 4:
            raise ValueError("sequence_clips >= 8, segment_clips >= 2, calibration_sequences >= 4")
        if not 1 <= self.min_piece_clips <= self.max_piece_clips:
            raise ValueError("1 <= min_piece_clips <= max_piece_clips must hold")
        if self.pseudo_categories < 2:
            raise ValueError("pseudo_categories is at least 2")
        if not 0 < self.planted_min <= self.planted_max < 1:
            raise ValueError("0 < planted_min <= planted_max < 1 must hold")
        if self.mixed_share + self.alike_share > 1:
            raise ValueError("mixed_share and alike_share are at most 1 together")
        shares = "crop_share planted_share mixed_share alike_share active_share"
        for name in f"{shares} distractor_probability distractor_max".split():
            _check_share(name, getattr(self, name))
        if self.distractor_max == 1:
            raise ValueError(f"distractor_max lies in [0, 1), got {self.distractor_max}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveConfig:
    """Weights and constants of the losses; a weight of 0 leaves the loss out (ablation)."""

    reconstruction: float = 1.0
    """Weight of self-reconstruction, gated by the activations."""
    budget: float = 1.0
    """Weight of the activation budget, which keeps the gate from opening everywhere."""
    masked: float = 1.0
    """Weight of masked feature-vector-sequence reconstruction."""
    scl: float = 0.5
    """Weight of symmetric contrastive learning between picture and sound."""
    kpoint: float = 0.5
    """Weight of k-point contrastive learning."""
    planted: float = 1.0
    """Weight of ranking planted highlights above the rest; our addition, not the paper's."""
    rho: float = 0.3
    """Share of clips the budget lets be active, in (0, 1)."""
    mask_ratio: float = 0.4
    """Share of clips hidden in masked reconstruction, in (0, 1)."""
    mask_span_clips: int = 5
    """Longest run of hidden clips, at least 1."""
    scl_level: Literal["global", "local", "both"] = "both"
    """Contrast whole videos, clips within a video, or both."""
    scl_temperature: float = 0.07
    """Temperature of the symmetric contrast, above 0."""
    kpoint_share: float = 0.2
    """k as a share of the valid clips, in (0, 1]; k is at least 1."""
    kpoint_negatives: Literal["videos", "+own_bottomk", "+all_bottomk"] = "+all_bottomk"
    """What the k-point vector is told apart from: other videos, and its own or all bottom-k."""
    kpoint_temperature: float = 0.1
    """Temperature of the k-point contrast, above 0."""

    def __post_init__(self) -> None:
        weights = [getattr(self, name) for name in LOSS_NAMES]
        if min(weights) < 0 or not any(weights):
            raise ValueError("loss weights are at least 0 and not all 0")
        for name in ("rho", "mask_ratio", "kpoint_share"):
            _check_share(name, getattr(self, name))
        if min(self.rho, self.mask_ratio, self.kpoint_share) <= 0 or self.mask_ratio >= 1:
            raise ValueError("rho, mask_ratio and kpoint_share are above 0, mask_ratio below 1")
        if min(self.scl_temperature, self.kpoint_temperature) <= 0 or self.mask_span_clips < 1:
            raise ValueError("temperatures are above 0, mask_span_clips at least 1")


LOSS_NAMES = ("reconstruction", "budget", "masked", "scl", "kpoint", "planted")
"""The losses, by the name of their weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The optimiser and its bookkeeping."""

    steps: int = 500
    """Optimiser steps, at least 1; the last step is the model, none is picked."""
    batch_size: int = 16
    """Sequences in a batch, at least 2: contrast needs another video."""
    learning_rate: float = 1e-3
    """Highest learning rate of AdamW, above 0; warmed up, then a cosine down to 0."""
    warmup_share: float = 0.05
    """Share of the steps spent warming up, in [0, 1]."""
    weight_decay: float = 1e-4
    """Decay of matrices, at least 0; biases and norms are not decayed."""
    grad_clip: float = 1.0
    """Longest gradient, above 0."""
    ema_decay: float = 0.0
    """Decay of the moving average of the weights that becomes the model, in [0, 1); 0 = off."""
    precision: Precision = "float32"
    """What encoders and decoders calculate with; losses and weights stay in float32. "bfloat16" and
    "float16" suit GPUs that are fast at them; only "float32" on the CPU repeats bit for bit."""
    seed: int = 0
    """Seed of everything random, at least 0."""
    save_every: int = 50
    """Steps between two saved states, at least 1; a killed run loses at most so many."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2 or self.save_every < 1 or self.seed < 0:
            raise ValueError("steps >= 1, batch_size >= 2, save_every >= 1, seed >= 0 must hold")
        if self.learning_rate <= 0 or self.grad_clip <= 0 or self.weight_decay < 0:
            raise ValueError("learning_rate and grad_clip are above 0, weight_decay at least 0")
        _check_share("warmup_share", self.warmup_share)
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay lies in [0, 1), got {self.ema_decay}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RaslRecipe:
    """How to train a RASL network."""

    kind: Literal["rasl"] = "rasl"
    """What this recipe trains."""
    name: str = "rasl"
    """Name of the model."""
    output: str = "runs/rasl"
    """Folder for the model, the resolved recipe, the losses and the state to resume from."""
    data: DataConfig = field(default_factory=DataConfig)
    """Videos and sequences."""
    model: RaslConfig = field(default_factory=RaslConfig)
    """Architecture."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """Losses."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Optimiser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubspaceRecipe:
    """How to fit the closed-form subspace."""

    kind: Literal["subspace"] = "subspace"
    """What this recipe fits."""
    name: str = "subspace"
    """Name of the model."""
    output: str = "runs/subspace"
    """Folder for the model and the resolved recipe."""
    seed: int = 0
    """Seed of the sequences that calibration is fitted on, at least 0."""
    data: DataConfig = field(default_factory=DataConfig)
    """Videos and sequences."""
    model: SubspaceConfig = field(default_factory=SubspaceConfig)
    """The subspace and its fusion."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is at least 0, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RarityRecipe:
    """How to fit the background of the rarity detector."""

    kind: Literal["rarity"] = "rarity"
    """What this recipe fits."""
    name: str = "rarity"
    """Name of the model."""
    output: str = "runs/rarity"
    """Folder for the model and the resolved recipe."""
    seed: int = 0
    """Seed of the sequences that calibration is fitted on where all videos are short, at least
    0."""
    data: DataConfig = field(default_factory=DataConfig)
    """Videos; calibration is fitted on up to `calibration_sequences` of them, each as it is."""
    model: RarityConfig = field(default_factory=RarityConfig)
    """Neighbourhood, smoothing and fusion."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is at least 0, got {self.seed}")


Recipe: TypeAlias = RaslRecipe | SubspaceRecipe | RarityRecipe
_KINDS: dict[str, type[Recipe]] = {
    "rarity": RarityRecipe,
    "rasl": RaslRecipe,
    "subspace": SubspaceRecipe,
}


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe and apply `key.path=value` overrides.

    Args:
        path: The recipe file.
        overrides: For example `training.steps=100`; values are TOML, or else plain words.

    Raises:
        RecipeError: No such file, not TOML, unknown key (with the nearest known), or bad value.
    """
    values = _read(path)
    try:
        recipe = parse_recipe(values)
        if overrides:
            # Overrides fall on the resolved recipe, so that one entry of a table can change.
            resolved = dataclasses.asdict(recipe)
            for change in overrides:
                _override(resolved, change)
            recipe = parse_recipe(resolved)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error.message}", hint=error.hint) from error
    return recipe


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Build a recipe from plain data.

    Raises:
        RecipeError: Unknown key or bad value.
    """
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RecipeError(
            f"kind is {kind!r}",
            hint=" or ".join(f'kind = "{known}"' for known in _KINDS),
        )
    try:
        return fill(_KINDS[kind], values)
    except FieldError as error:
        raise RecipeError(error.message, hint=error.hint) from error


def recipe_digest(recipe: Recipe) -> str:
    """Hex sha256 of everything that changes the result: equal recipes may resume each other."""
    values = dataclasses.asdict(recipe)
    for name in ("name", "output"):
        del values[name]
    # The same features, wherever they are kept.
    del values["data"]["shards"]
    values.get("training", {}).pop("save_every", None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def to_toml(recipe: Recipe) -> str:
    """Write the resolved recipe, every setting spelled out; `read_recipe` gives it back."""
    return toml.dumps(dataclasses.asdict(recipe))


def _read(path: Path) -> dict[str, Any]:
    """Read the plain data of a recipe file.

    Raises:
        RecipeError: No such file, or not TOML.
    """
    try:
        return toml.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(
            f"cannot read the recipe {path}: {error.strerror or error}",
            hint="recipes that work are in model_zoo/recipes",
        ) from error
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} is not TOML: {error}") from error


def _override(values: dict[str, Any], change: str) -> None:
    """Change one setting in place.

    Args:
        values: All settings, tables as dicts.
        change: `key.path=value`; the value is TOML, or else a plain word.

    Raises:
        RecipeError: Not of that form, or a table that is not there.
    """
    path, equals, text = change.partition("=")
    if not equals or not path.strip():
        raise RecipeError(
            f"--set {change!r} is not KEY=VALUE", hint="for example --set training.steps=100"
        )
    try:
        value = toml.loads(f"value = {text}")["value"]
    except toml.TOMLDecodeError:
        value = text.strip()
    *parents, last = path.strip().split(".")
    table: Any = values
    for position, key in enumerate(parents):
        if not isinstance(table.get(key), dict):
            where = ".".join(parents[: position + 1])
            raise RecipeError(f"unknown setting {where}", hint=suggest(key, map(str, table)))
        table = table[key]
    if path.strip() == "kind" and value != values["kind"]:
        raise RecipeError("--set cannot change kind", hint="use the recipe of that kind")
    table[last] = value


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} lies in [0, 1], got {value}")
