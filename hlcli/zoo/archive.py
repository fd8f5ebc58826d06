"""A model as one file, `NAME.hlmodel`: how it is written, and how a hostile one is refused.

A ZIP whose members are stored, in a fixed order, with a fixed date and nothing else, so that one
model gives one file, byte for byte: `manifest.toml`, `card.json`, `recipe.toml` where there is
one, `model.safetensors`. Any file of another shape is refused before anything is unpacked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hlcli import toml
from hlcli.atomic import atomic_write
from hlcli.errors import CheckpointError, ChecksumError, OutputError
from hlcli.zoo.card import ModelCard
from hlcli.zoo.manifest import ModelManifest, manifest_text, parse_manifest
from hlcli.zoo.own import CARD_FILE, RECIPE_FILE, WEIGHTS_FILE

SUFFIX = ".hlmodel"
"""How the files are called."""

MANIFEST_FILE = "manifest.toml"
"""The manifest; the name of the model is in it."""

MAX_BYTES = {
    MANIFEST_FILE: 64 << 10,
    CARD_FILE: 8 << 20,
    RECIPE_FILE: 256 << 10,
    WEIGHTS_FILE: 1 << 30,
}
"""Largest size of each member, in the order of the file; a detector of ours takes some MiB."""

_NEEDED = (MANIFEST_FILE, CARD_FILE, WEIGHTS_FILE)
_LOCAL_BYTES, _CENTRAL_BYTES, _END_BYTES = 30, 46, 22
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An opened file whose words are read and checked; its weights are not read yet."""

    path: Path
    """The file."""
    manifest: ModelManifest
    """A detector's manifest, with `file` = "model.safetensors"."""
    card: ModelCard
    """Its card."""
    recipe: str | None
    """TOML it was made with."""
    _zip: zipfile.ZipFile

    def extract_weights(self, target: Path) -> None:
        """Write the weights to `target`, which appears whole and with the manifest's hash.

        Raises:
            ChecksumError: They are other bytes than the manifest says.
            CheckpointError: The file is damaged.
            OutputError: `target` cannot be written or the disk is full.
        """
        digest = hashlib.sha256()
        with atomic_write(target) as copy:
            with _damage(self.path), self._zip.open(WEIGHTS_FILE) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    copy.write(chunk)
            if digest.hexdigest() != self.manifest.sha256:
                raise ChecksumError(
                    f"the weights in {self.path} are damaged: expected sha256 "
                    f"{self.manifest.sha256}, got {digest.hexdigest()}",
                    hint="get the file again; nothing was imported",
                )


def write_archive(
    path: Path, manifest: ModelManifest, *, weights: Path, card: ModelCard, recipe: str | None
) -> None:
    """Write a detector to one file, atomically; the same model gives the same bytes.

    Args:
        path: The file to write; what stood there is replaced.
        manifest: The detector; a golden file and marks such as `default` are left out.
        weights: Its verified weights.
        card: Its card.
        recipe: TOML it was made with.

    Raises:
        ChecksumError: The weights are not those of the manifest.
        CheckpointError: The weights cannot be read.
        OutputError: The file cannot be written, the disk is full, or a part is too large.
    """
    plain = dataclasses.replace(
        manifest,
        file=WEIGHTS_FILE,
        url=None,
        published=None,
        golden=None,
        default=False,
        hidden=False,
    )
    texts = {MANIFEST_FILE: manifest_text(plain), CARD_FILE: card.to_json()}
    if recipe is not None:
        texts[RECIPE_FILE] = recipe
    members = {name: text.encode("utf-8") for name, text in texts.items()}
    sizes = {name: len(data) for name, data in members.items()}
    for name, size_bytes in (sizes | {WEIGHTS_FILE: manifest.size_bytes}).items():
        if size_bytes > MAX_BYTES[name]:
            raise OutputError(
                f"{name} of {manifest.name} has {size_bytes:,} bytes, a model file may hold "
                f"{MAX_BYTES[name]:,}",
                hint="copy the model's folder instead: `hl models path` says where it is",
            )
    digest = hashlib.sha256()
    with atomic_write(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name in MAX_BYTES:
            if name == WEIGHTS_FILE:
                info = _member(name, manifest.size_bytes)
                with archive.open(info, "w") as member:
                    for chunk in _chunks(weights, manifest):
                        digest.update(chunk)
                        member.write(chunk)
            elif name in members:
                archive.writestr(_member(name, sizes[name]), members[name])
        if digest.hexdigest() != manifest.sha256:
            raise ChecksumError(
                f"the weights of {manifest.name} are not those of its manifest: {weights}",
                hint=f"run `hl models verify {manifest.name}`",
            )


def _chunks(weights: Path, manifest: ModelManifest) -> Iterator[bytes]:
    try:
        with weights.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise CheckpointError(
            f"the weights of {manifest.name} cannot be read: {weights}: {error.strerror or error}",
            hint="check the rights of the file and the disk",
        ) from error


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a file and check everything but the weights; nothing is written anywhere.

    Raises:
        CheckpointError: No such file, another format, damage, members that do not belong there,
            sizes beyond `MAX_BYTES`, or words that cannot be used.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path}: {error.strerror or error}", hint="check the path"
        ) from error
    with stream:
        with _damage(path):
            _check_directory(stream)
            archive = zipfile.ZipFile(stream)
            _check_members(archive, size_bytes=path.stat().st_size)
            texts = {
                name: archive.read(name).decode("utf-8")
                for name in archive.namelist()
                if name != WEIGHTS_FILE
            }
            manifest = _manifest(texts[MANIFEST_FILE], archive.getinfo(WEIGHTS_FILE).file_size)
            card = ModelCard.from_json(texts[CARD_FILE])
            if card.name != manifest.name:
                raise ValueError(f"the card is of {card.name!r}, the model is {manifest.name!r}")
            recipe = texts.get(RECIPE_FILE)
            if recipe is not None:
                toml.loads(recipe)
        yield Archive(path=path, manifest=manifest, card=card, recipe=recipe, _zip=archive)


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn whatever reading a bad file raises into one kind of error.

    `zipfile` raises all of these, depending on which byte is wrong.
    """
    try:
        yield
    except (
        zipfile.BadZipFile,
        ValueError,
        EOFError,
        struct.error,
        NotImplementedError,
        RuntimeError,
        OverflowError,
        OSError,
        KeyError,
    ) as error:
        raise CheckpointError(
            f"{path} is not a model file that can be imported: {error}",
            hint="`hl models export` writes such files; get it again, nothing was imported",
        ) from error


def _check_directory(stream: IO[bytes]) -> None:
    """Look at the end of the file before `zipfile` reads a list of any length into memory."""
    size_bytes = stream.seek(0, 2)
    if size_bytes < _END_BYTES:
        raise ValueError(f"it has {size_bytes} bytes")
    stream.seek(max(0, size_bytes - _END_BYTES - 20))
    tail = stream.read()
    signature, disk, first, here, count, list_bytes, _, comment_bytes = struct.unpack(
        "<4s4H2LH", tail[-_END_BYTES:]
    )
    if signature != b"PK\x05\x06" or comment_bytes:
        raise ValueError("it does not end as a ZIP without a comment does")
    if tail[:4] == b"PK\x06\x07":
        raise ValueError("it is a ZIP64")
    if disk or first or here != count:
        raise ValueError("it is one part of several")
    if count > len(MAX_BYTES) or list_bytes > len(MAX_BYTES) * 2 * _CENTRAL_BYTES:
        raise ValueError(f"it lists {count} members in {list_bytes} bytes")
    stream.seek(0)


def _check_members(archive: zipfile.ZipFile, *, size_bytes: int) -> None:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if names != [name for name in MAX_BYTES if name in names] or not set(_NEEDED) <= set(names):
        raise ValueError(f"it holds {', '.join(map(repr, names)) or 'nothing'}")
    expected_bytes = _END_BYTES
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename} is compressed")
        if info.file_size > MAX_BYTES[info.filename]:
            raise ValueError(
                f"{info.filename} has {info.file_size:,} bytes, "
                f"{MAX_BYTES[info.filename]:,} are allowed"
            )
        same = _member(info.filename, info.file_size)
        if (info.flag_bits, info.external_attr, info.extra, info.date_time) != (
            0,
            same.external_attr,
            b"",
            same.date_time,
        ):
            raise ValueError(f"{info.filename} is encrypted, a link, or written by another program")
        if info.header_offset != expected_bytes - _END_BYTES:
            raise ValueError(f"{info.filename} does not follow the member before it")
        expected_bytes += _LOCAL_BYTES + len(info.filename) + info.file_size
    expected_bytes += sum(_CENTRAL_BYTES + len(name) for name in names)
    if size_bytes != expected_bytes:
        raise ValueError(f"it has {size_bytes:,} bytes and its members take {expected_bytes:,}")


def _manifest(text: str, size_bytes: int) -> ModelManifest:
    name = toml.loads(text).get("name")
    manifest = parse_manifest(text, stem=str(name), folder=Path())
    if not manifest.is_detector:
        raise ValueError(f"it holds {manifest.called}")
    plain = (manifest.file, manifest.golden, manifest.default, manifest.hidden)
    if plain != (WEIGHTS_FILE, None, False, False):
        raise ValueError("its manifest asks for more than a model file may")
    if manifest.size_bytes != size_bytes:
        raise ValueError(f"the weights have {size_bytes} bytes, not {manifest.size_bytes}")
    return manifest


def _member(name: str, size_bytes: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    # The same on every system: made on Unix, an ordinary file that all may read.
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    info.file_size = size_bytes
    return info
