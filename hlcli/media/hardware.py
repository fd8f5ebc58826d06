"""Video decoders of the graphics card, where `HL_HWACCEL` asks for one.

FFmpeg's libraries in PyAV have them; nothing else is installed. Frames come back to memory, and
what is done with them is the same.
"""

from __future__ import annotations

import os

from av.codec.hwaccel import HWAccel, hwdevices_available

from hlcli.errors import UsageError


def asked_for() -> str:
    """Return the kind of card, as FFmpeg calls it, and which one: `cuda`, `cuda:1`, or nothing."""
    return os.environ.get("HL_HWACCEL", "").strip()


def hardware_decoder() -> HWAccel | None:
    """Return the decoder that the environment asks for; None where it asks for none.

    Raises:
        UsageError: FFmpeg's libraries here have no such decoder.
    """
    text = asked_for()
    if not text:
        return None
    kind, _, number = text.partition(":")
    known = hwdevices_available()
    if kind not in known or (number and not number.isdecimal()):
        raise UsageError(
            f"HL_HWACCEL: {text!r} is no kind of graphics card that FFmpeg's libraries here know",
            hint=f"unset it, or set it to one of {', '.join(known) or 'none'}, with a number after "
            "a colon where there are several",
        )
    return HWAccel(device_type=kind, device=number or None, allow_software_fallback=True)
