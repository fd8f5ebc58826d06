"""`hl models` as the user sees it: stdout, stderr, exit codes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import run
from http_servers import WeightsServer, cut_after, running
from safetensors.numpy import load_file, save_file
from synthetic_features import AUDIO, SPEC, VISUAL, World
from zoo_factory import detector, put, weights_bytes

from hlcli.errors import size_text
from hlcli.model.config import SubspaceConfig
from hlcli.model.golden import write_golden
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.projection import fit_projections
from hlcli.model.subspace import SubspaceScorer
from hlcli.paths import models_dir
from hlcli.zoo import manifest as manifest_module
from hlcli.zoo.manifest import ModelManifest, zoo_dir

DATA = weights_bytes(num_bytes=3000)
BUNDLED_ENCODERS = ("efficientnet-lite0", "silero-vad", "yamnet")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a bundled zoo with the detectors `one` (default) and `two`, and an encoder."""
    folder = tmp_path / "zoo"
    (folder / "weights").mkdir(parents=True)
    monkeypatch.setattr(manifest_module, "zoo_dir", lambda: folder)
    put(folder, detector(DATA, name="two", file="weights/two.safetensors"), DATA)
    put(folder, detector(DATA, name="one", file="weights/one.safetensors", default=True), DATA)
    encoder = detector(DATA, name="eye", kind="encoder", feature_spec=None, licence="Apache-2.0")
    put(folder, encoder, DATA)
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HL_MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    with running(WeightsServer(DATA)) as owner:
        yield owner


hl = partial(run, "models")


def test_list_shows_detectors_first_and_marks_the_default(zoo: Path, server: WeightsServer) -> None:
    put(zoo, detector(DATA, name="far", file=None, url=server.url()))
    put(zoo, detector(DATA, name="tiny", hidden=True))
    code, out, err = hl("list")
    assert (code, err) == (0, "")
    head, *rows, note = [line.split() for line in out.splitlines()]
    assert head == ["name", "kind", "size", "where", "licence"]
    assert rows == [
        ["far", "subspace", "3.0", "KiB", "not", "here", "MIT"],
        ["*", "one", "subspace", "3.0", "KiB", "bundled", "MIT"],
        ["two", "subspace", "3.0", "KiB", "bundled", "MIT"],
        ["eye", "encoder", "3.0", "KiB", "bundled", "Apache-2.0"],
    ]
    assert note == ["*", "taken", "when", "no", "--model", "is", "given"]


def test_list_as_json_has_every_field(zoo: Path) -> None:
    code, out, err = hl("list", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [row["name"] for row in rows] == ["one", "two", "eye"]
    fields = {field.name for field in dataclasses.fields(ModelManifest)} - {"folder"}
    assert set(rows[0]) == fields | {"where", "path"}
    assert rows[0]["feature_spec"]["visual_size"] == 1280
    assert rows[0]["scores"] == {"mean_ap": 0.5}
    assert rows[0]["where"] == "bundled"
    assert rows[0]["path"] == str(zoo / "weights" / "one.safetensors")


def test_path_prints_the_path_alone(zoo: Path) -> None:
    assert hl("path", "one") == (0, f"{zoo / 'weights' / 'one.safetensors'}\n", "")


def test_unknown_model(zoo: Path) -> None:
    for command in ("path", "pull", "verify", "remove"):
        code, out, err = hl(command, "onn")
        assert (code, out) == (4, "")
        assert err.splitlines() == [
            "error: there is no model 'onn'; known models: eye, one, two",
            "hint: did you mean `one`?",
        ]


def test_pull_verify_path_remove(zoo: Path, server: WeightsServer) -> None:
    put(zoo, detector(DATA, name="far", file=None, url=server.url()))
    code, out, err = hl("verify", "far")
    assert (code, out) == (4, "")
    assert err.endswith("hint: run `hl models pull far`\n")

    server.plan = [cut_after(1000)]
    code, out, err = hl("pull", "far")
    assert (code, out) == (0, "")
    (path,) = models_dir().glob("far-*.safetensors")
    assert err == f"far is here and verified: {path}\n"
    assert path.read_bytes() == DATA
    assert [request.get("range") for request in server.requests] == [None, "bytes=1000-"]

    assert hl("verify", "far") == (0, "far: ok (sha256, 3.0 KiB)\n", "")
    assert hl("path", "far") == (0, f"{path}\n", "")
    assert hl("remove", "far") == (0, "", "removed far\n")
    assert not path.exists()
    assert hl("remove", "far") == (0, "", "far is not here, nothing to remove\n")
    assert len(server.requests) == 2


def test_bundled_models_need_no_pull_and_stay(zoo: Path) -> None:
    code, out, err = hl("pull", "one")
    assert (code, out) == (0, "")
    assert err.startswith("one comes with hl, nothing to download")
    code, out, err = hl("remove", "one")
    assert (code, out) == (2, "")
    assert err.startswith("error: one comes with hl and cannot be removed\nhint: ")
    assert (zoo / "weights" / "one.safetensors").is_file()


def test_verify_all_goes_on_after_a_bad_one(zoo: Path, server: WeightsServer) -> None:
    put(zoo, detector(DATA, name="far", file=None, url=server.url()))
    assert hl("verify") == (
        0,
        "one: ok (sha256, 3.0 KiB)\ntwo: ok (sha256, 3.0 KiB)\neye: ok (sha256, 3.0 KiB)\n",
        "",
    )
    (zoo / "weights" / "one.safetensors").write_bytes(weights_bytes(9, num_bytes=3000))
    (zoo / "weights" / "two.safetensors").unlink()
    code, out, err = hl("verify")
    assert (code, out) == (4, "eye: ok (sha256, 3.0 KiB)\n")
    assert "error: the weights of one are damaged: expected sha256 " in err
    assert "error: the weights of two are missing: " in err
    assert err.count("hint: ") == 2
    assert server.requests == []


def test_offline_pull(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(zoo, detector(DATA, name="far", file=None, url="https://weights.example/a.safetensors"))
    monkeypatch.setenv("HL_OFFLINE", "1")
    code, out, err = hl("pull", "far")
    assert (code, out) == (4, "")
    assert err.startswith("error: the weights of far are not here and HL_OFFLINE forbids")


def test_bad_manifest_is_one_clear_error(zoo: Path) -> None:
    (zoo / "broken.toml").write_text('name = "broken"\nlicense = "MIT"\n')
    code, out, err = hl("list")
    # The others are listed all the same.
    assert (code, "one" in out, "broken" in out) == (4, True, False)
    assert f"{zoo / 'broken.toml'} cannot be used: unknown key `license`" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", BUNDLED_ENCODERS)
def test_shipped_encoder_replays_its_golden_output(name: str) -> None:
    code, out, err = hl("verify", name)
    assert (code, err) == (0, "")
    assert out.startswith(f"{name}: ok (sha256 and golden output, ")


def test_another_golden_output_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "zoo"
    shutil.copytree(zoo_dir(), copy)
    golden = copy / "weights" / "yamnet.golden.safetensors"
    arrays = load_file(golden)
    arrays["embedding_NA"] = arrays["embedding_NA"] * np.float32(1.01)
    save_file(arrays, golden)
    monkeypatch.setattr(manifest_module, "zoo_dir", lambda: copy)
    code, out, err = hl("verify", "yamnet")
    assert (code, out) == (4, "")
    assert "yamnet does not give its published output here: embedding_NA differs by" in err


@pytest.mark.parametrize("has_sound", [True, False])
def test_detector_replays_its_golden_output(has_sound: bool, zoo: Path) -> None:
    world = World()
    corpus = [world.video([a] * 6 + [b] * 6, seed=6 * a + b) for a in range(5) for b in range(5)]
    visual = np.concatenate([video.visual_TV for video in corpus])
    audio = np.concatenate([video.audio_TA for video in corpus])
    sizes: dict[str, Any] = {"dim": 5, "visual_pca": 30, "audio_pca": 30}
    maps = fit_projections(visual, audio, kind="pls", **sizes)
    config = SubspaceConfig(visual_size=VISUAL, audio_size=AUDIO, **sizes)
    scorer = SubspaceScorer(config, maps, spec_digest=SPEC.digest())
    scorer.calibrate(corpus)
    file = zoo / "weights" / "real.safetensors"
    save_scorer(scorer, file, feature_spec=SPEC, recipe={})
    video = corpus[1] if has_sound else corpus[1].without_audio()
    golden = zoo / "real.golden.safetensors"
    write_golden(golden, load_scorer(file), video)
    put(
        zoo,
        detector(
            file.read_bytes(), name="real", file="weights/real.safetensors", golden=golden.name
        ),
    )
    code, out, err = hl("verify", "real")
    assert (code, err) == (0, "")
    assert out.startswith("real: ok (sha256 and golden output, ")

    arrays = load_file(golden)
    arrays["raw_T"] = arrays["raw_T"] + np.float32(0.1)
    save_file(arrays, golden)
    code, out, err = hl("verify", "real")
    assert (code, out) == (4, "")
    assert "real does not give its published output here: raw_T differs by" in err
    del arrays["motion_T"]
    save_file(arrays, golden)
    code, out, err = hl("verify", "real")
    assert (code, out) == (4, "")
    assert f"the golden file {golden} has no array 'motion_T'" in err


def test_sizes_for_people() -> None:
    assert [size_text(size) for size in (0, 1023, 1024, 18_581_152, 5 << 30, 3 << 50)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "17.7 MiB",
        "5.0 GiB",
        "3072.0 TiB",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' terminals end otherwise")
def test_pull_draws_its_progress_on_a_terminal_and_keeps_stdout_clean(
    server: WeightsServer,
) -> None:
    models_dir().mkdir(parents=True)
    put(models_dir(), detector(DATA, name="far", file=None, url=server.url()))
    ours, theirs = os.openpty()
    shown: list[bytes] = []

    def watch() -> None:
        # Linux ends a terminal whose last user left with an error.
        with contextlib.suppress(OSError):
            while data := os.read(ours, 4096):
                shown.append(data)

    watcher = threading.Thread(target=watch)
    watcher.start()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-m", "hlcli", "models", "pull", "far"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    watcher.join()
    os.close(ours)
    words = b"".join(shown).decode()
    assert (done.returncode, done.stdout) == (0, b""), words
    (path,) = models_dir().glob("far-*.safetensors")
    assert path.read_bytes() == DATA
    assert f"downloading {path.name}" in words
    assert "far is here and verified" in words
