"""Tells a safetensors file from anything else without loading it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from hlcli.errors import CheckpointError

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""A header lists names and shapes: ours take some kilobytes."""


def check_safetensors(path: Path, *, name: str = "") -> None:
    """Accept a file whose header is safetensors and describes exactly the bytes that follow.

    Reads the header only. This is what keeps pickles out: they never get a name that is loaded.

    Args:
        path: The file.
        name: What an error calls it; its path when empty.

    Raises:
        CheckpointError: The file is something else, cut off, longer than its header says, or
            cannot be read.
    """
    _read_header(path, name=name)


def safetensors_metadata(path: Path, *, name: str = "") -> dict[str, str]:
    """Return the texts that a safetensors file carries in its header; see `check_safetensors`.

    Raises:
        CheckpointError: The file is something else, cut off, longer than its header says, or
            cannot be read.
    """
    metadata = _read_header(path, name=name).get("__metadata__")
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def _read_header(path: Path, *, name: str) -> dict[str, Any]:
    try:
        return _parsed_header(path)
    except ValueError as error:
        raise CheckpointError(
            f"{name or path} is not a safetensors file: {error}",
            hint="only safetensors weights are accepted, never a pickle",
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"cannot read {name or path}: {error.strerror or error}",
            hint="check the path and the rights of the file",
        ) from error


def _parsed_header(path: Path) -> dict[str, Any]:
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        prefix = stream.read(8)
        if len(prefix) < 8:
            raise ValueError(f"it has {size_bytes} bytes")
        (header_bytes,) = struct.unpack("<Q", prefix)
        if header_bytes > min(MAX_HEADER_BYTES, size_bytes - 8):
            raise ValueError(f"it claims a header of {header_bytes} bytes")
        raw = stream.read(header_bytes)
    try:
        header = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is not JSON") from error
    if not raw.startswith(b"{") or not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    end = 0
    for entry_name, entry in header.items():
        if entry_name == "__metadata__":
            continue
        if not _is_tensor(entry):
            raise ValueError(f"the entry {entry_name!r} of its header does not describe a tensor")
        end = max(end, entry["data_offsets"][1])
    data_bytes = size_bytes - 8 - header_bytes
    if end != data_bytes:
        raise ValueError(f"its header describes {end} bytes of data and {data_bytes} follow")
    return header


def _is_tensor(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        return False
    shape, offsets = entry["shape"], entry["data_offsets"]
    return (
        isinstance(entry["dtype"], str)
        and isinstance(shape, list)
        and all(type(size) is int and size >= 0 for size in shape)
        and isinstance(offsets, list)
        and len(offsets) == 2
        and all(type(offset) is int for offset in offsets)
        and 0 <= offsets[0] <= offsets[1]
    )
