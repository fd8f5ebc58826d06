"""Timelines that are meant to harm, or damaged: one clear error each, in bounded memory."""

from __future__ import annotations

import json
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from edit_list_factory import STEREO, document_of
from media_factory import make_video
from typer.testing import CliRunner

from hlcli import toml
from hlcli.cli import app
from hlcli.document import ScoresDocument
from hlcli.errors import DocumentError, HlError, RecipeError, TimelineError
from hlcli.paths import cache_dir
from hlcli.timeline.build import build_edit_list
from hlcli.timeline.check import PROGRAMS, SUFFIXES, check_timeline
from hlcli.timeline.formats import TARGETS
from hlcli.timeline.formats.otio import otio_timeline
from hlcli.timeline.read import READERS, bounds, read_timeline
from hlcli.timeline.read.bounds import (
    MOST_DEPTH,
    MOST_ITEMS,
    MOST_NAMED_VALUES,
    TooMuchError,
    json_text,
    reading,
)  # fmt: skip
from hlcli.timeline.read.exact import exact_number, exact_rate, settled, whole_or_zero
from hlcli.timeline.read.types import Notes
from hlcli.training.recipe import read_recipe

LONG = "a" * 5_000


def refused(path: Path, words: str = "cannot read") -> None:
    """Read a file, and check it where that can be done: both refuse it, briefly and by name."""
    with pytest.raises(TimelineError, match=words) as caught:
        read_timeline(path)
    said = [caught.value]
    # A program that does not read the format is told so without the file being opened.
    for target in (name for name in PROGRAMS if path.suffix in TARGETS[name].reads):
        with pytest.raises(TimelineError, match=words) as caught:
            check_timeline(path, target=target)
        said.append(caught.value)
    for error in said:
        assert path.name in error.message
        assert error.hint
        assert error.exit_code == 3
        assert len(error.message.splitlines()) == 1
        assert len(error.message) <= 1_000


def words_of(path: Path) -> list[str]:
    """Return all that reading and checking a file say, whether they refuse it or not."""
    said: list[str] = []
    try:
        said += read_timeline(path, search=[path.parent]).notes
    except HlError as error:
        said.append(error.message)
    try:
        said += [problem.what for problem in check_timeline(path, target="resolve")]
    except TimelineError as error:
        said.append(error.message)
    return said


def timeline_json(**clip: Any) -> dict[str, Any]:
    """Return a timeline of one clip as JSON values."""
    document = document_of("/footage/a.mov", STEREO, spans=[(1.0, 3.0)])
    value = json.loads(otio_timeline(build_edit_list([document], name="x")).to_json_string())
    value["tracks"]["children"][0]["children"][-1].update(clip)
    return value


# Depth


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ('{"a":', "}"), ('{"OTIO_SCHEMA":"Stack.1","children":[', "]}")],
)
@pytest.mark.parametrize("depth", [MOST_DEPTH + 1, 100_000])
def test_json_deeper_than_any_timeline_never_meets_a_parser(
    tmp_path: Path, opening: str, closing: str, depth: int
) -> None:
    text = opening * depth + "1" + closing * depth
    path = tmp_path / "x.otio"
    path.write_text(text)
    refused(path, f"more than {MOST_DEPTH} deep")
    bundle = tmp_path / "x.otioz"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("content.otio", text)
    refused(bundle, f"more than {MOST_DEPTH} deep")


def test_brackets_in_names_are_no_depth() -> None:
    names = ["[" * 1_000, '"' + "[" * 1_000, "\\" + "{" * 1_000, '\\"[' * 1_000, "\\\\"]
    text = json.dumps({name: [name] for name in names})
    assert json_text(text.encode()) == text
    with pytest.raises(ValueError, match="deep"):
        json_text(b'{"\\\\": ' + b"[" * 300 + b"]" * 300 + b"}")


def test_measuring_a_file_takes_little_memory() -> None:
    # Names between which other things stand: taken apart at its quotes, one of 60 MB took 2 GB.
    data = b"[" + b",  ".join([b'""'] * 300_000) + b"]"
    tracemalloc.start()
    try:
        json_text(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(data)


def test_an_object_of_too_many_names_is_refused() -> None:
    data = b'{"a":' + b"{" + b'"b":1,' * MOST_NAMED_VALUES + b'"c":1}}'
    with pytest.raises(TooMuchError, match="more than 2,000,000 values"):
        json_text(data)


def test_the_deepest_that_is_allowed_is_read(tmp_path: Path) -> None:
    value = timeline_json()
    nested: Any = 1
    for _ in range(MOST_DEPTH - 4):
        nested = [nested]
    value["metadata"]["deep"] = {"a": {"b": nested}}
    path = tmp_path / "x.otio"
    path.write_text(json.dumps(value))
    assert len(read_timeline(path).edit.events) == 1


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"Clip.2"', '"Clip.1"', "Clip.1 has media_references"),
        ('"Clip.2"', '"Clip.-0"', "no 'Clip.-0'"),
        ('"Clip.2"', '"Clip.1/0"', "no 'Clip.1/0'"),
        ('"Stack.1"', '"UnknownSchema.1"', "no 'UnknownSchema.1'"),
        ('"Stack.1"', '"Test.1"', "no 'Test.1'"),
        ('"Clip.2"', '"Clip.2", "OTIO_SCHEMA": "Clip.1"', "two values of one name"),
        ('"Clip.2"', '"Clip.2", "OTIO\\u005fSCHEMA": "Clip.1"', "two values of one name"),
    ],
)
def test_objects_at_which_opentimelineio_crashes(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    text = json.dumps(timeline_json())
    assert before in text
    path = tmp_path / "x.otio"
    path.write_text(text.replace(before, after))
    refused(path, words)


@pytest.mark.parametrize("suffix", [".xml", ".fcpxml", ".mlt", ".kdenlive"])
def test_xml_deeper_than_any_timeline(tmp_path: Path, suffix: str) -> None:
    root = {".xml": "xmeml", ".fcpxml": "fcpxml"}.get(suffix, "mlt")
    path = tmp_path / f"x{suffix}"
    path.write_text(f"<{root}>" + "<a>" * 100_000 + "</a>" * 100_000 + f"</{root}>")
    refused(path, f"more than {MOST_DEPTH} deep")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("suffix", [".xml", ".fcpxml", ".mlt"])
def test_entities_are_refused_in_every_encoding(tmp_path: Path, suffix: str, encoding: str) -> None:
    root = {".xml": "xmeml", ".fcpxml": "fcpxml"}.get(suffix, "mlt")
    path = tmp_path / f"x{suffix}"
    text = f'<!DOCTYPE {root} [<!ENTITY a "aaaa">]><{root}>&a;</{root}>'
    path.write_bytes(text.encode(encoding))
    refused(path, "defines entities")


# Number


def compounds(levels: int, each: int = 2) -> str:
    """Return an FCPXML whose compound clips lay down `each ** levels` clips."""
    media = [
        '<media id="c0"><sequence format="f"><spine>'
        '<asset-clip ref="a" duration="1s"/></spine></sequence></media>'
    ]
    for level in range(1, levels + 1):
        clips = f'<ref-clip ref="c{level - 1}" duration="{each ** (level - 1)}s"/>' * each
        media.append(
            f'<media id="c{level}"><sequence format="f"><spine>{clips}</spine></sequence></media>'
        )
    return (
        '<fcpxml version="1.10"><resources><format id="f" frameDuration="1/25s"/>'
        '<asset id="a" src="file:///a.mov" hasVideo="1" duration="9s" format="f"/>'
        f"{''.join(media)}</resources><library><event><project name='x'><sequence format='f'>"
        f'<spine><ref-clip ref="c{levels}" duration="{each**levels}s"/></spine></sequence>'
        "</project></event></library></fcpxml>"
    )


def tractors(levels: int) -> str:
    """Return an MLT whose tractors lay down `2 ** levels` clips."""
    parts = [
        '<chain id="a" out="24"><property name="length">25</property>'
        '<property name="resource">/a.mov</property>'
        '<property name="mlt_service">avformat</property></chain>'
        '<playlist id="p0"><entry producer="a" in="0" out="24"/></playlist>'
        '<tractor id="t0"><track producer="p0"/></tractor>'
    ]
    for level in range(1, levels + 1):
        entry = f'<entry producer="t{level - 1}" in="0" out="{25 * 2 ** (level - 1) - 1}"/>'
        parts.append(
            f'<playlist id="p{level}">{entry * 2}</playlist>'
            f'<tractor id="t{level}"><track producer="p{level}"/></tractor>'
        )
    return (
        '<mlt><profile width="640" height="360" frame_rate_num="25" frame_rate_den="1"/>'
        f"{''.join(parts)}</mlt>"
    )


def sequences(levels: int) -> str:
    """Return a Final Cut Pro 7 XML whose sequences lay down `2 ** levels` clips."""
    rate = "<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate>"

    def item(level: int, number: int, content: str, length: int) -> str:
        return (
            f'<clipitem id="i{level}-{number}"><name>n</name>{rate}<duration>{length}</duration>'
            f"<start>{number * length}</start><end>{(number + 1) * length}</end>"
            f"<in>0</in><out>{length}</out>{content}</clipitem>"
        )

    def sequence(level: int) -> str:
        if level:
            inner = f'<sequence id="s{level - 1}"/>'
            items = "".join(item(level, number, inner, 2 ** (level - 1)) for number in range(2))
        else:
            file = (
                f'<file id="f"><name>a.mov</name><pathurl>file:///a.mov</pathurl>{rate}'
                "<duration>9</duration><media><video/></media></file>"
            )
            items = item(0, 0, file, 1)
        return (
            f'<sequence id="s{level}"><name>s{level}</name><duration>{2**level}</duration>{rate}'
            f"<media><video><track>{items}</track></video></media></sequence>"
        )

    inner = "".join(sequence(level) for level in range(levels))
    return (
        '<xmeml version="5"><project><children>'
        f"<bin><children>{inner}</children></bin>{sequence(levels)}</children></project></xmeml>"
    )


@pytest.mark.parametrize(
    ("suffix", "make"), [(".fcpxml", compounds), (".mlt", tractors), (".xml", sequences)]
)
def test_nested_sequences_are_counted_each_time_they_are_used(
    tmp_path: Path, suffix: str, make: Callable[[int], str]
) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_text(make(3))
    assert len(read_timeline(path).edit.events) == 8
    path.write_text(make(25) if make is not compounds else compounds(9, each=4))
    with pytest.raises(TimelineError, match=f"more than {MOST_ITEMS:,} clips and gaps") as caught:
        read_timeline(path)
    assert str(path) in caught.value.message


def test_gaps_alone_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.fcpxml"
    path.write_text(compounds(9, each=4).replace("<asset-clip ref", "<gap name"))
    with pytest.raises(TimelineError, match="clips and gaps"):
        read_timeline(path)


def test_a_tractor_that_holds_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.mlt"
    path.write_text(tractors(1).replace('<track producer="p1"/>', '<track producer="t1"/>' * 2))
    refused(path, "tractors lie in tractors more than 32 deep")


def test_a_sequence_that_holds_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(sequences(1).replace('<sequence id="s0"/>', '<sequence id="s1"/>'))
    with pytest.raises(TimelineError, match="nested"):
        read_timeline(path)


def test_clips_that_all_lie_over_each_other(tmp_path: Path) -> None:
    clip = '<asset-clip ref="a" lane="1" offset="0s" duration="1s"/>'
    path = tmp_path / "x.fcpxml"
    inner = '<asset-clip ref="a" duration="1s"/>'
    path.write_text(
        compounds(0).replace(inner, inner.replace("/>", f">{clip * 1_100}</asset-clip>"))
    )
    with pytest.raises(TimelineError, match="more than 1,000 clips lie over each other"):
        read_timeline(path)


# Numbers and words


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, -1e300, 0.0, -25.0, 1e-300])
def test_rates_that_are_none(tmp_path: Path, value: float) -> None:
    span = {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": {"OTIO_SCHEMA": "RationalTime.1", "rate": value, "value": 0.0},
        "duration": {"OTIO_SCHEMA": "RationalTime.1", "rate": value, "value": 10.0},
    }
    path = tmp_path / "x.otio"
    path.write_text(json.dumps(timeline_json(source_range=span)))
    with pytest.raises(TimelineError, match=r"rate|number"):
        read_timeline(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300, 1e17])
@pytest.mark.parametrize("part", ["start_time", "duration"])
def test_times_that_are_none(tmp_path: Path, part: str, value: float) -> None:
    span = {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": {"OTIO_SCHEMA": "RationalTime.1", "rate": 25.0, "value": 0.0},
        "duration": {"OTIO_SCHEMA": "RationalTime.1", "rate": 25.0, "value": 10.0},
    }
    span[part]["value"] = value  # type: ignore[index]
    path = tmp_path / "x.otio"
    path.write_text(json.dumps(timeline_json(source_range=span)))
    with pytest.raises(TimelineError, match=r"number|beyond"):
        read_timeline(path)


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        (".fcpxml", 'duration="9s"', 'duration="1e400s"'),
        (".fcpxml", 'duration="9s"', f'duration="{"9" * 400}s"'),
        (".fcpxml", 'duration="9s"', 'duration="9/0s"'),
        (".fcpxml", 'frameDuration="1/25s"', 'frameDuration="0s"'),
        (".fcpxml", 'frameDuration="1/25s"', f'frameDuration="1/{"9" * 30}s"'),
        (".fcpxml", "<asset-clip ", f'<asset-clip lane="{"9" * 30}" '),
        (".mlt", 'frame_rate_num="25"', 'frame_rate_num="true"'),
        (".mlt", 'frame_rate_num="25"', 'frame_rate_num="1e-7"'),
        (".mlt", 'frame_rate_den="1"', 'frame_rate_den="0"'),
        (".mlt", 'in="0" out="24"', 'in="0" out="1e999"'),
        (".mlt", 'in="0" out="24"', f'in="0" out="{"9" * 5_000}"'),
        (".mlt", 'in="0" out="24"', 'in="0" out="1:2:nan"'),
        (".mlt", ">avformat<", ">timewarp<"),
        (".xml", "<timebase>25<", "<timebase>inf<"),
        (".xml", "<start>0<", "<start>nan<"),
        (".xml", "<end>1<", "<end>1e400<"),
    ],
)
def test_numbers_that_are_none(tmp_path: Path, suffix: str, before: str, after: str) -> None:
    text = {".fcpxml": compounds(0), ".mlt": tractors(0), ".xml": sequences(0)}[suffix]
    path = tmp_path / f"x{suffix}"
    path.write_text(text)
    assert len(read_timeline(path).edit.events) == 1
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(TimelineError) as caught:
        read_timeline(path)
    assert str(path) in caught.value.message
    if suffix in SUFFIXES:
        # What a check cannot understand is no finding of its own, and no crash either.
        check_timeline(path, target="resolve")


@pytest.mark.parametrize(
    ("suffix", "encoding"),
    [(".fcpxml", "rot13"), (".mlt", "hex"), (".xml", "no-such-encoding"), (".xml", "utf-7")],
)
def test_encodings_that_are_none(tmp_path: Path, suffix: str, encoding: str) -> None:
    text = {".fcpxml": compounds(0), ".mlt": tractors(0), ".xml": sequences(0)}[suffix]
    path = tmp_path / f"x{suffix}"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?>' + text)
    refused(path)


def test_json_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.otio"
    path.write_bytes(json.dumps(timeline_json(name="a#b")).encode().replace(b"#", b"\xff"))
    refused(path, "utf-8")


@pytest.mark.parametrize("name", [LONG, f"/{LONG}/a.mov", "a\0b.mov", "\ud800.mov", "/a/" * 900])
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    value = timeline_json(metadata={})
    clip = value["tracks"]["children"][0]["children"][-1]
    clip["media_references"]["DEFAULT_MEDIA"]["target_url"] = name
    path = tmp_path / "x.otio"
    path.write_text(json.dumps(value))
    said = words_of(path)
    assert said
    assert max(map(len, said)) <= 1_000


@pytest.mark.parametrize(
    "hl",
    [
        {"score": "x"},
        {"score": float("nan"), "rank": float("inf")},
        {"rank": 10**400},
        {"picture": [1]},
        {"source": {"audio": "abc"}},
        {"source": {"audio": [{"channels": 10**9}] * 9}},
        {"source": {"audio_channels": [10**9, -5, "x", None]}},
        {"source": {"audio_stream": 10**12}},
        {"source": {"num_frames": -(10**30), "frame_rate": "25/1"}},
        {"source": 7, "link": {"a": 1}},
    ],
)
def test_metadata_of_ours_that_others_have_changed(tmp_path: Path, hl: Any) -> None:
    value = timeline_json()
    for track in value["tracks"]["children"]:
        for clip in track["children"]:
            if clip["OTIO_SCHEMA"].startswith("Clip"):
                clip["metadata"]["hl"] = {**clip["metadata"].get("hl", {}), **hl}
    path = tmp_path / "x.otio"
    path.write_text(json.dumps(value))
    # Either it is refused by name, or what is absurd counts as not stated.
    assert words_of(path)


def test_audio_index_all_is_the_first_sound(tmp_path: Path) -> None:
    # MLT allows it: the sounds are joined there, here the first one stands for them.
    path = tmp_path / "x.mlt"
    found = {}
    for index in ("all", "1"):
        added = f'<property name="audio_index">{index}</property></chain>'
        path.write_text(tractors(0).replace("</chain>", added))
        found[index] = read_timeline(path).edit.events
    assert found["all"] == found["1"]
    assert found["all"][0].sound


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "1e", "1/0", "0x10", "1_0", "1.5/2", "٣", "9" * 41]
)
def test_texts_that_are_no_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        exact_number(text)
    assert whole_or_zero(text) == 0


def test_numbers_are_exact() -> None:
    for text, value in (
        ("25", Fraction(25)), (" -1e-3 ", Fraction(-1, 1000)),
        ("30000/1001", Fraction(30000, 1001)),
        ("+.5", Fraction(1, 2)), ("29.97", Fraction(2997, 100)), ("1e18", Fraction(10**18)),
    ):  # fmt: skip
        assert exact_number(text) == value
    for bad in (True, None, [], 10**19, float("nan"), "1e19", 10**400):
        with pytest.raises(ValueError, match=r"not a number|digits"):
            exact_number(bad)
    for bad in (Fraction(1, 1001), 1_000_001, "0", "-25"):
        with pytest.raises(ValueError, match="no frame rate"):
            exact_rate(bad)


def test_sums_of_times_on_many_grids_stay_small() -> None:
    total = Fraction(0)
    for number in range(1, 3_000):
        total = settled(total + Fraction(1, 1_000_000 + number))
    assert total.denominator <= 10**30
    assert abs(float(total) - sum(1 / (1_000_000 + n) for n in range(1, 3_000))) < 1e-12
    assert settled(Fraction(1001, 30000)) == Fraction(1001, 30000)


def test_notes_are_few_and_short() -> None:
    notes = Notes([LONG])
    for number in range(1_000):
        notes.add(f"{number} {LONG}")
    lines = notes.lines()
    assert len(lines) == 201
    assert max(map(len, lines)) <= 300
    assert lines[-1] == "and 801 more of this kind"


# Bundles


def bundle_of(path: Path, members: dict[str, bytes], **settings: Any) -> Path:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def content(tmp_path: Path) -> tuple[bytes, bytes]:
    """Return the timeline and the media of a bundle that can be used."""
    video = make_video(tmp_path, name="a.mov", rate=Fraction(25), num_frames=50)
    span = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, 25), otio.opentime.RationalTime(25, 25)
    )
    clip = otio.schema.Clip(
        name="a", source_range=span,
        media_reference=otio.schema.ExternalReference("media/a.mov", available_range=span),
    )  # fmt: skip
    timeline = otio.schema.Timeline(name="x")
    timeline.tracks.append(otio.schema.Track(name="V1", children=[clip]))
    return timeline.to_json_string().encode(), video.read_bytes()


def cached() -> list[Path]:
    """Return the files that bundles have left in the cache."""
    return [path for path in (cache_dir() / "bundles").rglob("*") if path.is_file()]


def test_what_a_bundle_would_unpack_to_is_bounded(tmp_path: Path) -> None:
    text, media = content(tmp_path)
    deflated = {"compression": zipfile.ZIP_DEFLATED}
    members = {"content.otio": text, "media/a.mov": media}
    zeros = bytes(100 << 20)
    bundle = bundle_of(tmp_path / "1.otioz", members | {"media/b.mov": zeros}, **deflated)
    assert bundle.stat().st_size < 1 << 20
    refused(bundle, "claims to unpack to 104,857,600")
    refused(
        bundle_of(tmp_path / "2.otioz", {"content.otio": text + b" " * len(zeros)}, **deflated),
        "claims to unpack to",
    )
    many = members | {f"other/{number}": b"" for number in range(10_001)}
    refused(bundle_of(tmp_path / "3.otioz", many), "10,003 members")
    assert cached() == []
    # A silent recording, packed by hand, shrinks a lot and is small.
    silence = bundle_of(tmp_path / "4.otioz", members | {"media/b.wav": bytes(4 << 20)}, **deflated)
    assert len(read_timeline(silence).edit.events) == 1


def test_a_list_of_members_longer_than_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, media = content(tmp_path)
    path = bundle_of(tmp_path / "x.otioz", {"content.otio": text, "media/a.mov": media})
    data = bytearray(path.read_bytes())
    data += bytes(20 << 20)
    # The end of the list, which now claims to be 20 MiB long.
    end = data.index(b"PK\5\6")
    directory = data[end : end + 22]
    directory[12:16] = (20 << 20).to_bytes(4, "little")
    path.write_bytes(bytes(data[:end]) + bytes(20 << 20) + bytes(directory))
    refused(path, "its list of members takes 20,971,520 bytes")


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    text, media = content(tmp_path)
    path = bundle_of(tmp_path / "x.otioz", {"content.otio": text, "media/a.mov": media})
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.getinfo("media/a.mov")
        for number in range(9):
            other = zipfile.ZipInfo(f"media/{number}.mov")
            other.header_offset, other.CRC = first.header_offset, first.CRC
            other.file_size = other.compress_size = first.file_size
            archive.filelist.append(other)
        archive._didModify = True
    refused(path, "share their bytes")


def test_members_that_cannot_be(tmp_path: Path) -> None:
    text, media = content(tmp_path)
    members = {"content.otio": text, "media/a.mov": media}
    for number, (name, words) in enumerate(
        [
            ("media/../../evil.mov", "outside"), ("/evil.mov", "outside"), ("C:evil", "outside"),
            ("media\\..\\evil.mov", "outside"), (".", "no name"),
            (f"media/{LONG}", "longer than any"), (f"media/{'ä' * 200}", "longer than any"),
        ]
    ):  # fmt: skip
        refused(bundle_of(tmp_path / f"{number}.otioz", members | {name: b"x"}), words)
    assert cached() == []


def test_encrypted_and_damaged_bundles(tmp_path: Path) -> None:
    text, media = content(tmp_path)
    path = bundle_of(tmp_path / "x.otioz", {"content.otio": text, "media/a.mov": media})
    data = path.read_bytes()
    at = data.index(b"PK\1\2")
    locked = bytearray(data)
    for place in (at, data.index(b"PK\3\4")):
        locked[place + (8 if place == at else 6)] |= 1
    path.write_bytes(bytes(locked))
    refused(path, "encrypted")
    spoilt = bytearray(data)
    spoilt[data.index(media) + 1_000] ^= 0xFF
    path.write_bytes(bytes(spoilt))
    refused(path, "CRC")
    for cut in (0, 10, len(data) // 2, len(data) - 10):
        path.write_bytes(data[:cut])
        refused(path)
    assert cached() == []


def test_media_of_a_bundle_of_no_use_leaves_the_cache(tmp_path: Path) -> None:
    text, media = content(tmp_path)
    path = bundle_of(tmp_path / "x.otioz", {"content.otio": text, "media/a.mov": b"no media"})
    with pytest.raises(HlError):
        read_timeline(path)
    assert cached() == []
    path = bundle_of(tmp_path / "y.otioz", {"content.otio": text, "media/a.mov": media})
    (event,) = read_timeline(path).edit.events
    taken = Path(event.source.path)
    spoilt = bytearray(media)
    spoilt[1_000] ^= 0xFF
    taken.write_bytes(bytes(spoilt))
    read_timeline(path)
    assert taken.read_bytes() == media


# The boundary


def test_the_boundary_has_the_cause_and_gives_way_to_debugging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TimelineError, match=r"KeyError: 'x'") as caught, reading(tmp_path / "a"):
        raise KeyError("x")
    assert isinstance(caught.value.__cause__, KeyError)
    monkeypatch.setenv("HL_DEBUG", "1")
    with pytest.raises(KeyError), reading(tmp_path / "a"):
        raise KeyError("x")
    monkeypatch.delenv("HL_DEBUG")
    for stop in (KeyboardInterrupt, SystemExit, AssertionError):
        with pytest.raises(stop), reading(tmp_path / "a"):
            raise stop


def test_a_mistake_outside_the_readers_stays_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise KeyError("a mistake in rendering")

    text, media = content(tmp_path)
    path = bundle_of(tmp_path / "y.otioz", {"content.otio": text, "media/a.mov": media})
    monkeypatch.setattr("hlcli.workflows.render.render_edit", mistaken)
    result = CliRunner().invoke(app, ["render", str(path), "-o", str(tmp_path / "x.mp4")])
    assert result.exit_code == 1
    assert "this is a bug in hl" in result.stderr


@pytest.mark.parametrize(
    "line",
    ["002  " + "\xff" * 1_700_000, "002 " + "a " * 900_000, "002 a" + " " * 900_000 + "b",
     "* FROM CLIP NAME: a" + " " * 900_000 + "b", "M2 " + "1" * 900_000],
)  # fmt: skip
def test_lines_of_an_edl_that_patterns_would_look_at_for_hours(tmp_path: Path, line: str) -> None:
    path = tmp_path / "long.edl"
    event = "001  AX V C 00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00"
    path.write_text(f"TITLE: x\nFCM: NON-DROP FRAME\n{event}\n{line}\n", encoding="utf-8")
    refused(path, "letters")


def test_a_file_larger_than_any_timeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 1 << 20)
    for suffix in sorted(READERS.keys() - {".otioz", ".aaf", ".edl", ".fcpxmld"}):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(b" " * (1 << 20) + b"<{")
        refused(path, "more than 1 MiB")


def test_the_command_line_says_one_line_about_a_name_of_any_length(tmp_path: Path) -> None:
    for arguments in (
        ["render", f"/{LONG}.otio", "-o", str(tmp_path / "x.mp4")],
        ["check", f"{LONG}.otio", "--for", "resolve"],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 3
        assert "no such timeline" in result.stderr


# Recipes and scores documents


@pytest.mark.parametrize(
    "text",
    ["a = " + "9" * 5_000, "a = " + "[" * 50_000, "a = 1e999999x", "\0", "a = 0x" + "f" * 9_999],
)
def test_toml_that_python_trips_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text('kind = "rasl"\n' + text)
    with pytest.raises(RecipeError):
        read_recipe(path, [])
    if "0x" not in text:
        with pytest.raises(toml.TOMLDecodeError):
            toml.loads(text)


def test_recipes_refuse_numbers_that_no_float_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    for setting in ("steps", "learning_rate"):
        path.write_text(f'kind = "rasl"\n[training]\n{setting} = 1{"0" * 400}\n')
        with pytest.raises(RecipeError, match=f"training.{setting}"):
            read_recipe(path, [])


@pytest.mark.parametrize(
    "change",
    [
        {"clip_seconds": 1e-320},
        {"video": {"duration_seconds": 1e300}},
        {"video": {"frame_rate": f"{'9' * 5_000}/1"}},
        {"video": {"frame_rate": f"1/{'9' * 400}"}},
        {"video": {"num_frames": 2**53}},
        {"video": {"audio": [{"channels": 10**9, "sample_rate": 48000}]}},
    ],
)
def test_scores_documents_refuse_what_no_video_has(change: dict[str, Any]) -> None:
    value = json.loads(document_of("/a.mov", STEREO, spans=[(1.0, 2.0)]).to_text())
    ScoresDocument.from_json(value)
    for name, part in change.items():
        value[name] = {**value[name], **part} if isinstance(part, dict) else part
    with pytest.raises(DocumentError):
        ScoresDocument.from_json(value)


# Files of others


@pytest.mark.shared
@pytest.mark.skipif(sys.platform == "win32", reason="made on another system")
def test_hostile_files_that_were_found_before(shared_dir: Path, tmp_path: Path) -> None:
    files = [
        path
        for path in sorted((shared_dir / "cases/hostile").glob("*"))
        if path.suffix in (*READERS, ".toml")
    ]
    if not files:
        pytest.skip("no hostile files here")
    for file in files:
        commands = [["render", str(file), "-o", str(tmp_path / "x.mp4")]]
        if file.suffix == ".toml":
            commands = [["train", str(file)]]
        elif file.suffix in SUFFIXES:
            commands += [["check", str(file), "--for", name] for name in ("resolve", "premiere")]
        for command in commands:
            result = CliRunner().invoke(app, command)
            allowed = (0, 3, 8) if command[0] == "check" else (2, 3)
            assert result.exit_code in allowed, (command, result.stderr)
            assert "bug in hl" not in result.stderr, (command, result.stderr)


# AAF


def compositions(path: Path, levels: int, each: int) -> Path:
    """Write an AAF whose compositions lay down `each ** levels` clips."""
    aaf2 = pytest.importorskip("aaf2")
    with aaf2.open(str(path), "w") as aaf:
        inner = aaf.create.MasterMob("a.mov")
        aaf.content.mobs.append(inner)
        slot = inner.create_picture_slot("25")
        slot.segment.components.append(aaf.create.Filler("picture", 25))
        slot.segment.length = length = 25
        for level in range(1, levels + 1):
            outer = aaf.create.CompositionMob(f"c{level}")
            aaf.content.mobs.append(outer)
            outer_slot = outer.create_picture_slot("25")
            for _ in range(each):
                clip = inner.create_source_clip(slot.slot_id, start=0, length=length)
                outer_slot.segment.components.append(clip)
            outer_slot.segment.length = length = length * each
            inner, slot = outer, outer_slot
        inner.usage = "Usage_TopLevel"
    return path


def test_compositions_are_counted_each_time_they_are_used(tmp_path: Path) -> None:
    refused(compositions(tmp_path / "x.aaf", 9, 4), f"more than {MOST_ITEMS:,} clips and gaps")
    # A few are laid out; here there is no media in them.
    refused(compositions(tmp_path / "y.aaf", 2, 2), "no clip|does not say its frame rate")


# pyaaf2 leaves to the garbage collector what it could not open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_aafs(tmp_path: Path) -> None:
    path = compositions(tmp_path / "x.aaf", 2, 2)
    data = path.read_bytes()
    tables = bytearray(data)
    tables[72:76] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(tables))
    refused(path, "4,294,967,295 tables of sectors")
    # As many as could be in the file, but not with the sectors that they name: 67 million.
    tables[72:76] = b"\x40\0\0\0"
    path.write_bytes(bytes(tables) + bytes(512 * 1024))
    refused(path, "64 tables of sectors")
    for kept in (0, 8, 511, 513, 4_000, len(data) // 2):
        path.write_bytes(data[:kept])
        refused(path)
