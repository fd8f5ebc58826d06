"""What hl wrote: scores and moments, in whole frames of the files. Knows nothing of Blender."""

from __future__ import annotations

import os
from fractions import Fraction
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

BANDS = (
    (0.8, (0.10, 0.55, 0.15)),
    (0.6, (0.05, 0.45, 0.60)),
    (0.4, (0.75, 0.65, 0.05)),
    (0.2, (0.70, 0.35, 0.05)),
    (0.0, (0.20, 0.20, 0.20)),
)
"""Colours of the score strip, as of the markers in other editors: lowest score and colour."""
_MAX_BLOCKS = 400
"""Longest row of colours: Blender is slow with thousands of strips."""


class Moment:
    """A stretch of a file, in whole frames of the file."""

    def __init__(self, clip: dict) -> None:
        # Clip.1 has one medium, Clip.2 may have several and says which it plays.
        media = clip.get("media_reference")
        media = media or clip["media_references"][clip["active_media_reference_key"]]
        found = clip["metadata"]["hl"]
        self.path = _path_of(media["target_url"])
        self.rate = Fraction(found["source"]["frame_rate"])
        own, available = clip["source_range"], media["available_range"]
        self.first = round(own["start_time"]["value"] - available["start_time"]["value"])
        self.count = round(own["duration"]["value"])
        self.num_frames = round(available["duration"]["value"])
        self.num_sounds = len(found["source"]["audio"])
        self.rank, self.score = int(found["rank"]), float(found["score"])

    @property
    def name(self) -> str:
        """What markers are called, as in other editors."""
        return f"H{self.rank:02d} {self.score:.2f}"

    @property
    def strip_name(self) -> str:
        """What strips are called: to make a name unique, Blender rewrites what follows a dot."""
        return f"H{self.rank:02d} {self.score:.0%}"


class Finding:
    """What hl found in some files."""

    def __init__(self, documents: list[dict], timeline: dict) -> None:
        self.scores = {key(one["video"]["path"]): one for one in documents}
        pictures = [track for track in timeline["tracks"]["children"] if track["kind"] == "Video"]
        self.moments = [
            Moment(clip)
            for track in pictures
            for clip in track["children"]
            if clip["OTIO_SCHEMA"].startswith("Clip.")
        ]


def blocks(
    scores: list[float], clip_seconds: float, rate: Fraction
) -> list[tuple[int, int, float]]:
    """Join neighbouring clips of one band: first frame, frame after, highest score.

    Args:
        scores: One a clip, in [0, 1].
        clip_seconds: Length of a clip.
        rate: Frames a second.
    """
    clip = Fraction(clip_seconds)
    joined: list[tuple[int, int, float, int]] = []
    group = -(-len(scores) // _MAX_BLOCKS)
    for start in range(0, len(scores), group):
        score = max(scores[start : start + group])
        band = next(index for index, (lowest, _) in enumerate(BANDS) if score >= lowest)
        stop = min(start + group, len(scores))
        if joined and joined[-1][3] == band:
            first, _, best, _ = joined.pop()
            joined.append((first, stop, max(best, score), band))
        else:
            joined.append((start, stop, score, band))
    return [
        (round(first * clip * rate), round(stop * clip * rate), best)
        for first, stop, best, _ in joined
    ]


def key(path: str) -> str:
    """Return a path as two spellings of it can be compared."""
    return os.path.normcase(os.path.realpath(path))


def _path_of(url: str) -> str:
    """Return the path that a file: address or a bare path names."""
    if not url.startswith("file:"):
        return url
    parts = urlsplit(url)
    if os.name == "nt":
        host = f"//{parts.netloc}" if parts.netloc else ""
        return url2pathname(host + parts.path)
    return unquote(parts.path, errors="surrogateescape")
