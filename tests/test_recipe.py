"""Recipes: TOML in and out, overrides, errors that name the way out; the split by group."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from hlcli.errors import MediaNotFoundError, RecipeError
from hlcli.training.corpus import find_corpus
from hlcli.training.recipe import (
    DataConfig,
    RaslRecipe,
    SubspaceRecipe,
    parse_recipe,
    read_recipe,
    recipe_digest,
    to_toml,
)
from hlcli.training.split import ManifestRow, assign_parts, read_manifest, select_rows

RECIPES = Path(__file__).parents[1] / "model_zoo" / "recipes"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_load_and_survive_the_round_trip(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    again = read_recipe(write(tmp_path, to_toml(recipe)))
    assert again == recipe
    assert recipe_digest(again) == recipe_digest(recipe)


def test_both_kinds_are_shipped() -> None:
    kinds = {read_recipe(path).kind for path in RECIPES.glob("*.toml")}
    assert kinds == {"rarity", "rasl", "subspace"}


def test_odd_words_survive_the_round_trip(tmp_path: Path) -> None:
    folders = ('a "b" \\ c', "naive-é#[x]\t\x7f", "C:\\Users\\me")
    recipe = RaslRecipe(data=DataConfig(folders=folders))
    assert read_recipe(write(tmp_path, to_toml(recipe))) == recipe


def test_overrides_reach_every_level_and_keep_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, 'kind = "rasl"\n[training]\nseed = 4\n')
    recipe = read_recipe(
        path,
        [
            "training.steps=7",
            "objective.scl=0",
            "model.activation=dev",
            'data.folders=["x y", "z"]',
            "model.fusion.weights_va.motion=0.25",
            "output = elsewhere",
        ],
    )
    assert isinstance(recipe, RaslRecipe)
    assert (recipe.training.steps, recipe.training.seed) == (7, 4)
    assert recipe.objective.scl == 0.0
    assert recipe.model.activation == "dev"
    assert recipe.data.folders == ("x y", "z")
    assert recipe.output == "elsewhere"
    # One entry of the table changed, the default ones stayed.
    assert recipe.model.fusion.weights_va == {
        "picture_rasl": 1.0,
        "sound_rasl": 1.0,
        "motion": 0.25,
    }


@pytest.mark.parametrize(
    ("text", "overrides", "message", "hint"),
    [
        ('kind = "rasl"\nnmae = "x"', [], "unknown setting nmae", "did you mean name?"),
        (
            'kind = "rasl"\n[objective]\nkpiont = 1',
            [],
            "unknown setting objective.kpiont",
            "did you mean kpoint?",
        ),
        ('kind = "rasl"', ["training.stps=1"], "training.stps", "did you mean steps?"),
        ('kind = "rasl"', ["trainig.steps=1"], "setting trainig", "did you mean training?"),
        ('kind = "rasl"', ["training.steps"], "not KEY=VALUE", "for example"),
        ('kind = "rasl"', ["training.steps=ten"], "training.steps is a int", ""),
        ('kind = "rasl"', ["training.steps=0"], "steps >= 1", ""),
        ('kind = "rasl"', ["model.width=30"], "divisible by num_heads", ""),
        ('kind = "rasl"', ["objective.rho=inf"], "must be finite", ""),
        ('kind = "rasl"', ["model.activation=sigmoid"], "cannot be 'sigmoid'", "edev"),
        ('kind = "rasl"', ["kind=subspace"], "cannot change kind", ""),
        ('kind = "subspace"\n[objective]\nscl = 1', [], "unknown setting objective", ""),
        (
            'kind = "subspace"',
            ["model.fusion.weights_v.picture_rasl=1"],
            "subspace has no term 'picture_rasl'",
            "",
        ),
        ('kind = "rasl"', ["model.fusion.weights_v.motoin=1"], "no term 'motoin'", ""),
        ('name = "x"', [], "kind is None", 'kind = "rasl"'),
        ("kind = ", [], "is not TOML", ""),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, text: str, overrides: list[str], message: str, hint: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, overrides)
    assert message in caught.value.message
    assert str(path) in caught.value.message or overrides
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        read_recipe(tmp_path / "none.toml")


def test_the_digest_names_what_changes_the_result_only() -> None:
    recipe = RaslRecipe()
    same = dataclasses.replace(
        recipe,
        output="other",
        name="other",
        training=dataclasses.replace(recipe.training, save_every=3),
    )
    other = dataclasses.replace(recipe, objective=dataclasses.replace(recipe.objective, scl=0.0))
    assert recipe_digest(same) == recipe_digest(recipe)
    assert recipe_digest(other) != recipe_digest(recipe)


def test_every_setting_is_explained() -> None:
    import ast
    import inspect

    from hlcli.model import config
    from hlcli.training import recipe

    for module in (config, recipe):
        for node in ast.parse(inspect.getsource(module)).body:
            if not isinstance(node, ast.ClassDef):
                continue
            for field, after in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign):
                    assert isinstance(after, ast.Expr), f"{node.name}.{ast.unparse(field)}"


def rows() -> list[ManifestRow]:
    made = [
        ManifestRow(file=f"{label}-{group}-{n}.mp4", source="s", label=label, group=f"g{group}")
        for label in ("run", "sit", "eat")
        for group in range(20)
        for n in range(3)
    ]
    return made + [ManifestRow(file=f"web{n}.mp4", source="web") for n in range(10)]


def test_no_group_is_in_two_parts_and_every_label_is_in_each() -> None:
    parts = {name: select_rows(rows(), name) for name in ("train", "dev", "test")}  # type: ignore[arg-type]
    assert sorted(r.file for part in parts.values() for r in part) == sorted(r.file for r in rows())
    groups = {name: {row.group_key for row in part} for name, part in parts.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["dev"]
    assert not groups["dev"] & groups["test"]
    both = {row.group_key for row in select_rows(rows(), "train+dev")}
    assert both == groups["train"] | groups["dev"]
    for name, share in (("train", 0.4), ("dev", 0.2), ("test", 0.4)):
        for label, files in (("run", 60), ("sit", 60), ("eat", 60), (None, 10)):
            assert sum(row.label == label for row in parts[name]) == share * files


def test_the_split_depends_on_names_alone() -> None:
    forward, backward = assign_parts(rows()), assign_parts(rows()[::-1])
    assert forward == backward
    # Frozen: changing the rule would let test clips slip into models trained before.
    few = [ManifestRow(file=f"{n}.mp4", source="s", label="run", group=f"g{n}") for n in range(5)]
    assert [assign_parts(few)[row.group_key] for row in few] == FROZEN


FROZEN = ["train", "train", "dev", "test", "test"]


def test_small_labels_go_to_train_then_test_then_dev() -> None:
    for count, expected in ((1, ["train"]), (2, ["test", "train"]), (3, ["dev", "test", "train"])):
        few = [ManifestRow(file=f"{n}.mp4", source="s", label="x") for n in range(count)]
        assert sorted(assign_parts(few).values()) == expected


def test_manifest_part_names_files(tmp_path: Path) -> None:
    listed = [{"file": f"{n}.mp4", "source": "s", "label": "x", "group": n} for n in range(5)]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(listed), encoding="utf-8")
    for row in listed:
        (tmp_path / str(row["file"])).touch()
    every = [
        {path.name for path in find_corpus(DataConfig(manifest=str(manifest), split=name))}  # type: ignore[arg-type]
        for name in ("train", "dev", "test")
    ]
    assert sorted(name for part in every for name in part) == [f"{n}.mp4" for n in range(5)]
    assert [len(part) for part in every] == [2, 1, 2]
    assert len(read_manifest(manifest)) == 5
    (tmp_path / "3.mp4").unlink()
    with pytest.raises(RecipeError, match=r"3\.mp4 of the manifest is not in"):
        find_corpus(DataConfig(manifest=str(manifest)))


def test_data_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="names no data"):
        find_corpus(DataConfig())
    with pytest.raises(RecipeError, match=r"needs data\.manifest"):
        find_corpus(DataConfig(folders=(str(tmp_path),), split="train"))
    with pytest.raises(MediaNotFoundError):
        find_corpus(DataConfig(folders=(str(tmp_path / "none"),)))
    with pytest.raises(RecipeError, match="cannot read the manifest"):
        find_corpus(DataConfig(manifest=str(tmp_path / "none.json")))
    bad = tmp_path / "bad.json"
    bad.write_text('{"file": 1}')
    with pytest.raises(RecipeError, match="not a JSON list"):
        find_corpus(DataConfig(manifest=str(bad)))


@pytest.mark.shared
def test_the_real_clips_split_without_sharing_groups(shared_dir: Path) -> None:
    listed = read_manifest(shared_dir / "data" / "clips" / "manifest.json")
    assert len(listed) == 279
    parts = {name: select_rows(listed, name) for name in ("train", "dev", "test")}  # type: ignore[arg-type]
    assert sum(map(len, parts.values())) == 279
    labels = {row.label for row in listed}
    for part in parts.values():
        assert {row.label for row in part} == labels


def test_parse_needs_no_file() -> None:
    assert parse_recipe({"kind": "subspace"}) == SubspaceRecipe()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"kind = 'rasl'\nname = " + b"9" * 5000, "more digits than any"),
        (b"kind = 'rasl'\n[training]\nsteps = " + b"9" * 400, "hexadecimal digits"),
        (b"kind = 'rasl'\n[training]\nlearning_rate = " + b"9" * 400, "hexadecimal digits"),
        (b"kind = 'rasl'\n[training]\nlearning_rate = 0x" + b"f" * 9000, "hexadecimal digits"),
        (b"kind = 'rasl'\n[training]\nlearning_rate = 1e400", "must be finite"),
        (b"kind = 'rasl'\n[data]\nfolders = " + b"[" * 50_000, "nested too deep"),
        (b"kind = 'rasl'\na = " + b"{b = " * 50_000, "nested too deep"),
        (b"kind = 'rasl'\n" + b"x" * 5000 + b" = 1", "unknown setting xxx"),
        (b"kind = " + b"[1, 2]", "kind is"),
        (b"kind = 'rasl'\n[training]\nsteps = '" + b"x" * 5000 + b"'", "is a int, got 'xxx"),
        (b"kind = 'rasl'\n\xff\xfe", "not TOML"),
        (b"", "kind is None"),
    ],
)
def test_a_hostile_recipe_is_one_short_error(text: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text)
    with pytest.raises(RecipeError, match=re.escape(says)) as caught:
        read_recipe(path)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300 + len(str(path))


def test_numbers_on_the_command_line_are_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("kind = 'rasl'\n")
    assert read_recipe(path, ["training.steps=7"]).training.steps == 7  # type: ignore[union-attr]
    for text in ("9" * 400, "9" * 5000, "[" * 50_000):
        with pytest.raises(RecipeError):
            read_recipe(path, [f"training.steps={text}"])
