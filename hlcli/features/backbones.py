"""Image backbones of timm and OpenCLIP, with weights the user has.

A name is `timm:ARCHITECTURE` or `open_clip:ARCHITECTURE`, with `@FILE` for weights on disk or, for
OpenCLIP, `@TAG` for published ones. The file is where the weights lie, not what they are: models
and cache keys hold the name without it and a hash of the tensors and of the preprocessing.

Axes: N pictures, H and W pixels, V visual size, C colours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hlcli.atomic import write_text
from hlcli.errors import (
    CheckpointError,
    HlError,
    ModelError,
    OfflineError,
    OutputError,
    UsageError,
)
from hlcli.features.backbone_builders import Preprocessing, build_open_clip, build_timm
from hlcli.features.device import memory_errors
from hlcli.features.types import FloatArray
from hlcli.paths import cache_dir
from hlcli.zoo.weights import is_offline

LIBRARIES = {"timm": "timm", "open_clip": "open_clip_torch"}
"""What may stand before the colon, and the package it is in."""
WEIGHTS_VARIABLE = "HL_BACKBONE_WEIGHTS"
"""Environment variable: the weight file of a detector's backbone that was moved or copied here."""

_NAME = re.compile(r"(timm|open_clip):([^@]+)(?:@(.+))?", re.DOTALL)
_CPU_BATCH = 4
_GPU_BATCH = 64


class BackboneEncoder:
    """A backbone on one device, float32 everywhere: its range is not known."""

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        device: torch.device,
        *,
        name: str,
    ) -> None:
        self.name = name
        self.sha256 = weights_sha256(network, preprocessing)
        self.picture_size = preprocessing.picture_size
        self.batch_size = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH
        self.device = device
        self.network = network.float().eval().requires_grad_(False).to(device)
        self._mean_C11 = torch.tensor(preprocessing.mean, device=device)[:, None, None]
        self._deviation_C11 = torch.tensor(preprocessing.deviation, device=device)[:, None, None]
        side = self.picture_size
        self.size = self.encode(np.zeros((1, side, side, 3), np.uint8)).shape[1]

    def encode(self, rgb_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        """Return embeddings; see `VisualEncoder.encode`.

        Raises:
            ModelError: The backbone gives no vector for a picture.
            DeviceError: The device is out of memory.
        """
        with memory_errors(self.device), torch.inference_mode():
            pictures = torch.from_numpy(np.ascontiguousarray(rgb_NHWC)).to(self.device)
            scaled = pictures.permute(0, 3, 1, 2).float() / 255.0
            found = self.network((scaled - self._mean_C11) / self._deviation_C11)
        if not isinstance(found, torch.Tensor) or found.dim() != 2:
            raise ModelError(
                f"the backbone {self.name} gives no single vector for a picture",
                hint="choose one that pools its features",
            )
        rows: FloatArray = found.float().cpu().numpy()
        return rows


def is_backbone(name: str) -> bool:
    """Whether a name is a backbone's rather than a manifest's: those have no colon."""
    return ":" in name


def load_backbone(name: str, device: torch.device, *, sha256: str | None = None) -> BackboneEncoder:
    """Load a backbone.

    Args:
        name: For example `timm:vit_small_patch14_dinov2.lvd142m@/weights/dinov2.safetensors`.
        device: Where it runs.
        sha256: The hash a detector asks for. Its weights are then looked for in the file that
            `HL_BACKBONE_WEIGHTS` names, where they were the last time, and last where the library
            fetches them from.

    Raises:
        UsageError: No such library, or the extra `backbones` is not installed.
        ModelError: No such architecture, its input is no square, or its weights cannot be had.
        CheckpointError: The weights do not fit, or are not those the detector asks for.
        DeviceError: The device is out of memory.
    """
    library, architecture, weights = _parts(name)
    if sha256 is not None and _as_file(weights) is None:
        remembered = os.environ.get("HL_BACKBONE_WEIGHTS") or _remembered(sha256)
        weights = remembered or weights
    file = _as_file(weights)
    if file is not None and not file.is_file():
        raise ModelError(
            f"the weights of {library}:{architecture} are not here: {file}",
            hint=f"set {WEIGHTS_VARIABLE} to the file" if sha256 else "correct the path after @",
        )
    if file is None and is_offline():
        raise OfflineError(
            f"the weights of {name} are not here and HL_OFFLINE forbids a download",
            hint=f"name the file: {library}:{architecture}@FILE, or set {WEIGHTS_VARIABLE} to it",
        )
    module = _imported(name, library)
    build = build_timm if library == "timm" else build_open_clip
    public = f"{library}:{architecture}"
    source = weights
    if file is not None:
        source = str(file.absolute())
    elif weights is not None:
        public += f"@{weights}"
    with memory_errors(device):
        try:
            network, preprocessing = build(module, architecture, source)
        except HlError:
            raise
        except Exception as error:
            raise _unusable(public, source, error) from error
        encoder = BackboneEncoder(network, preprocessing, device, name=public)
    if sha256 is not None and encoder.sha256 != sha256:
        raise CheckpointError(
            f"the detector was trained with other weights of {public}: {sha256[:12]}, "
            f"here {encoder.sha256[:12]}" + (f" in {file}" if file else ""),
            hint=f"set {WEIGHTS_VARIABLE} to the file it was trained with",
        )
    if file is not None:
        _remember(encoder.sha256, file)
    return encoder


def weights_sha256(network: nn.Module, preprocessing: Preprocessing) -> str:
    """Hash what decides the features: every tensor by name, and the preprocessing.

    Not the hash of a file: the same weights in another format give the same features.
    """
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(preprocessing)).encode())
    for name, tensor in sorted(network.state_dict().items()):
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}".encode())
        digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _parts(name: str) -> tuple[str, str, str | None]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise UsageError(
            f"{name!r} is no backbone",
            hint="write timm:ARCHITECTURE or open_clip:ARCHITECTURE, and @FILE for its weights",
        )
    return found[1], found[2], found[3]


def _as_file(weights: str | None) -> Path | None:
    """The path after @; None for nothing and for a tag such as `laion2b_s34b_b79k`."""
    if weights is None:
        return None
    path = Path(weights).expanduser()
    is_path = path.suffix or len(path.parts) > 1 or path.is_file()
    return path if is_path else None


def _imported(name: str, library: str) -> ModuleType:
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise UsageError(
            f"{name} needs {LIBRARIES[library]}, which cannot be imported: {error}",
            hint="run `pip install 'hlcli[backbones]'`",
        ) from error
    except RuntimeError as error:
        # A torchvision built for another torch than the one installed ends so.
        raise UsageError(
            f"{name} needs {LIBRARIES[library]}, which does not run here: {error}",
            hint="install torchvision from where torch came from, in the version that fits it",
        ) from error


def _unusable(name: str, source: str | None, error: Exception) -> ModelError:
    what = str(error).strip().splitlines() or [type(error).__name__]
    if source is None or _as_file(source) is None:
        return ModelError(
            f"the weights of {name} cannot be fetched: {what[0]}",
            hint=f"fetch the file on another machine and name it: {name.partition('@')[0]}@FILE",
        )
    return CheckpointError(
        f"the weights {source} do not fit {name}: {what[0]}",
        hint="name the architecture they were saved from",
    )


def _note(sha256: str) -> Path:
    return cache_dir() / "backbones" / f"{sha256}.json"


def _remember(sha256: str, file: Path) -> None:
    """Keep where weights lie, so that a detector finds them again without being told."""
    note = _note(sha256)
    # A cache that cannot be written costs the user a variable next time, not more.
    with contextlib.suppress(OSError, OutputError):
        note.parent.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps({"file": str(file.absolute())}) + "\n")


def _remembered(sha256: str) -> str | None:
    try:
        file = json.loads(_note(sha256).read_text(encoding="utf-8"))["file"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return file if isinstance(file, str) else None
