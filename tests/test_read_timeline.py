"""Timelines read back: those of `hl` exactly, those of others exactly or with words about it."""

from __future__ import annotations

import dataclasses
import importlib
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import opentimelineio as otio
import pytest
from document_factory import make_document
from hypothesis import given, settings
from hypothesis import strategies as st
from media_factory import AudioTrack, click_track, make_video, write_wav

from hlcli.errors import TimelineError, UsageError
from hlcli.paths import cache_dir
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats.otio import otio_timeline
from hlcli.timeline.formats.otio_dialects import DIALECTS
from hlcli.timeline.paths import file_url
from hlcli.timeline.read import read_timeline
from hlcli.timeline.read.edit_of_otio import edit_of_otio

NTSC = Fraction(30000, 1001)
RATES = [
    Fraction(24000, 1001), Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50),
    Fraction(60000, 1001), Fraction(60), Fraction(12), Fraction(120),
]  # fmt: skip


def without_rounding(edit: EditList) -> EditList:
    """Return an edit list whose moments carry the millionths that files hold."""
    events = []
    for event in edit.events:
        highlight = event.highlight
        if highlight is not None:
            moment = highlight.moment
            numbers = ("score", "peak_seconds", "start_seconds", "end_seconds", "picture", "sound")
            rounded = {
                name: None if getattr(moment, name) is None else round(getattr(moment, name), 6)
                for name in numbers
            }
            highlight = dataclasses.replace(
                highlight, moment=dataclasses.replace(moment, **rounded)
            )
        markers = tuple(
            dataclasses.replace(m, score=None if m.score is None else round(m.score, 6))
            for m in event.markers
        )
        events.append(dataclasses.replace(event, highlight=highlight, markers=markers))
    return dataclasses.replace(edit, events=tuple(events))


@st.composite
def documents(draw: st.DrawFn, rate: Fraction | None = None) -> list:
    made = []
    for number in range(draw(st.integers(1, 3))):
        own = rate or draw(st.sampled_from(RATES))
        num_frames = draw(st.integers(400, 4000))
        length = float(num_frames / own)
        cuts = sorted(
            draw(st.lists(st.floats(0, length - 0.2), min_size=2, max_size=6, unique=True))
        )
        spans = [
            (start, end)
            for start, end in zip(cuts[::2], cuts[1::2], strict=False)
            if end - start > 0.3
        ] or [(0.0, length / 2)]
        timecode = draw(st.sampled_from([None, "01:00:00:00", "00:59:50;00", "10:11:12:05"]))
        made.append(
            make_document(
                path=f"/footage/day {number}/clip #{number} 100%.mov",
                num_frames=num_frames,
                frame_rate=own,
                start_timecode=timecode,
                audio=draw(st.integers(0, 3)),
                spans=spans,
                identity=f"{number:x}" * 64,
            )
        )
    return made


layouts = st.builds(
    Layout,
    order=st.sampled_from(["time", "rank"]),
    markers_only=st.booleans(),
    track_per_source=st.booleans(),
    start_timecode=st.sampled_from([None, "01:00:00:00", "00:59:59;10"]),
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rate=st.sampled_from(RATES), target=st.sampled_from(sorted(DIALECTS)))
def test_own_timelines_of_one_rate_come_back_whole(
    data: st.DataObject, rate: Fraction, target: str
) -> None:
    made = data.draw(documents(rate))
    edit = build_edit_list(made, name="cut", layout=data.draw(layouts))
    back = edit_of_otio(otio_timeline(edit, DIALECTS[target]), folder=Path("/nowhere"))
    assert back.edit == without_rounding(edit)
    assert back.notes == ()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), target=st.sampled_from(sorted(DIALECTS)))
def test_own_timelines_of_mixed_rates_keep_every_frame(data: st.DataObject, target: str) -> None:
    made = data.draw(documents())
    layout = data.draw(layouts)
    edit = build_edit_list(made, name="cut", layout=layout)
    back = edit_of_otio(otio_timeline(edit, DIALECTS[target]), folder=Path("/nowhere")).edit

    def cuts(timeline: EditList) -> list:
        return [
            (event.source, event.frames, event.record.start, event.video_track, event.sound)
            for event in timeline.events
        ]

    assert cuts(back) == cuts(edit)
    for ours, theirs in zip(edit.events, back.events, strict=True):
        # Where a clip of another rate ends is said by its length alone.
        assert abs(ours.record.stop - theirs.record.stop) <= 1
        assert without_rounding(edit).events[0].highlight == back.events[0].highlight


def comparable(edit: EditList) -> list:
    return [
        (
            event.source.name, event.source.frame_rate, event.source.num_frames, event.frames,
            event.record, event.video_track,
            [(sound.stream, sound.track) for sound in event.sound],
        )
        for event in edit.events
    ]  # fmt: skip


@pytest.mark.parametrize("rate", RATES[:8], ids=str)
@pytest.mark.parametrize(
    ("suffix", "module", "target"),
    [
        (".otio", "otio", "generic"), (".otio", "otio", "resolve"), (".otio", "otio", "premiere"),
        (".xml", "fcp7", "resolve"), (".xml", "fcp7", "premiere"), (".edl", "edl", "generic"),
        (".mlt", "mlt", "generic"),
        (".kdenlive", "kdenlive", "generic"), (".aaf", "aaf", "generic"),
        (".fcpxml", "fcpxml", "resolve"),
        (".fcpxml", "fcpxml", "finalcut"),
    ],
)  # fmt: skip
def test_what_each_writer_writes_is_read_back(
    tmp_path: Path, rate: Fraction, suffix: str, module: str, target: str
) -> None:
    made = [
        make_document(
            path=f"/footage/a {number}.mov",
            num_frames=700 + number,
            frame_rate=rate,
            start_timecode="01:00:00;00" if rate == NTSC else "01:00:00:00",
            audio=2 - number,
            spans=[(0, 1), (2.5, 3.2), (5.1, 6)],
            identity=str(number) * 64,
        )
        for number in range(3)
    ]
    layouts = [Layout(start_timecode="10:00:00:00"), Layout(order="rank")]
    if suffix != ".edl":
        layouts.append(Layout(track_per_source=True))
    if suffix == ".aaf":
        pytest.importorskip("otio_aaf_adapter", reason="the extra for AAF is not installed")
    writer = importlib.import_module(f"hlcli.timeline.formats.{module}")
    for layout in layouts:
        edit = build_edit_list(made, name="cut", layout=layout)
        path = tmp_path / f"cut{suffix}"
        writer.write(edit, path, target=target)
        # An EDL names no rate and no media, MLT no sound tracks: the media would.
        known = () if suffix in (".otio", ".xml", ".fcpxml") else edit.sources
        back = read_timeline(path, known=known)
        assert comparable(back.edit) == comparable(edit)
        assert back.edit.frame_rate == rate
        if suffix not in (".mlt", ".kdenlive"):
            assert back.edit.start_frame == edit.start_frame
        assert back.notes == ()


# Timelines of other programs ------------------------------------------------------------------

Clip, Gap, Stack, Track = (
    otio.schema.Clip, otio.schema.Gap, otio.schema.Stack, otio.schema.Track,
)  # fmt: skip


def span(start: float, duration: float, rate: float = 25.0) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(duration, rate)
    )


def external(
    url: str, available: otio.opentime.TimeRange | None = None
) -> otio.schema.ExternalReference:
    return otio.schema.ExternalReference(target_url=url, available_range=available)


def clip(url: str, start: float, duration: float, **more: object) -> otio.schema.Clip:
    """Return a clip of a 100-frame file at 25 that counts from 0."""
    return Clip(
        name=Path(url).name,
        source_range=span(start, duration),
        media_reference=external(url, span(0, 100)),
        **more,
    )


def save(path: Path, *tracks: otio.core.Composable, name: str = "theirs") -> Path:
    timeline = otio.schema.Timeline(name=name)
    timeline.global_start_time = otio.opentime.RationalTime(0, 25)
    for track in tracks:
        timeline.tracks.append(track)
    path.write_text(timeline.to_json_string())
    return path


def track(*items: otio.core.Composable, kind: str = "Video", name: str = "") -> otio.schema.Track:
    made = Track(name=name, kind=kind)
    made.extend(items)
    return made


def cuts(edit: EditList) -> list[tuple[str, range, range, int | None, list[int]]]:
    return [
        (e.source.name, e.frames, e.record, e.video_track, [s.stream for s in e.sound])
        for e in edit.events
    ]


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a 100-frame file at 25 that starts at 01:00:00:00, with stereo sound."""
    return make_video(
        tmp_path_factory.mktemp("camera"),
        name="A001.mov",
        rate=Fraction(25),
        num_frames=100,
        timecode="01:00:00:00",
        audio=(AudioTrack(click_track(4.0, (1.0,))),),
    )


def counted(
    camera: Path, start: float, available: otio.opentime.TimeRange | None
) -> otio.schema.Clip:
    return Clip(
        name="A001", source_range=span(start, 10), media_reference=external(str(camera), available)
    )


@pytest.mark.parametrize(
    ("start", "available", "words"),
    [
        (90010, span(90000, 100), None),
        (10, span(0, 100), None),
        (90010, None, None),
        (10, None, "ranges count from 0"),
        (10, span(90000, 100), "a range counts from 0"),
        (90010, span(0, 100), "a range counts from the timecode, its media from 0"),
        (1010, span(1000, 100), "another timecode"),
    ],
)
def test_however_a_range_counts_the_frames_are_the_right_ones(
    tmp_path: Path,
    camera: Path,
    start: float,
    available: otio.opentime.TimeRange | None,
    words: str | None,
) -> None:
    path = save(tmp_path / "x.otio", track(counted(camera, start, available)))
    read = read_timeline(path)
    assert cuts(read.edit) == [("A001.mov", range(10, 20), range(10), 0, [])]
    assert read.edit.sources[0].start_timecode == "01:00:00:00"
    if words is None:
        assert read.notes == ()
    else:
        assert [words in note for note in read.notes] == [True]


@pytest.mark.parametrize(
    ("start", "available"),
    [(95, span(0, 100)), (90095, span(90000, 100)), (200, None), (5000, span(0, 6000))],
)
def test_a_range_outside_its_file_is_an_error(
    tmp_path: Path, camera: Path, start: float, available: otio.opentime.TimeRange | None
) -> None:
    path = save(tmp_path / "x.otio", track(counted(camera, start, available)))
    with pytest.raises(TimelineError, match=r"seconds of A001\.mov, which is 4\.000 seconds long"):
        read_timeline(path)


def test_ranges_at_the_rate_of_the_timeline(tmp_path: Path, camera: Path) -> None:
    # 24 frames a second: 01:00:00:00 is frame 86400 there, and a second has 24.
    item = Clip(
        source_range=span(86400 + 24, 48, 24.0),
        media_reference=external(str(camera), span(90000, 100)),
    )
    timeline = otio.schema.Timeline(name="x")
    timeline.global_start_time = otio.opentime.RationalTime(86400, 24)
    timeline.tracks.append(track(item))
    path = tmp_path / "x.otio"
    path.write_text(timeline.to_json_string())
    edit = read_timeline(path).edit
    assert cuts(edit) == [("A001.mov", range(25, 75), range(48), 0, [])]
    assert (edit.frame_rate, edit.start_frame) == (24, 86400)


@pytest.mark.parametrize("typed", [29.97, 29.970029, 30000 / 1001])
def test_a_typed_rate_is_the_exact_one(tmp_path: Path, typed: float) -> None:
    item = Clip(
        source_range=span(107892 + 30, 60, typed),
        media_reference=external("/nowhere/a.mov", span(107892, 900, typed)),
    )
    edit = read_timeline(save(tmp_path / "x.otio", track(item))).edit
    assert edit.events[0].source.frame_rate == NTSC
    assert edit.events[0].frames == range(30, 90)


def test_resolve_and_premiere_shapes(tmp_path: Path, camera: Path) -> None:
    """Linked sound on tracks of its own; two channels of one sound track on two tracks."""
    shapes: dict[str, list[dict]] = {
        "resolve": [
            {"Resolve_OTIO": {"Link Group ID": 7}},
            {"Resolve_OTIO": {"Link Group ID": 7, "Channels": [
                {"Source Channel ID": 0, "Source Track ID": 0}]}},
            {"Resolve_OTIO": {"Link Group ID": 7, "Channels": [
                {"Source Channel ID": 1, "Source Track ID": 0}]}},
        ],
        "premiere": [
            {"PremierePro_OTIO": {"LinkID": "7"}},
            {"PremierePro_OTIO": {"LinkID": "7", "OriginalChannelGroupIndex": 0}},
            {"PremierePro_OTIO": {"LinkID": "7", "OriginalChannelGroupIndex": 0}},
        ],
        "nobody": [{}, {}, {}],
    }  # fmt: skip
    for shape in shapes.values():
        items = [counted(camera, 90010, span(90000, 100)) for _ in range(3)]
        for item, metadata in zip(items, shape, strict=True):
            item.metadata.update(metadata)
        read = read_timeline(
            save(
                tmp_path / "x.otio",
                track(items[0]),
                track(items[1], kind="Audio"),
                track(items[2], kind="Audio"),
            )
        )
        assert cuts(read.edit) == [("A001.mov", range(10, 20), range(10), 0, [0])]


def test_sound_that_is_cut_otherwise_is_an_event_of_its_own(tmp_path: Path, camera: Path) -> None:
    early = Clip(source_range=span(90005, 15), media_reference=external(str(camera)))
    read = read_timeline(
        save(
            tmp_path / "x.otio",
            track(Gap(source_range=span(0, 5)), counted(camera, 90010, None)),
            track(early, kind="Audio"),
        )
    )
    assert cuts(read.edit) == [
        ("A001.mov", range(5, 20), range(15), None, [0]),
        ("A001.mov", range(10, 20), range(5, 15), 0, []),
    ]


def test_nested_sequences_are_laid_out(tmp_path: Path) -> None:
    inner = Stack(name="compound")
    inner.append(track(clip("/a.mov", 0, 40), clip("/b.mov", 10, 40)))
    inner.append(track(Gap(source_range=span(0, 30)), clip("/c.mov", 5, 20)))
    inner.append(track(clip("/a.mov", 0, 40), kind="Audio"))
    inner.source_range = span(20, 40)
    outer = Track(kind="Video", name="V1")
    outer.extend([clip("/d.mov", 0, 10), inner, clip("/d.mov", 20, 10)])
    above = track(Gap(source_range=span(0, 55)), clip("/e.mov", 0, 5))
    read = read_timeline(save(tmp_path / "x.otio", outer, above))
    assert cuts(read.edit) == [
        ("d.mov", range(0, 10), range(0, 10), 0, []),
        ("a.mov", range(20, 40), range(10, 30), 0, []),
        ("c.mov", range(5, 25), range(20, 40), 1, []),
        ("b.mov", range(10, 30), range(30, 50), 0, []),
        ("d.mov", range(20, 30), range(50, 60), 0, []),
        ("e.mov", range(0, 5), range(55, 60), 2, []),
    ]
    assert read.notes == ("the nested sequence 'compound' is laid out in place",)


def test_a_nested_track_is_trimmed(tmp_path: Path) -> None:
    inner = track(clip("/a.mov", 0, 40), clip("/b.mov", 0, 40), name="inner")
    inner.source_range = span(30, 20)
    read = read_timeline(save(tmp_path / "x.otio", track(clip("/c.mov", 0, 5), inner)))
    assert cuts(read.edit) == [
        ("c.mov", range(0, 5), range(0, 5), 0, []),
        ("a.mov", range(30, 40), range(5, 15), 0, []),
        ("b.mov", range(0, 10), range(15, 25), 0, []),
    ]


def test_what_cuts_cannot_say_leaves_a_gap_and_a_note(tmp_path: Path) -> None:
    warp, freeze = otio.schema.LinearTimeWarp, otio.schema.FreezeFrame
    missing = Clip(name="lost.mov", source_range=span(0, 10))
    title = Clip(
        name="title", source_range=span(0, 10), media_reference=otio.schema.GeneratorReference()
    )
    sequence = Clip(
        name="shot.0001.exr",
        source_range=span(0, 10),
        media_reference=otio.schema.ImageSequenceReference(),
    )
    still = Clip(
        name="logo", source_range=span(0, 10), media_reference=external("/logo.png", span(0, 10))
    )
    read = read_timeline(
        save(
            tmp_path / "x.otio",
            track(
                clip("/a.mov", 0, 10),
                otio.schema.Transition(
                    "SMPTE_Dissolve",
                    in_offset=otio.opentime.RationalTime(3, 25),
                    out_offset=otio.opentime.RationalTime(3, 25),
                ),
                clip("/b.mov", 10, 10),
                missing,
                title,
                sequence,
                still,
                clip("/off.mov", 0, 10, effects=[]),
                clip("/frozen.mov", 0, 10, effects=[freeze()]),
                clip("/back.mov", 0, 10, effects=[warp(time_scalar=-1.0)]),
                clip("/fast.mov", 20, 10, effects=[warp(time_scalar=2.0)]),
                clip("/one.mov", 0, 10, effects=[warp(time_scalar=1.0)]),
                clip("/blur.mov", 0, 10, effects=[otio.schema.Effect(effect_name="blur")]),
            ),
        )
    )
    assert cuts(read.edit) == [
        ("a.mov", range(0, 10), range(0, 10), 0, []),
        ("b.mov", range(10, 20), range(10, 20), 0, []),
        ("off.mov", range(0, 10), range(60, 70), 0, []),
        ("fast.mov", range(20, 30), range(90, 100), 0, []),
        ("one.mov", range(0, 10), range(100, 110), 0, []),
        ("blur.mov", range(0, 10), range(110, 120), 0, []),
    ]
    assert sorted(read.notes) == sorted(
        [
            "1 transition became plain cuts at the edit points",
            "effects are left out: blur",
            "'lost.mov' has no media: left out, a gap stays",
            "'title' is made by the editor: left out, a gap stays",
            "'shot.0001.exr' is an image sequence: left out, a gap stays",
            "'logo' is a still picture: left out, a gap stays",
            "'frozen.mov' is a frozen frame: left out, a gap stays",
            "'back.mov' plays backwards: left out, a gap stays",
            "'fast.mov' runs at 2 times the speed: it plays at normal speed from the same first "
            "frame, as long as it lay on the timeline",
        ]
    )


def test_what_is_switched_off_is_not_seen(tmp_path: Path) -> None:
    off = clip("/off.mov", 0, 10)
    off.enabled = False
    hidden = track(clip("/hidden.mov", 0, 10), name="V2")
    hidden.enabled = False
    titles = track(clip("/s.mov", 0, 10), kind="Subtitle", name="S1")
    read = read_timeline(
        save(tmp_path / "x.otio", track(off, clip("/on.mov", 0, 10)), hidden, titles)
    )
    assert cuts(read.edit) == [("on.mov", range(0, 10), range(10, 20), 0, [])]
    assert read.notes == (
        "the switched-off track 'V2' is left out: 'hidden.mov'",
        "the track 'S1' of kind 'Subtitle' is left out",
        "1 switched-off clip left out, gaps stay: 'off.mov'",
    )


@pytest.mark.parametrize("form", ["bare", "encoded", "raw", "relative", "relative encoded"])
def test_every_way_to_name_a_file(tmp_path: Path, form: str) -> None:
    file = make_video(tmp_path, name="a #1 50%25 \u00e4.mov", rate=Fraction(25), num_frames=50)
    url = {
        "bare": str(file),
        "encoded": file_url(str(file)),
        "raw": f"file://{file}",
        "relative": file.name,
        "relative encoded": quote(file.name),
    }[form]
    item = Clip(source_range=span(5, 10), media_reference=external(url))
    edit = read_timeline(save(tmp_path / "x.otio", track(item))).edit
    assert edit.events[0].source.path == str(file)
    assert edit.events[0].source.num_frames == 50
    assert edit.events[0].frames == range(5, 15)


def test_clips_of_the_first_version(tmp_path: Path) -> None:
    path = save(tmp_path / "x.otio", track(clip("/a.mov", 3, 10)))
    timeline = otio.adapters.read_from_file(str(path))
    path.write_text(otio.adapters.otio_json.write_to_string(timeline, {"Clip": 1}))
    assert '"Clip.1"' in path.read_text()
    assert cuts(read_timeline(path).edit) == [("a.mov", range(3, 13), range(10), 0, [])]


def test_markers_of_others(tmp_path: Path) -> None:
    item = clip("/a.mov", 20, 10)
    item.markers.append(otio.schema.Marker(name="clip", marked_range=span(24, 0), color="RED"))
    item.markers.append(otio.schema.Marker(name="outside", marked_range=span(50, 1)))
    timeline = otio.schema.Timeline(name="x")
    timeline.global_start_time = otio.opentime.RationalTime(0, 25)
    timeline.tracks.append(track(item))
    note = {"Resolve_OTIO": {"Note": "their words"}}
    timeline.tracks.markers.append(
        otio.schema.Marker(name="above", marked_range=span(7, 2), color="PINK", metadata=note)
    )
    timeline.tracks.markers.append(otio.schema.Marker(name="after", marked_range=span(99, 1)))
    path = tmp_path / "x.otio"
    path.write_text(timeline.to_json_string())
    read = read_timeline(path)
    assert [(m.name, m.frames, m.color, m.comment) for m in read.edit.events[0].markers] == [
        ("clip", range(24, 25), "RED", ""),
        ("above", range(27, 29), "PINK", "their words"),
    ]
    assert read.notes == ("the marker 'after' stands on no clip: left out",)


def test_music_counts_in_the_frames_of_the_timeline(tmp_path: Path) -> None:
    wav = tmp_path / "song.wav"
    write_wav(wav, bytes(4 * 96000), channels=2, sample_rate=48000)
    song = Clip(
        source_range=span(24000, 48000, 48000.0),
        media_reference=external(str(wav), span(0, 96000, 48000.0)),
    )
    read = read_timeline(
        save(tmp_path / "x.otio", track(clip("/a.mov", 0, 25)), track(song, kind="Audio"))
    )
    assert cuts(read.edit)[1] == ("song.wav", range(13, 38), range(25), None, [0])
    assert read.edit.events[1].source.num_frames == 50


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: [track(Gap(source_range=span(0, 10)))], "has no clip that can be cut"),
        (lambda: [track(Clip(name="c", media_reference=external("/no.mov")))], "how long it is"),
        (
            lambda: [
                track(Clip(source_range=span(0, 9), media_reference=external("/no.mov")))
            ],
            "is not there, and the timeline does not say how long",
        ),
        (lambda: [track(clip("https://example.com/a.mov", 0, 9))], "takes media from https"),
        (lambda: [track(clip("/a.mov", 95, 10))], "takes 3.800 to 4.200 seconds"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_an_error(
    tmp_path: Path, content: Callable[[], list], words: str
) -> None:
    with pytest.raises(TimelineError, match=words) as error:
        read_timeline(save(tmp_path / "x.otio", *content()))
    assert error.value.hint
    assert error.value.exit_code == 3


def test_files_that_are_no_timeline(tmp_path: Path) -> None:
    path = tmp_path / "x.otio"
    with pytest.raises(TimelineError, match="no such timeline"):
        read_timeline(path)
    with pytest.raises(UsageError, match=r"the extension \.mp4 is unknown"):
        read_timeline(tmp_path / "x.mp4")
    path.write_text("{")
    with pytest.raises(TimelineError, match="cannot read"):
        read_timeline(path)
    both = otio.schema.SerializableCollection(
        children=[otio.schema.Timeline(name="one"), otio.schema.Timeline(name="two")]
    )
    path.write_text(both.to_json_string())
    with pytest.raises(TimelineError, match="2 timelines: 'one', 'two'"):
        read_timeline(path)
    single = otio.schema.Timeline(name="one")
    single.tracks.append(track(clip("/a.mov", 0, 10)))
    path.write_text(otio.schema.SerializableCollection(children=[single]).to_json_string())
    assert read_timeline(path).edit.name == "one"
    path.write_text(track(clip("/a.mov", 0, 10)).to_json_string())
    assert cuts(read_timeline(path).edit) == [("a.mov", range(10), range(10), 0, [])]
    for name in ("x.xml", "x.edl", "x.mlt", "x.fcpxml", "x.otioz"):
        (tmp_path / name).write_text("nothing of the kind")
        with pytest.raises(TimelineError):
            read_timeline(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.MOV", "that is a video: `hl score a.MOV -o reel.mp4` finds its moments and makes"),
        ("a.json", "make a timeline of the scores first: `hl export a.json -o cut.otio`"),
        ("a.csv", "table is for people, name a timeline"),
        ("a.prproj", "use one of .otio, "),
    ],
)
def test_the_way_from_what_is_no_timeline_is_said(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_timeline(Path(name))
    assert words in caught.value.hint


def test_a_bundle_brings_its_media(tmp_path: Path, camera: Path) -> None:
    bundle = tmp_path / "x.otioz"
    item = Clip(
        source_range=span(90010, 10),
        media_reference=external("media/A001.mov", span(90000, 100)),
    )
    save(tmp_path / "content.otio", track(item))
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(tmp_path / "content.otio", "content.otio")
        archive.write(camera, "media/A001.mov")
    edit = read_timeline(bundle).edit
    assert cuts(edit) == [("A001.mov", range(10, 20), range(10), 0, [])]
    taken = Path(edit.events[0].source.path)
    assert taken.read_bytes() == camera.read_bytes()
    assert taken.is_relative_to(cache_dir())
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(tmp_path / "content.otio", "content.otio")
        archive.writestr("media/../../evil.mov", b"x")
    with pytest.raises(TimelineError, match="would lie outside the bundle"):
        read_timeline(bundle)


def test_an_edl_gets_rate_and_media_from_the_folder(tmp_path: Path, camera: Path) -> None:
    text = (
        "TITLE: x\nFCM: NON-DROP FRAME\n\n"
        "001  A001     B     C        01:00:00:10 01:00:00:20 10:00:00:00 10:00:00:10\n"
        "* FROM CLIP NAME: A001.mov\n"
        "002  A001     B     C        01:00:02:00 01:00:02:10 10:00:01:00 10:00:01:10\n"
        "* FROM CLIP NAME: A001.mov\n"
    )
    path = tmp_path / "x.edl"
    path.write_text(text)
    with pytest.raises(TimelineError, match="does not say its frame rate"):
        read_timeline(path)
    edit = read_timeline(path, search=[camera.parent]).edit
    assert cuts(edit) == [
        ("A001.mov", range(10, 20), range(0, 10), 0, [0]),
        ("A001.mov", range(50, 60), range(25, 35), 0, [0]),
    ]
    assert (edit.frame_rate, edit.start_frame) == (25, 900000)


def test_a_shotcut_project(tmp_path: Path, camera: Path) -> None:
    """Clocks for places, sound on the picture's track, another speed, a relative path."""
    file = make_video(tmp_path, name="b.mov", rate=Fraction(25), num_frames=100)
    path = tmp_path / "x.mlt"
    path.write_text(
        f"""<mlt root="{tmp_path}">
  <profile width="640" height="360" frame_rate_num="25" frame_rate_den="1"/>
  <producer id="black" in="0" out="999"><property name="mlt_service">color</property></producer>
  <playlist id="background"><entry producer="black" in="0" out="999"/></playlist>
  <chain id="a" out="00:00:03.960"><property name="length">00:00:04.000</property>
    <property name="resource">{camera}</property>
    <property name="mlt_service">avformat-novalidate</property>
    <filter><property name="mlt_service">frei0r.blur</property></filter></chain>
  <chain id="b" out="99"><property name="length">100</property>
    <property name="resource">b.mov</property>
    <property name="mlt_service">avformat</property></chain>
  <producer id="fast"><property name="resource">2:b.mov</property>
    <property name="mlt_service">timewarp</property></producer>
  <tractor id="dissolve" in="0" out="4">
    <track producer="a" in="20" out="24"/><track producer="b"/></tractor>
  <playlist id="v1">
    <entry producer="a" in="00:00:00.400" out="00:00:00.760"/>
    <blank length="00:00:00.200"/>
    <entry producer="b" in="10" out="19"/>
    <entry producer="fast" in="10" out="14"/>
  </playlist>
  <tractor id="main"><track producer="background"/><track producer="v1"/></tractor>
</mlt>"""
    )  # fmt: skip
    read = read_timeline(path)
    assert cuts(read.edit) == [
        ("A001.mov", range(10, 20), range(0, 10), 0, [0]),
        ("b.mov", range(10, 20), range(15, 25), 0, []),
        ("b.mov", range(20, 25), range(25, 30), 0, []),
    ]
    assert read.edit.events[1].source.path == str(file)
    assert (read.edit.width, read.edit.height) == (640, 360)
    assert any("frei0r.blur" in note for note in read.notes)
    assert any("2 times the speed" in note for note in read.notes)
    assert any("b.mov has no sound" in note for note in read.notes)
