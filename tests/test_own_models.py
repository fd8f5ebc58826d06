"""The user's own models: names, whole or nothing, cards, the default, and the commands for them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from cli_runner import run
from typer.testing import CliRunner
from zoo_factory import detector, models_on_disk, put, weights_bytes

from hlcli.cli import app
from hlcli.errors import CheckpointError, HlError, OutputError, UsageError
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.load import load_scorer
from hlcli.paths import cache_dir, models_dir, own_models_dir
from hlcli.training.register import register_run
from hlcli.zoo import own
from hlcli.zoo.card import Figure, FootageFile, Loss, ModelCard, Parent, TrainingSource, plain_name
from hlcli.zoo.card_text import card_markdown
from hlcli.zoo.chosen import choice_path, chosen_name, reset_choice
from hlcli.zoo.manifest import (
    bundled_default_name,
    default_model_name,
    find_model,
    list_models,
    zoo_dir,
)
from hlcli.zoo.reservation import reserve
from hlcli.zoo.weights import location, remove, verify, weights_path

TRAINED = zoo_dir() / "weights" / "subspace.safetensors"
"""A real detector, small."""

FULL_CARD = ModelCard(
    name="weddings",
    description="Tuned on three weddings.",
    created="2025-11-23",
    parent=Parent(name="rasl", version="2", sha256="a" * 64),
    footage=(FootageFile(file="take | 1.mp4", sha256_head="b" * 64, seconds=90.0),),
    lessons=(
        TrainingSource(way="footage"),
        TrainingSource(way="cut", file="cut.otio", num_kept=10, num_passed=31, num_unmatched=2),
    ),
    settings={"seed": 1, "ridge": 0.3, "smooth": True, "note": "a [b] <c>"},
    losses=(Loss(name="total", first=2.0, last=0.5, num_steps=300),),
    figures=(
        Figure(
            name="average precision",
            before=0.32,
            after=0.81,
            num_files=1,
            num_spans=12,
            held_out=True,
        ),
        Figure(name="recall", before=None, after=1.0, num_files=2, num_spans=3, held_out=False),
    ),
    warnings=("Ten spans are few.",),
    hlcli_version="0.1.0",
)


def card(name: str = "weddings", **changes: Any) -> ModelCard:
    return ModelCard(
        **({"name": name, "description": "For tests.", "created": "2025-11-23"} | changes)
    )


def register(name: str = "weddings", **changes: Any) -> Any:
    fields: dict[str, Any] = {"card": card(name), "training_data": "my footage", "source": "here"}
    return own.register(TRAINED, **(fields | changes))


hl = partial(run, "models")


# Where they are


def test_the_folder_follows_the_variables_and_else_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_models_dir() == cache_dir() / "own-models"
    monkeypatch.setenv("HL_MODELS_DIR", str(tmp_path / "mine"))
    assert own_models_dir() == tmp_path / "mine"
    monkeypatch.delenv("HL_CACHE_DIR")
    assert own_models_dir() == tmp_path / "mine"
    monkeypatch.setenv("HL_MODELS_DIR", "")
    assert own_models_dir() == Path(platformdirs.user_data_dir("hl", appauthor=False)) / "models"
    assert cache_dir() not in own_models_dir().parents


# Registering


def test_a_registered_model_has_everything_in_its_folder() -> None:
    parent = Parent(name="rasl", version="2", sha256="a" * 64)
    manifest = register(
        card=card(parent=parent), recipe='kind = "subspace"\n', scores={"ap": 0.5}, version="7"
    )
    folder = own_models_dir() / "weddings"
    assert models_on_disk() == ["weddings"]
    assert sorted(one.name for one in folder.iterdir()) == [
        "card.json",
        "card.md",
        "model.safetensors",
        "recipe.toml",
        "weddings.toml",
    ]
    assert (folder / "model.safetensors").read_bytes() == TRAINED.read_bytes()
    assert own.read_card("weddings") == card(parent=parent)
    assert (folder / "card.md").read_text(encoding="utf-8") == card_markdown(card(parent=parent))
    assert own.read_recipe("weddings") == 'kind = "subspace"\n'

    assert find_model("weddings") == manifest
    bundled = find_model("subspace")
    assert (manifest.kind, manifest.feature_spec) == (bundled.kind, bundled.feature_spec)
    assert (manifest.sha256, manifest.size_bytes) == (bundled.sha256, bundled.size_bytes)
    assert (manifest.parent, manifest.version, manifest.scores) == ("rasl", "7", {"ap": 0.5})
    assert (manifest.description, manifest.training_data) == ("For tests.", "my footage")
    assert location(manifest) == "own"
    assert (manifest.is_own, manifest.is_bundled) == (True, False)
    assert (bundled.is_own, bundled.is_bundled) == (False, True)
    verify(manifest)
    assert load_scorer(weights_path(manifest), kind="subspace").kind == "subspace"
    assert "weddings" in [one.name for one in list_models()]


def test_a_taken_name_is_refused_and_nothing_is_overwritten() -> None:
    register()
    models_dir().mkdir(parents=True)
    put(models_dir(), detector(name="added"))
    before = {path: path.read_bytes() for path in own_models_dir().rglob("*") if path.is_file()}
    remedies = {
        "weddings": "choose another name, or run `hl models remove weddings` first",
        "added": "choose another name, or run `hl models remove added` first",
        "rasl": "choose another name",
        "yamnet": "choose another name",
    }
    for name, hint in remedies.items():
        with pytest.raises(UsageError) as caught:
            register(name, card=card(name, description="Another."))
        assert caught.value.message == f"there is a model called {name!r} already"
        assert caught.value.hint == hint
    after = {path: path.read_bytes() for path in own_models_dir().rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("name", ["Weddings", "../weddings", "", "a b", "con", ".locks", "a" * 65])
def test_a_name_that_no_model_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a model"), reserve(name):
        pass
    assert models_on_disk() == []


def header_of(kind: object, spec: object) -> bytes:
    import numpy as np
    from safetensors.numpy import save

    text = json.dumps({"kind": kind, "feature_spec": spec})
    return save({"w": np.zeros(1, np.float32)}, {"hl": text})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"cos\nsystem\n(S'exit 1'\ntR.", "is not a safetensors file"),
        (b"", "is not a safetensors file: it has 0 bytes"),
        (weights_bytes(), "is not a model of hl"),
        (header_of("subspace", "none"), "is not a model of hl"),
        (header_of("magic", {}), "cannot be registered: key `kind`"),
        (header_of("subspace", {}), "cannot be registered: key `features.clip_seconds`"),
    ],
)
def test_what_is_no_detector_leaves_nothing_behind(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=says) as caught:
        own.register(path, card=card(), training_data="a", source="b")
    assert str(path) in caught.value.message
    assert models_on_disk() == []
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot read the model file"):
        own.register(path, card=card(), training_data="a", source="b")
    with pytest.raises(CheckpointError, match="cannot be registered"):
        register(recipe="not = = toml")
    assert models_on_disk() == []


@pytest.mark.parametrize("trouble", [OutputError("the disk is full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write_manifest", "write_text", "_place"])
def test_a_failure_at_any_step_leaves_nothing_behind(
    step: str, trouble: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        # The weights are there by now, where no list shows them.
        (hidden,) = models_on_disk()
        assert hidden.startswith(".weddings.")
        assert (own_models_dir() / hidden / "model.safetensors").is_file()
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(own, step, fail)
        with pytest.raises(type(trouble)):
            register()
    assert models_on_disk() == []
    assert "weddings" not in [one.name for one in list_models()]
    register()
    assert models_on_disk() == ["weddings"]


def test_what_a_killed_run_left_is_not_listed_and_goes_away() -> None:
    for name in (".weddings.hl-0123abcd.part", ".weddings-2.hl-0123abcd.part"):
        folder = own_models_dir() / name
        folder.mkdir(parents=True)
        shutil.copy(TRAINED, folder / "model.safetensors")
        put(folder, detector(name="weddings"))
    assert not [one for one in list_models(include_hidden=True) if one.is_own]
    register()
    # A model of another name sweeps, too.
    assert models_on_disk() == ["weddings"]


def test_a_name_is_held_through_a_long_run() -> None:
    with reserve("weddings") as reservation:
        # Whoever comes now is told at once and does not wait.
        with pytest.raises(UsageError, match="another run is making or removing a model called"):
            register()
        with pytest.raises(ValueError, match="the name 'weddings' is held and the card says"):
            register(card=card("other"), reservation=reservation)
        register(reservation=reservation)
        register("other")
    assert models_on_disk() == ["other", "weddings"]
    with pytest.raises(UsageError, match="already"), reserve("weddings"):
        pass


@contextlib.contextmanager
def holder(name: str) -> Iterator[subprocess.Popen[str]]:
    """Start another process that holds a name until its stdin is closed."""
    code = (
        "import sys\nfrom hlcli.zoo.reservation import reserve, staging\n"
        "with reserve(sys.argv[1]), staging(sys.argv[1]):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_two_processes_cannot_have_one_name_and_a_killed_one_lets_go() -> None:
    with holder("weddings") as process:
        with pytest.raises(UsageError) as caught:
            register()
        assert caught.value.hint == "wait until it is done, or choose another name"
        register("other")
        process.kill()
        process.wait()
        (left,) = [name for name in models_on_disk() if name.startswith(".")]
        register()
        assert left not in models_on_disk()
    assert models_on_disk() == ["other", "weddings"]


def test_a_name_that_is_taken_while_waiting_for_the_lock_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = register().folder
    folder.rename(tmp_path / "weddings")

    @contextlib.contextmanager
    def late(name: str) -> Iterator[None]:
        # Another process was quicker: it is done when the lock comes to us.
        (tmp_path / name).rename(folder)
        yield

    monkeypatch.setattr("hlcli.zoo.reservation.locked", late)
    with pytest.raises(UsageError, match="there is a model called 'weddings' already"):
        register()


def test_without_locks_the_rename_still_overwrites_nothing(tmp_path: Path) -> None:
    folder, target = tmp_path / "new", tmp_path / "old"
    for one in (folder, target):
        one.mkdir()
        (one / "file").write_text(one.name)
    with pytest.raises(UsageError, match="is there already"):
        own._place(folder, target)
    assert (target / "file").read_text() == "old"
    assert (folder / "file").read_text() == "new"


def test_a_folder_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("HL_MODELS_DIR", str(blocked / "models"))
    assert own.remove("weddings") is None
    assert default_model_name() == "rarity"
    with pytest.raises(OutputError) as caught:
        register()
    assert caught.value.hint == "set HL_MODELS_DIR to a folder you may write to"


# Listing


def test_a_name_twice_is_an_error_that_names_the_file() -> None:
    register()
    models_dir().mkdir(parents=True)
    put(models_dir(), detector(name="weddings", version="added"))
    with pytest.raises(CheckpointError, match="has the name of another model") as caught:
        list_models()
    assert str(models_dir() / "weddings.toml") in caught.value.message
    # The own one is taken: it cannot be downloaded again.
    assert find_model("weddings").version == "1"


def test_a_bad_manifest_does_not_hide_the_other_models() -> None:
    register()
    for name, text in (("broken", "name = "), ("binary", "\0\udcff")):
        folder = own_models_dir() / name
        folder.mkdir()
        data = text.encode("utf-8", "surrogateescape")
        (folder / f"{name}.toml").write_bytes(data)
    models_dir().mkdir(parents=True)
    put(models_dir(), detector(name="weddings", version="added"))
    code, stdout, stderr = hl("list")
    assert code == 4
    listed = [line.split() for line in stdout.splitlines()]
    assert ["rasl"] in [words[1:2] for words in listed]
    assert [words[0] for words in listed].count("weddings") == 1
    bad = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(bad) == 3
    for name, line in zip(("binary.toml", "broken.toml", "weddings.toml"), bad, strict=True):
        assert name in line
    code, stdout, _ = hl("list", "--json")
    assert code == 4
    assert "weddings" in [one["name"] for one in json.loads(stdout)]
    code, _, stderr = hl("verify")
    assert code == 4
    assert stderr.count("error: ") == 3


def test_a_later_version_may_bundle_a_name_that_the_user_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("hlcli.zoo.manifest.zoo_dir", lambda: own_models_dir() / "empty")
        register("subspace")
    with pytest.raises(CheckpointError, match=r"subspace\.toml has the name of another model"):
        list_models()
    assert find_model("subspace").is_bundled
    # `hl models remove` means the own one: the other cannot be removed anyway.
    assert hl("remove", "subspace")[0] == 0
    assert find_model("subspace").is_bundled
    assert models_on_disk() == []


def test_the_doctor_says_where_they_are() -> None:
    register()
    result = CliRunner().invoke(app, ["doctor"])
    (row,) = [line for line in result.stdout.splitlines() if "own models" in line]
    assert row.endswith(f"{own_models_dir()}: weddings")
    assert "model weddings" in result.stdout


# Removing


def test_remove_deletes_the_whole_model_and_says_what() -> None:
    manifest = register()
    size_bytes = sum(path.stat().st_size for path in manifest.folder.iterdir())
    own.make_default("weddings")
    assert own.remove("weddings") == own.Removed(
        path=manifest.folder, size_bytes=size_bytes, was_default=True
    )
    assert models_on_disk() == []
    assert default_model_name() == bundled_default_name() == "rarity"
    assert own.remove("weddings") is None
    register()
    assert remove(find_model("weddings"))
    assert models_on_disk() == []


def test_remove_takes_a_damaged_model_too() -> None:
    manifest = register()
    (manifest.folder / "weddings.toml").write_text("name = ")
    (manifest.folder / "card.json").unlink()
    with pytest.raises(CheckpointError):
        find_model("weddings")
    code, out, err = hl("remove", "weddings")
    assert (code, out) == (0, "")
    assert err.startswith("removed weddings, ")
    assert models_on_disk() == []


def test_a_model_that_is_being_made_is_not_removed() -> None:
    register()
    folder = own_models_dir() / "weddings"
    folder.rename(own_models_dir() / "aside")
    with reserve("weddings"):
        (own_models_dir() / "aside").rename(folder)
        with pytest.raises(UsageError, match="right now"):
            own.remove("weddings")
    assert (folder / "model.safetensors").is_file()


def test_remove_of_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    manifest = register()
    elsewhere = tmp_path / "elsewhere"
    manifest.folder.rename(elsewhere)
    try:
        manifest.folder.symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert find_model("weddings").is_own
    assert own.remove("weddings") is not None
    assert models_on_disk() == []
    assert (elsewhere / "model.safetensors").is_file()


# The default


def test_an_own_model_can_be_the_default() -> None:
    register()
    assert default_model_name() == "rarity"
    own.make_default("weddings")
    assert (default_model_name(), chosen_name()) == ("weddings", "weddings")
    # The bundled default is no choice: a later version may bring a better one.
    own.make_default("rarity")
    assert (default_model_name(), chosen_name()) == ("rarity", None)
    own.make_default("subspace")
    assert (default_model_name(), chosen_name()) == ("subspace", "subspace")
    reset_choice()
    reset_choice()
    assert default_model_name() == "rarity"


def test_what_cannot_be_the_default() -> None:
    with pytest.raises(UsageError, match="yamnet cannot be the default: it is an encoder"):
        own.make_default("yamnet")
    with pytest.raises(HlError, match="there is no model 'nope'"):
        own.make_default("nope")
    assert not choice_path().exists()


def test_a_default_that_is_gone_is_an_error_and_no_other_model() -> None:
    register()
    own.make_default("weddings")
    shutil.rmtree(own_models_dir() / "weddings")
    with pytest.raises(CheckpointError, match="'weddings', which was made the default, is gone"):
        default_model_name()
    code, out, err = hl("list")
    assert code == 4
    assert "rarity" in out
    assert "* taken" not in out
    assert "hint: `hl models default --reset` goes back to the one that comes with hl\n" in err
    assert hl("default", "--reset")[0] == 0
    assert default_model_name() == "rarity"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"schema": "hl.default-model/1"}',
        '{"schema": "hl.default-model/1", "name": 3}',
        '{"schema": "hl.default-model/1", "name": "../rasl"}',
        '{"schema": "hl.default-model/2", "name": "rasl"}',
        "\udcff",
    ],
)
def test_a_damaged_choice_is_an_error_until_it_is_reset(text: str) -> None:
    choice_path().parent.mkdir(parents=True)
    choice_path().write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError, match="the choice of a default model cannot be read"):
        default_model_name()
    reset_choice()
    assert default_model_name() == "rarity"


def test_added_models_cannot_say_that_they_are_the_default() -> None:
    manifest = register()
    path = manifest.folder / "weddings.toml"
    path.write_text("default = true\n" + path.read_text())
    with pytest.raises(CheckpointError, match=r"weddings\.toml is the default"):
        list_models()
    assert default_model_name() == "rarity"


# The card


def test_a_card_survives_json() -> None:
    text = FULL_CARD.to_json()
    assert json.loads(text)["schema"] == "hl.model-card/1"
    assert ModelCard.from_json(text) == FULL_CARD
    assert ModelCard.from_json(text).to_json() == text
    assert ModelCard.from_json(card().to_json()) == card()


def test_a_card_reads_as_a_page() -> None:
    assert card_markdown(FULL_CARD) == (
        "# weddings\n\n"
        "Tuned on three weddings.\n\n"
        "* made: 2025-11-23, hl 0.1.0\n"
        f"* tuned from: rasl, version 2, sha256 {'a' * 64}\n\n"
        "## Know this\n\n"
        "* Ten spans are few.\n\n"
        "## Measured\n\n"
        "| figure | before | after | measured on spans | held out |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| average precision | 0.32 | 0.81 | 12 in 1 file | yes |\n"
        "| recall | - | 1 | 3 in 2 files | no: it learned from them |\n\n"
        "## How it learned\n\n"
        "* unlabelled footage\n"
        "* a finished cut (cut.otio): 10 spans kept, 31 passed over, "
        "2 not found in the footage\n\n"
        "## Losses\n\n"
        "| loss | first | last | steps |\n"
        "| --- | --- | --- | --- |\n"
        "| total | 2 | 0.5 | 300 |\n\n"
        "## Settings\n\n"
        "| setting | value |\n"
        "| --- | --- |\n"
        "| seed | 1 |\n"
        "| ridge | 0.3 |\n"
        "| smooth | True |\n"
        "| note | a \\[b] \\<c> |\n\n"
        "## Footage\n\n"
        "1 file, 1.5 minutes\n\n"
        "| file | seconds | sha256 of size, first and last MiB |\n"
        "| --- | --- | --- |\n"
        f"| take \\| 1.mp4 | 90.0 | {'b' * 64} |\n"
    )


def test_cards_keep_no_folders() -> None:
    assert plain_name(Path("customers/Miller/take 1.mp4")) == "take 1.mp4"
    assert plain_name(Path("a\x1b[31m\udcff.mp4")) == "a?[31m?.mp4"
    for file in ("customers/take.mp4", "C:\\take.mp4", ""):
        with pytest.raises(ValueError, match="a name without folders"):
            FootageFile(file=file, sha256_head="b" * 64, seconds=1.0)
        with pytest.raises(ValueError, match="a name without folders"):
            TrainingSource(way="cut", file=file)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"hl.model-card/1"', '"hl.model-card/2"', "not of the layout"),
        ('"name": "weddings"', '"name": "../weddings"', "cannot be called"),
        ('"name": "weddings"', '"nane": "weddings"', "`card.nane`, did you mean `name`"),
        ('"name": "weddings",', "", "key `card.name` is missing"),
        ('"name": "weddings"', '"name": null', "`card.name` cannot be None"),
        ('"name": "weddings"', '"name": "weddings", "name": "b"', "a key stands twice"),
        ('"2025-11-23"', '"today"', "`created` is a date"),
        ('"2025-11-23"', '"\\u001b]0;x"', "`created` holds control codes"),
        ('"Tuned on three', '"\\ud800Tuned on three', "`description` holds control codes"),
        ('"Tuned on three weddings."', '" "', "`description` is empty"),
        ('"Ten spans are few."', '"\\u0007"', "`warnings` holds control codes"),
        ('"Ten spans are few."', "7", r"`card.warnings\[0\]` cannot be 7"),
        ('"note": "a', '"no\\u0000te": "a', "holds control codes"),
        ('"seed": 1', '"seed": null', "`card.settings.seed` cannot be None"),
        ('"seed": 1', '"seed": [1]', "`card.settings.seed` cannot be"),
        ('"ridge": 0.3', '"ridge": NaN', "NaN is not a number"),
        ('"ridge": 0.3', '"ridge": 1e999', "`ridge` is a finite number"),
        ('"seconds": 90.0', '"seconds": -1', "`seconds` is above 0"),
        ('"seconds": 90.0', f'"seconds": 1{"0" * 400}', "1000000.* is not a number that can"),
        ('"num_kept": 10', '"num_kept": -10', "`num_kept` is at least 0"),
        ('"num_kept": 10', '"num_kept": 1.5', "cannot be 1.5"),
        ('"num_kept": 10', '"num_kept": true', "cannot be True"),
        ('"way": "cut"', '"way": "magic"', "cannot be 'magic'"),
        ('"way": "cut"', '"way": []', r"cannot be \[\]"),
        ('"file": "take', '"file": "/home/take', "a name without folders"),
        ("a" * 64, "A" * 64, "64 lowercase hex digits"),
        ('"held_out": true', '"held_out": 1', "cannot be 1"),
        ('"first": 2.0', '"first": "2"', "cannot be '2'"),
        ('"lessons": [', '"lessons": {}, "footages": [', "unknown key `card.footages`, did you"),
        ('"warnings": [', '"warnings": [[], ', r"`card.warnings\[0\]` cannot be \[\]"),
        ("{", "[" * 100_000, "nested too deeply|not"),
    ],
)
def test_a_bad_card_is_refused(old: str, new: str, says: str) -> None:
    text = FULL_CARD.to_json()
    assert old in text
    with pytest.raises(ValueError, match=says):
        ModelCard.from_json(text.replace(old, new, 1))


def test_the_reference_describes_every_key() -> None:
    page = Path(__file__).resolve().parents[1] / "docs/reference/model-card.md"
    text = page.read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```$", text, re.M | re.S)
    shown = ModelCard.from_json(example)
    assert json.loads(shown.to_json())["lessons"][1] == json.loads(example)["lessons"][1]
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", text, re.M)
    fields = dataclasses.fields(ModelCard)
    needed = {
        one.name: "yes" if one.default is one.default_factory is dataclasses.MISSING else "no"
        for one in fields
    }
    assert dict(rows) == {"schema": "yes"} | needed
    assert list(json.loads(example)) == ["schema", *(one.name for one in fields)]
    ways = re.findall(r"^\| `(\w+)` \| [^|]*\|$", text, re.M)
    assert ways == ["way", "training", "footage", "cut", "labels"]
    for way in ways[1:]:
        assert TrainingSource(way=way).way == way  # type: ignore[arg-type]


def test_a_damaged_card_names_its_file() -> None:
    manifest = register()
    path = manifest.folder / "card.json"
    for damage in ("{", "\udcff"):
        path.write_bytes(damage.encode("utf-8", "surrogateescape"))
        with pytest.raises(CheckpointError, match="the card of weddings cannot be used") as caught:
            own.read_card("weddings")
        assert str(path) in caught.value.message


# From `hl train`


def test_the_folder_of_a_run_becomes_a_model_with_its_losses(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(TRAINED, run / "model.safetensors")
    (run / "recipe.toml").write_text('[data]\nfolders = ["customers/Miller"]\n')
    rows = [
        {"step": step, "learning_rate": 0.1, "grad_norm": 1.0, "total": 3.0 / step, "scl": 1.0}
        for step in (1, 2, 3)
    ]
    (run / "losses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = register_run(run, name="weddings", created="2025-11-23", description="Mine.")
    assert own.read_card("weddings") == card(
        description="Mine.",
        lessons=(TrainingSource(way="training"),),
        losses=(
            Loss(name="total", first=3.0, last=1.0, num_steps=3),
            Loss(name="scl", first=1.0, last=1.0, num_steps=3),
        ),
        hlcli_version=Checkpoint.read(TRAINED).hlcli_version,
    )
    # The recipe out of the model file: it names no folders.
    recipe = own.read_recipe("weddings")
    assert recipe is not None
    assert 'name = "subspace"' in recipe
    assert not any("Miller" in path.read_text("latin-1") for path in manifest.folder.iterdir())

    register_run(run / "model.safetensors", name="file-alone", created="2025-11-23")
    assert own.read_card("file-alone").losses == ()
    (run / "losses.jsonl").write_text('{"step": 1')
    register_run(run, name="cut-log", created="2025-11-23")
    assert own.read_card("cut-log").losses == ()


def test_a_run_that_cannot_be_added(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no model file"):
        register_run(tmp_path, name="weddings", created="2025-11-23")
    with pytest.raises(UsageError, match="cannot be the name"):
        register_run(tmp_path, name="We", created="2025-11-23")
    with pytest.raises(UsageError, match="holds control codes"):
        register_run(TRAINED, name="we", created="2025-11-23", description="\x1b[31m")
    cut = tmp_path / "model.safetensors"
    cut.write_bytes(TRAINED.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        register_run(tmp_path, name="weddings", created="2025-11-23")
    assert models_on_disk() == []


# The commands


def test_add_list_show_default_remove() -> None:
    code, out, err = hl("add", str(TRAINED), "--name", "weddings", "--description", "Mine.")
    folder = own_models_dir() / "weddings"
    assert (code, out, err) == (0, "", f"weddings is one of your models now: {folder}\n")
    assert hl("default") == (0, "rarity\n", "")
    said = "weddings is taken from now on where --model names no other\n"
    assert hl("default", "weddings") == (0, "", said)
    assert hl("default") == (0, "weddings\n", "")
    assert hl("default", "weddings", "--reset")[0] == 2

    code, out, err = hl("list")
    assert (code, err) == (0, "")
    (row,) = [line.split() for line in out.splitlines() if "weddings" in line]
    assert row == ["*", "weddings", "subspace", "228.0", "KiB", "own", "yours"]
    rows = json.loads(hl("list", "--json")[1])
    assert [one["name"] for one in rows if one["default"]] == ["weddings"]
    (row,) = [one for one in rows if one["name"] == "weddings"]
    assert (row["where"], row["path"]) == ("own", str(folder / "model.safetensors"))

    code, out, err = hl("show", "weddings")
    assert (code, err) == (0, "")
    assert out == card_markdown(own.read_card("weddings"))
    assert out.startswith("# weddings\n\nMine.\n\n* made: 20")
    assert hl("show", "weddings", "--json")[1] == own.read_card("weddings").to_json()
    page = (zoo_dir() / "rasl.md").read_text(encoding="utf-8")
    assert hl("show", "rasl") == (0, page, "")

    code, out, err = hl("remove", "weddings")
    assert (code, out) == (0, "")
    removed, default = err.splitlines()
    assert removed.startswith("removed weddings, 2")
    assert removed.endswith(f" KiB in {folder}")
    assert default == "rarity is taken from now on where --model names no other"
    assert models_on_disk() == []


def test_list_shows_the_parent_and_no_ones_colours() -> None:
    register(card=card(parent=Parent(name="rasl", version="2", sha256="a" * 64)), licence="[red]x")
    (row,) = [line for line in hl("list")[1].splitlines() if "weddings" in line]
    assert "own, from rasl" in row
    assert "[red]x" in row
