"""The edit list: where frames of a source lie on a timeline, and what it refuses to be."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from document_factory import make_document
from edit_list_factory import CD_STEREO, MONO, NTSC, STEREO, document_of

from hlcli.errors import OutputError, UsageError
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList, Event, Sound, Source

R24, R25, R30, R60 = (Fraction(rate) for rate in (24, 25, 30, 60))


def source(rate: Fraction = R60, num_frames: int = 600) -> Source:
    return Source(path="/footage/a.mp4", frame_rate=rate, num_frames=num_frames, audio=(STEREO,))


def event(frames: range, record: range, rate: Fraction = R60, **changes: object) -> Event:
    values = {"source": source(rate), "frames": frames, "record": record} | changes
    return Event(**values)  # type: ignore[arg-type]


# Places ----------------------------------------------------------------------------------------


def test_what_a_reader_does_not_know_is_zero() -> None:
    plain = Source(path="/footage/a.mp4", frame_rate=R25, num_frames=1)
    assert (plain.width, plain.height, plain.rotation_degrees) == (0, 0, 0)
    assert (plain.start_frame, plain.drop_frame, plain.is_variable_rate) == (0, False, False)
    assert plain.has_timecode_track
    edit = EditList(name="x", frame_rate=R25, events=())
    assert (edit.start_frame, edit.drop_frame, edit.sample_rate) == (0, False, 48000)
    assert (edit.width, edit.height) == (0, 0)


def test_a_frame_of_the_source_lies_within_its_cut() -> None:
    cut = event(range(100, 158), range(10, 33))
    # The last frame, at 22.8 frames of the timeline, would round onto the next cut.
    assert cut.record_of(157, R24) == 32
    assert cut.record_of(100, R24) == 10
    assert cut.record_of(110, R24) == 14
    # What stands outside is brought to the nearer end.
    assert cut.record_of(99, R24) == 10
    assert cut.record_of(0, R24) == 10
    assert cut.record_of(158, R24) == 32
    assert cut.record_of(599, R24) == 32


def test_a_conformed_range_never_leaves_the_file() -> None:
    # 58 frames at 60 are 23.2 at 24: the file has 23 whole ones.
    short = source(num_frames=58)
    cut = event(range(34, 58), range(10), source=short)
    assert cut.conformed(R24) == range(13, 23)
    assert event(range(0, 24), range(10), source=short).conformed(R24) == range(10)
    # Nearest frame where there is room; at the same rate nothing changes.
    assert event(range(20, 44), range(5, 15), source=short).conformed(R24) == range(8, 18)
    assert cut.conformed(R60) == range(34, 58)
    # A record that is longer than the file by rounding begins with it.
    whole = event(range(58), range(24), source=short)
    assert whole.conformed(R24) == range(24)


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "record", "words"),
    [
        (range(-1, 5), range(6), "lie outside"),
        (range(5, 5), range(1), "lie outside"),
        (range(599, 601), range(2), "lie outside"),
        (range(5), range(-1, 4), "is empty or before 0"),
        (range(5), range(3, 3), "is empty or before 0"),
    ],
)
def test_ranges_that_are_none(frames: range, record: range, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        event(frames, record)


def test_ranges_at_both_ends_of_the_file_are_fine() -> None:
    assert event(range(600), range(600)).frames == range(600)
    assert event(range(599, 600), range(1)).frames == range(599, 600)


def test_events_of_one_track_may_touch_and_not_overlap() -> None:
    def edit(*events: Event, rate: Fraction = R60) -> EditList:
        return EditList(name="x", frame_rate=rate, events=events)

    first = event(range(10), range(10))
    touching = event(range(20, 30), range(10, 20))
    over = event(range(20, 30), range(9, 19))
    assert edit(first, touching).num_frames == 20
    assert edit(touching, first).num_frames == 20
    with pytest.raises(ValueError, match="overlaps on track V1"):
        edit(first, over)
    with pytest.raises(ValueError, match="overlaps on track V1"):
        edit(over, first)
    above = dataclasses.replace(over, video_track=1)
    assert edit(first, above).num_video_tracks == 2
    heard = (Sound(0, 0),)
    sounds = [dataclasses.replace(one, video_track=None, sound=heard) for one in (first, over)]
    with pytest.raises(ValueError, match="overlaps on track A1"):
        edit(*sounds)
    apart = dataclasses.replace(sounds[1], sound=(Sound(0, 2),))
    both = edit(sounds[0], apart)
    assert (both.num_video_tracks, both.num_audio_tracks) == (0, 3)
    assert both.sources == (first.source,)


def test_at_one_rate_a_cut_is_as_long_as_its_source() -> None:
    longer = event(range(10), range(11))
    with pytest.raises(ValueError, match="is not range"):
        EditList(name="x", frame_rate=R60, events=(longer,))
    assert EditList(name="x", frame_rate=R24, events=(longer,)).num_frames == 11


def test_an_empty_timeline_has_no_tracks_and_no_length() -> None:
    edit = EditList(name="x", frame_rate=R25, events=())
    assert (edit.num_frames, edit.num_video_tracks, edit.num_audio_tracks) == (0, 0, 0)
    assert edit.sources == ()


# From moments to frames ------------------------------------------------------------------------


def test_the_sample_rate_is_that_of_the_first_sound() -> None:
    def rate(*documents: object) -> int:
        return build_edit_list(documents, name="x").sample_rate  # type: ignore[arg-type]

    cd = document_of("/footage/cd.mov", CD_STEREO, MONO, spans=[(1, 2)])
    other = document_of("/footage/b.mov", STEREO, spans=[(1, 2)], identity="c" * 64)
    silent = document_of("/footage/c.mov", spans=[(1, 2)], identity="d" * 64)
    assert (rate(cd), rate(cd, other), rate(other, cd)) == (44100, 44100, 48000)
    assert (rate(silent), rate(silent, cd)) == (48000, 48000)


def test_a_cut_shorter_than_a_frame_of_the_timeline_keeps_one() -> None:
    document = make_document(
        frame_rate=R60, num_frames=600, spans=[(1.0, 1.0 + 1 / 60), (2.0, 2.0 + 1 / 60), (3, 4)]
    )
    edit = build_edit_list([document], name="x", layout=Layout(frame_rate=Fraction(10)))
    assert [one.frames for one in edit.events] == [
        range(60, 61),
        range(120, 121),
        range(180, 240),
    ]
    assert [one.record for one in edit.events] == [range(1), range(1, 2), range(2, 10)]


def test_a_moment_begins_where_the_one_before_ended() -> None:
    # The first is shorter than a frame and takes one all the same: the second waits for it.
    document = make_document(spans=[(1.0, 1.005), (1.005, 2.0), (2.0, 2.001)], num_frames=61)
    edit = build_edit_list([document], name="x")
    assert [one.frames for one in edit.events] == [range(30, 31), range(31, 60), range(60, 61)]
    assert [one.record for one in edit.events] == [range(1), range(1, 30), range(30, 31)]


def test_a_moment_past_the_end_of_the_file_is_left_out() -> None:
    document = make_document(spans=[(1.0, 2.0), (9.0, 9.5)], num_frames=300)
    shorter = dataclasses.replace(
        document, video=dataclasses.replace(document.video, num_frames=45)
    )
    edit = build_edit_list([shorter], name="x")
    assert [one.frames for one in edit.events] == [range(30, 45)]
    gone = dataclasses.replace(document, video=dataclasses.replace(document.video, num_frames=30))
    with pytest.raises(OutputError, match="no moment of the timeline x lies within its video"):
        build_edit_list([gone], name="x")


def test_markers_stand_on_the_peak_within_the_cut() -> None:
    document = make_document(spans=[(1.0, 2.0), (3.0, 4.0)])
    early, late = (
        dataclasses.replace(moment, peak_seconds=peak)
        for moment, peak in zip(document.moments, (1.0, 4.0), strict=True)
    )
    edit = build_edit_list([document.with_moments([early, late])], name="x")
    assert [one.markers[0].frames for one in edit.events] == [range(30, 31), range(119, 120)]
    whole = build_edit_list([document], name="x", layout=Layout(markers_only=True, order="rank"))
    assert [(one.frames, one.record) for one in whole.events] == [(range(1800), range(1800))]
    assert [one.frames for one in whole.events[0].markers] == [range(30, 60), range(90, 120)]
    assert whole.events[0].highlight is None


@pytest.mark.parametrize(
    ("score", "color"),
    [(0.8, "GREEN"), (0.79, "CYAN"), (0.6, "CYAN"), (0.59, "YELLOW"), (0.4, "YELLOW"),
     (0.39, "ORANGE"), (0.0, "ORANGE")],
)  # fmt: skip
def test_markers_are_coloured_by_their_score(score: float, color: str) -> None:
    document = make_document(spans=[(1.0, 2.0)])
    moment = dataclasses.replace(document.moments[0], score=score, why="sound")
    [cut] = build_edit_list([document.with_moments([moment])], name="x").events
    [marker] = cut.markers
    assert (marker.color, marker.rank, marker.score) == (color, 1, score)
    assert marker.name == f"H01 {score:.2f}"
    assert marker.comment == f"score {score:.2f}, the sound stands out"


def test_several_sources_lie_on_one_track_or_on_tracks_of_their_own() -> None:
    documents = [
        document_of("/footage/a.mov", STEREO, MONO, spans=[(1, 2)]),
        document_of("/footage/b.mov", spans=[(1, 2)], identity="c" * 64),
        document_of("/footage/c.mov", MONO, spans=[(1, 2)], identity="d" * 64),
    ]
    plain = build_edit_list(documents, name="x").events
    assert [one.video_track for one in plain] == [0, 0, 0]
    assert [[s.track for s in one.sound] for one in plain] == [[0, 1], [], [0]]
    apart = build_edit_list(documents, name="x", layout=Layout(track_per_source=True)).events
    assert [one.video_track for one in apart] == [0, 1, 2]
    assert [[(s.stream, s.track) for s in one.sound] for one in apart] == [
        [(0, 0), (1, 1)],
        [],
        [(0, 2)],
    ]


def test_places_are_rounded_once_from_the_sum_before_them() -> None:
    # 1001/1000 s of film at a time: rounded one by one, the error of each would add up.
    spans = [(t, t + 0.5) for t in range(1, 41, 2)]
    document = make_document(frame_rate=NTSC, num_frames=1300, spans=spans)
    edit = build_edit_list([document], name="x", layout=Layout(frame_rate=R25))
    total = sum((len(one.frames) / NTSC for one in edit.events), Fraction(0))
    assert abs(edit.num_frames - total * 25) <= Fraction(1, 2)
    ends = [one.record.stop for one in edit.events]
    assert ends == [one.record.start for one in edit.events[1:]] + [edit.num_frames]


@pytest.mark.parametrize(
    ("start", "first", "rate", "frame", "drops"),
    [
        (None, None, NTSC, 0, False),
        (None, "01:00:00;00", NTSC, 0, True),
        ("01:00:00:00", "01:00:00;00", NTSC, 108000, False),
        ("01:00:00;00", None, NTSC, 107892, True),
        ("01:00:00:00", None, R25, 90000, False),
        (None, "01:00:00;00", R25, 0, False),
    ],
)
def test_where_a_timeline_starts_and_how_it_counts(
    start: str | None, first: str | None, rate: Fraction, frame: int, drops: bool
) -> None:
    document = make_document(frame_rate=rate, start_timecode=first, spans=[(1.0, 2.0)])
    edit = build_edit_list([document], name="x", layout=Layout(start_timecode=start))
    assert (edit.start_frame, edit.drop_frame) == (frame, drops)
    with pytest.raises(UsageError, match="cannot start there"):
        build_edit_list([document], name="x", layout=Layout(start_timecode="01:00:61:00"))


def test_no_moment_at_all() -> None:
    with pytest.raises(OutputError, match="there is no moment to put on the timeline x"):
        build_edit_list([make_document(spans=[])], name="x")
    some = [make_document(spans=[]), make_document(spans=[(1, 2)], identity="c" * 64)]
    assert len(build_edit_list(some, name="x").events) == 1


def test_the_best_first_over_all_videos() -> None:
    first = make_document(spans=[(5.0, 6.0), (1.0, 2.0)])  # 0.9 and 0.8
    second = make_document(path="/footage/b.mp4", spans=[(1.0, 2.0)], identity="c" * 64)
    moment = dataclasses.replace(second.moments[0], score=0.85)
    documents = [first, second.with_moments([moment])]
    by_rank = build_edit_list(documents, name="x", layout=Layout(order="rank"))
    assert [one.highlight.rank for one in by_rank.events if one.highlight] == [1, 2, 3]
    assert [one.frames.start for one in by_rank.events] == [150, 30, 30]
    in_time = build_edit_list(documents, name="x")
    assert [one.highlight.rank for one in in_time.events if one.highlight] == [3, 1, 2]
