"""Which decoders this machine's FFmpeg libraries have."""

from __future__ import annotations

import av
import av.codec

DECODERS = {
    "h264": ("h264",),
    "hevc": ("hevc",),
    "prores": ("prores",),
    # FFmpeg's own "av1" needs a graphics card; these decode anywhere.
    "av1": ("libdav1d", "libaom-av1", "libgav1"),
    "vp9": ("vp9", "libvpx-vp9"),
    "mpeg2video": ("mpeg2video",),
    "mjpeg": ("mjpeg",),
}
"""What cameras, phones, editors and the web write, and the decoders that can read it."""


def decoders_present() -> dict[str, bool]:
    """Say for each codec of `DECODERS` whether it can be decoded here."""
    return {codec: any(map(_has_decoder, names)) for codec, names in DECODERS.items()}


def library_versions() -> dict[str, str]:
    """Versions of the FFmpeg libraries inside PyAV, such as `{"libavcodec": "62.28.102"}`."""
    return {
        name: ".".join(str(part) for part in version)
        for name, version in av.library_versions.items()
    }


def _has_decoder(name: str) -> bool:
    try:
        av.codec.Codec(name, "r")
    except ValueError:
        return False
    return True
