"""CLIP, pictures and words: a TorchScript archive is fetched, read without running it, and used.

The stand-in is an archive of the same container and the same names with other sizes, saved by
`torch.jit.save`; its own network is built of torch's attention, not of ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import json
import os
import pickle  # noqa: TID251 - to write what must be refused
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from cli_runner import run
from http_servers import WeightsServer, cut_after, running
from media_factory import make_video, moving_square
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from zoo_factory import detector

from hlcli.errors import CheckpointError, ModelError, UsageError
from hlcli.features import clip_words
from hlcli.features.clip import DEVIATION, MEAN, load_text
from hlcli.features.clip_words import ClipWords
from hlcli.features.encoders import load_visual
from hlcli.features.golden import golden_pictures
from hlcli.features.torchscript import script_tensors
from hlcli.paths import models_dir
from hlcli.zoo.manifest import ModelManifest, find_model, write_manifest, zoo_dir

CPU = torch.device("cpu")
SIDE, PATCH, WIDTH, HEADS, LAYERS, OUT = 32, 8, 24, 3, 2, 10
MERGES = ["d o", "do g</w>", "c a", "ca t</w>", "a t", "i n", "e r</w>"]
VOCABULARY, TOKENS, TEXT_WIDTH = 2 * 256 + len(MERGES) + 2, 9, 128
ENCODER = {
    "family": "clip",
    "picture_size": SIDE,
    "patch_size": PATCH,
    "width": WIDTH,
    "layers": LAYERS,
    "heads": HEADS,
    "visual_size": OUT,
}
hl = partial(run, "models")


# The stand-in


class QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        parts = (nn.Linear(width, 4 * width), QuickGelu(), nn.Linear(4 * width, width))
        self.mlp = nn.Sequential(OrderedDict(zip(("c_fc", "gelu", "c_proj"), parts, strict=True)))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x_PND: Tensor, mask: Tensor | None = None) -> Tensor:
        y = self.ln_1(x_PND)
        x_PND = x_PND + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x_PND + self.mlp(self.ln_2(x_PND))


class Blocks(nn.Module):
    def __init__(self, width: int = WIDTH, heads: int = HEADS) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, heads) for _ in range(LAYERS)))

    def forward(self, x_PND: Tensor) -> Tensor:
        return self.resblocks(x_PND)


class Vision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH))
        self.positional_embedding = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre = nn.LayerNorm(WIDTH)
        self.transformer = Blocks()
        self.ln_post = nn.LayerNorm(WIDTH)
        self.proj = nn.Parameter(torch.randn(WIDTH, OUT))

    def forward(self, picture: Tensor) -> Tensor:
        tokens = self.conv1(picture).flatten(2).permute(2, 0, 1)
        first = self.class_embedding.expand(1, tokens.shape[1], WIDTH)
        x = torch.cat([first, tokens]) + self.positional_embedding[:, None]
        return self.ln_post(self.transformer(self.ln_pre(x))[0]) @ self.proj


class Clip(nn.Module):
    """With both sides, and a buffer that is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = Vision()
        self.token_embedding = nn.Embedding(VOCABULARY, TEXT_WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(TOKENS, TEXT_WIDTH))
        self.transformer = Blocks(TEXT_WIDTH, TEXT_WIDTH // 64)
        self.ln_final = nn.LayerNorm(TEXT_WIDTH)
        self.text_projection = nn.Parameter(torch.randn(TEXT_WIDTH, OUT))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        self.register_buffer("input_resolution", torch.tensor(SIDE))

    def forward(self, picture: Tensor) -> Tensor:
        return self.visual(picture)


@contextlib.contextmanager
def jit() -> Iterator[None]:
    """Let torch save and run archives, which it advises against for new ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def loaded(data: bytes) -> torch.jit.ScriptModule:
    with jit():
        return torch.jit.load(io.BytesIO(data))


def stand_in(*, is_half: bool = False, spoil: Callable[[Clip], None] | None = None) -> bytes:
    torch.manual_seed(3)
    model = Clip().eval()
    for parameter in model.parameters():
        # As initialised, norms and biases are 1 and 0, and a mistake with them would not show.
        nn.init.normal_(parameter, mean=0.1, std=0.4)
    with jit():
        traced = torch.jit.trace(model, torch.zeros(1, 3, SIDE, SIDE), check_trace=False)
    if is_half:
        # As published: filters and matrices in half precision, norms in single.
        for name, parameter in traced.named_parameters():
            if parameter.dim() > 1 and "embedding" not in name:
                parameter.data = parameter.data.half()
    if spoil is not None:
        spoil(traced)
    stream = io.BytesIO()
    with jit():
        torch.jit.save(traced, stream)
    return stream.getvalue()


@functools.cache
def archive() -> bytes:
    return stand_in()


def expected(data: bytes, rgb_NHWC: np.ndarray) -> np.ndarray:
    """Return what the archive's own code makes of pictures."""
    model = loaded(data).float()
    pictures = torch.from_numpy(rgb_NHWC).permute(0, 3, 1, 2).double() / 255
    mean, deviation = (torch.tensor(values).double()[:, None, None] for values in (MEAN, DEVIATION))
    with torch.inference_mode():
        return model(((pictures - mean) / deviation).float()).numpy()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HL_MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    with running(WeightsServer(archive())) as owner:
        yield owner


def publish(server: WeightsServer, data: bytes | None = None, **changes: object) -> ModelManifest:
    """Serve an archive and add the manifest that describes it as a user does."""
    data = data or archive()
    server.body = data
    fields = {
        "name": "clip-tiny",
        "kind": "encoder",
        "feature_spec": None,
        "scores": {},
        "file": None,
        "url": server.url("tiny.pt"),
        "encoder": ENCODER,
    }
    manifest = detector(data, **(fields | changes))
    models_dir().mkdir(parents=True, exist_ok=True)
    write_manifest(models_dir() / f"{manifest.name}.toml", manifest)
    return manifest


def left_behind() -> list[str]:
    """Names in the cache of models but for the manifests and the locks, which stay, empty."""
    return sorted(
        path.name
        for path in models_dir().iterdir()
        if path.suffix != ".toml" and path.stat().st_size
    )


# The way of a user


def test_pull_verify_encode_remove(server: WeightsServer) -> None:
    manifest = publish(server)
    server.plan = [cut_after(1000)]
    code, out, err = hl("verify", "clip-tiny")
    assert (code, out) == (4, "")
    assert err.endswith("hint: run `hl models pull clip-tiny`\n")
    with pytest.raises(ModelError, match="the weights of clip-tiny are not here") as caught:
        load_visual("clip-tiny", CPU)
    assert caught.value.hint == "run `hl models pull clip-tiny`"

    code, out, err = hl("pull", "clip-tiny")
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    assert (code, out, err) == (0, "", f"clip-tiny is here and verified: {path}\n")
    assert [request.get("range") for request in server.requests] == [None, "bytes=1000-"]
    # The archive went; what stays are both sides and the record of what they are.
    assert left_behind() == [path.name, f"{path.name}.json"]
    kept = load_file(path)
    published = loaded(archive()).state_dict()
    for name, tensor in kept.items():
        is_text = name.startswith("text.")
        own = name.removeprefix("text.") if is_text else f"visual.{name}"
        assert torch.equal(tensor, published.pop(own))
    assert set(published) == {"input_resolution"}

    assert hl("verify", "clip-tiny")[0] == 0
    assert hl("path", "clip-tiny") == (0, f"{path}\n", "")
    rows = json.loads(hl("list", "--json")[1])
    assert next(row for row in rows if row["name"] == "clip-tiny")["where"] == "downloaded"
    assert hl("pull", "clip-tiny")[0] == 0
    assert len(server.requests) == 2

    encoder = load_visual("clip-tiny", CPU)
    assert (encoder.size, encoder.picture_size, encoder.sha256) == (OUT, SIDE, manifest.sha256)
    pictures = golden_pictures(SIDE)
    wanted = expected(archive(), pictures)
    assert np.abs(wanted).max() > 1
    np.testing.assert_allclose(encoder.encode(pictures), wanted, atol=1e-4, rtol=0)

    assert hl("remove", "clip-tiny") == (0, "", "removed clip-tiny\n")
    assert left_behind() == []


def test_half_precision_is_kept_and_computed_in_single(server: WeightsServer) -> None:
    data = stand_in(is_half=True)
    publish(server, data)
    assert hl("pull", "clip-tiny")[0] == 0
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    dtypes = {name: tensor.dtype for name, tensor in load_file(path).items()}
    assert dtypes["conv1.weight"] == dtypes["proj"] == torch.float16
    assert dtypes["ln_pre.weight"] == dtypes["positional_embedding"] == torch.float32
    pictures = golden_pictures(SIDE)
    found = load_visual("clip-tiny", CPU).encode(pictures)
    np.testing.assert_allclose(found, expected(data, pictures), atol=1e-4, rtol=0)


def test_a_detector_is_trained_with_it_and_scores(server: WeightsServer, tmp_path: Path) -> None:
    publish(server)
    assert hl("pull", "clip-tiny")[0] == 0
    footage = tmp_path / "footage"
    footage.mkdir()
    for index in range(3):
        make_video(footage, paint=moving_square, name=f"{index}.mp4", num_frames=180 + 25 * index)
    words = ["train", zoo_dir() / "recipes" / "rarity.toml", "--quiet"]
    for setting in (
        "data.visual_encoder=clip-tiny",
        f"data.folders=['{footage.as_posix()}']",
        f"output={(tmp_path / 'out').as_posix()}",
    ):
        words += ["--set", setting]
    assert run(*words)[0] == 0
    assert run("models", "add", tmp_path / "out", "--name", "mine")[0] == 0
    spec = find_model("mine").feature_spec
    assert spec is not None
    assert (spec["visual_encoder"], spec["visual_size"]) == ("clip-tiny", OUT)
    assert spec["visual_sha256"] == hashlib.sha256(archive()).hexdigest()
    first = min(footage.iterdir())
    code, out, err = run("score", first, "--model", "mine", "-o", tmp_path / "a.json", "--quiet")
    assert (code, out) == (0, ""), err
    assert json.loads((tmp_path / "a.json").read_text())["scores"]


def test_convert_takes_a_file_that_is_here(
    server: WeightsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server)
    monkeypatch.setenv("HL_OFFLINE", "1")
    code, _, err = hl("pull", "clip-tiny")
    assert code == 4
    assert "or run `hl models convert clip-tiny FILE` with the published file" in err
    source = tmp_path / "tiny.pt"
    source.write_bytes(archive())
    assert hl("convert", "clip-tiny", source)[0] == 0
    assert source.is_file()
    assert hl("verify", "clip-tiny")[0] == 0
    assert hl("remove", "clip-tiny")[0] == 0
    source.write_bytes(archive() + b"x")
    code, _, err = hl("convert", "clip-tiny", source)
    assert code == 4
    assert f"{source} is not what clip-tiny is made of: expected sha256" in err
    code, _, err = hl("convert", "clip-tiny", tmp_path / "none.pt")
    assert code == 4
    assert "cannot read" in err
    assert server.requests == []
    assert left_behind() == []


def test_damage_is_found_and_pull_mends_it(server: WeightsServer) -> None:
    publish(server)
    assert hl("pull", "clip-tiny")[0] == 0
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    good, record = path.read_bytes(), path.with_name(f"{path.name}.json")
    wrong = good[:-1] + bytes([good[-1] ^ 1])

    def spoil_bytes() -> None:
        path.write_bytes(wrong)

    def spoil_record() -> None:
        record.write_text("{}")

    for spoil, says in (
        (spoil_bytes, "are damaged"),
        (record.unlink, "cannot be checked"),
        (spoil_record, "cannot be checked"),
    ):
        spoil()
        code, _, err = hl("verify", "clip-tiny")
        assert code == 4
        assert says in err
        assert "run `hl models pull clip-tiny` to download them again" in err
        assert hl("pull", "clip-tiny")[0] == 0
        assert path.read_bytes() == good
        assert hl("verify", "clip-tiny")[0] == 0


# What is refused


def repacked(change: Callable[[str, bytes], bytes | None]) -> bytes:
    """Return the stand-in with members changed, or left out where `change` gives None."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive())) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as target,
    ):
        for name in source.namelist():
            data = change(name, source.read(name))
            if data is not None:
                target.writestr(name, data)
    return stream.getvalue()


def with_pickle(data: bytes) -> bytes:
    return repacked(lambda name, old: data if name.endswith("/data.pkl") else old)


WANTED = "/data/2"
"""The numbers of the class token, the first that the conversion reads."""


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.system, ("touch /tmp/hl-was-here",)


def with_storage(data: bytes | None) -> bytes:
    return repacked(lambda name, old: data if name.endswith(WANTED) else old)


def with_word(old: bytes, new: bytes) -> bytes:
    """Replace a word of the pickle."""
    assert old in archive()
    return repacked(
        lambda name, data: data.replace(old, new) if name.endswith("/data.pkl") else data
    )


def zip_bomb() -> bytes:
    """Numbers of 64 MiB in some kilobytes."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive())) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = bytes(64 << 20) if name.endswith(WANTED) else source.read(name)
            target.writestr(name, data)
    return stream.getvalue()


def nested(levels: int) -> bytes:
    """A pickle of a module in which every part has the next one twice."""
    data = b"\x80\x02c__torch__\nM\n)\x81q\x00"
    for level in range(levels):
        inner = bytes([level])
        data += (
            b"c__torch__\nM\n)\x81}(X\x01\x00\x00\x00ah"
            + inner
            + b"X\x01\x00\x00\x00bh"
            + inner
            + b"ubq"
            + bytes([level + 1])
        )
    return data + b"."


def other_shape(model: Clip) -> None:
    model.visual.proj = nn.Parameter(torch.zeros(WIDTH, OUT + 1))


def not_finite(model: Clip) -> None:
    model.visual.proj.data[0, 0] = torch.inf


# A tensor of 2**40 numbers from one: all strides are 0.
HUGE = (
    b"\x80\x02c__torch__\nM\n)\x81}X\x06\x00\x00\x00visualc__torch__\nM\n)\x81}X\x04\x00\x00\x00proj"
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00\x8a\x06\x00\x00\x00\x00\x00\x01\x85K\x00\x85"
    b"\x89ccollections\nOrderedDict\n)RtRsbsb."
)
# The memo's index 2**31: a reader that keeps an array for it takes 16 GiB.
FAR_MEMO = b"\x80\x02Nr\xff\xff\xff\x7f."


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: with_pickle(pickle.dumps(Evil(), 2)), r"its pickle names '\w+\.system'"),
        (lambda: with_pickle(pickle.dumps(Evil(), 4)), "the opcode FRAME, which is not allowed"),
        (lambda: with_pickle(pickle.dumps(print, 2)), r"its pickle names '\w+\.print'"),
        (lambda: with_pickle(b"\x80\x02ctorch\nFloatStorage\n)\x81."), "not TorchScript's"),
        (lambda: with_pickle(b"\x80\x02c__torch__\nM\n)R."), r"its pickle calls '__torch__\.M'"),
        (lambda: with_pickle(HUGE), "a tensor that is larger than its storage"),
        (lambda: with_pickle(FAR_MEMO), "have no tensor 'visual.class_embedding'"),
        (lambda: with_pickle(nested(60)), "nested too deep or too many"),
        (lambda: with_pickle(b"\x80\x02]q\x00h\x00a."), "have no tensor"),
        (lambda: with_pickle(b"\x80\x02tt."), "it is damaged"),
        (lambda: with_pickle(b"\x80\x02N"), "cannot be read as a TorchScript archive"),
        (lambda: with_pickle(b""), "cannot be read as a TorchScript archive"),
        (lambda: with_pickle(b"N" * (5 << 20)), "expected 4,194,304 at most"),
        (lambda: repacked(lambda name, old: None if "data.pkl" in name else old), "no data.pkl"),
        (lambda: with_storage(None), "it has no '"),
        (lambda: with_storage(b"12"), "/data/2' has 2 bytes, expected"),
        (lambda: with_storage(bytes(1 << 16)), "/data/2' has 65,536 bytes, expected"),
        (zip_bomb, "is compressed, which TorchScript never does"),
        (lambda: archive()[: len(archive()) // 2], "File is not a zip file"),
        (lambda: b"PK\x03\x04" + bytes(100), "File is not a zip file"),
        (lambda: with_word(b"\x00proj", b"\x00prox"), "have no tensor 'visual.proj'"),
        (lambda: with_word(b"torch\nFloatStorage", b"torch\nIntStorage"), "than finite floats"),
        (lambda: stand_in(spoil=other_shape), r"of shape \(24, 11\), expected \(24, 10\)"),
        (lambda: stand_in(spoil=not_finite), "'visual.proj' with other values than finite floats"),
    ],
)
def test_hostile_archives_are_refused_whole(
    make: Callable[[], bytes], says: str, server: WeightsServer
) -> None:
    """Even with the published hash, which vouches for the bytes and not for what they do."""
    publish(server, make())
    code, out, err = hl("pull", "clip-tiny")
    assert (code, out) == (4, "")
    first, second = err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    with pytest.raises(CheckpointError, match=says):
        raise CheckpointError(first)
    assert left_behind() == []
    assert not Path("/tmp/hl-was-here").exists()


def test_a_cut_member_is_refused(tmp_path: Path) -> None:
    """Bytes that changed under an intact directory: the archive's own checksum shows it."""
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(io.BytesIO(archive())) as members:
        info = next(one for one in members.infolist() if one.filename.endswith(WANTED))
    # The sizes of the name and of what pads it end the header of 30 bytes.
    lengths = struct.unpack_from("<HH", archive(), info.header_offset + 26)
    place = info.header_offset + 30 + sum(lengths)
    path.write_bytes(archive()[:place] + bytes([archive()[place] ^ 1]) + archive()[place + 1 :])
    with script_tensors(path) as tensors, pytest.raises(CheckpointError, match="Bad CRC-32"):
        dict(tensors)


def test_other_bytes_than_published_are_refused(server: WeightsServer) -> None:
    publish(server)
    server.body = archive()[:-1] + b"x"
    code, _, err = hl("pull", "clip-tiny")
    assert code == 4
    assert "has the wrong bytes: expected sha256" in err
    assert left_behind() == []


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (ENCODER | {"heads": 5}, "`width` of `heads`"),
        (ENCODER | {"layers": 0}, "`encoder.layers` is a whole number above 0, got 0"),
        (ENCODER | {"width": 24.0}, "`encoder.width` is a whole number above 0, got 24.0"),
        (ENCODER | {"depth": 1}, "does not fit its family"),
        ({"family": "clip"}, "does not fit its family"),
        (ENCODER | {"layers": 3}, "have no tensor 'visual.transformer.resblocks.2."),
    ],
)
def test_a_manifest_that_does_not_fit(
    encoder: dict[str, object], says: str, server: WeightsServer
) -> None:
    publish(server, encoder=encoder)
    code, _, err = hl("pull", "clip-tiny")
    assert code == 4
    assert says in err
    assert left_behind() == []


def test_only_encoders_come_as_archives() -> None:
    with pytest.raises(ValueError, match="for encoders only"):
        detector(file=None, url="https://example.org/demo.pt")


# The real one, which no test fetches


def test_the_manifest_says_what_is_published() -> None:
    manifest = find_model("clip-vit-b32")
    assert manifest.url is not None
    # OpenAI's addresses have the hash of the file as their last folder.
    assert manifest.url.split("/")[-2] == manifest.sha256
    assert manifest.is_converted
    assert not manifest.is_bundled
    assert dataclasses.asdict(manifest)["encoder"]["visual_size"] == 512
    code, out, _ = hl("show", "clip-vit-b32")
    assert code == 0
    assert "never fetched" in out


# By words


def text_of(data: bytes, tokens_NL: Tensor) -> np.ndarray:
    """Return what plain modules of torch make of tokens with an archive's numbers."""
    model = Clip().eval()
    model.load_state_dict(loaded(data).float().state_dict())
    length = tokens_NL.shape[1]
    mask = torch.full((length, length), -torch.inf).triu(1)
    with torch.inference_mode():
        x = (model.token_embedding(tokens_NL) + model.positional_embedding[:length]).transpose(0, 1)
        for block in model.transformer.resblocks:
            x = block(x, mask)
        x = model.ln_final(x.transpose(0, 1))
        ends = x[torch.arange(len(x)), tokens_NL.argmax(1)]
        return (ends @ model.text_projection).numpy()


def test_the_text_side_is_that_of_the_archive(server: WeightsServer) -> None:
    publish(server, stand_in(is_half=True))
    assert hl("pull", "clip-tiny")[0] == 0
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    network = load_text(load_file(path), name="clip-tiny")
    end = VOCABULARY - 1
    tokens = torch.tensor(
        [[end - 1, 5, 7, end, 0, 0, 0, 0, 0], [end - 1, 1, 2, 3, 4, 5, 6, 7, end]]
    )
    wanted = text_of(stand_in(is_half=True), tokens)
    assert np.abs(wanted).max() > 1
    with torch.inference_mode():
        np.testing.assert_allclose(network(tokens).numpy(), wanted, atol=1e-4, rtol=1e-4)
        # What follows the end of a text counts for nothing.
        found = network(tokens[:1, :4]).numpy()
    np.testing.assert_allclose(found, wanted[:1], atol=1e-4, rtol=1e-4)


@pytest.fixture
def vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CLIP's form of a vocabulary, with few pairs; the real one is of the extra `backbones`."""
    pytest.importorskip("tokenizers", reason="the extra search is not installed")
    path = tmp_path / "vocabulary.txt.gz"
    path.write_bytes(gzip.compress("\n".join(["#version", *MERGES, ""]).encode()))
    monkeypatch.setattr(clip_words, "vocabulary_file", lambda: path)
    return path


def with_its_scale() -> bytes:
    """An archive whose cosines count as much as CLIP's do."""
    return stand_in(spoil=lambda model: model.logit_scale.data.fill_(4.6))


def test_words_become_tokens(server: WeightsServer, vocabulary: Path) -> None:
    publish(server)
    assert hl("pull", "clip-tiny")[0] == 0
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    words = ClipWords(path, name="clip-tiny")
    first = 2 * 256  # the first pair's number, after all bytes, alone and at the end of a word
    quote, s = ord("'") - ord("!"), ord("s") - ord("!")
    tokens = {
        "Dog": [first + 1],
        "  cat\n dog\N{RIGHT SINGLE QUOTATION MARK}s!": [first + 3, first + 1, quote, 256 + s, 256],
    }
    for text, wanted in tokens.items():
        assert words._tokens.encode(text).ids == wanted, text
    # As long as it may be, and a text that is longer, which is cut.
    rows = words.embed(["dog " * 7, "dog " * 50, "cat"])
    assert np.allclose(rows[0], rows[1])
    assert not np.allclose(rows[0], rows[2])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_pictures_are_ranked_by_words(server: WeightsServer, vocabulary: Path) -> None:
    publish(server, with_its_scale())
    assert hl("pull", "clip-tiny")[0] == 0
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    words = ClipWords(path, name="clip-tiny")
    dog, thing = words.embed(["dog", "object"])
    relevance = words.relevance("dog", np.stack([dog * 3, (dog + thing) / 2, thing, 0 * dog]))
    assert relevance.dtype == np.float32
    assert relevance[0] > 0.5
    assert relevance[0] > relevance[1]
    # A word that says nothing is as near, or nearer.
    assert relevance[2] == relevance[3] == 0
    np.testing.assert_array_equal(words.relevance("object", np.stack([thing, dog])), [0, 0])


def test_hl_find_compares_words_with_pictures(
    server: WeightsServer, vocabulary: Path, tmp_path: Path
) -> None:
    publish(server, with_its_scale())
    assert hl("pull", "clip-tiny")[0] == 0
    video = make_video(tmp_path, num_frames=120, paint=moving_square)
    overrides = [
        "data.visual_encoder=clip-tiny", f'data.folders=["{tmp_path}"]', "name=seen",
        f"output={tmp_path / 'run'}",
    ]  # fmt: skip
    given = [word for one in overrides for word in ("--set", one)]
    recipe = str(Path(__file__).parents[1] / "model_zoo/recipes/rarity.toml")
    assert run("train", recipe, *given)[0] == 0
    assert hl("add", str(tmp_path / "run"), "--name", "seen")[0] == 0
    # With random numbers no words mean a square: those are asked that are nearest to its pictures.
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    with av.open(str(video)) as file:
        frame = next(file.decode(video=0)).to_ndarray(format="rgb24", width=SIDE, height=SIDE)
    row = load_visual("clip-tiny", CPU).encode(frame[None])
    words = ClipWords(path, name="clip-tiny")
    queries = [f"{color} {thing}" for color in ("red", "blue", "grey") for thing in "abcdefghijklm"]
    near = {query: float(words.relevance(query, row)[0]) for query in queries}
    query = max(near, key=lambda one: near[one])
    assert near[query] > 0.1
    code, out, err = run("find", query, str(video), "--model", "seen", "--json")
    assert code == 0, err
    assert "only transcripts" not in err
    found = json.loads(out)
    assert found
    for result in found:
        assert f'looks like "{query}" (CLIP)' in result["reasons"]
    assert "on this machine" not in err
    # What was not scored through it is searched by classes, and that is said.
    other = make_video(tmp_path, name="other.mp4", num_frames=60)
    err = run("find", "dog", str(other))[2]
    assert "clip-tiny is on this machine, but these videos were not scored through it" in err
    err = run("find", "dog", str(video), str(other))[2]
    assert "those scores are of two kinds, in one list" in err


def test_what_keeps_words_from_pictures_is_said(
    server: WeightsServer, vocabulary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server)
    assert hl("pull", "clip-tiny")[0] == 0
    (path,) = models_dir().glob("clip-tiny-*.safetensors")
    tensors = load_file(path)
    save_file({k: v for k, v in tensors.items() if not k.startswith("text.")}, path)
    # As an earlier version of hl kept it.
    with pytest.raises(CheckpointError, match="without the side that reads words") as old:
        ClipWords(path, name="clip-tiny")
    assert "hl models pull clip-tiny" in str(old.value.hint)
    monkeypatch.setattr(clip_words, "vocabulary_file", lambda: None)
    with pytest.raises(UsageError, match="vocabulary") as missing:
        ClipWords(path, name="clip-tiny")
    assert "open_clip_torch" in str(missing.value.hint)


def test_the_text_side_is_open_clips() -> None:
    try:
        model = pytest.importorskip("open_clip.model", reason="the extra `backbones` is missing")
    except RuntimeError as error:
        pytest.skip(f"open_clip does not run with this torch: {error}")
    torch.manual_seed(5)
    theirs = model.CLIP(
        24,
        model.CLIPVisionCfg(image_size=32, layers=1, width=64, patch_size=16),
        model.CLIPTextCfg(context_length=9, vocab_size=64, width=128, heads=2, layers=2),
        quick_gelu=True,
    ).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.4)
    weights = {
        f"text.{name}": one for name, one in theirs.state_dict().items() if "visual" not in name
    }
    ours = load_text({name: one for name, one in weights.items() if "mask" not in name}, name="x")
    tokens = torch.tensor([[62, 5, 7, 63, 0, 0, 0, 0, 0], [62, 1, 2, 3, 4, 5, 6, 7, 63]])
    with torch.inference_mode():
        torch.testing.assert_close(ours(tokens), theirs.encode_text(tokens), atol=1e-3, rtol=1e-4)
