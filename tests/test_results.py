"""scripts/results: what was measured stays, and the page says what is there and what is missing."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from test_composite import LABELS

from hlcli.errors import TrainingError
from hlcli.evaluation.composite_plan import HEADLINE_KINDS, KINDS
from hlcli.features.device import resolve_device
from hlcli.features.encoders import load_encoders
from hlcli.features.store import FeatureStore
from hlcli.features.types import VideoFeatures
from hlcli.media.identity import content_identity
from hlcli.model.detector import count_parameters
from hlcli.model.load import load_scorer
from hlcli.paths import features_dir

ROOT = Path(__file__).resolve().parents[1]
RECIPE = """
kind = "rasl"
[data]
manifest = "{manifest}"
sequence_clips = 16
pseudo_categories = 3
calibration_sequences = 4
[model]
input_dim = 4
width = 16
num_layers = 1
activation = "head"
[training]
steps = 3
batch_size = 2
"""
SUBSPACE = 'kind = "subspace"\n[data]\ncalibration_sequences = 4\n[model]\ndim = 4\n'


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    # The script sets them for its own process.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    return importlib.import_module("make_results")


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Make a labelled corpus whose features are stored, and two small recipes."""
    data = tmp_path / "clips"
    data.mkdir()
    encoders = load_encoders(resolve_device("cpu"), visual="efficientnet-lite0")
    store, random = FeatureStore(features_dir()), np.random.default_rng(0)
    looks = random.normal(0, 1, (len(LABELS) + 1, 1280))
    sounds = random.normal(0, 1, (len(LABELS) + 1, 1024))
    rows: list[dict[str, object]] = []
    kinds = [*LABELS, None]
    for number in range(len(kinds) * 10):
        kind = number % len(kinds)
        file = data / f"{number:03d}.mp4"
        file.write_bytes(b"no video, only an identity: %d" % number)
        label = kinds[kind]
        rows.append(
            {
                "file": file.name,
                "source": "ucf" if label else "web",
                "label": label,
                "group": f"g{number // len(kinds)}",
                "duration_seconds": 6.0,
            }
        )
        features = VideoFeatures(
            spec_digest=encoders.spec.digest(),
            duration_seconds=6.0,
            visual_TV=(looks[kind] + random.normal(0, 0.5, (6, 1280))).astype(np.float32),
            audio_TA=(sounds[kind] + random.normal(0, 0.5, (6, 1024))).astype(np.float32),
            events_TC=np.zeros((6, 521), np.float32),
            motion_T=np.full(6, 0.1, np.float32),
            loudness_T=np.full(6, -20.0, np.float32),
            shot_boundaries_seconds=np.zeros(0),
        )
        store.put(content_identity(file), encoders.spec, features)
    (data / "manifest.json").write_text(json.dumps(rows), encoding="utf-8")
    recipe = tmp_path / "rasl.toml"
    recipe.write_text(RECIPE.format(manifest=(data / "manifest.json").as_posix()))
    (tmp_path / "subspace.toml").write_text(SUBSPACE)
    (tmp_path / "docs/benchmarks").mkdir(parents=True)
    options = {
        "--work": "work",
        "--recipe": "rasl.toml",
        "--subspace-recipe": "subspace.toml",
        "--page": "docs/benchmarks/results.md",
    }
    given = [word for name, path in options.items() for word in (name, str(tmp_path / path))]
    return [*given, "--seeds", "1", "--videos-per-kind", "2"]


def written(tmp_path: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (tmp_path / "work/ablations").iterdir()}


def test_pieces_are_kept_and_the_page_tells_what_is_there(
    script: ModuleType,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure = importlib.import_module("results_parts.measure")
    run = [*arguments, "--only", "ablations", "--rows"]
    page = tmp_path / "docs/benchmarks/results.md"

    # Before anything is measured, the page says so.
    assert script.main([*arguments, "--only", "page"]) == 0
    assert "* `baselines`: not measured yet" in page.read_text()

    assert script.main([*run, "*/base/*"]) == 0
    first = written(tmp_path)
    assert len(first) == 4  # the baselines, and three bases with one seed
    assert script.main([*run, "recipe/losses/without SCL"]) == 0
    second = written(tmp_path)
    assert len(second) == 5
    assert {path: second[path] for path in first} == first

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(measure, "train_on", refuse)
        capsys.readouterr()
        assert script.main([*run, "*/base/*"]) == 0
        assert "3 runs, 3 already there" in capsys.readouterr().err
        # An equal recipe under another name is not trained either.
        assert script.main([*run, "recipe/activation/head"]) == 0
        assert "1 runs, 1 already there" in capsys.readouterr().err
    assert written(tmp_path) == second

    assert script.main([*arguments, "--only", "page"]) == 0
    text = page.read_text()
    [line] = [
        line
        for line in text.split("### ")[1].splitlines()
        if line.startswith("| losses: without SCL |")
    ]
    [piece] = [
        stored
        for path in second
        if (stored := json.loads(path.read_text())).get("row") == "recipe/losses/without SCL"
    ]
    [stored_kinds] = [
        stored["kinds"] for path in second if "kinds" in (stored := json.loads(path.read_text()))
    ]
    values = np.array(piece["values"]["activation"])
    mean = np.mean([values[[k == kind for k in stored_kinds]].mean() for kind in HEADLINE_KINDS])
    # After the row's name and what it looks at, one column for each kind.
    assert line.split(" | ")[2 + len(KINDS)] == f"{100 * mean:.1f}"
    assert "scl" not in piece["losses"]
    assert piece["losses"]["step"] == [1, 2, 3]
    missing = text.split("## Rows that are missing")[1]
    [line] = [line for line in missing.splitlines() if line.startswith("* `recipe/losses`")]
    assert "without k-point contrast" in line
    assert "without SCL" not in line
    assert line.endswith("seed 0 not run yet")
    assert str(tmp_path) not in text
    assert "losses by weight: reconstruction 1, budget 1, masked 1, scl 0.5" in text
    assert "Not drawn yet." in text
    assert "Uniform pace and talk: not measured yet." in text


def test_cost_and_failures_of_the_shipped_models(
    script: ModuleType,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "docs/benchmarks/results.md"
    # How long it takes is not looked at here.
    monkeypatch.setattr(importlib.import_module("results_parts.cost"), "REPEATS", 1)
    for part in ("cost", "failures"):
        assert script.main([*arguments, "--only", part]) == 0
        capsys.readouterr()
        assert script.main([*arguments, "--only", part]) == 0
        assert capsys.readouterr().err == f"{part}: already there\n"
    assert script.main([*arguments, "--only", "page"]) == 0
    text = page.read_text()
    network = load_scorer(ROOT / "model_zoo/weights/rasl.safetensors").network  # type: ignore[attr-defined]
    megabytes = (ROOT / "model_zoo/weights/rasl.safetensors").stat().st_size / 1e6
    start = f"| `rasl` | {megabytes:.1f} |"
    [line] = [line for line in text.splitlines() if line.startswith(start)]
    assert f"| {count_parameters(network):,} |" in line
    assert f"| {count_parameters(network, vision_only=True):,} |" in line
    # Each label of the part dev, and composites to compare with, for both models.
    uniform = [line for line in text.splitlines() if line.startswith("| only ")]
    assert len(uniform) == 2 * 7
    assert len([line for line in text.splitlines() if line.startswith("| with a high")]) == 2


def test_learning_curves_are_drawn(
    script: ModuleType, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `docs` is not installed")
    assert script.main([*arguments, "--only", "curves"]) == 0
    assert "no base was measured yet" in capsys.readouterr().err
    assert not (tmp_path / "work/curves.png").exists()
    assert script.main([*arguments, "--only", "ablations", "--rows", "[rs]*/base/*"]) == 0
    assert script.main([*arguments, "--only", "curves"]) == 0
    assert script.main([*arguments, "--only", "page"]) == 0
    assert "(../images/results-curves.png)" in (tmp_path / "docs/benchmarks/results.md").read_text()
    figure = (tmp_path / "docs/images/results-curves.png").read_bytes()
    assert figure.startswith(b"\x89PNG")
    assert len(figure) < 400_000


def test_a_stopped_run_goes_on_and_a_failure_is_named(
    script: ModuleType,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measure = importlib.import_module("results_parts.measure")
    run = [*arguments, "--only", "ablations", "--rows", "[sr]*/base/*"]
    page = tmp_path / "docs/benchmarks/results.md"
    real, names = measure.train_on, []

    def stop_at_the_second(corpus: object, recipe: object, **options: object) -> Path:
        names.append(type(recipe).__name__)
        if len(names) == 2:
            raise KeyboardInterrupt
        path: Path = real(corpus, recipe, **options)
        return path

    with monkeypatch.context() as patch:
        patch.setattr(measure, "train_on", stop_at_the_second)
        assert script.main(run) == 130
    assert names == ["SubspaceRecipe", "RaslRecipe"]
    assert len(written(tmp_path)) == 2  # the baselines and the closed form

    def fail(*args: object, **kwargs: object) -> None:
        raise TrainingError("the loss is no longer a number")

    with monkeypatch.context() as patch:
        patch.setattr(measure, "train_on", fail)
        assert script.main(run) == 0
    assert script.main([*arguments, "--only", "page"]) == 0
    text = page.read_text()
    assert "* `recipe/base`: all settings: seed 0 failed: the loss is no longer a number" in text
    assert "The base was not measured yet." in text

    # What failed is tried again, and hand-written notes stay.
    before, after = re.findall(r"<!-- .* -->", text)
    page.write_text(text.replace(before, f"{before}\n## What it says\n\nDepth does nothing."))
    assert script.main(run) == 0
    assert script.main([*arguments, "--only", "page"]) == 0
    text = page.read_text()
    assert "failed" not in text
    assert text.split(before)[1].split(after)[0] == "\n## What it says\n\nDepth does nothing.\n"
    assert "| base: all settings | 1 |" in text
    assert "The base was not measured yet." in text  # that of the abstract


def test_rows_follow_the_recipe(script: ModuleType, arguments: list[str], tmp_path: Path) -> None:
    rows = importlib.import_module("results_parts.rows")
    settings = importlib.import_module("results_parts.settings").Settings(
        data=tmp_path / "clips",
        work=tmp_path / "work",
        recipe=tmp_path / "rasl.toml",
        subspace_recipe=tmp_path / "subspace.toml",
        overrides=(
            'model.activation="standing"',
            *(f"objective.{loss}=0" for loss in ("reconstruction", "budget", "masked", "scl")),
            "objective.kpoint=0",
        ),
    )
    found = {row.full_name: row for row in rows.ablation_rows(settings)}
    base = found["recipe/base/all settings"]
    # A loss that is off is turned on; the last one cannot be turned off.
    assert found["recipe/losses/with SCL"].recipe.objective.scl == 0.5
    assert found["recipe/losses/without planted highlights"].recipe is None
    assert "not all 0" in found["recipe/losses/without planted highlights"].problem
    predicted = found["recipe/activation/predictability, with masked reconstruction"].recipe
    assert (predicted.model.activation, predicted.objective.masked) == ("predictability", 1.0)
    # What has no effect without its loss or its encoder is varied around the other base.
    for name in ("k, share of the clips/0.3", "depth, layers/3", "level of SCL/local"):
        assert f"recipe/{name}" not in found
        assert found[f"abstract/{name}"].recipe.objective.planted == 0
    assert found["recipe/members of the committee/3"].recipe.model.standing_members == 3
    # Equal recipes share a result; another seed, share of the data or setting does not.
    assert found["recipe/activation/standing"].path(settings, 0) == base.path(settings, 0)
    others = {base.path(settings, 0), base.path(settings, 1)}
    others |= {found[f"recipe/training data/{n} % of the training groups"].path(settings, 0)
               for n in (25, 50, 100)}  # fmt: skip
    others.add(found["recipe/width/64"].path(settings, 0))
    assert len(others) == 5
    # A row that cannot be is missing, and says why.
    assert script.main([*arguments, "--only", "ablations", "--rows", "subspace/base/*"]) == 0
    changes = [word for change in settings.overrides for word in ("--set", change)]
    assert script.main([*arguments, "--only", "page", *changes]) == 0
    text = (tmp_path / "docs/benchmarks/results.md").read_text()
    assert "without planted highlights: cannot be: objective: loss weights are" in text


def test_wrong_patterns_and_changes_are_refused(
    script: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = [*arguments, "--only", "ablations"]
    assert script.main([*run, "--rows", "nothing"]) == 2
    assert "no row is called 'nothing'" in capsys.readouterr().err
    assert script.main([*run, "--set", "training.stepz=3"]) == 2
    assert "unknown setting training.stepz" in capsys.readouterr().err
