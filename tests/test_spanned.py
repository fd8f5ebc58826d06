"""Recordings in several files: which follow each other, and which are proven to be one."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest
from document_factory import make_document

from hlcli.document import VideoRecord
from hlcli.media.discover import find_videos
from hlcli.progress import Listener
from hlcli.workflows.export import one_recording, one_take_across


def test_chapters_follow_each_other(tmp_path: Path) -> None:
    wanted = [
        "C0001.MP4", "GOPR0007.MP4", "GP010007.MP4", "GP020007.MP4", "GOPR0008.MP4",
        "GX010042.MP4", "GX020042.MP4", "GX010043.MP4", "GX100.MP4",
    ]  # fmt: skip
    for name in wanted:
        (tmp_path / name).touch()
    assert [path.name for path in find_videos([str(tmp_path)])] == wanted
    assert [path.name for path in find_videos([str(tmp_path / "GX0*")])] == wanted[5:8]


def chapter(name: str, timecode: str | None, **changes: object) -> VideoRecord:
    video = dataclasses.replace(
        make_document().video,
        path=f"/card/{name}.MP4",
        frame_rate=Fraction(25),
        num_frames=250,
        duration_seconds=10.0,
        start_timecode=timecode,
    )
    return dataclasses.replace(video, **changes)  # type: ignore[arg-type]


def test_a_recording_is_proven_by_its_timecode() -> None:
    first, second = chapter("GX010042", "01:00:00:00"), chapter("GX020042", "01:00:10:00")
    third = chapter("GX030042", "01:00:20:20")
    assert one_recording([third, second, first]) == [[first, second, third]]
    assert one_recording([first, third]) == []


@pytest.mark.parametrize(
    "other",
    [
        chapter("GX020042", "01:00:12:00"),
        chapter("GX020042", None),
        chapter("GX020043", "01:00:10:00"),
        chapter("C0002", "01:00:10:00"),
        chapter("GX020042", "01:00:10:00", frame_rate=Fraction(50)),
        chapter("GX020042", "01:00:10:00", width=320),
        chapter("GX020042", "01:00:10:00", path="/other/GX020042.MP4"),
    ],
)
def test_what_does_not_go_on_is_another_recording(other: VideoRecord) -> None:
    assert one_recording([chapter("GX010042", "01:00:00:00"), other]) == []


def test_one_recording_is_said() -> None:
    videos = chapter("GX010042", "01:00:00:00"), chapter("GX020042", "01:00:10:00")
    documents = [dataclasses.replace(make_document(), video=video) for video in videos]
    said: list[str] = []

    class Remarks(Listener):
        def remark(self, text: str) -> None:
            said.append(text)

    one_take_across(documents, None, Remarks())
    assert said[0] == "one recording of 0:20 in 2 files: GX010042.MP4, GX020042.MP4"
