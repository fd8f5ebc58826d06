"""`.hlmodel` files: one model gives one file, and a hostile file gives nothing but an error."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import random
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from typer.testing import CliRunner
from zoo_factory import models_on_disk

from hlcli.cli import app
from hlcli.errors import CheckpointError, ChecksumError, HlError, OutputError, UsageError
from hlcli.features.types import FeatureSpec
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.exchange import add_model, card_of, export_model, import_model
from hlcli.model.inspection import EXTRACTION_VERSION, check_loads, missing_encoders
from hlcli.paths import own_models_dir
from hlcli.zoo import archive, own
from hlcli.zoo.card import FootageFile, ModelCard, Parent
from hlcli.zoo.manifest import ModelManifest, find_model, manifest_text, zoo_dir
from hlcli.zoo.weights import weights_path

TRAINED = zoo_dir() / "weights" / "subspace.safetensors"
NETWORK = zoo_dir() / "weights" / "rasl.safetensors"
RECIPE = 'kind = "subspace"\n'
CARD = ModelCard(
    name="weddings",
    description="For tests.",
    created="2025-11-23",
    parent=Parent(name="subspace", version="1", sha256="a" * 64),
    footage=(FootageFile(file="take.mp4", sha256_head="b" * 64, seconds=90.0),),
)


@pytest.fixture
def model() -> ModelManifest:
    return add_model(
        TRAINED,
        card=CARD,
        training_data="my footage",
        source="here",
        recipe=RECIPE,
        scores={"ap": 0.5},
    )


@pytest.fixture
def file(model: ModelManifest, tmp_path: Path) -> Path:
    """Return an exported model whose own entry is gone, as on another machine."""
    path = tmp_path / "weddings.hlmodel"
    export_model("weddings", path)
    own.remove("weddings")
    return path


# There and back


def test_a_model_comes_back_as_it_was(model: ModelManifest, tmp_path: Path) -> None:
    path = tmp_path / "a.hlmodel"
    assert export_model("weddings", path) == model
    before = {one.name: one.read_bytes() for one in model.folder.iterdir()}
    own.remove("weddings")
    again = import_model(path)
    assert again == model
    assert {one.name: one.read_bytes() for one in again.folder.iterdir()} == before
    assert models_on_disk() == ["weddings"]
    export_model("weddings", tmp_path / "b.hlmodel")
    assert (tmp_path / "b.hlmodel").read_bytes() == path.read_bytes()


def test_the_bytes_do_not_depend_on_time_or_place(model: ModelManifest, tmp_path: Path) -> None:
    first, second = tmp_path / "first.hlmodel", tmp_path / "second.hlmodel"
    export_model("weddings", first)
    for one in model.folder.iterdir():
        os.utime(one, (1e9, 1e9))
        one.chmod(0o600)
    export_model("weddings", second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as stored:
        assert [
            (info.filename, info.date_time, info.compress_type) for info in stored.filelist
        ] == [
            (name, (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED)
            for name in ("manifest.toml", "card.json", "recipe.toml", "model.safetensors")
        ]
        assert stored.read("model.safetensors") == TRAINED.read_bytes()
        assert stored.testzip() is None


def test_another_name_goes_into_manifest_and_card(file: Path) -> None:
    manifest = import_model(file, name="other")
    assert manifest.name == "other"
    assert own.read_card("other") == dataclasses.replace(CARD, name="other")
    assert find_model("other").scores == {"ap": 0.5}


@pytest.mark.parametrize("name", ["subspace", "rasl"])
def test_a_bundled_model_can_be_exported_and_imported_under_another_name(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.hlmodel"
    bundled = export_model(name, path)
    with pytest.raises(UsageError, match="there is a model called"):
        import_model(path)
    manifest = import_model(path, name="mine")
    assert manifest == dataclasses.replace(
        bundled, name="mine", file="model.safetensors", golden=None, default=False
    )
    assert weights_path(manifest).read_bytes() == weights_path(bundled).read_bytes()
    card = card_of(manifest)
    assert (card.name, card.description, card.created) == ("mine", bundled.description, None)
    assert card.settings["training data"] == bundled.training_data
    assert missing_encoders(manifest) == []


def test_what_is_not_exported(model: ModelManifest, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.hlmodel"):
        export_model("weddings", tmp_path / "a.zip")
    with pytest.raises(UsageError, match="yamnet is an encoder"):
        export_model("yamnet", tmp_path / "a.hlmodel")
    with pytest.raises(OutputError, match=r"the folder .* does not exist"):
        export_model("weddings", tmp_path / "nowhere" / "a.hlmodel")
    weights = model.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ChecksumError, match="the weights of weddings are damaged"):
        export_model("weddings", tmp_path / "a.hlmodel")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_change_while_they_are_read_are_not_written(
    model: ModelManifest, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(TRAINED.read_bytes()[:-1] + b"\xff")
    path = tmp_path / "a.hlmodel"
    with pytest.raises(ChecksumError, match="are not those of its manifest"):
        archive.write_archive(path, model, weights=other, card=CARD, recipe=None)
    with pytest.raises(OutputError, match=r"recipe\.toml of weddings has 262,145 bytes"):
        archive.write_archive(path, model, weights=TRAINED, card=CARD, recipe="#" * (2**18 + 1))
    assert not path.exists()


def test_a_taken_name_is_refused_on_import(file: Path) -> None:
    import_model(file)
    before = {one: one.read_bytes() for one in own_models_dir().rglob("*") if one.is_file()}
    with pytest.raises(UsageError, match="there is a model called 'weddings' already"):
        import_model(file)
    with pytest.raises(UsageError, match="cannot be the name of a model"):
        import_model(file, name="../weddings")
    after = {one: one.read_bytes() for one in own_models_dir().rglob("*") if one.is_file()}
    assert after == before


# Encoders


def test_missing_encoders_are_named(model: ModelManifest) -> None:
    def with_features(**changes: Any) -> ModelManifest:
        return dataclasses.replace(model, feature_spec={**(model.feature_spec or {}), **changes})

    assert missing_encoders(model) == []
    lite2 = find_model("efficientnet-lite2")
    assert missing_encoders(
        with_features(visual_encoder=lite2.name, visual_sha256=lite2.sha256)
    ) == [
        "it needs the encoder efficientnet-lite2, which is not here: "
        "run `hl models convert efficientnet-lite2`"
    ]
    assert missing_encoders(with_features(visual_encoder="eye", audio_sha256="c" * 64)) == [
        "it needs the encoder eye, which this hl does not know: update hl",
        f"it needs other weights of the encoder yamnet than are known here: sha256 {'c' * 64}",
    ]
    (backbone,) = missing_encoders(with_features(visual_encoder="timm:resnet18"))
    assert backbone.startswith("it needs the backbone timm:resnet18 (sha256 ")


def test_the_known_extraction_version_is_the_one_that_is_made() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(FeatureSpec)}
    assert fields["extraction_version"] == EXTRACTION_VERSION


# Hostile files

Members = dict[str, bytes]


def members_of(file: Path) -> Members:
    with zipfile.ZipFile(file) as stored:
        return {name: stored.read(name) for name in stored.namelist()}


def zipped(
    members: list[tuple[str, bytes]], *, change: Callable[[zipfile.ZipInfo], None] | None = None
) -> bytes:
    """Write a ZIP as `hl` does, whatever the members are called."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as stored:
        for name, data in members:
            info = archive._member("x", len(data))
            info.filename = name
            if change is not None:
                change(info)
            with warnings.catch_warnings():
                # "Duplicate name": that is the point.
                warnings.simplefilter("ignore", UserWarning)
                stored.writestr(info, data)
    return buffer.getvalue()


def refused(path: Path, data: bytes, says: str, kind: type[HlError] = CheckpointError) -> None:
    path.write_bytes(data)
    with pytest.raises(kind, match=says) as caught:
        import_model(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert ".part" not in caught.value.message
    assert models_on_disk() == []


def test_the_writer_of_these_tests_writes_as_hl_does(file: Path) -> None:
    assert zipped(list(members_of(file).items())) == file.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.toml",
        "/etc/evil",
        "C:\\evil",
        "..\\evil",
        "weddings/",
        "model.safetensors/..",
        "MANIFEST.TOML",
        "./recipe.toml",
        "card.json\x00.txt",
        "evil.pkl",
        "__init__.py",
    ],
)
def test_a_member_of_another_name_is_refused(name: str, file: Path, tmp_path: Path) -> None:
    members = members_of(file)
    outside = sorted(tmp_path.rglob("*"))
    refused(file, zipped([*members.items(), (name, b"x")]), "it lists|it holds")
    replaced = [(name if key == "recipe.toml" else key, one) for key, one in members.items()]
    # A null byte ends a name: that one is `card.json` twice.
    refused(file, zipped(replaced), "it holds|it lists|does not follow|its members take")
    assert sorted(tmp_path.rglob("*")) == outside


def test_members_must_be_there_once_and_in_order(file: Path) -> None:
    members = list(members_of(file).items())
    for index in (0, 1, 3):
        refused(file, zipped([one for i, one in enumerate(members) if i != index]), "it holds")
    refused(file, zipped([*members[:3], members[0]]), "it holds")
    refused(file, zipped([*members, members[3]]), "it lists 5 members")
    refused(file, zipped(members[::-1]), "it holds")
    refused(file, zipped([]), "it holds nothing")
    refused(file, zipped([("model.safetensors", b"x")] * 4), "it holds")


def test_links_and_other_programs_files_are_refused(file: Path) -> None:
    members = list(members_of(file).items())

    def link(info: zipfile.ZipInfo) -> None:
        if info.filename == "recipe.toml":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16

    def folder(info: zipfile.ZipInfo) -> None:
        info.external_attr |= 0x10

    def extra(info: zipfile.ZipInfo) -> None:
        info.extra = struct.pack("<HHQ", 0x7777, 8, 0)

    def later(info: zipfile.ZipInfo) -> None:
        info.date_time = (2025, 11, 23, 0, 0, 0)

    for change in (link, folder, extra, later):
        refused(file, zipped(members, change=change), "encrypted, a link, or written by another")


def test_a_compressed_bomb_is_not_unpacked(file: Path) -> None:
    members = members_of(file)
    members["model.safetensors"] = bytes(50_000_000)

    def deflate(info: zipfile.ZipInfo) -> None:
        info.compress_type = zipfile.ZIP_DEFLATED

    bomb = zipped(list(members.items()), change=deflate)
    assert len(bomb) < 200_000
    refused(file, bomb, "manifest.toml is compressed")


@pytest.mark.parametrize("name", ["manifest.toml", "card.json", "recipe.toml"])
def test_members_have_a_largest_size(name: str, file: Path) -> None:
    members = members_of(file) | {name: b"#" * (archive.MAX_BYTES[name] + 1)}
    refused(file, zipped(list(members.items())), f"{name} has .* bytes, .* are allowed")


def central(data: bytes, name: bytes) -> int:
    """Return where the entry of a member is in the directory at the end."""
    return data.rindex(name) - 46


@pytest.mark.parametrize("claim", [1 << 30, (1 << 30) + 1, 0xFFFFFFFE, 0xFFFFFFFF])
def test_a_claimed_size_costs_nothing(claim: int, file: Path) -> None:
    data = bytearray(file.read_bytes())
    entry = central(bytes(data), b"model.safetensors")
    struct.pack_into("<LL", data, entry + 20, claim, claim)
    refused(file, bytes(data), "are allowed|its members take|is not a model file")


def test_an_encrypted_member_is_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[central(bytes(data), b"card.json") + 8] |= 1
    refused(file, bytes(data), "encrypted")


def test_overlapping_members_are_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    struct.pack_into("<L", data, central(bytes(data), b"recipe.toml") + 42, 0)
    refused(file, bytes(data), "does not follow|is not a model file")


def test_bytes_before_between_and_after_are_refused(file: Path) -> None:
    data = file.read_bytes()
    refused(file, b"#!/bin/sh\nexit 1\n" + data, "does not follow|its members take")
    refused(file, data + b"x", "does not end as a ZIP")
    refused(file, data[:-2] + b"\x01\x00x", "does not end as a ZIP without a comment")
    # A gap before the directory, which knows where it is.
    start = data.index(b"PK\x01\x02")
    end = bytearray(data[-22:])
    struct.pack_into("<L", end, 16, start + 3)
    gap = data[:start] + b"gap" + data[start:-22] + end
    refused(file, gap, f"it has {len(gap):,} bytes and its members take {len(data):,}")
    # A gap behind the first member, and the directory knows.
    second = data.index(b"PK\x03\x04", 4)
    entries = bytearray(gap[start + 3 :])
    for name in (b"card.json", b"recipe.toml", b"model.safetensors"):
        entry = central(bytes(entries), name)
        (offset,) = struct.unpack_from("<L", entries, entry + 42)
        struct.pack_into("<L", entries, entry + 42, offset + 3)
    gap = data[:second] + b"gap" + data[second:start] + entries
    refused(file, gap, "card.json does not follow the member before it")
    locator = b"PK\x06\x07" + bytes(16)
    refused(file, data[:-22] + locator + data[-22:], "it is a ZIP64")


def test_a_directory_of_any_length_is_not_read(file: Path) -> None:
    data = file.read_bytes()
    end = bytearray(data[-22:])
    struct.pack_into("<HH", end, 8, 0xFFFF, 0xFFFF)
    refused(file, data[:-22] + end, "it lists 65535 members")
    end = bytearray(data[-22:])
    struct.pack_into("<L", end, 12, 100_000)
    refused(file, data[:-22] + end, "it lists 4 members in 100000 bytes")


def test_a_cut_file_is_refused_wherever_it_was_cut(file: Path) -> None:
    data = file.read_bytes()
    lengths = {*range(0, 60), *range(len(data) - 300, len(data)), len(data) // 2}
    for length in sorted(lengths):
        refused(file, data[:length], "is not a model file that can be imported")


def test_no_single_wrong_byte_brings_in_another_model(file: Path) -> None:
    """Each is refused, or stands in a field of the ZIP that nothing depends on."""
    data = file.read_bytes()
    weights_start = data.index(b"model.safetensors") + len(b"model.safetensors")
    places = [*range(weights_start), *range(len(data) - 330, len(data))]
    dice = random.Random(1)
    accepted = 0
    for place in dice.sample(places, 250):
        changed = bytearray(data)
        changed[place] ^= 1 << dice.randrange(8)
        file.write_bytes(bytes(changed))
        try:
            manifest = import_model(file)
        except HlError:
            assert models_on_disk() == []
            continue
        accepted += 1
        assert (manifest.folder / "model.safetensors").read_bytes() == TRAINED.read_bytes()
        assert own.read_card("weddings") == CARD
        assert own.read_recipe("weddings") == RECIPE
        own.remove("weddings")
    # Versions and such: a handful of the 250.
    assert accepted < 60


def test_other_files_are_refused(file: Path, tmp_path: Path) -> None:
    for data in (b"", b"cos\nsystem\n(S'exit 1'\ntR.", bytes(10_000), TRAINED.read_bytes()):
        refused(file, data, "is not a model file that can be imported")
    for path in (tmp_path / "nowhere.hlmodel", tmp_path):
        with pytest.raises(CheckpointError, match="cannot read"):
            import_model(path)


# Weights that are not what they should be


def repacked(path: Path, weights: bytes, **changes: Any) -> bytes:
    """Put other weights into a file, with a manifest that has their hash."""
    manifest = import_model(path)
    own.remove("weddings")
    manifest = dataclasses.replace(
        manifest,
        **({"sha256": hashlib.sha256(weights).hexdigest(), "size_bytes": len(weights)} | changes),
    )
    members = members_of(path)
    members["manifest.toml"] = manifest_text(manifest).encode()
    members["model.safetensors"] = weights
    return zipped(list(members.items()))


def checkpoint_bytes(tmp_path: Path, source: Path = TRAINED, **changes: Any) -> bytes:
    checkpoint = Checkpoint.read(source)
    path = tmp_path / "changed.safetensors"
    dataclasses.replace(checkpoint, **changes).write(path)
    return path.read_bytes()


def test_weights_of_another_hash_are_refused(file: Path) -> None:
    members = members_of(file)
    weights = bytearray(members["model.safetensors"])
    weights[-1] ^= 1
    members["model.safetensors"] = bytes(weights)
    refused(file, zipped(list(members.items())), "expected sha256 .*, got", ChecksumError)
    members["model.safetensors"] = bytes(weights) + b"x"
    refused(file, zipped(list(members.items())), "the weights have")


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (b"cos\nsystem\n(S'exit 1'\ntR.", "is not a safetensors file: it claims a header of"),
        (b"\x80\x04\x95" + bytes(100), "is not a safetensors file"),
        (struct.pack("<Q", 1 << 40) + b"{}", "it claims a header of 1099511627776 bytes"),
        (struct.pack("<Q", 17 << 20) + b" " * (17 << 20), "it claims a header of 17825792 bytes"),
        (struct.pack("<Q", 60000) + b"[" * 60000, "its header is not JSON"),
        (save({"w": np.zeros(3, np.float32)}), "is not a model of hl"),
        (save({"w": np.zeros(3)}, {"hl": "[" * 90_000}), "not a detector|is not a model of hl"),
        (save({"w": np.zeros(3)}, {"hl": '{"schema": "hl.checkpoint/9"}'}), "has the layout"),
    ],
)
def test_weights_that_are_no_detector_are_refused(weights: bytes, says: str, file: Path) -> None:
    refused(file, repacked(file, weights), says)


def test_a_detector_that_does_not_fit_is_refused(file: Path, tmp_path: Path) -> None:
    read = Checkpoint.read(TRAINED)
    tensors = dict(read.tensors)
    name, array = next(iter(sorted(tensors.items())))

    def changed(**changes: Any) -> bytes:
        return repacked(file, checkpoint_bytes(tmp_path, **changes))

    good = file.read_bytes()
    for weights, says in (
        ({"tensors": tensors | {"evil": array}}, "unexpected evil"),
        ({"tensors": {key: one for key, one in tensors.items() if key != name}}, "missing"),
        ({"tensors": tensors | {name: array[:1]}}, "wrong shapes"),
        ({"tensors": tensors | {name: array * np.float32("nan")}}, "not finite"),
        ({"kind": "rasl"}, "of kind 'rasl', not 'subspace'"),
        ({"statistics": {}}, "the calibration is incomplete"),
        ({"statistics": {"terms": [], "squash": []}}, "the calibration is incomplete"),
        ({"config": read.config | {"dim": 1 << 40}}, "asks for dim"),
        ({"config": read.config | {"dim": -1}}, "must hold"),
        ({"config": read.config | {"evil": 1}}, "unknown setting"),
        ({"config": read.config | {"fusion": 7}}, "is a table"),
    ):
        refused(file, changed(**weights), says)
        file.write_bytes(good)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_layers", 60_000),
        ("standing_members", 60_000),
        ("num_decoder_layers", 10**15),
        ("window_clips", 10**9),
        ("width", 2**62),
        ("num_heads", 0),
    ],
)
def test_a_configuration_cannot_make_a_network_without_end(
    key: str, value: int, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    config = Checkpoint.read(NETWORK).config
    assert key in config
    path.write_bytes(checkpoint_bytes(tmp_path, NETWORK, config=config | {key: value}))
    with pytest.raises(CheckpointError, match=f"{key} "):
        check_loads(path)


def test_another_feature_specification_is_refused(file: Path, model_spec: dict[str, Any]) -> None:
    weights = TRAINED.read_bytes()
    good = file.read_bytes()
    other = model_spec | {"picture_size": 240}
    refused(file, repacked(file, weights, feature_spec=other), "picture_size differ")
    file.write_bytes(good)
    newer = model_spec | {"extraction_version": 2}
    refused(file, repacked(file, weights, feature_spec=newer), "features of version 2, this hl")


@pytest.fixture
def model_spec() -> dict[str, Any]:
    return dict(find_model("subspace").feature_spec or {})


# Words that are not what they should be


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"licence": "\x1b[2J"}, "the key `licence` of its manifest holds control codes"),
        ({"description": "x" * 4001}, "the key `description` .* too long"),
        ({"scores": {"\x07": 1.0}}, "the key `scores` of its manifest holds control codes"),
        ({"default": True}, "asks for more than a model file may"),
        ({"hidden": True}, "asks for more than a model file may"),
        ({"golden": "a.safetensors"}, "asks for more than a model file may"),
        ({"file": "b/model.safetensors"}, "asks for more than a model file may"),
        ({"file": None, "url": "https://example.org/a.safetensors"}, "asks for more than"),
        ({"name": "other"}, "the card is of 'weddings', the model is 'other'"),
        ({"kind": "encoder", "feature_spec": None, "parent": None}, "it holds an encoder"),
        ({"kind": "rasl"}, "of kind 'subspace', not 'rasl'"),
    ],
)
def test_a_manifest_that_asks_for_more_is_refused(
    changes: dict[str, Any], says: str, file: Path
) -> None:
    refused(file, repacked(file, TRAINED.read_bytes(), **changes), says)


@pytest.mark.parametrize(
    ("member", "old", "new", "says"),
    [
        ("manifest.toml", b'name = "weddings"', b'name = "../weddings"', "key `name` takes"),
        ("manifest.toml", b'name = "weddings"', b"name = 3", "key `name` takes a string"),
        ("manifest.toml", b'name = "weddings"\n', b"", "key `name` is missing"),
        ("manifest.toml", b"[features]", b"[feature]", "unknown key `feature`"),
        ("manifest.toml", b"[features]", b"evil = 1\n[features]", "unknown key `evil`"),
        ("manifest.toml", b"name", b"\xff", "is not a model file"),
        ("card.json", b"{", b"[", "is not a model file"),
        ("card.json", b"take.mp4", b"/h/take.mp4", "a name without folders"),
        ("card.json", b"For tests.", b"\\u001b[2J", "holds control codes"),
        ("card.json", b"90.0", b"NaN", "NaN is not a number"),
        ("recipe.toml", b"=", b"= =", "is not a model file"),
        ("recipe.toml", b"=", b"= \xff", "is not a model file"),
    ],
)
def test_words_are_checked(member: str, old: bytes, new: bytes, says: str, file: Path) -> None:
    members = members_of(file)
    assert old in members[member]
    members[member] = members[member].replace(old, new, 1)
    refused(file, zipped(list(members.items())), says)


# The commands


def test_export_and_import_as_commands(model: ModelManifest, tmp_path: Path) -> None:
    def hl(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["models", *words])
        return result.exit_code, result.stdout, result.stderr

    path = tmp_path / "w.hlmodel"
    assert hl("export", "weddings", "-o", str(path)) == (0, "", f"weddings is in {path}\n")
    code, out, err = hl("import", str(path))
    assert (code, out) == (2, "")
    assert err.startswith("error: there is a model called 'weddings' already\nhint: ")
    folder = own_models_dir() / "w2"
    said = f"w2 is one of your models now: {folder}\n"
    assert hl("import", str(path), "--name", "w2") == (0, "", said)
    assert hl("verify", "w2") == (0, "w2: ok (sha256, 228.0 KiB)\n", "")

    lite2 = find_model("efficientnet-lite2")
    spec = FeatureSpec(**(model.feature_spec or {}))  # type: ignore[arg-type]
    spec = dataclasses.replace(spec, visual_encoder=lite2.name, visual_sha256=lite2.sha256)
    weights = checkpoint_bytes(tmp_path, feature_spec=spec)
    own.remove("weddings")
    path.write_bytes(repacked(path, weights, feature_spec=dataclasses.asdict(spec)))
    code, out, err = hl("import", str(path))
    assert (code, out) == (0, "")
    said, warning = err.splitlines()
    assert said.startswith("weddings is one of your models now: ")
    assert warning == (
        "warning: weddings cannot score yet: it needs the encoder efficientnet-lite2, which is "
        "not here: run `hl models convert efficientnet-lite2`"
    )


def test_the_card_in_a_file_is_the_json_of_the_schema(file: Path) -> None:
    assert json.loads(members_of(file)["card.json"])["schema"] == "hl.model-card/1"


# Whose fault it was

IMPORT_ON_A_FULL_DISK = """
import resource, signal, sys

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from hlcli.cli import app
sys.argv = ["hl", "models", "import", sys.argv[1]]
app()
"""


@pytest.mark.skipif(os.name == "nt", reason="no limits of a process there")
def test_a_disk_without_room_is_not_said_to_be_a_bad_model(file: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ON_A_FULL_DISK, str(file)], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (6, "")
    assert run.stderr.startswith(f"error: cannot write {own_models_dir()}/.weddings.hl-")
    assert "File too large" in run.stderr
    assert "model file" not in run.stderr
    assert models_on_disk() == []


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file that cannot be read")
def test_a_model_that_cannot_be_read_is_not_said_to_be_a_bad_output(
    model: ModelManifest, tmp_path: Path
) -> None:
    unreadable = Path("/proc/self/mem")
    other = dataclasses.replace(CARD, name="other")
    for add in (add_model, own.register):
        with pytest.raises(CheckpointError, match=r"cannot read .*/proc/self/mem: "):
            add(unreadable, card=other, training_data="my footage", source="here")
    with pytest.raises(CheckpointError, match="the weights of weddings cannot be read: /proc/self"):
        archive.write_archive(
            tmp_path / "x.hlmodel", model, weights=unreadable, card=CARD, recipe=None
        )
    assert models_on_disk() == ["weddings"]
    assert list(tmp_path.iterdir()) == []
