"""How much a picture is what some words say, by CLIP, from features that are stored.

Cosines of CLIP are no probabilities, and a good one differs from query to query. So the words are
compared with four that say nothing, "object", "things", "stuff" and "texture", at the scale that
CLIP learned with, and the hardest of the four counts: Kerr and others, *LERF: Language Embedded
Radiance Fields* (2023). Nothing of it was tuned here.

Axes: T clips, V visual feature size, N texts.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hlcli.errors import CheckpointError, UsageError
from hlcli.features.types import FloatArray, RowArray
from hlcli.zoo.hashing import file_sha256

VOCABULARY_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
"""Of OpenAI's `bpe_simple_vocab_16e6.txt.gz`."""
_NEUTRAL = ("object", "things", "stuff", "texture")
_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_EXTRAS = 'pip install "hlcli[search]", and pip install --no-deps open_clip_torch'


def vocabulary_file() -> Path | None:
    """Return CLIP's vocabulary out of the package open_clip_torch, which is not imported.

    Returns:
        The file; None where that package or `tokenizers` is not installed.
    """
    package = importlib.util.find_spec("open_clip")
    if package is None or package.origin is None or importlib.util.find_spec("tokenizers") is None:
        return None
    path = Path(package.origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    return path if path.is_file() and file_sha256(path) == VOCABULARY_SHA256 else None


class ClipWords:
    """The text side of an image encoder of the family "clip", loaded.

    Args:
        weights: The encoder's weights, as `convert` keeps them.
        name: The encoder, for errors.

    Raises:
        UsageError: What makes tokens of words is not installed.
        CheckpointError: The weights cannot be read, or were kept without their text side.
    """

    def __init__(self, weights: Path, *, name: str) -> None:
        from safetensors import SafetensorError, safe_open

        from hlcli.features.clip import TEXT_PREFIX, load_text

        vocabulary = vocabulary_file()
        if vocabulary is None:
            raise UsageError("comparing words with pictures needs CLIP's vocabulary", hint=_EXTRAS)
        try:
            with safe_open(str(weights), "pt") as file:
                names = [key for key in file.keys() if key.startswith(TEXT_PREFIX)]  # noqa: SIM118
                tensors = {key: file.get_tensor(key).clone() for key in names}
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"the weights {weights} cannot be read: {error}") from error
        self._network = load_text(tensors, name=name)
        self._tokens = _tokenizer(vocabulary, self._network.vocabulary_size)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return a unit vector for each text, float32, shape `(N, V)`; what is too long is cut."""
        import torch

        most = self._network.most_tokens
        lines = [self._tokens.encode(text).ids[: most - 2] for text in texts]
        first, last = (self._tokens.token_to_id(mark) for mark in (_START, _END))
        length = max(map(len, lines)) + 2
        tokens_NL = torch.zeros((len(lines), length), dtype=torch.long)
        for row, line in zip(tokens_NL, lines, strict=True):
            row[: len(line) + 2] = torch.tensor([first, *line, last])
        with torch.inference_mode():
            rows_NV: FloatArray = self._network(tokens_NL).numpy()
        return _unit(rows_NV)

    def relevance(self, query: str, visual_TV: RowArray) -> FloatArray:
        """Return how much each picture is what a query says, float32 in [0, 1], shape `(T,)`.

        It is 0 where a word that says nothing is as near as the query, and 1 where the query is
        nearer by far.

        Args:
            query: Words, in English.
            visual_TV: Features of the same encoder, shape `(T, V)`.
        """
        words_NV = self.embed([query, *_NEUTRAL])
        cosine_TN = _unit(np.asarray(visual_TV, np.float32)) @ words_NV.T
        scale = float(self._network.logit_scale.exp())
        ahead_T = scale * (cosine_TN[:, 0] - cosine_TN[:, 1:].max(axis=1))
        # 2 sigmoid(x) - 1, without overflow.
        relevance_T: FloatArray = np.maximum(np.tanh(ahead_T / 2), 0.0).astype(np.float32)
        return relevance_T


def _unit(rows_NV: FloatArray) -> FloatArray:
    length_N1 = np.linalg.norm(rows_NV, axis=1, keepdims=True)
    unit_NV: FloatArray = rows_NV / np.maximum(length_N1, 1e-9)
    return unit_NV


@functools.cache
def _tokenizer(vocabulary: Path, size: int) -> Any:
    """Build CLIP's tokenizer: pairs of bytes, lower case, an end of word in each last piece."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters)]
    num_merges = size - len(pieces) - 2
    with gzip.open(vocabulary, "rt", encoding="utf-8") as stream:
        lines = stream.read().split("\n")[1 : num_merges + 1]
    merges = [(pair[0], pair[1]) for pair in map(str.split, lines)]
    pieces += ["".join(pair) for pair in merges]
    table = {piece: number for number, piece in enumerate([*pieces, _START, _END])}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=table,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            unk_token=_END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            # CLIP's texts went through ftfy, which makes quotation marks straight.
            normalizers.Replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer
