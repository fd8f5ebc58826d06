"""Makes manifests and small real weights for tests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from hlcli.paths import own_models_dir
from hlcli.zoo.manifest import ModelManifest, read_manifest, write_manifest

FEATURES: dict[str, str | int | float] = {
    "clip_seconds": 1.0,
    "visual_encoder": "efficientnet-lite0",
    "visual_sha256": "1" * 64,
    "visual_size": 1280,
    "picture_size": 224,
    "audio_encoder": "yamnet",
    "audio_sha256": "2" * 64,
    "audio_size": 1024,
    "extraction_version": 1,
}


def weights_bytes(fill: int = 7, num_bytes: int = 16) -> bytes:
    """Build a real safetensors file with one tensor of that many equal bytes."""
    entry = {"dtype": "U8", "shape": [num_bytes], "data_offsets": [0, num_bytes]}
    header = json.dumps({"w": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes([fill]) * num_bytes


def detector(data: bytes = b"x", **changes: Any) -> ModelManifest:
    fields: dict[str, Any] = {
        "name": "demo",
        "kind": "subspace",
        "version": "1",
        "description": "For tests.",
        "file": "weights/demo.safetensors",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "licence": "MIT",
        "source": "made here",
        "training_data": "none",
        "feature_spec": FEATURES,
        "scores": {"mean_ap": 0.5},
    }
    return ModelManifest(**(fields | changes))


def put(folder: Path, manifest: ModelManifest, data: bytes | None = None) -> ModelManifest:
    write_manifest(folder / f"{manifest.name}.toml", manifest)
    if data is not None:
        assert manifest.file is not None
        path = folder / manifest.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return read_manifest(folder / f"{manifest.name}.toml")


def models_on_disk() -> list[str]:
    """Return what lies among the own models, locks aside, hidden folders included."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(path.name for path in own_models_dir().iterdir() if path.name != ".locks")
    return []
