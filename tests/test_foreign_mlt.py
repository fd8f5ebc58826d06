"""MLT XML as Shotcut and Kdenlive write it: the film, frame and sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_desk import A, B, a, b, black, film_of, make_desk
from numbered_footage import Footage

from hlcli.errors import TimelineError
from hlcli.timeline.read import read_timeline

HEAD = """<mlt root="{root}">
<profile width="160" height="96" frame_rate_num="{rate}" frame_rate_den="1"/>
<producer id="black" in="0" out="999"><property name="mlt_service">color</property></producer>
<playlist id="background"><entry producer="black" in="0" out="999"/></playlist>
"""


def chain(id: str, resource: object, *, ends: str = 'in="0" out="99"', **properties: object) -> str:
    values = {"resource": resource, "mlt_service": "avformat-novalidate", "length": 100}
    lines = "".join(
        f'<property name="{name.replace("__", ":")}">{value}</property>'
        for name, value in (values | properties).items()
    )
    return f'<chain id="{id}" {ends}>{lines}</chain>'


def playlist(id: str, *entries: str, **properties: object) -> str:
    lines = "".join(
        f'<property name="{name.replace("__", ":")}">{value}</property>'
        for name, value in properties.items()
    )
    return f'<playlist id="{id}">{lines}{"".join(entries)}</playlist>'


def entry(producer: str, first: int, last: int) -> str:
    return f'<entry producer="{producer}" in="{first}" out="{last}"/>'


def save(
    folder: Path, *parts: str, tracks: str = '<track producer="v1"/>', name: str = "other.mlt",
    rate: int = 25,
) -> Path:  # fmt: skip
    path = folder / name
    text = HEAD.format(root=folder, rate=rate) + chain("a", A.name) + chain("b", B.name)
    main = f'<tractor id="main"><track producer="background"/>{tracks}</tractor></mlt>'
    path.write_text(text + "".join(parts) + main, "utf-8")
    return path


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return make_desk(tmp_path)


def test_a_transition_of_shotcut_is_a_cut_at_its_middle(desk: Path) -> None:
    mix = '<transition out="9"><property name="mlt_service">luma</property></transition>'
    film = film_of(
        save(
            desk,
            chain("ta", A.name, ends='in="35" out="44"'),
            '<tractor id="tr" in="0" out="9"><property name="shotcut:transition">lumaMix'
            f'</property><track producer="ta"/><track producer="b" in="20" out="29"/>{mix}'
            "</tractor>",
            playlist("v1", entry("a", 10, 34), entry("tr", 0, 9), entry("b", 30, 54)),
        )
    )
    assert film.numbers == a(10, 39) + b(25, 54)
    assert film.plays(A, range(10, 40), 0)
    assert film.plays(B, range(25, 55), 30)
    assert film.notes == ("1 transition became plain cuts at the edit points",)


@pytest.mark.parametrize("is_from_the_second", [False, True])
def test_a_mix_of_kdenlive_is_a_cut_at_its_middle(desk: Path, is_from_the_second: bool) -> None:
    """The clips of one track lie on two playlists in turn, and overlap where they are mixed."""

    def track(name: str, kind: str) -> str:
        first = entry("a", 10, 44)
        second = '<blank length="25"/>' + entry("b", 20, 59)
        lists = [second, first] if is_from_the_second else [first, second]
        hide = "video" if kind == "audio" else "audio"
        tracks = "".join(f'<track hide="{hide}" producer="{name}{n}"/>' for n in (0, 1))
        return (
            playlist(f"{name}0", lists[0])
            + playlist(f"{name}1", lists[1])
            + f'<tractor id="{name}">{tracks}<transition in="25" out="34"><property '
            'name="kdenlive:mixcut">5</property><property name="mlt_service">luma</property>'
            "</transition></tractor>"
        )

    film = film_of(
        save(
            desk,
            track("v", "video"),
            track("s", "audio"),
            tracks='<track producer="s"/><track producer="v"/>',
            name="other.kdenlive",
        )
    )
    assert film.numbers == a(10, 39) + b(25, 59)
    assert film.plays(A, range(10, 40), 0)
    assert film.plays(B, range(25, 60), 30)
    # Behind the cut the first clip is heard no more.
    assert not film.plays(A, range(40, 45), 30)
    assert film.notes == ("1 transition became plain cuts at the edit points",)


@pytest.mark.parametrize(
    "words",
    [
        {"kdenlive__proxy": "small.mov", "kdenlive__originalurl": "A.mov"},
        {"shotcut__proxy": 1, "shotcut__originalResource": "A.mov"},
    ],
)
def test_originals_are_taken_for_proxies(desk: Path, words: dict) -> None:
    make_desk(desk, Footage(name="small.mov", first_number=2000))
    path = save(
        desk, chain("p", "small.mov", **words), playlist("v1", entry("p", 10, 34)),
        name="other.kdenlive",
    )  # fmt: skip
    film = film_of(path)
    assert (film.numbers, film.notes) == (a(10, 34), ())
    (desk / "away").mkdir()
    (desk / "A.mov").rename(desk / "away" / "A.mov")
    assert film_of(path, search=desk / "away").numbers == a(10, 34)
    film = film_of(path)
    assert film.numbers == list(range(2010, 2035))
    assert film.notes == ("A.mov is not there: its proxy small.mov is taken",)


def test_switched_off_tracks_and_clips(desk: Path) -> None:
    film = film_of(
        save(
            desk,
            chain("off", B.name, set__test_audio=1, set__test_image=1).replace("set:", "set."),
            chain("silent", A.name, set__test_audio=1).replace("set:", "set."),
            playlist("v1", entry("silent", 10, 34), entry("off", 0, 9), entry("a", 60, 69)),
            playlist("v2", entry("b", 0, 9), shotcut__name="V2"),
            playlist("a1", entry("b", 0, 9), shotcut__audio=1),
            playlist("a2", entry("b", 50, 74), shotcut__audio=1, shotcut__name="A2"),
            tracks='<track producer="v1"/><track producer="v2" hide="both"/>'
            '<track producer="a1" hide="video"/><track producer="a2" hide="both"/>',
        )
    )
    assert film.numbers == a(10, 34) + black(10) + a(60, 69)
    assert film.plays(B, range(0, 10), 0)
    assert film.plays(A, range(60, 70), 35)
    assert not film.plays(A, range(10, 35), 0)
    assert film.notes == (
        "the switched-off track 'V2' is left out: 'B.mov'",
        "the switched-off track 'A2' is left out: 'B.mov'",
        "1 switched-off clip left out, gaps stay: 'B.mov'",
    )


def test_a_changing_speed_is_left_out(desk: Path) -> None:
    link = '<link><property name="mlt_service">timeremap</property></link></chain>'
    ramp = chain("ramp", B.name).replace("</chain>", link)
    film = film_of(save(desk, ramp, playlist("v1", entry("ramp", 0, 9), entry("a", 0, 9))))
    assert film.numbers == black(10) + a(0, 9)
    assert film.notes == ("'B.mov' changes its speed: left out, a gap stays",)


def nested(desk: Path, **properties: object) -> tuple[str, str]:
    clip = chain("n", desk / "inner.mlt", **{"mlt_service": "xml", **properties})
    return clip, playlist("v1", entry("a", 10, 34), entry("n", 5, 24), entry("b", 0, 9))


def test_a_nested_project_is_laid_out_in_place(desk: Path) -> None:
    save(
        desk,
        playlist("v1", entry("a", 10, 59)),
        playlist("v2", '<blank length="10"/>', entry("b", 60, 79), shotcut__name="V2"),
        tracks='<track producer="v1" hide="audio"/><track producer="v2" hide="video"/>',
        name="inner.mlt",
    )
    film = film_of(save(desk, *nested(desk)))
    assert film.numbers == a(10, 34) + a(15, 34) + b(0, 9)
    assert film.plays(B, range(60, 75), 30)
    assert film.notes == (
        "the hidden picture of the track 'V2' is left out: 'B.mov'",
        "the nested sequence 'inner.mlt' is laid out in place",
    )


def test_nested_projects_that_cannot_be_laid_out_are_said(desk: Path) -> None:
    path = save(desk, *nested(desk))
    film = film_of(path)
    assert film.numbers == a(10, 34) + black(20) + b(0, 9)
    assert film.notes == (
        "the nested project 'inner.mlt' is not there: left out, a gap stays; --search finds it in "
        "another folder",
    )
    save(desk, playlist("v1", entry("a", 10, 59)), name="inner.mlt", rate=30)
    assert film_of(path).notes == (
        "the nested project 'inner.mlt' has another frame rate: left out, a gap stays",
    )
    save(desk, *nested(desk), name="inner.mlt")
    with pytest.raises(TimelineError, match=r"'inner\.mlt' lies in itself"):
        read_timeline(path)
