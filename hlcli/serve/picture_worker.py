"""The process that looks into videos: `python -m hlcli.serve.picture_worker`.

Decoders crash on damaged files; the service must not.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from hlcli.errors import HlError, MediaUnreadableError
from hlcli.serve.refusal import problem_of
from hlcli.workers.lifeline import Line

_QUALITY = 82


def main() -> None:
    """Answer each message with one line of JSON and as many bytes as it says."""
    line = Line()
    while (request := line.receive()) is not None:
        try:
            if request["want"] == "about":
                line.send({"size": 0, "about": about(Path(request["path"]))})
                continue
            picture = thumbnail(Path(request["path"]), request["seconds"], request["height"])
        except HlError as error:
            line.send({"size": 0, "error": problem_of(error)})
            continue
        line.send({"size": len(picture)})
        line.out.write(picture)
        line.out.flush()


def about(path: Path) -> dict[str, Any]:
    """Return what a player must know of a video.

    Raises:
        MediaError: It cannot be opened.
    """
    from hlcli.media.probe import probe

    info = probe(path)
    return {
        "start_seconds": float(info.video_start_seconds),
        # Where time stamps jump, a player's clock and ours part.
        "is_continuous": not info.clock.parts,
        "frame_rate": float(info.frame_rate),
        "has_sound": info.has_audio,
        "codec": info.video_codec,
        "container": info.container,
    }


def thumbnail(path: Path, seconds: float, height: int) -> bytes:
    """Return one frame as JPEG.

    Args:
        path: The video.
        seconds: An instant from its first frame; past the end is the last frame.
        height: In pixels.

    Raises:
        MediaError: Nothing can be decoded there.
    """
    from PIL import Image

    from hlcli.media.probe import probe
    from hlcli.media.still import read_stills

    info = probe(path)
    last = max(0, int(info.duration_seconds * info.frame_rate) - 1)
    frame = min(last, int(seconds * float(info.frame_rate) + 1e-6))
    for still in read_stills(info, [frame], height=height):
        target = io.BytesIO()
        Image.fromarray(still.rgb_HWC).save(target, "JPEG", quality=_QUALITY)
        return target.getvalue()
    raise MediaUnreadableError(f"{path} cannot be decoded at {seconds:g} seconds")


def _main() -> Any:
    try:
        main()
    finally:
        os._exit(0)


if __name__ == "__main__":
    _main()
