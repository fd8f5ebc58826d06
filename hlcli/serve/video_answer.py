"""A piece of a video file as an HTTP answer: byte ranges, so that a player can seek."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fastapi import Response
from fastapi.responses import StreamingResponse

from hlcli.serve.refusal import RequestError

MAX_PIECE_BYTES = 8 * 2**20
"""Longest piece for one range: players ask for the rest of the file, read a little and wait."""

_READ_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".qt": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}


def video_answer(path: Path, wanted: str | None) -> Response:
    """Return a file, or the piece of it that a player asks for.

    Args:
        path: The file; whoever asks has checked that it may be read.
        wanted: The `Range` header. One that is no single range of bytes is passed over, as HTTP
            allows; a range longer than `MAX_PIECE_BYTES` is answered with its beginning.

    Raises:
        RequestError: The file cannot be read.
    """
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise RequestError(f"{path.name} cannot be read", status=404) from error
    headers = {"accept-ranges": "bytes", "cross-origin-resource-policy": "same-origin"}
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    first, last, status = 0, size - 1, 200
    match = _RANGE.fullmatch(wanted or "")
    if match and (match[1] or match[2]):
        status = 206
        if match[1]:
            first = int(match[1])
            last = min(size - 1, int(match[2])) if match[2] else size - 1
        else:
            first = max(0, size - int(match[2]))
        is_backwards = bool(match[1] and match[2]) and int(match[2]) < first
        if is_backwards or not 0 <= first <= last:
            headers["content-range"] = f"bytes */{size}"
            return Response(status_code=416, headers=headers)
        last = min(last, first + MAX_PIECE_BYTES - 1)
        headers["content-range"] = f"bytes {first}-{last}/{size}"
    headers["content-length"] = str(last - first + 1)
    return StreamingResponse(
        _pieces(path, first, last + 1), status_code=status, headers=headers, media_type=kind
    )


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(start)
        while start < end and (piece := stream.read(min(_READ_BYTES, end - start))):
            start += len(piece)
            yield piece
