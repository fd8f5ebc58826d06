"""Which ablations there are, in the order of their importance.

There are two bases. "recipe" is the recipe that is shipped. "abstract" is the network with what
the paper's abstract names and nothing of ours: an activation with a fixed sign and no planted
highlights. Switches of the network mean little where the recipe scores with a part of its own, so
they are turned on both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from hlcli.errors import RecipeError
from hlcli.training.recipe import (
    LOSS_NAMES,
    ObjectiveConfig,
    RaslRecipe,
    Recipe,
    SubspaceRecipe,
    read_recipe,
)
from results_parts.settings import Settings, plain

Base: TypeAlias = Literal["recipe", "abstract", "subspace"]

BASE_ROW = "base"
"""Name of the row without a change."""
LOSS_WORDS = {
    "reconstruction": "self-reconstruction, and with it the gate",
    "budget": "activation budget",
    "masked": "masked reconstruction",
    "scl": "SCL",
    "kpoint": "k-point contrast",
    "planted": "planted highlights",
}
"""The losses in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """One line of a table: a recipe that differs from its base in one thing."""

    base: Base
    """Which base it changes; "subspace" is the closed form beside them."""
    group: str
    """What is varied, as a heading."""
    name: str
    """What this row has."""
    tier: int
    """Rows of a lower tier are run first."""
    recipe: Recipe | None
    """The resolved recipe with seed 0, without data; None where it cannot be."""
    problem: str = ""
    """Why it cannot be."""
    data_share: float = 1.0
    """Share of the groups of the training part that is learned from, in (0, 1]."""

    @property
    def full_name(self) -> str:
        """Unique name, for patterns and progress."""
        return f"{self.base}/{self.group}/{self.name}"

    def seeded(self, seed: int) -> Recipe:
        """The recipe with another seed."""
        assert self.recipe is not None
        if not isinstance(self.recipe, RaslRecipe):
            return dataclasses.replace(self.recipe, seed=seed)
        training = dataclasses.replace(self.recipe.training, seed=seed)
        return dataclasses.replace(self.recipe, training=training)

    def path(self, settings: Settings, seed: int) -> Path:
        """File of the result; rows of equal recipes share it."""
        recipe = plain(self.seeded(seed))
        del recipe["name"], recipe["output"]
        recipe.get("training", {}).pop("save_every", None)
        return settings.piece_path("ablations", [recipe, self.data_share, seed])


class _Rows:
    """Collects the rows of one base."""

    def __init__(self, base: Base, path: Path, changes: Sequence[str]) -> None:
        self.base, self.path, self.changes = base, path, tuple(changes)
        self.rows: list[AblationRow] = []
        self.recipe = self._read(())
        self.add(0, BASE_ROW, "all settings")

    def add(self, tier: int, group: str, name: str, *changes: str, share: float = 1.0) -> None:
        recipe, problem = None, ""
        try:
            recipe = self._read(changes)
        except RecipeError as error:
            problem = error.message.removeprefix(f"{self.path}: ")
        row = AblationRow(
            base=self.base,
            group=group,
            name=name,
            tier=tier,
            recipe=recipe,
            problem=problem,
            data_share=share,
        )
        self.rows.append(row)

    def _read(self, changes: Sequence[str]) -> Recipe:
        recipe = read_recipe(self.path, [*self.changes, *changes])
        # Where the videos lie is no part of a row.
        data = dataclasses.replace(recipe.data, folders=(), manifest="", shards="", split="all")
        return dataclasses.replace(recipe, data=data)


def ablation_rows(settings: Settings) -> list[AblationRow]:
    """All rows, in the order of the page; see `AblationRow.tier` for the order of running.

    Raises:
        RecipeError: The recipes or the overrides cannot be read, or are of the wrong kind.
    """
    closed = _Rows("subspace", settings.subspace_recipe, ())
    if not isinstance(closed.recipe, SubspaceRecipe):
        raise RecipeError(f"{settings.subspace_recipe} is no recipe of the subspace")
    _data_shares(closed, 1)
    shipped = _Rows("recipe", settings.recipe, settings.overrides)
    if not isinstance(shipped.recipe, RaslRecipe):
        raise RecipeError(f"{settings.recipe} is no recipe of the network")
    defaults = ObjectiveConfig()
    everything = [f"objective.{name}={getattr(defaults, name)}" for name in LOSS_NAMES]
    plain_network = ['model.activation="edev"', *everything, "objective.planted=0"]
    abstract = _Rows("abstract", settings.recipe, [*settings.overrides, *plain_network])
    for rows in (shipped, abstract):
        _losses(rows, everything)
        _activations(rows)
        _network(rows)
    _steps(shipped)
    _data_shares(shipped, 2)
    _sampler(shipped)
    return [*closed.rows, *shipped.rows, *abstract.rows]


def _losses(rows: _Rows, everything: list[str]) -> None:
    assert isinstance(rows.recipe, RaslRecipe)
    objective, defaults = rows.recipe.objective, ObjectiveConfig()
    for name in LOSS_NAMES:
        if getattr(objective, name):
            rows.add(1, "losses", f"without {LOSS_WORDS[name]}", f"objective.{name}=0")
    missing = [name for name in LOSS_NAMES if not getattr(objective, name)]
    for name in missing:
        weight = getattr(defaults, name)
        rows.add(1, "losses", f"with {LOSS_WORDS[name]}", f"objective.{name}={weight}")
    if len(missing) > 1:
        rows.add(1, "losses", "all losses", *everything)
    if len(LOSS_NAMES) - len(missing) > 1 and objective.planted:
        others = [f"objective.{name}=0" for name in LOSS_NAMES if name != "planted"]
        rows.add(1, "losses", f"{LOSS_WORDS['planted']} alone", *others)


def _activations(rows: _Rows) -> None:
    assert isinstance(rows.recipe, RaslRecipe)
    objective = rows.recipe.objective
    for kind in ("dev", "edev", "head", "norm", "predictability", "standing"):
        changes, remark = [f'model.activation="{kind}"'], ""
        for needed, loss in (("predictability", "masked"), ("standing", "planted")):
            if kind == needed and not getattr(objective, loss):
                changes.append(f"objective.{loss}=1")
                remark = f", with {LOSS_WORDS[loss]}"
        rows.add(1, "activation", kind + remark, *changes)


def _network(rows: _Rows) -> None:
    assert isinstance(rows.recipe, RaslRecipe)
    objective, model = rows.recipe.objective, rows.recipe.model
    if objective.kpoint:
        _vary(rows, 2, "k, share of the clips", "objective.kpoint_share", [0.1, 0.2, 0.3])
    if model.activation == "standing":
        # No encoder stands before this activation, so its depth cannot matter.
        members = sorted({1, 3, 5, model.standing_members})
        _vary(rows, 2, "members of the committee", "model.standing_members", members)
    else:
        _vary(rows, 2, "depth, layers", "model.num_layers", [1, 2, 3])
    _vary(rows, 2, "width", "model.width", [64, 128, 256])
    if objective.scl:
        levels = ['"global"', '"local"', '"both"']
        _vary(rows, 3, "level of SCL", "objective.scl_level", levels)
    if objective.kpoint:
        kinds = ['"videos"', '"+own_bottomk"', '"+all_bottomk"']
        _vary(rows, 3, "negatives of k-point contrast", "objective.kpoint_negatives", kinds)
    if objective.masked:
        _vary(rows, 3, "share of masked clips", "objective.mask_ratio", [0.2, 0.4, 0.6])
    _vary(rows, 3, "directions of the input", "model.input_dim", [8, 16, 32, 64])


def _steps(rows: _Rows) -> None:
    assert isinstance(rows.recipe, RaslRecipe)
    steps = sorted({100, 300, 1000, rows.recipe.training.steps})
    _vary(rows, 2, STEPS_GROUP, "training.steps", steps)


STEPS_GROUP = "training steps"
"""The group that the learning curve is drawn from."""


def _data_shares(rows: _Rows, tier: int) -> None:
    for percent in (25, 50, 100):
        name = f"{percent} % of the training groups"
        rows.add(tier, "training data", name, share=percent / 100)


def _sampler(rows: _Rows) -> None:
    assert isinstance(rows.recipe, RaslRecipe)
    if not rows.recipe.objective.planted:
        return
    for name, changes in (
        ("no compilations as background", ("data.mixed_share=0",)),
        ("no alike-looking backgrounds", ("data.alike_share=0",)),
        ("no preference for lively highlights", ("data.active_share=0.5",)),
        ("lively highlights in 4 of 5", ("data.active_share=0.8",)),
        ("planted part up to 20 %", ("data.planted_max=0.2",)),
        ("planted part up to 35 %", ("data.planted_max=0.35",)),
        ("planted part up to 50 %", ("data.planted_max=0.5",)),
        ("no one-off pieces", ("data.distractor_probability=0",)),
    ):
        rows.add(3, "composed sequences", name, *changes)


def _vary(
    rows: _Rows, tier: int, group: str, setting: str, values: Sequence[float | int | str]
) -> None:
    for value in values:
        rows.add(tier, group, str(value).strip('"'), f"{setting}={value}")
