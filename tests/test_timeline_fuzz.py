"""Random timelines through every writer, and back where there is a reader.

Formats are taken from the registry, so one that registers is tested. What they write on disk is
looked at as it is: nothing here knows how a writer works.
"""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from document_factory import make_document
from edit_list_factory import (
    CD_STEREO,
    MONO,
    NTSC,
    ODD_NAME,
    STANDARD_RATES,
    STEREO,
    SURROUND,
    document_of,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hlcli.document import ScoresDocument
from hlcli.errors import OutputError, TimelineError, UsageError
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import FORMATS, write_format
from hlcli.timeline.read import READERS, read_timeline
from hlcli.timeline.timecode import frame_at

NEED_MEDIA = {".otioz"}
"""Formats that hold the media itself: tests/test_otioz.py."""
DIALECTS = FORMATS[".otio"].targets
WRITERS = [
    pytest.param(suffix, target, id=f"{target}{suffix}")
    for suffix, entry in FORMATS.items()
    if suffix not in NEED_MEDIA and entry.kind != "captions"
    for target in entry.targets
]
ROUND_TRIPS = [
    pytest.param(suffix, target, id=f"{target}{suffix}")
    for suffix, entry in FORMATS.items()
    if suffix in READERS and suffix not in NEED_MEDIA and entry.kind == "timeline"
    for target in entry.targets
]
REFUSES = {
    # Timecode in a list that Premiere Pro and Avid read ends at 30 frames a second.
    ("premiere", ".edl"): {rate for rate in STANDARD_RATES if rate > 30},
    ("avid", ".edl"): {rate for rate in STANDARD_RATES if rate > 30},
}
"""Standard rates that a format does not have; every other pair of format and rate works."""
NEEDS_LENGTH = {".txt"}
"""Formats that refuse short films, whatever their rate: YouTube's chapters."""
ONE_FILE = {".llc", ".v1"}
"""Formats that cut one file, in its order."""
LISTS = {".edl"}
"""Formats of labels: a cut that runs over midnight is refused."""
ODD_RATES = (
    Fraction(12), Fraction(15), Fraction(100), Fraction(120), Fraction(120000, 1001),
    Fraction(15000, 1001), Fraction(87, 4),
)  # fmt: skip
MILLIONTH = Fraction(1, 1_000_000)
FOLDERS = ("/footage", "/footage/day 2", "C:\\Footage", "\\\\srv\\share")
TIMECODES = (
    None, "00:00:00:00", "01:00:00;00", "00:59:59:10", "16:37:10;02", "01:00:00:99", "23:59:58:00",
)  # fmt: skip
fuzz = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def videos(
    draw: st.DrawFn, rates: Sequence[Fraction], number: int, is_list: bool
) -> ScoresDocument:
    """Draw a document of one video; its moments may meet."""
    rate = draw(st.sampled_from(rates))
    num_frames = draw(st.one_of(st.integers(1, 40), st.integers(40, 900)))
    # In thousandths of a frame, so that many lie on an edge of one or halfway between two.
    edges = draw(
        st.lists(st.integers(0, num_frames * 1000), min_size=2, max_size=9, unique=True).map(sorted)
    )
    step = draw(st.sampled_from([1, 2]))  # 1: each moment begins where the last one ended
    seconds = [float(edge / (1000 * rate)) for edge in edges]
    spans = list(itertools.pairwise(seconds))[::step]
    folder = draw(st.sampled_from(FOLDERS))
    names = [f"{number}.mov", f"a/{number}.MP4"]
    name = draw(st.sampled_from([*names, f"{number} {ODD_NAME}"]))
    document = document_of(
        f"{folder}\\{name}".replace("/", "\\") if "\\" in folder else f"{folder}/{name}",
        *draw(st.lists(st.sampled_from([MONO, STEREO, CD_STEREO, SURROUND]), max_size=3)),
        frame_rate=rate,
        num_frames=num_frames,
        start_timecode=draw(st.sampled_from(TIMECODES[:-1] if is_list else TIMECODES)),
        spans=draw(st.permutations(spans)),
        identity=f"{number:x}" * 64,
        width=draw(st.sampled_from([640, 1920, 2160])),
        height=draw(st.sampled_from([360, 1080, 3840])),
        rotation_degrees=draw(st.sampled_from([0, 90, 180, 270])),
        is_variable_rate=draw(st.booleans()),
    )
    return reread(document)


def reread(document: ScoresDocument) -> ScoresDocument:
    """Send a document through JSON, as every command does."""
    return ScoresDocument.from_json(json.loads(document.to_text()))


@st.composite
def documents(
    draw: st.DrawFn,
    rates: Sequence[Fraction] = STANDARD_RATES + ODD_RATES,
    most: int = 4,
    is_list: bool = False,
) -> list[ScoresDocument]:
    """Draw one to `most` documents."""
    return [draw(videos(rates, n, is_list)) for n in range(draw(st.integers(1, most)))]


layouts = st.builds(
    Layout,
    order=st.sampled_from(["time", "rank"]),
    markers_only=st.booleans(),
    track_per_source=st.booleans(),
    start_timecode=st.sampled_from([None, "01:00:00:00", "10:00:00;00"]),
)


def edit_of(made: Sequence[ScoresDocument], layout: Layout) -> EditList | None:
    try:
        return build_edit_list(made, name="cut", layout=layout)
    except OutputError as error:
        # All moments lie past the end, or are shorter than half a frame.
        if "within its video" in error.message:
            return None
        raise


def written(
    suffix: str, target: str, made: Sequence[ScoresDocument], layout: Layout
) -> bytes | UsageError:
    """Return what a format writes, or how it refuses; it leaves nothing else behind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"cut{suffix}"
        try:
            write_format(path, made, target=target, layout=layout)
        except UsageError as error:
            assert list(Path(folder).iterdir()) == []
            return error
        assert list(Path(folder).iterdir()) == [path]
        return path.read_bytes()


# The edit list itself --------------------------------------------------------------------------


@fuzz
@given(documents(), layouts)
def test_edit_list_never_gains_or_loses_time(made: list[ScoresDocument], layout: Layout) -> None:
    edit = edit_of(made, layout)
    if edit is None:
        return
    seconds, at = Fraction(0), 0
    for event in edit.events:
        assert event.record.start == at
        seconds += len(event.frames) / event.source.frame_rate
        at = event.record.stop
        assert {sound.stream for sound in event.sound} == set(range(len(event.source.audio)))
        assert all(
            marker.frames.start in event.frames and marker.frames[-1] in event.frames
            for marker in event.markers
        )
    # Half a frame, and one for each cut too short for a frame of the timeline.
    shortest = sum(len(e.frames) / e.source.frame_rate * edit.frame_rate < 1 for e in edit.events)
    assert abs(at - seconds * edit.frame_rate) <= 1 + shortest


# OpenTimelineIO, read as JSON ------------------------------------------------------------------


def seconds_of(time: dict[str, Any]) -> Fraction:
    return Fraction(time["value"]) / Fraction(time["rate"]).limit_denominator(1001)


def start_and_end(span: dict[str, Any]) -> tuple[Fraction, Fraction]:
    start = seconds_of(span["start_time"])
    return start, start + seconds_of(span["duration"])


@pytest.mark.parametrize("dialect", DIALECTS)
@fuzz
@given(made=documents(), layout=layouts)
def test_otio_says_what_the_edit_list_says(
    dialect: str, made: list[ScoresDocument], layout: Layout
) -> None:
    edit = edit_of(made, layout)
    if edit is None:
        return
    text = written(".otio", dialect, made, layout)
    assert isinstance(text, bytes), text
    data = json.loads(text)
    linked: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    ends: list[Fraction] = []
    tracks = data["tracks"]["children"]
    assert [track["kind"] for track in tracks] == (
        ["Video"] * edit.num_video_tracks + ["Audio"] * edit.num_audio_tracks
    )
    for track in tracks:
        at = Fraction(0)
        for item in track["children"]:
            start, end = start_and_end(item["source_range"])
            assert end > start
            if item["OTIO_SCHEMA"].startswith("Clip"):
                media = item.get("media_reference") or item["media_references"]["DEFAULT_MEDIA"]
                first, last = start_and_end(media["available_range"])
                assert first <= start < end <= last
                own = item["metadata"]["hl"]
                place = frame_at(at + MILLIONTH / edit.frame_rate, edit.frame_rate)
                stream = own["source"]["audio_stream"]
                linked[own["link"]].append(
                    (stream, place, start - first, end - first, media["target_url"])
                )
                assert (stream is None) == (track["kind"] == "Video")
                check_links(item["metadata"], own["link"], dialect)
            else:
                assert item["OTIO_SCHEMA"] == "Gap.1"
            at += end - start
        ends.append(at)
    # Every track is as long as the timeline, to the millionth of a frame: JSON has no fractions.
    assert all(abs(end - ends[0]) * edit.frame_rate < MILLIONTH for end in ends)
    assert has_tiny(edit) or abs(ends[0] * edit.frame_rate - edit.num_frames) <= 0.5 + MILLIONTH
    assert len(linked) == len(edit.events)
    for link, event in enumerate(edit.events, start=1):
        rate = event.source.frame_rate
        streams = [None, *range(len(event.source.audio))]
        assert [piece[0] for piece in linked[link]] == streams
        assert len({piece[4] for piece in linked[link]}) == 1
        for _, place, start, end, _ in linked[link]:
            assert (start * rate, end * rate) == (event.frames.start, event.frames.stop)
            if not has_tiny(edit):
                assert place == event.record.start


def has_tiny(edit: EditList) -> bool:
    """Say whether a cut is shorter than a frame of the timeline, and so pushes what follows."""
    return any(
        len(event.frames) / event.source.frame_rate * edit.frame_rate < 1 for event in edit.events
    )


def check_links(metadata: dict[str, Any], link: int, dialect: str) -> None:
    if dialect == "resolve":
        assert metadata["Resolve_OTIO"].get("Link Group ID", link) == link
    if dialect == "premiere":
        assert metadata["PremierePro_OTIO"]["LinkID"] == str(link)


# Every format ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "target"), WRITERS)
@fuzz
@given(made=documents(), layout=layouts)
def test_every_format_writes_or_says_why_not(
    suffix: str, target: str, made: list[ScoresDocument], layout: Layout
) -> None:
    if FORMATS[suffix].kind == "timeline" and edit_of(made, layout) is None:
        return
    first = written(suffix, target, made, layout)
    second = written(suffix, target, [reread(document) for document in made], layout)
    if isinstance(first, UsageError):
        assert isinstance(second, UsageError)
        assert (first.message, first.hint) == (second.message, second.hint)
        assert first.message
        assert first.hint
        return
    assert first
    assert second == first


@pytest.mark.parametrize(("suffix", "target"), WRITERS)
@fuzz
@given(data=st.data(), rate=st.sampled_from(STANDARD_RATES))
def test_every_format_takes_every_standard_rate(
    suffix: str, target: str, data: st.DataObject, rate: Fraction
) -> None:
    made = data.draw(documents([rate], most=1 if suffix in ONE_FILE else 2))
    layout = Layout(order=data.draw(st.sampled_from(["time", *["rank"][: suffix != ".v1"]])))
    if edit_of(made, layout) is None or suffix in NEEDS_LENGTH:
        return
    refuses = rate in REFUSES.get((target, suffix), ())
    assert isinstance(written(suffix, target, made, layout), UsageError if refuses else bytes)


# And back --------------------------------------------------------------------------------------


def cuts(edit: EditList) -> list[tuple[Any, ...]]:
    """Return what must survive every format: which frames of which file lie where."""
    return [
        (event.source.name, event.frames, event.record)
        for event in edit.events
        if event.video_track is not None
    ]


def read_back(suffix: str, target: str, edit: EditList, made: Any, layout: Layout) -> EditList:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"cut{suffix}"
        write_format(path, made, target=target, layout=layout)
        return read_timeline(path, known=edit.sources, rate=edit.frame_rate).edit


@pytest.mark.parametrize(("suffix", "target"), ROUND_TRIPS)
@fuzz
@given(data=st.data(), rate=st.sampled_from(STANDARD_RATES))
def test_cuts_of_one_rate_come_back(
    suffix: str, target: str, data: st.DataObject, rate: Fraction
) -> None:
    assume(rate not in REFUSES.get((target, suffix), ()))
    most = 1 if suffix in ONE_FILE else 3
    made = data.draw(documents([rate], most=most, is_list=suffix in LISTS))
    layout = Layout(order=data.draw(st.sampled_from(["time", *["rank"][: suffix != ".v1"]])))
    edit = edit_of(made, layout)
    if edit is None:
        return
    assert cuts(read_back(suffix, target, edit, made, layout)) == cuts(edit)


@pytest.mark.parametrize("rate", [Fraction(30), NTSC, Fraction(60), Fraction(60000, 1001)])
@pytest.mark.parametrize(("suffix", "target"), ROUND_TRIPS)
def test_drop_frame_comes_back(suffix: str, target: str, rate: Fraction) -> None:
    if rate in REFUSES.get((target, suffix), ()):
        pytest.skip("the format has no such rate")
    made = [
        document_of(
            "/footage/phone.mov",
            STEREO,
            frame_rate=rate,
            start_timecode="16:37:10;02",
            spans=[(1.0, 3.0), (9.0, 10.0)],
        )
    ]
    layout = Layout(start_timecode="01:00:00;00")
    edit = build_edit_list(made, name="cut", layout=layout)
    assert cuts(read_back(suffix, target, edit, made, layout)) == cuts(edit)


@pytest.mark.parametrize(("suffix", "target"), ROUND_TRIPS)
@fuzz
@given(data=st.data(), layout=layouts)
def test_cuts_of_several_rates_come_back(
    suffix: str, target: str, data: st.DataObject, layout: Layout
) -> None:
    made = data.draw(documents(STANDARD_RATES, is_list=suffix in LISTS))
    edit = edit_of(made, layout)
    if edit is None or has_tiny(edit):
        return
    try:
        back = cuts(read_back(suffix, target, edit, made, layout))
    except UsageError:
        return  # One that cannot mix rates or tracks says so.
    wanted = cuts(edit)
    assert [name for name, _, _ in back] == [name for name, _, _ in wanted]
    rates = {source.name: source.frame_rate for source in edit.sources}
    for (name, frames, record), (_, true_frames, true_record) in zip(back, wanted, strict=True):
        if suffix == ".otio":
            assert frames == true_frames
        # Formats that count a source at the timeline's rate are off by what a frame of that is.
        slack = math.ceil(rates[name] / edit.frame_rate)
        assert abs(frames.start - true_frames.start) <= slack
        assert abs(frames.stop - true_frames.stop) <= slack
        assert abs(record.start - true_record.start) <= 1
        assert abs(record.stop - true_record.stop) <= 1


def test_list_over_midnight_is_refused_not_cut_short() -> None:
    made = [
        document_of(
            "/footage/night.mov",
            STEREO,
            frame_rate=Fraction(25),
            start_timecode="23:59:58:00",
            spans=[(1.0, 3.0), (5.0, 6.0)],
        )
    ]
    edit = build_edit_list(made, name="cut")
    with pytest.raises(TimelineError, match="runs over midnight: 001") as error:
        read_back(".edl", "generic", edit, made, Layout())
    assert ".otio" in error.value.hint


@pytest.mark.parametrize("start", ["23:59:50:00", "23:59:50;00"])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_list_of_a_file_over_midnight_counts_on(tmp_path: Path, start: str, rate) -> None:
    document = make_document(
        frame_rate=rate, num_frames=900, start_timecode=start, spans=[(2.0, 5.0), (15.0, 20.0)]
    )
    edit = build_edit_list([document], name="x")
    write_format(tmp_path / "x.edl", [document])
    text = (tmp_path / "x.edl").read_text()
    assert " 00:00:0" in text
    found = read_timeline(tmp_path / "x.edl", known=edit.sources, rate=rate)
    assert found.notes == ()
    assert [event.frames for event in found.edit.events] == [e.frames for e in edit.events]


@pytest.mark.parametrize(("suffix", "target"), ROUND_TRIPS)
def test_whole_files_that_end_between_two_frames_of_the_timeline(suffix: str, target: str) -> None:
    """A whole file lasts as many frames as begin in it: a little longer than it is."""
    made = [
        document_of(
            f"/footage/{number}.mov",
            frame_rate=rate,
            num_frames=num_frames,
            spans=[(0.0, float(num_frames / rate))],
        )
        for number, (rate, num_frames) in enumerate(
            [
                (Fraction(24000, 1001), 1),
                (Fraction(50), 26),
                (Fraction(50), 36),
                (Fraction(60), 501),
            ]
        )
    ]
    layout = Layout(markers_only=True)
    edit = build_edit_list(made, name="cut", layout=layout)
    try:
        back = read_back(suffix, target, edit, made, layout)
    except UsageError:
        return  # One that cannot mix rates says so.
    for event, true in zip(back.events, edit.events, strict=True):
        # Never more than the file has, and what begins within one frame of the timeline may go.
        slack = math.ceil(true.source.frame_rate / edit.frame_rate)
        assert len(true.frames) - slack <= len(event.frames) <= len(true.frames)
