"""Which clips are compared with which: those of one file, and those of short files of one camera.

Within a file everything but the moment is the same: place, light, camera, exposure. Long takes are
compared so. A card of short clips is used clip by clip, whole or not at all, so there the files are
compared with each other, but only files that were shot alike: what one camera recorded. What a
second camera recorded is compared among itself; else the camera would be learned instead of the
taste.

Axes: T clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hlcli.tuning.spans import Marks

NOTHING_TO_COMPARE = (
    "no file has both kept and passed-over footage, and no passed-over file stands beside a kept "
    "one"
)
COMPARE_HINT = (
    "mark what is to drop, too: in the same file, or in other files of the same shoot; a cut must "
    "pass over something"
)


class Marked(Protocol):
    """What is compared."""

    @property
    def marks_T(self) -> Marks:
        """1 where a clip was kept, 0 where it was passed over, -1 where nobody said, `(T,)`."""

    @property
    def camera(self) -> str:
        """What recorded it; files of the same are compared with each other."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every kept clip of some files beside every passed-over clip of some files.

    Indices count the videos that the comparison was made of.
    """

    kept: tuple[int, ...]
    """Files whose kept clips count."""
    passed: tuple[int, ...]
    """Files whose passed-over clips count."""

    @property
    def is_within_file(self) -> bool:
        """Whether it is one file against itself."""
        return self.kept == self.passed

    @property
    def weight(self) -> int:
        """How much it counts: one file against itself is 1, of several files the fewer."""
        return min(len(self.kept), len(self.passed))

    @property
    def files(self) -> tuple[int, ...]:
        """All files, each once."""
        return tuple(dict.fromkeys(self.kept + self.passed))

    def marks(self, videos: Sequence[Marked], index: int) -> Marks:
        """Return the marks of a file that count here, -1 for the others, `(T,)`."""
        marks_T = videos[index].marks_T
        counts = np.zeros(len(marks_T), np.bool_)
        if index in self.kept:
            counts |= marks_T == 1
        if index in self.passed:
            counts |= marks_T == 0
        return np.where(counts, marks_T, np.int8(-1))


def comparisons(videos: Sequence[Marked]) -> list[Comparison]:
    """Return what is compared: every file that has both, then the files of each camera.

    Across files, what was kept of any file stands beside files of which nothing was kept: the rest
    of a file that was used says how it was trimmed, not that it was passed over. Where no camera
    has both, all files are compared with each other.

    Args:
        videos: All files, marked or not.
    """
    has_kept = [index for index, video in enumerate(videos) if (video.marks_T == 1).any()]
    has_passed = [index for index, video in enumerate(videos) if (video.marks_T == 0).any()]
    unused = [index for index in has_passed if index not in set(has_kept)]
    found = [Comparison((index,), (index,)) for index in has_kept if index in set(has_passed)]
    for camera in dict.fromkeys(videos[index].camera for index in has_kept):
        kept = tuple(index for index in has_kept if videos[index].camera == camera)
        passed = tuple(index for index in unused if videos[index].camera == camera)
        if passed:
            found.append(Comparison(kept, passed))
    if not found and has_kept and unused:
        found.append(Comparison(tuple(has_kept), tuple(unused)))
    return found


def notes_of(videos: Sequence[Marked]) -> list[str]:
    """Say which files are compared, where that is more than each with itself."""
    compared = comparisons(videos)
    across = [one for one in compared if not one.is_within_file]
    if not across:
        return []
    cameras = [{videos[index].camera for index in one.files} for one in across]
    if len(cameras[0]) > 1:
        return [
            "what was kept and what was passed over are of different cameras "
            f"({', '.join(sorted(cameras[0]))}): it may be the camera that is learned"
        ]
    num_files = len({index for one in across for index in one.files})
    notes = [f"{num_files} files are compared with each other, those of one camera at a time"]
    compared_files = {index for one in compared for index in one.files}
    alone = [
        index
        for index, video in enumerate(videos)
        if (video.marks_T >= 0).any() and index not in compared_files
    ]
    if alone:
        names = ", ".join(sorted({videos[index].camera for index in alone}))
        notes.append(
            f"{len(alone)} {'file has' if len(alone) == 1 else 'files have'} nothing of the same "
            f"camera to be compared with ({names})"
        )
    return notes
