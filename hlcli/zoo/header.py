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
        CheckpointError: The file is something else, cut off, or longer than its header says.
    """
    problem = _header_problem(path)
    if problem:
        raise CheckpointError(
            f"{name or path} is not a safetensors file: {problem}",
            hint="only safetensors weights are accepted, never a pickle",
        )


def _header_problem(path: Path) -> str | None:
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        prefix = stream.read(8)
        if len(prefix) < 8:
            return f"it has {size_bytes} bytes"
        (header_bytes,) = struct.unpack("<Q", prefix)
        if header_bytes > min(MAX_HEADER_BYTES, size_bytes - 8):
            return f"it claims a header of {header_bytes} bytes"
        raw = stream.read(header_bytes)
    try:
        header = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return "its header is not JSON"
    if not raw.startswith(b"{") or not isinstance(header, dict):
        return "its header is not a JSON object"
    end = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not _is_tensor(entry):
            return f"the entry {name!r} of its header does not describe a tensor"
        end = max(end, entry["data_offsets"][1])
    data_bytes = size_bytes - 8 - header_bytes
    if end != data_bytes:
        return f"its header describes {end} bytes of data and {data_bytes} follow"
    return None


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
