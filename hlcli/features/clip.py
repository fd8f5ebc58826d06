"""OpenAI's CLIP: a transformer for pictures and one for texts, whose vectors can be compared.

Parameters have the names of the published archive: those of the pictures without its `visual.`,
those of the texts with `text.` before them, which is how they are kept on disk.

Axes: N pictures or texts, H and W pixels, C channels, P patches and the class token, L tokens,
D width, V visual size, which is that of both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from hlcli.errors import CheckpointError
from hlcli.features.device import memory_errors
from hlcli.features.layers import load_frozen
from hlcli.features.types import FloatArray
from hlcli.zoo.manifest import ModelManifest

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of red, green and blue in [0, 1] that CLIP was trained with."""
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Standard deviation of the same."""

_CPU_BATCH = 4
_GPU_BATCH = 64
_MLP_RATIO = 4
_PUBLISHED_PREFIX = "visual."
TEXT_PREFIX = "text."
_TEXT_HEAD_SIZE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """Sizes of the network, as a manifest gives them; each a whole number above 0."""

    picture_size: int
    """Side of the square picture in pixels, a multiple of `patch_size`."""
    patch_size: int
    """Side of the square patches that become tokens."""
    width: int
    """D, a multiple of `heads`."""
    layers: int
    heads: int
    visual_size: int
    """V, the length of one embedding."""

    def __post_init__(self) -> None:
        for key in self.__slots__:
            value = getattr(self, key)
            if type(value) is not int or not 0 < value <= 1 << 14:
                raise ValueError(f"`encoder.{key}` is a whole number above 0, got {value!r}")
        if self.picture_size % self.patch_size or self.width % self.heads:
            raise ValueError(
                "`encoder.picture_size` is a multiple of `patch_size`, and `width` of `heads`"
            )


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, *, is_causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.is_causal = is_causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x_NPD: Tensor) -> Tensor:
        joint = functional.linear(x_NPD, self.in_proj_weight, self.in_proj_bias)
        # (N, P, 3 D) to three of (N, heads, P, D / heads).
        parts = joint.reshape(*x_NPD.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.is_causal)
        found: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return found


class _Perceptron(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, _MLP_RATIO * width)
        self.c_proj = nn.Linear(_MLP_RATIO * width, width)

    def forward(self, x_NPD: Tensor) -> Tensor:
        wide = self.c_fc(x_NPD)
        # CLIP's own approximation of GELU.
        found: Tensor = self.c_proj(wide * torch.sigmoid(1.702 * wide))
        return found


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, *, is_causal: bool = False) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = _Attention(width, heads, is_causal=is_causal)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = _Perceptron(width)

    def forward(self, x_NPD: Tensor) -> Tensor:
        x_NPD = x_NPD + self.attn(self.ln_1(x_NPD))
        found: Tensor = x_NPD + self.mlp(self.ln_2(x_NPD))
        return found


class ClipVision(nn.Module):
    """The vision transformer of CLIP; its parameters must be loaded, they start undefined."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        num_patches = (shape.picture_size // shape.patch_size) ** 2
        self.conv1 = nn.Conv2d(
            3, shape.width, shape.patch_size, stride=shape.patch_size, bias=False
        )
        self.class_embedding = nn.Parameter(torch.empty(shape.width))
        self.positional_embedding = nn.Parameter(torch.empty(num_patches + 1, shape.width))
        self.ln_pre = nn.LayerNorm(shape.width)
        self.transformer = nn.ModuleDict(
            {
                "resblocks": nn.Sequential(
                    *(_Block(shape.width, shape.heads) for _ in range(shape.layers))
                )
            }
        )
        self.ln_post = nn.LayerNorm(shape.width)
        self.proj = nn.Parameter(torch.empty(shape.width, shape.visual_size))

    def forward(self, picture_NCHW: Tensor) -> Tensor:
        """Return embeddings, shape `(N, V)`, not of unit length.

        Args:
            picture_NCHW: RGB, normalised by `MEAN` and `DEVIATION`, shape `(N, 3, H, W)`.
        """
        patches_NPD = self.conv1(picture_NCHW).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches_NPD.dtype).expand(len(patches_NPD), 1, -1)
        x_NPD = torch.cat([first, patches_NPD], dim=1) + self.positional_embedding
        x_NPD = self.transformer["resblocks"](self.ln_pre(x_NPD))
        found: Tensor = self.ln_post(x_NPD[:, 0]) @ self.proj
        return found


class ClipText(nn.Module):
    """The text transformer of CLIP, of the sizes that its weights have; it starts undefined.

    Args:
        tensors: Its weights, or some of the same shapes.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.vocabulary_size, width = tensors["token_embedding.weight"].shape
        self.most_tokens = len(tensors["positional_embedding"])
        layers = {name.split(".")[2] for name in tensors if name.startswith("transformer.")}
        # As OpenAI's code takes it from the weights, which do not say it.
        heads = max(1, width // _TEXT_HEAD_SIZE)
        self.token_embedding = nn.Embedding(self.vocabulary_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(self.most_tokens, width))
        blocks = (_Block(width, heads, is_causal=True) for _ in layers)
        self.transformer = nn.ModuleDict({"resblocks": nn.Sequential(*blocks)})
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(tuple(tensors["text_projection"].shape)))
        self.logit_scale = nn.Parameter(torch.empty(()))

    def forward(self, tokens_NL: Tensor) -> Tensor:
        """Return embeddings, shape `(N, V)`, not of unit length.

        Args:
            tokens_NL: Whole numbers; the end of a text is the highest of its row, as in CLIP's
                vocabulary, and what follows it counts for nothing.
        """
        x_NLD = self.token_embedding(tokens_NL)
        x_NLD = x_NLD + self.positional_embedding[: tokens_NL.shape[1]]
        x_NLD = self.ln_final(self.transformer["resblocks"](x_NLD))
        ends_N = tokens_NL.argmax(dim=1)
        found: Tensor = x_NLD[torch.arange(len(x_NLD)), ends_N] @ self.text_projection
        return found


class ClipEncoder:
    """The network on one device; half precision on CUDA, as it was published, float32 elsewhere."""

    def __init__(
        self, network: ClipVision, shape: ClipShape, device: torch.device, *, name: str, sha256: str
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.size = shape.visual_size
        self.picture_size = shape.picture_size
        self.device = device
        self.batch_size = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH
        self.network = network.to(device)
        self._mean_C11 = torch.tensor(MEAN, device=device)[:, None, None]
        self._deviation_C11 = torch.tensor(DEVIATION, device=device)[:, None, None]

    def encode(self, rgb_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        """Return embeddings; see `VisualEncoder.encode`.

        Raises:
            DeviceError: The device is out of memory.
        """
        with memory_errors(self.device), torch.inference_mode(), self._precision():
            pictures = torch.from_numpy(np.ascontiguousarray(rgb_NHWC)).to(self.device)
            scaled = pictures.permute(0, 3, 1, 2).float() / 255.0
            found = self.network((scaled - self._mean_C11) / self._deviation_C11)
            rows: FloatArray = found.float().cpu().numpy()
        return rows

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.float16)
        return contextlib.nullcontext()


def load_visual_encoder(
    manifest: ModelManifest, tensors: Mapping[str, Tensor], device: torch.device
) -> ClipEncoder:
    """Build the encoder a manifest describes by the fields of `ClipShape`.

    Raises:
        CheckpointError: The weights are not those of such a network.
        TypeError: A field is missing or unknown.
        ValueError: A field has a bad value.
    """
    shape = _shape(manifest)
    pictures = {key: one for key, one in tensors.items() if not key.startswith(TEXT_PREFIX)}
    network = load_frozen(ClipVision(shape), pictures, name=manifest.name)
    return ClipEncoder(network, shape, device, name=manifest.name, sha256=manifest.sha256)


def load_text(tensors: Mapping[str, Tensor], *, name: str) -> ClipText:
    """Load the text side, in float32, from what `convert` kept.

    Raises:
        CheckpointError: The text side is not there, or is no such network.
    """
    own = {
        key.removeprefix(TEXT_PREFIX): tensor.float()
        for key, tensor in tensors.items()
        if key.startswith(TEXT_PREFIX)
    }
    if not own:
        raise CheckpointError(
            f"the weights of {name} were kept without the side that reads words",
            hint=f"run `hl models remove {name}`, then `hl models pull {name}`",
        )
    try:
        network = ClipText(own)
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"the weights do not fit {name}: {error}", hint=f"run `hl models verify {name}`"
        ) from error
    return load_frozen(network, own, name=name)


def convert(manifest: ModelManifest, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take both sides out of a published archive, in the precision they were published in.

    Raises:
        CheckpointError: A tensor is missing, of another shape, or not of finite floats.
        TypeError: A field of the manifest is missing or unknown.
        ValueError: A field of the manifest has a bad value.
    """
    with torch.device("meta"):
        pictures = ClipVision(_shape(manifest)).state_dict()
    kept = {
        name: _checked(manifest, published, _PUBLISHED_PREFIX + name, tuple(like.shape))
        for name, like in pictures.items()
    }
    for name in ("token_embedding.weight", "positional_embedding", "text_projection"):
        # They say how large the rest must be.
        _checked(manifest, published, name, None)
    with torch.device("meta"):
        texts = ClipText(published).state_dict()
    for name, like in texts.items():
        kept[TEXT_PREFIX + name] = _checked(manifest, published, name, tuple(like.shape))
    return kept


def _checked(
    manifest: ModelManifest,
    published: Mapping[str, Tensor],
    name: str,
    shape: tuple[int, ...] | None,
) -> Tensor:
    if name not in published:
        problem = f"have no tensor {name!r}"
    else:
        tensor = published[name]
        if shape is not None and tuple(tensor.shape) != shape:
            problem = f"have {name!r} of shape {tuple(tensor.shape)}, expected {shape}"
        elif not tensor.is_floating_point() or not tensor.isfinite().all():
            problem = f"have {name!r} with other values than finite floats"
        else:
            return tensor
    raise CheckpointError(
        f"the published weights of {manifest.name} {problem}",
        hint="the file is not what the manifest describes; nothing was kept",
    )


def _shape(manifest: ModelManifest) -> ClipShape:
    table = dict(manifest.encoder or {})
    table.pop("family", None)
    return ClipShape(**table)  # type: ignore[arg-type]
