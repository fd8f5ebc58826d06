"""The two published networks: ours give what theirs gave, on any batch and memory layout."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hlcli.errors import CheckpointError, DeviceError, UsageError
from hlcli.features import class_names
from hlcli.features.device import device_label, memory_errors, resolve_device
from hlcli.features.efficientnet import EfficientNetLite
from hlcli.features.encoder import Encoders
from hlcli.features.encoders import load_encoders
from hlcli.features.golden import golden_pictures, golden_sound
from hlcli.features.layers import grown, same_conv
from hlcli.features.sound_classes import event_names
from hlcli.features.yamnet import YamNet, log_mel, mel_weights
from hlcli.zoo.manifest import find_model, zoo_dir

WEIGHTS = zoo_dir() / "weights"


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return load_encoders(torch.device("cpu"))


@pytest.fixture(scope="module")
def lite0() -> EfficientNetLite:
    return EfficientNetLite.from_tensors(load_file(WEIGHTS / "efficientnet-lite0.safetensors"))


@pytest.fixture(scope="module")
def yamnet() -> YamNet:
    return YamNet.from_tensors(load_file(WEIGHTS / "yamnet.safetensors"))


def test_golden_inputs_are_the_ones_the_goldens_were_made_from() -> None:
    assert hashlib.sha256(golden_pictures().tobytes()).hexdigest() == PICTURES_SHA256
    stored = load_file(WEIGHTS / "yamnet.golden.safetensors")["log_mel_NFM"]
    found = torch.from_numpy(log_mel(golden_sound())[:, 0])
    # The stored ones went through a transform in float32. What it rounded away is 4.6e-3 in the
    # quietest band, the same number on Intel with MKL's AVX-512, AVX2 and COMPATIBLE kernels.
    torch.testing.assert_close(found, stored, atol=5e-3, rtol=0)


def test_lite0_gives_the_published_outputs(encoders: Encoders, lite0: EfficientNetLite) -> None:
    golden = load_file(WEIGHTS / "efficientnet-lite0.golden.safetensors")
    embedding_NV = encoders.visual.encode(golden_pictures())
    assert embedding_NV.dtype == np.float32
    np.testing.assert_allclose(embedding_NV, golden["embedding_NV"].numpy(), atol=1e-4, rtol=0)
    with torch.inference_mode():
        logits_NC = lite0.logits(torch.from_numpy(embedding_NV))
    np.testing.assert_allclose(logits_NC.numpy(), golden["logits_NC"].numpy(), atol=1e-4, rtol=0)


def test_lite0_reads_bytes_and_floats_in_any_layout(lite0: EfficientNetLite) -> None:
    pictures_NHWC = torch.from_numpy(golden_pictures())
    with torch.inference_mode():
        expected = lite0(pictures_NHWC.permute(0, 3, 1, 2))
        as_float = lite0(pictures_NHWC.permute(0, 3, 1, 2).contiguous().float())
        alone = lite0(pictures_NHWC[1:].permute(0, 3, 1, 2))
    torch.testing.assert_close(as_float, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(alone, expected[1:], atol=1e-5, rtol=0)


def test_lite0_pads_one_sided_as_tensorflow_does(lite0: EfficientNetLite) -> None:
    # A stride 2 filter of TensorFlow starts at pixel 0: row and column 0 of ours are the padding.
    strided = [
        module
        for module in lite0.modules()
        if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2)
    ]
    assert [module.kernel_size for module in strided] == [(4, 4), (4, 4), (6, 6), (4, 4), (6, 6)]
    for module in strided:
        assert module.weight[:, :, 0].abs().max() == 0
        assert module.weight[:, :, :, 0].abs().max() == 0


@pytest.mark.parametrize(("kernel_size", "side"), [(3, 8), (3, 9), (5, 8), (5, 9), (5, 4)])
def test_strided_filters_pad_as_the_definition_of_same_on_any_size(
    kernel_size: int, side: int
) -> None:
    """Each sum written out: `ceil(side / 2)` of them, the spare padding below and to the right."""
    generator = torch.Generator().manual_seed(kernel_size * side)
    published = torch.randn((1, 1, kernel_size, kernel_size), generator=generator)
    picture = torch.randn((1, 1, side, side), generator=generator)
    ours = same_conv(1, 1, kernel_size=kernel_size, stride=2)
    with torch.no_grad():
        ours.weight.copy_(grown(published))
        ours.bias.fill_(0.5)  # type: ignore[union-attr]
        found = ours(picture)[0, 0].numpy()
    num_rows = (side + 1) // 2
    before = max((num_rows - 1) * 2 + kernel_size - side, 0) // 2
    expected = np.full((num_rows, num_rows), 0.5)
    for (row, column), (y, x) in itertools.product(
        np.ndindex(num_rows, num_rows), np.ndindex(kernel_size, kernel_size)
    ):
        top, left = 2 * row - before + y, 2 * column - before + x
        if 0 <= top < side and 0 <= left < side:
            expected[row, column] += float(picture[0, 0, top, left] * published[0, 0, y, x])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_family_scales_as_published() -> None:
    """Channels and blocks of Lite2, counted in the published network's file."""
    lite2 = EfficientNetLite(width=1.1, depth=1.2)
    channels = [block.project.out_channels for block in lite2.blocks]
    assert channels == [16] + [24] * 3 + [48] * 3 + [88] * 4 + [120] * 4 + [208] * 5 + [352]
    assert (lite2.stem.out_channels, lite2.head.out_channels) == (32, 1280)
    assert sum(parameter.numel() for parameter in lite2.parameters()) == LITE2_PARAMETERS


def test_yamnet_gives_the_published_outputs(encoders: Encoders, yamnet: YamNet) -> None:
    golden = load_file(WEIGHTS / "yamnet.golden.safetensors")
    embedding_NA, probability_NC = encoders.audio.encode(golden_sound())
    assert embedding_NA.dtype == probability_NC.dtype == np.float32
    # 2.7e-4 and 4.0e-5 were measured, nearly all of it from the stored front end (see above).
    np.testing.assert_allclose(embedding_NA, golden["embedding_NA"].numpy(), atol=4e-4, rtol=0)
    expected_NC = torch.sigmoid(golden["logits_NC"]).numpy()
    np.testing.assert_allclose(probability_NC, expected_NC, atol=6e-5, rtol=0)
    # The network alone: 3.8e-6 at most on Intel, of AVX-512, AVX2 and SSE4.1 kernels.
    with torch.inference_mode():
        stored = yamnet.embed(golden["log_mel_NFM"][:, None])
    torch.testing.assert_close(stored, golden["embedding_NA"], atol=1e-5, rtol=0)


def test_front_end_equals_the_definition_on_any_processor() -> None:
    """Spectrum by the sum that defines it, mel bands by their corners, both in float64.

    Float32 would be off by 4.6e-3 here, by another amount on each maker's processors.
    """
    sound_NS = golden_sound()
    found = log_mel(sound_NS)
    assert found.shape == (3, 1, 96, 64)
    assert found.dtype == np.float32
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(400), np.arange(257)) / 512)
    edges_mel = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    bins_mel = 1127 * np.log(1 + np.arange(257) * 31.25 / 700)
    for patch, frame in ((0, 0), (0, 39), (0, 47), (1, 95), (2, 50)):
        samples = sound_NS[patch, frame * 160 : frame * 160 + 400].astype(np.float64)
        magnitude = np.abs((samples * window) @ fourier)
        bands = [
            magnitude @ np.interp(bins_mel, edges_mel[band : band + 3], [0, 1, 0], left=0, right=0)
            for band in range(64)
        ]
        expected = np.log(np.array(bands) + 0.001)
        np.testing.assert_allclose(found[patch, 0, frame], expected, atol=1e-6, rtol=0)


def test_a_tone_lights_its_own_mel_band() -> None:
    centres_hertz = 700 * (
        np.exp(np.linspace(1127 * np.log(825 / 700), 1127 * np.log(8200 / 700), 66)[1:-1] / 1127)
        - 1
    )
    seconds = np.arange(15600) / 16000
    for band in (20, 40, 60):
        tone = np.sin(2 * np.pi * centres_hertz[band] * seconds).astype(np.float32)
        assert set(log_mel(tone[None])[0, 0].argmax(axis=1).tolist()) == {band}
    assert mel_weights().shape == (257, 64)
    assert mel_weights()[0].max() == 0


def test_yamnet_refuses_other_lengths(encoders: Encoders) -> None:
    with pytest.raises(ValueError, match="15600"):
        encoders.audio.encode(np.zeros((1, 16000), np.float32))


def test_silence_is_called_silence(encoders: Encoders) -> None:
    _, probability_NC = encoders.audio.encode(np.zeros((1, 15600), np.float32))
    assert encoders.audio.class_names[int(probability_NC[0].argmax())] == "Silence"
    assert probability_NC[0].max() > 0.9


def test_event_names_are_audioset_s() -> None:
    names = event_names()
    assert len(names) == 521
    assert {index: names[index] for index in (0, 13, 61, 132, 459, 494)} == {
        0: "Speech",
        13: "Laughter",
        61: "Cheering",
        132: "Music",
        459: "Basketball bounce",
        494: "Silence",
    }


def test_manifests_state_the_bytes_that_are_there(encoders: Encoders) -> None:
    for encoder in (encoders.visual, encoders.audio):
        manifest = find_model(encoder.name)
        assert manifest.kind == "encoder"
        data = (zoo_dir() / str(manifest.file)).read_bytes()
        assert manifest.sha256 == encoder.sha256 == hashlib.sha256(data).hexdigest()
        assert manifest.size_bytes == len(data)
        assert (zoo_dir() / str(manifest.golden)).is_file()
    spec = encoders.spec
    assert (spec.visual_size, spec.audio_size, spec.picture_size) == (1280, 1024, 224)
    assert (spec.visual_sha256, spec.audio_sha256) == (
        encoders.visual.sha256,
        encoders.audio.sha256,
    )


def test_wrong_weights_are_a_checkpoint_error() -> None:
    tensors = load_file(WEIGHTS / "yamnet.safetensors")
    with pytest.raises(CheckpointError, match="do not fit efficientnet-lite0"):
        EfficientNetLite.from_tensors(tensors)
    tensors["stem.bias"] = tensors["stem.bias"][:-1]
    with pytest.raises(CheckpointError, match="do not fit yamnet"):
        YamNet.from_tensors(tensors)


def test_a_damaged_class_list_is_a_checkpoint_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "yamnet.classes.json").write_text('{"names": ["Speech"]}')
    monkeypatch.setattr(class_names, "zoo_dir", lambda: tmp_path)
    with pytest.raises(CheckpointError, match="1 names instead of 521"):
        event_names()


def test_devices_that_exist() -> None:
    assert resolve_device(" CPU ") == torch.device("cpu")
    expected = "cuda:0" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto") == torch.device(expected)
    assert device_label(torch.device("cpu")).startswith("CPU, ")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "tpu"])
def test_devices_that_nobody_has_are_usage_errors(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_device(name)
    assert caught.value.exit_code == 2
    assert "auto, cpu, cuda, cuda:N or mps" in caught.value.hint


def test_devices_that_are_not_here_are_device_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("cuda", "cuda:0", "mps"):
        with pytest.raises(DeviceError) as caught:
            resolve_device(name)
        assert caught.value.exit_code == 5
        assert "--device cpu" in caught.value.hint
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="no CUDA device 2: this machine has 2"):
        resolve_device("cuda:2")


def test_running_out_of_memory_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match="out of memory"), memory_errors(torch.device("cpu")):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="shapes"), memory_errors(torch.device("cpu")):
        torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.gpu
def test_cuda_gives_the_published_outputs_in_half_precision() -> None:
    if not torch.cuda.is_available() and os.environ.get("HL_REQUIRE_GPU") != "1":
        pytest.skip("no CUDA device")
    on_gpu = load_encoders(resolve_device("cuda"))
    golden = load_file(WEIGHTS / "efficientnet-lite0.golden.safetensors")
    found_NV = on_gpu.visual.encode(golden_pictures())
    expected_NV = golden["embedding_NV"].numpy()
    # Measured on an H100: 1.6 % of the length for the smooth picture, 0.3 % for the other.
    error_N = np.linalg.norm(found_NV - expected_NV, axis=1)
    assert (error_N < 0.03 * np.linalg.norm(expected_NV, axis=1)).all()
    _, probability_NC = on_gpu.audio.encode(golden_sound())
    expected = torch.sigmoid(load_file(WEIGHTS / "yamnet.golden.safetensors")["logits_NC"])
    np.testing.assert_allclose(probability_NC, expected.numpy(), atol=0.01, rtol=0)


PICTURES_SHA256 = "03a59faf983470779b2d28a9be1a1d8678e7fefcfbac826b3521433ab281ad07"
LITE2_PARAMETERS = 6_075_888
"""With the zero rows of strided filters; each normalisation left one bias a channel."""
