"""Canonical timelines for tests: small, and each with something that formats get wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from document_factory import make_document

from hlcli.document import AudioRecord, ScoresDocument
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList

NTSC = Fraction(30000, 1001)
FILM = Fraction(24000, 1001)
STANDARD_RATES = (
    FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50), Fraction(60000, 1001),
    Fraction(60),
)  # fmt: skip
"""The rates that every editor has."""
SPANS = [(1.0, 3.0), (7.5, 9.25), (20.0, 27.04)]
"""Moments of a document, in seconds."""
ODD_NAME = "clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4"
"""Everything that paths, URLs and XML trip over, and that every file system allows."""

MONO = AudioRecord(channels=1, sample_rate=48000)
STEREO = AudioRecord(channels=2, sample_rate=48000)
CD_STEREO = AudioRecord(channels=2, sample_rate=44100)
SURROUND = AudioRecord(channels=6, sample_rate=48000)


def edit_of(*documents: ScoresDocument, **layout: object) -> EditList:
    """Build the edit list of documents; the arguments are those of `Layout`."""
    return build_edit_list(documents, name="reel", layout=Layout(**layout))  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One canonical timeline."""

    documents: tuple[ScoresDocument, ...]
    """What it is made from."""
    layout: Layout
    """How."""


def document_of(path: str, *audio: AudioRecord, **values: Any) -> ScoresDocument:
    """Return a document of a video with the given sound tracks.

    Args:
        path: Where the video is.
        audio: Its sound tracks.
        values: Fields of its `VideoRecord`, or arguments of `make_document`.
    """
    record = {
        name: values.pop(name)
        for name in ("width", "height", "rotation_degrees", "is_variable_rate")
        if name in values
    }
    document = make_document(path=path, audio=len(audio), **values)
    video = dataclasses.replace(document.video, audio=audio, **record)
    return dataclasses.replace(document, video=video)


CASES: dict[str, Case] = {
    "drop_frame": Case(
        documents=(
            document_of(
                "/footage/match day.mov",
                STEREO,
                MONO,
                frame_rate=NTSC,
                start_timecode="01:00:00;00",
                spans=[(20.02, 25.025), (2.002, 4.004)],
                reasons=("cheering", "fast movement", "louder than around it", "like 0:02"),
            ),
        ),
        layout=Layout(),
    ),
    "silent": Case(
        # Two moments that meet, and one that ends with the file.
        documents=(
            document_of(
                "/footage/dash cam.mp4",
                frame_rate=Fraction(25),
                num_frames=500,
                spans=[(1.0, 3.0), (3.0, 4.52), (18.0, 20.0)],
            ),
        ),
        layout=Layout(),
    ),
    "mixed": Case(
        # Rates, sizes, sound and systems that do not fit; best first, from ten o'clock.
        documents=(
            document_of(
                "/footage/wide.mov",
                STEREO,
                frame_rate=NTSC,
                start_timecode="16:37:10;02",
                spans=[(4.0, 6.5), (30.0, 31.0)],
            ),
            document_of(
                f"/footage/{ODD_NAME}",
                MONO,
                frame_rate=Fraction(25),
                start_timecode="10:00:00:00",
                width=1280,
                height=720,
                spans=[(0.0, 1.04), (9.0, 10.2)],
                identity="c" * 64,
            ),
            document_of(
                "C:\\Footage\\phone & co.mp4",
                SURROUND,
                CD_STEREO,
                frame_rate=Fraction(60000, 1001),
                width=2160,
                height=3840,
                rotation_degrees=90,
                is_variable_rate=True,
                spans=[(5.0, 8.0)],
                identity="d" * 64,
            ),
        ),
        layout=Layout(order="rank", start_timecode="10:00:00;00"),
    ),
    "markers_only": Case(
        documents=(
            document_of(
                "/footage/interview.mxf",
                MONO,
                MONO,
                frame_rate=FILM,
                num_frames=1200,
                start_timecode="00:08:32:08",
                spans=[(1.0, 3.0), (10.0, 11.5), (40.04, 50.05)],
            ),
        ),
        layout=Layout(markers_only=True),
    ),
    "track_per_source": Case(
        # Gaps on every track: the sources take turns, and one of them has no sound.
        documents=(
            document_of(
                "/footage/a.mp4", STEREO, frame_rate=Fraction(50), spans=[(1.0, 3.0), (9.0, 9.5)]
            ),
            document_of(
                "\\\\srv\\share\\b.mp4",
                frame_rate=Fraction(24),
                start_timecode="01:02:03:04",
                spans=[(2.0, 3.0), (5.0, 6.0)],
                identity="c" * 64,
            ),
            document_of(
                "/footage/c.mp4",
                MONO,
                STEREO,
                frame_rate=Fraction(60),
                start_timecode="00:59:59;58",
                spans=[(0.5, 1.5), (2.5, 3.25)],
                identity="d" * 64,
            ),
        ),
        layout=Layout(order="rank", track_per_source=True),
    ),
}
"""By name, which is also the name of the timeline."""


def canonical(name: str) -> EditList:
    """Return one of the canonical timelines."""
    case = CASES[name]
    return build_edit_list(case.documents, name=name, layout=case.layout)
