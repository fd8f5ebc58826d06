"""Final Cut Pro 7 XML as Premiere Pro and DaVinci Resolve write it: the film, frame and sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_desk import A, B, a, b, black, film_of, make_desk
from numbered_footage import Footage

from hlcli.errors import TimelineError
from hlcli.timeline.read import read_timeline

RATE = "<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate>"
SHAPE = (
    f"<samplecharacteristics>{RATE}<width>160</width><height>96</height></samplecharacteristics>"
)
OFF = "<enabled>FALSE</enabled>"


def file_of(folder: Path, footage: Footage) -> str:
    return (
        f'<file id="f{footage.name}"><name>{footage.name}</name>'
        f"<pathurl>{(folder / footage.name).as_uri()}</pathurl>{RATE}<duration>100</duration>"
        f"<media><video>{SHAPE}</video><audio><samplecharacteristics><samplerate>48000"
        "</samplerate></samplecharacteristics><channelcount>2</channelcount></audio></media></file>"
    )


def clip(media: str, start: int, end: int, first: int, *, more: str = "", name: str = "c") -> str:
    return (
        f"<clipitem><name>{name}</name>{RATE}<start>{start}</start><end>{end}</end>"
        f"<in>{first}</in><out>{first + end - start}</out>{media}{more}</clipitem>"
    )


def sequence(video: str, audio: str = "", *, id: str = "s1", name: str = "s") -> str:
    return (
        f'<sequence id="{id}"><name>{name}</name>{RATE}<media><video><format>{SHAPE}</format>'
        f"{video}</video><audio>{audio}</audio></media></sequence>"
    )


def save(folder: Path, content: str) -> Path:
    path = folder / "other.xml"
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE xmeml><xmeml version="4">{content}</xmeml>')
    return path


def track(*items: str) -> str:
    return f"<track>{''.join(items)}</track>"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return make_desk(tmp_path)


def test_switched_off_clips_and_tracks(desk: Path) -> None:
    on, off = file_of(desk, A), file_of(desk, B)
    film = film_of(
        save(
            desk,
            sequence(
                track(clip(on, 0, 50, 10, name="A.mov"))
                + track(clip(off, 10, 30, 20, more=OFF, name="B.mov"))
                + track(clip(off, 10, 30, 20, name="over"), OFF),
                track(clip(on, 0, 50, 10, name="A.mov"))
                + track(clip(off, 0, 50, 10, name="song"), OFF)
                + track(clip(off, 0, 50, 10, more=OFF, name="wind")),
            ),
        )
    )
    assert film.numbers == a(10, 59)
    assert film.plays(A, range(10, 60), 0)
    assert not film.plays(B, range(10, 60), 0)
    assert film.notes == (
        "the switched-off track V3 is left out: 'over'",
        "the switched-off track A2 is left out: 'song'",
        "2 switched-off clips left out, gaps stay: 'B.mov', 'wind'",
    )


def nested(desk: Path) -> str:
    tracks = track(clip(file_of(desk, A), 0, 25, 10), clip(file_of(desk, B), 25, 50, 20))
    return sequence(tracks, tracks, id="s2", name="INNER")


@pytest.mark.parametrize("is_in_a_bin", [False, True])
def test_nested_sequences(desk: Path, is_in_a_bin: bool) -> None:
    inner, used = nested(desk), '<sequence id="s2"/>'
    outer = sequence(
        track(
            clip(file_of(desk, A), 0, 25, 60),
            clip(used if is_in_a_bin else inner, 25, 55, 10),
            clip(file_of(desk, A), 55, 65, 0),
        ),
        track(clip(used, 25, 55, 10)),
    )
    if is_in_a_bin:
        outer = f"<project><children>{outer}{inner}</children></project>"
    film = film_of(save(desk, outer))
    assert film.numbers == a(60, 84) + a(20, 34) + b(20, 34) + a(0, 9)
    assert film.plays(A, range(20, 35), 25)
    assert film.plays(B, range(20, 35), 40)
    assert not film.plays(A, range(60, 85), 0)
    assert film.notes == ("the nested sequence 'INNER' is laid out in place",)


def test_a_sequence_nested_in_itself_is_refused(desk: Path) -> None:
    endless = sequence(track(clip('<sequence id="s1"/>', 0, 25, 0)))
    with pytest.raises(TimelineError):
        read_timeline(save(desk, endless))


def test_placeholders_with_a_timebase_of_zero(desk: Path) -> None:
    nothing = "<rate><timebase>0</timebase><ntsc>FALSE</ntsc></rate>"
    slug = (
        f"<clipitem><name>slug</name><duration>0</duration>{nothing}<start>25</start><end>50</end>"
        f'<in>0</in><out>25</out><file id="f9"><name>Slug</name><mediaSource>Slug</mediaSource>'
        f"{nothing}<duration>0</duration></file></clipitem>"
    )
    film = film_of(
        save(
            desk,
            sequence(
                track(clip(file_of(desk, A), 0, 25, 10), slug, clip(file_of(desk, B), 50, 75, 50))
            ),
        )
    )
    assert film.numbers == a(10, 34) + black(25) + b(50, 74)
    assert film.notes == ("'slug' is made by the editor: left out, a gap stays",)


def test_what_has_neither_a_file_nor_a_sequence_is_left_out(desk: Path) -> None:
    angles = "<multiclip><angle><activevideoangle>TRUE</activevideoangle></angle></multiclip>"
    still = "<stillframe>TRUE</stillframe>"
    film = film_of(
        save(
            desk,
            sequence(
                track(
                    clip(file_of(desk, A), 0, 25, 10),
                    clip(angles, 25, 35, 0, name="stage"),
                    clip("", 35, 50, 0, name="later"),
                    clip(file_of(desk, B), 50, 60, 0, more=still, name="held"),
                    clip(file_of(desk, B), 60, 75, 50),
                )
            ),
        )
    )
    assert film.numbers == a(10, 34) + black(35) + b(50, 64)
    assert film.notes == (
        "'held' is a frozen frame: left out, a gap stays",
        "'stage' is a multiclip: left out, a gap stays",
        "'later' is a placeholder: left out, a gap stays",
    )


def remap(speed: int, *, reverse: bool = False, variable: bool = False, off: str = "") -> str:
    values = {"variablespeed": int(variable), "speed": speed, "reverse": str(reverse).upper()}
    parts = "".join(
        f"<parameter><parameterid>{name}</parameterid><value>{value}</value></parameter>"
        for name, value in values.items()
    )
    effect = f"<name>Time Remap</name><effectid>timeremap</effectid>{parts}"
    return f"<filter>{off}<effect>{effect}</effect></filter>"


def test_speeds_are_said_by_the_name_of_the_clip(desk: Path) -> None:
    on, other = file_of(desk, A), file_of(desk, B)
    film = film_of(
        save(
            desk,
            sequence(
                track(
                    clip(other, 0, 25, 10, more=remap(200), name="fast"),
                    clip(other, 25, 50, 20, more=remap(-100, reverse=True), name="back"),
                    clip(other, 50, 75, 20, more=remap(100, variable=True), name="ramp"),
                    clip(other, 75, 100, 20, more=remap(300, off=OFF), name="same"),
                    clip(other, 100, 150, 140, more=remap(50), name="slow"),
                    clip(on, 150, 160, 0),
                )
            ),
        )
    )
    # Ends count in the retimed file: frame 10 at double speed is the file's 20th.
    assert film.numbers == (b(20, 44) + black(50) + b(20, 44) + b(70, 99) + black(20) + a(0, 9))
    normal = "it plays at normal speed from the same first frame, as long as it lay on the timeline"
    assert film.notes == (
        f"'fast' runs at 2 times the speed: {normal}",
        "'back' plays backwards: left out, a gap stays",
        "'ramp' changes its speed: left out, a gap stays",
        f"'slow' runs at 0.5 times the speed: {normal}",
        "B.mov ends before slow does at normal speed: a gap stays",
    )
