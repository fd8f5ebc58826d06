"""Backbones of timm and OpenCLIP from files the test makes: random weights, nothing fetched."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.errors import CheckpointError, ModelError, OfflineError, UsageError
from hlcli.features.backbones import WEIGHTS_VARIABLE, is_backbone, load_backbone
from hlcli.features.encoders import load_encoders_of
from hlcli.model.checkpoint import Checkpoint
from hlcli.paths import cache_dir, models_dir
from hlcli.zoo.hashing import file_sha256
from hlcli.zoo.manifest import ModelManifest, write_manifest
from tests.media_factory import AudioTrack, make_video, shots

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[1]


def library(name: str) -> ModuleType:
    try:
        return pytest.importorskip(name, reason="the extra `backbones` is not installed")
    except RuntimeError as error:
        pytest.skip(f"{name} does not run with this torch: {error}")


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    """Save timm's smallest vision transformer with random weights and its classifier."""
    timm = library("timm")
    torch.manual_seed(3)
    path = tmp_path / "vit.safetensors"
    save_file(timm.create_model("test_vit", pretrained=False).state_dict(), path)
    return path


def test_a_colon_makes_a_backbone() -> None:
    assert is_backbone("timm:vit_small_patch14_dinov2.lvd142m")
    assert not is_backbone("efficientnet-lite2")


@pytest.mark.parametrize("name", ["timn:resnet18", "timm:", "timm:@file.pt", "open_clip"])
def test_what_is_no_backbone_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="is no backbone") as caught:
        load_backbone(name, CPU)
    assert "timm:ARCHITECTURE or open_clip:ARCHITECTURE" in caught.value.hint


@pytest.mark.parametrize(
    ("library", "package"), [("timm", "timm"), ("open_clip", "open_clip_torch")]
)
def test_without_the_extra_it_says_what_to_install(
    library: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(UsageError, match=f"needs {package}") as caught:
        load_backbone(f"{library}:any@{tmp_path / 'w.pt'}", CPU)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "run `pip install 'hlcli[backbones]'`"


def test_a_torchvision_of_another_torch_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "timm.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="torchvision::nms does not exist") as caught:
        load_backbone(f"timm:any@{tmp_path / 'w.pt'}", CPU)
    assert "torchvision" in caught.value.hint


def test_a_missing_file_is_said_before_any_library_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="are not here") as caught:
        load_backbone(f"timm:test_vit@{tmp_path / 'none.safetensors'}", CPU)
    assert caught.value.exit_code == 4


def test_offline_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_OFFLINE", "1")
    with pytest.raises(OfflineError) as caught:
        load_backbone("timm:test_vit", CPU)
    assert caught.value.hint == (
        "name the file: timm:test_vit@FILE, or set HL_BACKBONE_WEIGHTS to it"
    )


def test_timm_sees_what_the_network_was_trained_to_see(vit: Path) -> None:
    """The same numbers as timm itself gives for a picture normalised by hand."""
    timm = library("timm")
    encoder = load_backbone(f"timm:test_vit@{vit}", CPU)
    assert (encoder.name, encoder.picture_size, encoder.size) == ("timm:test_vit", 160, 64)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 160, 160, 3), dtype=np.uint8)
    theirs = timm.create_model("test_vit", pretrained=False).eval()
    theirs.load_state_dict(load_file(vit))
    normalised = (torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        expected = theirs.forward_head(theirs.forward_features(normalised), pre_logits=True)
    np.testing.assert_allclose(encoder.encode(pictures), expected.numpy(), atol=1e-5)


def test_the_hash_is_of_the_weights_not_of_the_file(vit: Path, tmp_path: Path) -> None:
    encoder = load_backbone(f"timm:test_vit@{vit}", CPU)
    tensors = load_file(vit)
    torch.save(tensors, tmp_path / "other-format.pt")
    assert load_backbone(f"timm:test_vit@{tmp_path / 'other-format.pt'}", CPU).sha256 == (
        encoder.sha256
    )
    tensors["blocks.0.mlp.fc1.bias"][0] += 1e-3
    save_file(tensors, tmp_path / "changed.safetensors")
    changed = load_backbone(f"timm:test_vit@{tmp_path / 'changed.safetensors'}", CPU)
    assert changed.sha256 != encoder.sha256


def test_weights_of_another_network_are_a_checkpoint_error(vit: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="do not fit timm:test_resnet"):
        load_backbone(f"timm:test_resnet@{vit}", CPU)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="do not fit timm:test_vit"):
        load_backbone(f"timm:test_vit@{tmp_path / 'broken.safetensors'}", CPU)


def test_the_classes_in_a_file_do_not_matter(vit: Path, tmp_path: Path) -> None:
    encoder = load_backbone(f"timm:test_vit@{vit}", CPU)
    tensors = load_file(vit)
    for name, rows in (("headless", 0), ("tuned", 7)):
        for part in ("head.weight", "head.bias"):
            tensors[part] = tensors[part][:rows].clone()
        kept = {key: one for key, one in tensors.items() if rows or not key.startswith("head.")}
        save_file(kept, tmp_path / f"{name}.safetensors")
        found = load_backbone(f"timm:test_vit@{tmp_path / name}.safetensors", CPU)
        assert found.sha256 == encoder.sha256
        tensors = load_file(vit)


def test_a_file_that_lacks_a_tensor_is_a_checkpoint_error(vit: Path, tmp_path: Path) -> None:
    """Timm would leave the missing one random; the same goes for a name too many."""
    for name in ("norm.bias", "extra"):
        tensors = load_file(vit)
        if tensors.pop(name, None) is None:
            tensors[name] = torch.zeros(3)
        save_file(tensors, tmp_path / "other.safetensors")
        with pytest.raises(CheckpointError, match="do not fit timm:test_vit"):
            load_backbone(f"timm:test_vit@{tmp_path / 'other.safetensors'}", CPU)


def test_unknown_architectures_name_the_nearest(vit: Path) -> None:
    with pytest.raises(ModelError, match="timm has no architecture 'test_vi'") as caught:
        load_backbone(f"timm:test_vi@{vit}", CPU)
    assert "test_vit" in caught.value.hint


def test_code_in_a_weight_file_is_not_run(vit: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"cls_token": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="do not fit"):
        load_backbone(f"timm:test_vit@{tmp_path / 'trap.pt'}", CPU)
    assert not (tmp_path / "ran").exists()


def test_train_and_score_with_a_backbone(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From two videos to scores; then the weights move, and are changed."""
    footage = tmp_path / "footage"
    footage.mkdir()
    for seed, (name, starts) in enumerate({"one.mp4": (60, 200), "two.mp4": (90, 150)}.items()):
        make_video(
            footage,
            name=name,
            num_frames=300,
            paint=shots(*starts),
            audio=(AudioTrack(wave=hiss(seed)),),
        )
    words = ["train", str(ROOT / "model_zoo/recipes/subspace.toml"), "--quiet"]
    for setting in (
        "data.manifest=",
        "data.split=all",
        f"data.folders=['{footage.as_posix()}']",
        f"data.visual_encoder=timm:test_vit@{vit}",
        f"output={tmp_path / 'run'}",
        "name=mine",
        "model.dim=4",
        "model.visual_pca=8",
        "model.audio_pca=8",
    ):
        words += ["--set", setting]
    assert CliRunner().invoke(app, words).exit_code == 0

    checkpoint = Checkpoint.read(tmp_path / "run" / "model.safetensors")
    spec = checkpoint.feature_spec
    assert (spec.visual_encoder, spec.visual_size, spec.picture_size) == ("timm:test_vit", 64, 160)
    assert spec.visual_sha256 == load_backbone(f"timm:test_vit@{vit}", CPU).sha256
    assert str(tmp_path) not in json.dumps(checkpoint.recipe)
    register(tmp_path / "run" / "model.safetensors", checkpoint)

    def score(*more: str) -> tuple[int, str, str]:
        words = ["score", str(footage / "one.mp4"), "--model", "mine", "--json", *more]
        found = CliRunner().invoke(app, words)
        return found.exit_code, found.stdout, found.stderr

    code, first, _ = score()
    assert code == 0
    assert len(json.loads(first)["scores"]) == 10
    # The file went elsewhere: its place is no longer known, the variable names the new one.
    moved = vit.rename(tmp_path / "moved.safetensors")
    code, _, err = score("--no-cache")
    assert code == 4
    assert f"hint: set {WEIGHTS_VARIABLE} to the file" in err
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(moved))
    code, again, _ = score("--no-cache")
    assert (code, json.loads(again)["scores"]) == (0, json.loads(first)["scores"])
    monkeypatch.delenv(WEIGHTS_VARIABLE)
    assert load_encoders_of(spec, CPU).spec == spec
    # Other weights under the same name are refused.
    tensors = load_file(moved)
    tensors["norm.bias"] += 1
    save_file(tensors, moved)
    code, _, err = score("--no-cache")
    assert code == 4
    assert "was trained with other weights of timm:test_vit" in err


def hiss(seed: int) -> npt.NDArray[np.float32]:
    """Ten seconds of noise that swells."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (1, 480_000))
    return (noise * np.linspace(0, 1, 480_000)).astype(np.float32)


def register(trained: Path, checkpoint: Checkpoint) -> None:
    models_dir().mkdir(parents=True, exist_ok=True)
    (models_dir() / "mine.safetensors").write_bytes(trained.read_bytes())
    manifest = ModelManifest(
        name="mine",
        kind=checkpoint.kind,
        version="1",
        description="For tests.",
        file="mine.safetensors",
        sha256=file_sha256(trained),
        size_bytes=trained.stat().st_size,
        licence="none",
        source="made here",
        training_data="made here",
        feature_spec=dataclasses.asdict(checkpoint.feature_spec),
    )
    write_manifest(models_dir() / "mine.toml", manifest)


def test_notes_of_where_weights_lie_may_be_damaged(
    vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_backbone(f"timm:test_vit@{vit}", CPU)
    (note,) = (cache_dir() / "backbones").iterdir()
    assert note.name == f"{encoder.sha256}.json"
    assert load_backbone("timm:test_vit", CPU, sha256=encoder.sha256).sha256 == encoder.sha256
    note.write_text("[]")
    monkeypatch.setenv("HL_OFFLINE", "1")
    with pytest.raises(OfflineError, match="timm:test_vit"):
        load_backbone("timm:test_vit", CPU, sha256=encoder.sha256)


def test_open_clip_looks_with_its_own_preprocessing(tmp_path: Path) -> None:
    open_clip = library("open_clip")
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 32},
        "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1},
    }
    (tmp_path / "hl-tiny.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "hl-tiny.json")
    torch.manual_seed(5)
    theirs = open_clip.create_model("hl-tiny").eval()
    torch.save(theirs.state_dict(), tmp_path / "tiny.pt")

    encoder = load_backbone(f"open_clip:hl-tiny@{tmp_path / 'tiny.pt'}", CPU)
    assert (encoder.name, encoder.picture_size, encoder.size) == ("open_clip:hl-tiny", 64, 24)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN)[:, None, None]
    deviation = torch.tensor(open_clip.OPENAI_DATASET_STD)[:, None, None]
    normalised = (torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - mean) / deviation
    with torch.inference_mode():
        expected = theirs.encode_image(normalised)
    np.testing.assert_allclose(encoder.encode(pictures), expected.numpy(), atol=1e-5)

    with pytest.raises(ModelError, match="OpenCLIP has no architecture"):
        load_backbone(f"open_clip:none@{tmp_path / 'tiny.pt'}", CPU)
    with pytest.raises(UsageError, match=r"several weights for ViT-B-32: .*openai"):
        load_backbone("open_clip:ViT-B-32", CPU)
