"""Recordings in several files: their order, which are proven, and moments over a joint."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cli_runner import hl
from document_factory import make_document
from media_factory import make_video
from rich.console import Console

from hlcli.cli.show import moments_table
from hlcli.document import Caption, ScoresDocument, measure_moment
from hlcli.document.takes import footage_of
from hlcli.media.discover import find_videos
from hlcli.media.unusable import Unusable
from hlcli.moments import Observation, Selection, Stretch
from hlcli.progress import Listener
from hlcli.timeline.build import build_edit_list
from hlcli.timeline.edit_list import Source
from hlcli.timeline.formats.chapters import chapters_of
from hlcli.timeline.ranking import ranks
from hlcli.workflows.export import choose_across_files, choose_moments
from hlcli.workflows.recordings import Recording, find_recordings


class Remarks(Listener):
    def __init__(self) -> None:
        self.said: list[str] = []

    def remark(self, text: str) -> None:
        self.said.append(text)


def test_chapters_follow_each_other(tmp_path: Path) -> None:
    wanted = [
        "C0001.MP4", "GOPR0007.MP4", "GP010007.MP4", "GP020007.MP4", "GOPR0008.MP4",
        "GX010042.MP4", "GX020042.MP4", "GX010043.MP4", "GX100.MP4",
    ]  # fmt: skip
    for name in wanted:
        (tmp_path / name).touch()
    assert [path.name for path in find_videos([str(tmp_path)])] == wanted
    assert [path.name for path in find_videos([str(tmp_path / "GX0*")])] == wanted[5:8]


def chapter(
    name: str,
    timecode: str | None,
    *,
    frames: int = 250,
    scores: list[float] | None = None,
    folder: str = "/card",
    rate: int = 25,
    model: str = "b" * 64,
    width: int = 1920,
) -> ScoresDocument:
    document = make_document(
        path=f"{folder}/{name}.MP4",
        num_frames=frames,
        frame_rate=Fraction(rate),
        start_timecode=timecode,
        scores=scores,
        model_sha256=model,
    )
    return dataclasses.replace(document, video=dataclasses.replace(document.video, width=width))


def test_a_recording_is_proven_by_names_and_timecodes() -> None:
    first, second = chapter("GX010042", "01:00:00:00"), chapter("GX020042", "01:00:10:00")
    third = chapter("GX030042", "01:00:20:20")
    (recording,) = find_recordings([third, second, first])
    assert recording.places == (2, 1, 0)
    assert recording.documents == (first, second, third)
    assert recording.starts == [0.0, 10.0, 20.0, 30.0]
    assert find_recordings([first, third]) == []


@pytest.mark.parametrize(
    "other",
    [
        chapter("GX020042", "01:00:12:00"),
        chapter("GX020042", None),
        chapter("GX020043", "01:00:10:00"),
        chapter("C0002", "01:00:10:00"),
        chapter("GX020042", "01:00:10:00", rate=50),
        chapter("GX020042", "01:00:10:00", width=320),
        chapter("GX020042", "01:00:10:00", model="c" * 64),
        chapter("GX020042", "01:00:10:00", folder="/other"),
    ],
)
def test_what_does_not_go_on_is_another_recording(other: ScoresDocument) -> None:
    assert find_recordings([chapter("GX010042", "01:00:00:00"), other]) == []


LOW = [0.1] * 9
# The action lasts from 8 s to 12 s of the recording; the second file begins at 10 s.
OVER_THE_JOINT = (
    chapter("GX010042", "01:00:00:00", scores=[*LOW[:8], 0.9, 0.9]),
    chapter("GX020042", "01:00:10:00", scores=[0.9, 0.9, *LOW[:8]]),
)


def chosen(*documents: ScoresDocument, **rules: object) -> tuple[list[ScoresDocument], list[str]]:
    selection, on = Selection(**rules), Remarks()  # type: ignore[arg-type]
    with_moments = [choose_moments(document, selection, on) for document in documents]
    return choose_across_files(with_moments, selection, on), on.said


def test_a_moment_over_the_joint_is_one_moment_in_two_clips() -> None:
    (first, second), said = chosen(*OVER_THE_JOINT, top=1)
    assert said[0] == "one recording of 0:20 in 2 files: GX010042.MP4, GX020042.MP4"
    (before,), (after,) = first.moments, second.moments
    assert (before.start_seconds, before.end_seconds) == (7.5, 10.0)
    assert (after.start_seconds, after.end_seconds) == (0.0, 2.5)
    assert (before.continues, after.continues) == (False, True)
    assert before.score == after.score
    assert ranks([first, second]) == [[1], [1]]
    events = build_edit_list([first, second], name="cut").events
    assert [(event.frames, event.record) for event in events] == [
        (range(188, 250), range(62)),
        (range(63), range(62, 125)),
    ]
    assert [event.markers[0].name[:3] for event in events] == ["H01", "H01"]
    # As a document, too.
    again = ScoresDocument.from_json(json.loads(second.to_text()))
    assert again.moments[0].continues
    assert '"continues"' not in first.to_text()


def test_files_in_the_order_of_a_shell_are_put_together() -> None:
    other = chapter("GX010043", "02:00:00:00", scores=[*LOW[:4], 0.8, 0.8, 0.8, *LOW[:3]])
    first, second = OVER_THE_JOINT
    documents, _ = chosen(other, second, first, top=1)
    assert [Path(one.video.path).stem for one in documents] == ["GX010043", "GX010042", "GX020042"]
    # As many editors' lists have it: by name, the recordings one inside the other.
    documents, _ = chosen(first, other, second, top=1)
    assert [Path(one.video.path).stem for one in documents] == ["GX010042", "GX020042", "GX010043"]
    events = build_edit_list(documents, name="cut").events
    assert [event.record.start for event in events] == [0, 62, 125]
    assert [event.highlight and event.highlight.rank for event in events] == [1, 1, 2]
    # For a viewer, too, a moment in two files is one.
    titles = [chapter.moments for chapter in chapters_of(build_edit_list(documents, name="cut"))]
    assert titles == [range(1, 2), range(2, 3)]


def test_of_a_short_moment_over_the_joint_something_stays() -> None:
    first = chapter("GX010042", "01:00:00:00", frames=240)
    second = chapter("GX020042", "01:00:09:15")
    recording = Recording((0, 1), (first, second))
    short = measure_moment(recording.joined(), 9.3, 10.0)
    parts = list(recording.split(recording.joined().with_moments([short])))
    assert [
        [(m.start_seconds, m.end_seconds, m.continues) for m in one.moments] for one in parts
    ] == [
        [],
        [(0.0, 0.4, False)],
    ]


def test_the_table_says_that_a_moment_goes_on() -> None:
    documents, _ = chosen(*OVER_THE_JOINT, top=1)
    console = Console(width=120, file=io.StringIO())
    for document in documents:
        console.print(*moments_table(document, width=120))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("goes on from the file before") == 1
    assert text.index("01:00:10:00  01:00:12:13") < text.index("goes on from the file before")


def test_drop_frame_counts_on_over_the_minute() -> None:
    rate = Fraction(30000, 1001)
    first, second, later = (
        Source.from_video(
            dataclasses.replace(
                make_document().video, frame_rate=rate, num_frames=1800, start_timecode=start
            )
        )
        for start in ("01:00:00;00", "01:01:00;02", "01:01:00;04")
    )
    assert first.goes_on_in(second)
    assert not first.goes_on_in(later)


def test_how_much_is_kept_is_of_the_whole_recording() -> None:
    alone = make_document(path="/card/C0001.MP4", num_frames=300)
    documents = (*OVER_THE_JOINT, alone)
    for rules in ({"top": 1}, {"target_duration_seconds": 5.0}, {"threshold": 0.5}):
        (first, second, third), _ = chosen(*documents, **rules)
        assert [len(one.moments) for one in (first, second)] == [1, 1]
        assert third == chosen(alone, **rules)[0][0]
    (first, second), _ = chosen(
        *OVER_THE_JOINT, top=1, min_duration_seconds=1.0, max_duration_seconds=1.5
    )
    assert len(first.moments) + len(second.moments) == 1


def test_only_a_whole_recording_is_shorter_than_what_is_asked_for() -> None:
    alone = chapter("GX010043", "02:00:00:00")
    _, said = chosen(*OVER_THE_JOINT, target_duration_seconds=15.0)
    assert not [line for line in said if "shorter" in line]
    _, said = chosen(*OVER_THE_JOINT, alone, target_duration_seconds=25.0)
    assert [line for line in said if "shorter" in line] == [
        "GX010042.MP4, GX020042.MP4 are 20.0 s long, shorter than the target of 25 s: all of it "
        "is kept",
        "GX010043.MP4 is 10.0 s long, shorter than the target of 25 s: all of it is kept",
    ]


def test_a_sliver_in_the_next_file_is_left_out() -> None:
    first = chapter("GX010042", "01:00:00:00", scores=[*LOW[:6], 0.9, 0.9, 0.9, 0.1], frames=246)
    second = chapter("GX020042", "01:00:09:21", scores=[0.1, *LOW])
    (first, second), _ = chosen(first, second, top=1, handles_seconds=1.0)
    assert [moment.end_seconds for moment in first.moments] == [9.84]
    assert second.moments == ()


def test_pins_have_the_clock_of_their_file() -> None:
    pins = (Stretch(start_seconds=6, end_seconds=8, video="GX020042.MP4"),)
    avoids = (Stretch(start_seconds=0, end_seconds=3, video="GX020042"),)
    (first, second), _ = chosen(*OVER_THE_JOINT, top=2, pins=pins, avoids=avoids)
    assert [(one.start_seconds, one.end_seconds) for one in first.moments] == [(7.5, 10.0)]
    assert [(one.start_seconds, one.end_seconds) for one in second.moments] == [(6.0, 8.0)]


def test_a_recording_has_what_its_files_have() -> None:
    def known(document: ScoresDocument, first_look: int) -> ScoresDocument:
        clips = len(document.scores)
        rows = np.arange(4 * clips, dtype=np.int8).reshape(clips, 4) + first_look
        return dataclasses.replace(
            document,
            shot_boundaries_seconds=(4.0,),
            looks=tuple(clip % 2 for clip in range(clips)),
            motion=tuple(clip / 100 for clip in range(clips)),
            speech=((0.0, 2.0), (9.0, document.video.duration_seconds)),
            marks=(Observation(name="goal", start_seconds=1.0, end_seconds=1.04, score=1.0),),
            unusable=(Unusable(start_seconds=5.0, end_seconds=6.0, reason="black"),),
            transcript=(
                Caption(start_seconds=1.0, end_seconds=2.0, text="yes", words=((1.0, 1.5, "yes"),)),
            ),
            picture_fingerprints=base64.b64encode(rows.tobytes()).decode("ascii"),
        )

    # The second file begins in the middle of a second.
    first = known(chapter("GX010042", "01:00:00:00", frames=260), 0)
    second = known(chapter("GX020042", "01:00:10:10"), 50)
    joined = Recording((0, 1), (first, second)).joined()
    assert joined.video.duration_seconds == 20.4
    assert joined.video.num_frames == 510
    assert len(joined.scores) == 21
    # The middle of the clip at 10 s is in the second file, after 0.1 s of its first clip.
    assert joined.scores == (*first.scores[:10], *second.scores, second.scores[-1])
    assert joined.motion is not None
    assert joined.motion[9:12] == (0.09, 0.0, 0.01)
    assert joined.looks is not None
    assert joined.looks[9:12] == (1, 2, 3)
    assert joined.shot_boundaries_seconds == (4.0, 14.4)
    # Somebody speaks over the joint.
    assert joined.speech == ((0.0, 2.0), (9.0, 12.4), (19.4, 20.4))
    assert [mark.start_seconds for mark in joined.marks or ()] == [1.0, 11.4]
    assert [one.start_seconds for one in joined.unusable or ()] == [5.0, 15.4]
    assert [line.words for line in joined.transcript or ()] == [
        ((1.0, 1.5, "yes"),),
        ((11.4, 11.9, "yes"),),
    ]
    footage = footage_of(joined)
    assert footage is not None
    assert footage.picture_TP[9:11].tolist() == [[36, 37, 38, 39], [50, 51, 52, 53]]
    # What one of the files does not know, nobody knows.
    unknown = dataclasses.replace(second, motion=None, looks=None, speech=None)
    joined = Recording((0, 1), (first, unknown)).joined()
    assert (joined.motion, joined.looks, joined.speech) == (None, None, None)


def test_each_file_is_shown_once(tmp_path: Path) -> None:
    for name, start, first in (
        ("GX010042.MP4", "01:00:00:00", 0),
        ("GX020042.MP4", "01:00:03:00", 75),
    ):
        make_video(tmp_path, name=name, num_frames=75, first_number=first, timecode=start)
    result = hl("score", tmp_path, "--top", 1, "--visual-only")
    assert result.exit_code == 0, result.output
    assert "in 2 files: GX010042.MP4, GX020042.MP4" in result.stderr
    assert result.stdout.count("scored by") == 2
