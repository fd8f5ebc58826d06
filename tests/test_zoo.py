"""Manifests, weights on disk, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from zoo_factory import FEATURES, detector, put, weights_bytes

from hlcli.errors import CheckpointError, ChecksumError, OfflineError, UnknownModelError, UsageError
from hlcli.features.types import FeatureSpec
from hlcli.paths import cache_dir, models_dir
from hlcli.zoo import manifest as manifest_module
from hlcli.zoo import weights
from hlcli.zoo.header import check_safetensors
from hlcli.zoo.manifest import (
    default_model_name,
    find_detector,
    find_model,
    list_models,
    read_manifest,
    write_manifest,
    zoo_dir,
)
from hlcli.zoo.manifest_values import FEATURE_KEYS


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty zoo folder that is taken for the bundled one."""
    folder = tmp_path / "zoo"
    (folder / "weights").mkdir(parents=True)
    monkeypatch.setattr(manifest_module, "zoo_dir", lambda: folder)
    return folder


# Manifests


def test_feature_table_has_the_fields_of_the_specification() -> None:
    assert set(FEATURE_KEYS) == {field.name for field in dataclasses.fields(FeatureSpec)}
    assert FeatureSpec(**FEATURES).digest() == FeatureSpec(**detector().feature_spec).digest()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"description": 'quote " back\\slash tab\t line\n DEL\x7f nul\x00 \u00e9 \U0001f600'},
        {"file": None, "url": "https://example.org/a/demo.safetensors", "hidden": True},
        {"kind": "encoder", "feature_spec": None, "scores": {}},
        {"default": True, "golden": "demo.golden.safetensors"},
        {"scores": {"a b": 1e-05, 'quote"': -2.0, "\u00e9": 1e300, "n": 3.0}},
    ],
)
def test_written_manifest_reads_back_equal(changes: dict[str, Any], tmp_path: Path) -> None:
    manifest = detector(**changes)
    write_manifest(tmp_path / "demo.toml", manifest)
    again = read_manifest(tmp_path / "demo.toml")
    assert again == manifest
    assert again.folder == tmp_path


def test_manifest_goes_only_into_its_own_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file is called other\.toml"):
        write_manifest(tmp_path / "other.toml", detector())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('licence = "MIT"\n', "", "key `licence` is missing"),
        ('licence = "MIT"', 'license = "MIT"', "unknown key `license`, did you mean `licence`?"),
        ('licence = "MIT"', 'licence = " "', "key `licence` is empty"),
        ('licence = "MIT"', "licence = 3", "key `licence` takes a string, got 3"),
        ("size_bytes = 1", "size_bytes = true", "key `size_bytes` takes a whole number, got True"),
        ("size_bytes = 1", "size_bytes = 0", "key `size_bytes` is at least 1, got 0"),
        (
            'kind = "subspace"',
            'kind = "magic"',
            "key `kind` is one of rarity, rasl, subspace, encoder",
        ),
        ('sha256 = "', 'sha256 = "ff', "key `sha256` takes 64 lowercase hex digits"),
        ('name = "demo"', 'name = "other"', "the file is called demo.toml"),
        ("mean_ap = 0.5", "mean_ap = nan", "key `scores.mean_ap` is a finite number, got nan"),
        ("mean_ap = 0.5", "mean_ap = 'much'", "key `scores.mean_ap` is a finite number"),
        ("visual_size = 1280", "", "key `features.visual_size` is missing"),
        ("visual_size", "visual_sise", "`features.visual_sise`, did you mean `visual_size`?"),
        ("visual_size = 1280", "visual_size = 1.5", "key `features.visual_size` takes a int"),
        ("picture_size = 224", "picture_size = -1", "key `features.picture_size` is above 0"),
        ('= "11', '= "G1', "key `features.visual_sha256` takes 64 lowercase hex digits"),
        ("version = ", "version ", "cannot be used"),
    ],
)
def test_bad_manifest_names_file_and_key(old: str, new: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    write_manifest(path, detector())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CheckpointError) as caught:
        read_manifest(path)
    assert str(path) in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    "file",
    [
        "../demo.safetensors",
        "weights/../../demo.safetensors",
        "/etc/demo.safetensors",
        "C:/demo.safetensors",
        "C:demo.safetensors",
        "..\\demo.safetensors",
        "\\\\server\\demo.safetensors",
        "weights//demo.safetensors",
        "./demo.safetensors",
        "demo.safetensors\x00.toml",
        "demo.pkl",
        "",
    ],
)
def test_path_tricks_are_refused(file: str) -> None:
    with pytest.raises(ValueError, match=r"^key `file` "):
        detector(file=file)
    with pytest.raises(ValueError, match=r"^key `golden` "):
        detector(golden=file)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/demo.safetensors",
        "ftp://example.org/demo.safetensors",
        "file:///etc/demo.safetensors",
        "https:///demo.safetensors",
        "https://user:word@example.org/demo.safetensors",
        "https://example.org/demo.pkl",
        "https://example.org/..%2Fdemo.safetensors",
        "https://example.org/a b.safetensors",
        "https://example.org:99999/demo.safetensors",
        "http://127.0.0.1.example.org/demo.safetensors",
    ],
)
def test_bad_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^key `url`: "):
        detector(file=None, url=url)


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:8000", "[::1]:8000", "127.9.9.9"])
def test_plain_http_is_allowed_to_this_machine(host: str) -> None:
    url = f"http://{host}/demo.safetensors"
    assert detector(file=None, url=url).url == url


@pytest.mark.parametrize(
    "name", ["Demo", "de mo", "-demo", "demo-", "../demo", "", "con", "a" * 65]
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^key `name` "):
        detector(name=name)


def test_file_or_url_but_not_both() -> None:
    for changes in ({"file": None}, {"url": "https://example.org/demo.safetensors"}):
        with pytest.raises(ValueError, match="exactly one of `file`, `url` and the table"):
            detector(**changes)


# The list


def test_zoo_is_in_the_package_or_else_in_the_checkout(tmp_path: Path) -> None:
    package = tmp_path / "hlcli"
    package.mkdir()
    with pytest.raises(CheckpointError, match="no model zoo"):
        zoo_dir(package)
    (tmp_path / "model_zoo").mkdir()
    assert zoo_dir(package) == tmp_path / "model_zoo"
    (package / "_model_zoo").mkdir()
    assert zoo_dir(package) == package / "_model_zoo"


def test_this_installation_has_a_zoo() -> None:
    assert zoo_dir().name in ("model_zoo", "_model_zoo")
    assert (zoo_dir() / "README.md").is_file()


def test_detectors_come_before_encoders_and_hidden_ones_are_left_out(zoo: Path) -> None:
    put(zoo, detector(name="zeta"))
    put(zoo, detector(name="alpha", kind="encoder", feature_spec=None))
    put(zoo, detector(name="tiny", hidden=True))
    models_dir().mkdir(parents=True)
    put(models_dir(), detector(name="mine"))
    assert [item.name for item in list_models()] == ["mine", "zeta", "alpha"]
    assert [item.name for item in list_models(include_hidden=True)] == [
        "mine",
        "tiny",
        "zeta",
        "alpha",
    ]
    assert find_model("tiny").hidden
    assert find_model("zeta").is_bundled
    assert not find_model("mine").is_bundled


@pytest.mark.parametrize("changes", [{"name": "demo"}, {"name": "mine", "default": True}])
def test_an_added_model_cannot_take_a_bundled_ones_place(
    changes: dict[str, Any], zoo: Path
) -> None:
    put(zoo, detector(version="bundled"))
    models_dir().mkdir(parents=True)
    put(models_dir(), detector(version="added", **changes))
    with pytest.raises(CheckpointError, match="the added model"):
        list_models()
    assert find_model("demo").version == "bundled"


def test_unknown_model_lists_names_and_guesses(zoo: Path) -> None:
    put(zoo, detector(name="subspace"))
    put(zoo, detector(name="rasl"))
    with pytest.raises(UnknownModelError) as caught:
        find_model("subspase")
    assert caught.value.message == "there is no model 'subspase'; known models: rasl, subspace"
    assert caught.value.hint == "did you mean `subspace`?"
    # Where a detector is asked for, encoders are not offered.
    put(zoo, detector(name="yamnet", kind="encoder", feature_spec=None))
    with pytest.raises(UnknownModelError) as caught:
        find_detector("subspase")
    assert caught.value.message == (
        "there is no detector 'subspase'; known detectors: rasl, subspace"
    )
    assert caught.value.hint == "did you mean `subspace`?"
    with pytest.raises(UnknownModelError) as caught:
        find_detector("yamnet")
    assert caught.value.message == "yamnet is an encoder, it scores nothing by itself"
    assert caught.value.hint == "name a detector: rasl, subspace"
    assert find_detector("rasl").name == "rasl"
    with pytest.raises(UnknownModelError) as caught:
        find_model("../rasl")
    assert caught.value.hint == "did you mean `rasl`?"


def test_one_bad_manifest_does_not_stop_the_others(zoo: Path) -> None:
    put(zoo, detector())
    (zoo / "broken.toml").write_text("name = ")
    assert find_model("demo").name == "demo"
    with pytest.raises(CheckpointError, match=r"broken\.toml"):
        list_models()


def test_default_is_the_one_bundled_model_that_says_so(zoo: Path) -> None:
    put(zoo, detector(name="one"))
    with pytest.raises(CheckpointError, match=r"^0 manifests in "):
        default_model_name()
    put(zoo, detector(name="two", default=True))
    assert default_model_name() == "two"
    put(zoo, detector(name="three", default=True))
    with pytest.raises(CheckpointError, match=r"^2 manifests in .*: three, two$"):
        default_model_name()


def test_zoo_needs_nothing_heavy() -> None:
    code = (
        "import sys, hlcli.zoo.weights, hlcli.zoo.download;"
        "heavy = {'torch', 'numpy', 'av', 'opentimelineio', 'safetensors', 'typer', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_shipped_manifests_hold() -> None:
    for manifest in list_models(include_hidden=True):
        if manifest.is_bundled:
            weights.verify(manifest)
            assert f"| `{manifest.name}` |" in (zoo_dir() / "README.md").read_text()


# Safetensors or nothing


def test_a_real_safetensors_file_is_accepted(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    save_file({"a": np.zeros((3, 4), np.float32), "b": np.zeros(0, np.int8)}, path, {"k": "v"})
    check_safetensors(path)


PICKLE = b"cos\nsystem\n(S'exit 1'\ntR."
"""Unpickling this would run code."""


def header(entry: Any, data: bytes = bytes(4)) -> bytes:
    raw = json.dumps({"w": entry}).encode()
    return struct.pack("<Q", len(raw)) + raw + data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (PICKLE, "claims a header of"),
        (b"", "it has 0 bytes"),
        (b"PK\x03\x04" + bytes(200), "claims a header of|not JSON"),
        (struct.pack("<Q", 1 << 62) + b"{}", "claims a header of"),
        (struct.pack("<Q", 2) + b"[]", "not a JSON object"),
        (struct.pack("<Q", 2) + b"\xff\xff", "not JSON"),
        (struct.pack("<Q", 60000) + b"[" * 60000, "not JSON"),
        (header({"dtype": "U8", "shape": [4], "data_offsets": [0, 8]}), "describes 8 bytes .* 4"),
        (header({"dtype": "U8", "shape": [4], "data_offsets": [0, 2]}), "describes 2 bytes .* 4"),
        (header({"dtype": "U8", "shape": [-4], "data_offsets": [0, 4]}), "entry 'w'"),
        (header({"dtype": "U8", "shape": [4], "data_offsets": [4, 0]}), "entry 'w'"),
        (header({"dtype": "U8", "shape": [4]}), "entry 'w'"),
        (header("text"), "entry 'w'"),
        (weights_bytes() + b"x", "describes 16 bytes of data and 17 follow"),
        (weights_bytes()[:-1], "describes 16 bytes of data and 15 follow"),
    ],
)
def test_anything_else_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"is not a safetensors file: .*({says})"):
        check_safetensors(path)


# Weights on disk


def test_bundled_weights_are_returned_when_they_are_right(zoo: Path) -> None:
    data = weights_bytes()
    manifest = put(zoo, detector(data), data)
    assert weights.weights_path(manifest) == zoo / "weights" / "demo.safetensors"
    assert weights.location(manifest) == "bundled"
    weights.verify(manifest)


def test_damage_is_named_with_both_hashes(zoo: Path) -> None:
    data = weights_bytes()
    manifest = put(zoo, detector(data), data)
    path = weights.local_path(manifest)
    path.write_bytes(weights_bytes(8))
    got = hashlib.sha256(weights_bytes(8)).hexdigest()
    for check in (weights.weights_path, weights.verify):
        with pytest.raises(ChecksumError) as caught:
            check(manifest)
        assert f"expected sha256 {manifest.sha256}, got {got} ({len(data)} bytes)" in str(
            caught.value
        )
        assert caught.value.hint == f"run `git checkout -- zoo` in {zoo.parent}"
    path.write_bytes(data[:-1])
    with pytest.raises(ChecksumError, match=f"expected {len(data)} bytes, got {len(data) - 1} by"):
        weights.weights_path(manifest)
    path.unlink()
    with pytest.raises(CheckpointError, match="are missing"):
        weights.weights_path(manifest)


def age(path: Path, seconds: int = 60) -> None:
    """Make a file old enough for its hash to be remembered."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 10**9))


def test_hash_is_remembered_until_the_file_changes(zoo: Path) -> None:
    data = weights_bytes()
    manifest = put(zoo, detector(data), data)
    path = weights.local_path(manifest)
    age(path)
    weights.weights_path(manifest)
    (memory,) = (cache_dir() / "hashes").iterdir()
    # Same path, size and time: the memory is believed, which shows that nothing was read.
    before = path.stat()
    path.write_bytes(weights_bytes(9))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    weights.weights_path(manifest)
    # The full check reads, and corrects the memory.
    with pytest.raises(ChecksumError):
        weights.verify(manifest)
    with pytest.raises(ChecksumError):
        weights.weights_path(manifest)
    # Another time stamp is another state.
    path.write_bytes(data)
    weights.weights_path(manifest)
    for damage in ("", "[]", '{"sha256": 3}', "\x00"):
        memory.write_text(damage)
        assert weights.weights_path(manifest) == path


def test_a_fresh_file_is_not_remembered(zoo: Path) -> None:
    data = weights_bytes()
    weights.weights_path(put(zoo, detector(data), data))
    assert not (cache_dir() / "hashes").exists()


def test_hashing_works_without_a_cache(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("HL_CACHE_DIR", str(blocked / "cache"))
    data = weights_bytes()
    manifest = put(zoo, detector(data), data)
    age(weights.local_path(manifest))
    assert weights.weights_path(manifest) == weights.local_path(manifest)


def test_golden_file_is_replayed(zoo: Path) -> None:
    data = weights_bytes()
    manifest = put(zoo, detector(data, golden="demo.golden.safetensors"), data)
    with pytest.raises(CheckpointError, match="golden file of demo is missing"):
        weights.verify(manifest)
    golden = zoo / "demo.golden.safetensors"
    golden.write_bytes(weights_bytes(1))
    seen: list[tuple[str, Path, Path]] = []
    weights.verify(manifest, lambda *given: seen.append((given[0].name, given[1], given[2])))
    assert seen == [("demo", weights.local_path(manifest), golden)]


def test_bundled_weights_cannot_be_removed(zoo: Path) -> None:
    data = weights_bytes()
    manifest = put(zoo, detector(data), data)
    with pytest.raises(UsageError, match="comes with hl and cannot be removed"):
        weights.remove(manifest)
    assert weights.local_path(manifest).is_file()


def test_an_added_model_is_removed_whole(zoo: Path) -> None:
    models_dir().mkdir(parents=True)
    data = weights_bytes()
    manifest = put(models_dir(), detector(data, name="mine"), data)
    assert weights.location(manifest) == "added"
    assert weights.weights_path(manifest) == models_dir() / "weights" / "demo.safetensors"
    assert weights.remove(manifest)
    assert [path for path in models_dir().rglob("*") if path.is_file()] == []
    with pytest.raises(UnknownModelError):
        find_model("mine")


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_offline_forbids_downloads(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_OFFLINE", value)
    manifest = detector(file=None, url="https://example.org/demo.safetensors")
    for get in (weights.weights_path, weights.pull):
        with pytest.raises(OfflineError) as caught:
            get(manifest)
        assert "hl models pull demo" in caught.value.hint
        assert str(weights.local_path(manifest)) in caught.value.hint


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_offline_can_be_switched_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_OFFLINE", value)
    assert not weights.is_offline()


@pytest.mark.parametrize("mirror", ["http://mirror.example", "mirror", "https://a/?b=c"])
def test_bad_mirror_is_a_usage_error(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_MODEL_MIRROR", mirror)
    with pytest.raises(UsageError, match="HL_MODEL_MIRROR is not usable"):
        weights.pull(detector(file=None, url="https://example.org/demo.safetensors"))
