"""A name for a file's content that survives renames and moves."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hlcli.errors import MediaError, MediaNotFoundError
from hlcli.media.source import check_source

EDGE_BYTES = 1 << 20
"""How much of either end is read."""


def content_identity(path: Path) -> str:
    """Return the hex sha256 over a file's size, first MiB and last MiB.

    Reads at most 2 MiB, so it costs the same for any length of video. Two files that differ
    only in the middle get the same identity if their sizes agree, which encoded video does not
    do by accident.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaError: The file may not be read, or is a folder, a pipe or a device.
    """
    size_bytes = check_source(path)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            digest.update(f"{size_bytes}\n".encode())
            digest.update(stream.read(EDGE_BYTES))
            stream.seek(max(stream.tell(), size_bytes - EDGE_BYTES))
            digest.update(stream.read(EDGE_BYTES))
    except FileNotFoundError as error:
        raise MediaNotFoundError(f"no such file: {path}", hint="check the spelling") from error
    except OSError as error:
        raise MediaError(
            f"cannot read {path}: {error.strerror or error}", hint="check its permissions"
        ) from error
    return digest.hexdigest()
