"""Edit decision lists as Premiere Pro, Resolve, Avid and Shotcut write them."""

from __future__ import annotations

import unicodedata
from fractions import Fraction
from pathlib import Path

import pytest
from foreign_desk import A, B, a, b, black, film_of, make_desk
from numbered_footage import Footage, make_footage
from render_factory import cuts, source_of

from hlcli.errors import TimelineError
from hlcli.timeline.formats import edl
from hlcli.timeline.read import read_timeline

NORMAL = "it plays at normal speed from the same first frame, as long as it lay on the timeline"


def label(frame: int, base: int = 25, hour: int = 0) -> str:
    return f"{hour:02d}:00:{frame // base:02d}:{frame % base:02d}"


def event(
    number: int, first: int, start: int, count: int, *, name: str = "A.mov", code: str = "V",
    kind: str = "C", reel: str = "AX", source_count: int | None = None, base: int = 25,
) -> str:  # fmt: skip
    stops = first + (count if source_count is None else source_count), start + count
    labels = f"{label(first, base)} {label(stops[0], base)}"
    labels += f" {label(start, base, 1)} {label(stops[1], base, 1)}"
    comment = f"* FROM CLIP NAME: {name}\n" if name else ""
    return f"{number:03d}  {reel:8} {code:5} {kind:8} {labels}\n{comment}"


def save(folder: Path, *events: str, head: str = "TITLE: x\nFCM: NON-DROP FRAME\n\n") -> Path:
    path = folder / "other.edl"
    path.write_text(head + "".join(events), "utf-8")
    return path


def test_sound_beyond_the_second_channel_in_an_event_of_its_own(tmp_path: Path) -> None:
    """Premiere: channel NONE, and a line that names the others."""
    four = Footage(name="Q.mov", num_sounds=4, channels=1)
    make_desk(tmp_path, four)
    film = film_of(
        save(
            tmp_path,
            event(1, 10, 0, 25, name="Q.mov"),
            event(2, 10, 0, 25, name="Q.mov", code="AA"),
            event(3, 10, 0, 25, name="Q.mov", code="NONE") + "AUD  3    4\n",
            event(4, 50, 25, 25, name="Q.mov"),
            event(5, 50, 25, 25, name="Q.mov", code="AA"),
        )
    )
    assert film.numbers == a(10, 34) + a(50, 74)
    heard = [
        [film.plays(four, source, at, track=track) for track in range(4)]
        for source, at in ((range(10, 35), 0), (range(50, 75), 25))
    ]
    assert heard == [[True] * 4, [True, True, False, False]]
    assert film.notes == ()


@pytest.mark.parametrize("source_count", [25, 50], ids=["Resolve", "Avid"])
def test_speeds(tmp_path: Path, source_count: int) -> None:
    make_desk(tmp_path)
    speed = "M2   AX             {}                00:00:00:00\n"
    film = film_of(
        save(
            tmp_path,
            event(1, 10, 0, 25),
            event(2, 0, 25, 25, name="B.mov", source_count=source_count) + speed.format("050.0"),
            event(3, 30, 50, 25, name="B.mov") + speed.format("-025.0"),
            event(4, 30, 75, 25, name="B.mov") + speed.format("000.0"),
            event(5, 30, 100, 25, name="B.mov") + speed.format("025.0"),
        )
    )
    assert film.numbers == a(10, 34) + b(0, 24) + black(50) + b(30, 54)
    assert film.notes == (
        f"'B.mov' runs at 2 times the speed: {NORMAL}",
        "'B.mov' plays backwards: left out, a gap stays",
        "'B.mov' is a frozen frame: left out, a gap stays",
    )


def test_lengths_that_differ_are_a_speed(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(save(tmp_path, event(1, 10, 0, 25, source_count=75), event(2, 0, 25, 25)))
    assert film.numbers == a(10, 34) + a(0, 24)
    assert film.notes == (f"'A.mov' runs at 3 times the speed: {NORMAL}",)


def test_a_clip_of_one_frame_before_a_dissolve(tmp_path: Path) -> None:
    """Shotcut: each line has a name of its own, and a heading stands between."""
    make_desk(tmp_path)
    film = film_of(
        save(
            tmp_path,
            " === playlist0 === \n\n",
            event(1, 0, 0, 25, code="AA/V"),
            event(2, 25, 25, 1, code="AA/V"),
            event(2, 0, 26, 10, name="B.mov", code="AA/V", kind="D    010"),
            event(3, 10, 36, 40, name="B.mov", code="AA/V"),
        )
    )
    assert film.numbers == a(0, 25) + b(0, 49)
    assert film.plays(A, range(0, 26), 0)
    assert film.plays(B, range(0, 50), 26)


def test_a_dissolve_with_both_names_below_it(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        save(
            tmp_path,
            event(1, 0, 0, 25),
            event(2, 25, 25, 0, name=""),
            event(2, 40, 25, 25, kind="D    010") + "* TO CLIP NAME: B.mov\n",
        )
    )
    assert film.numbers == a(0, 24) + b(40, 64)
    assert film.notes == ("1 transition became plain cuts at the edit points",)


def test_black_keys_and_events_on_one_another(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        save(
            tmp_path,
            event(1, 0, 0, 30),
            event(2, 40, 20, 20, name="B.mov"),
            event(3, 0, 40, 10, reel="BL", name=""),
            event(4, 10, 50, 10, kind="K"),
            event(5, 70, 60, 10, name="B.mov", code="V2"),
        )
    )
    assert film.numbers == a(0, 19) + b(40, 59) + black(20) + b(70, 79)
    assert film.notes == (
        "event 004 is a key over the picture: left out",
        "event 002 lies on event 001: the earlier one ends there",
    )


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    make_desk(tmp_path)
    broken = "002  AX  V  C  00:00:00:00 00:00:01:00 01:00:01:00\n"
    with pytest.raises(TimelineError, match=r"line 6 is no event of a CMX 3600 list: '002  AX"):
        read_timeline(save(tmp_path, event(1, 0, 0, 25), broken))


@pytest.mark.parametrize("is_first", [True, False])
def test_the_rate_is_that_at_which_the_labels_count(tmp_path: Path, is_first: bool) -> None:
    fast = Footage(name="S.mov", rate=Fraction(50))
    make_desk(tmp_path, fast, A)
    events = [("S.mov", 12, 37), ("A.mov", 37, 37), ("S.mov", 0, 24), ("A.mov", 5, 9)]
    at, lines = 0, []
    for number, (name, first, count) in enumerate(events if is_first else events[1:], start=1):
        lines.append(event(number, first, at, count, name=name))
        at += count
    made = read_timeline(save(tmp_path, *lines))
    assert made.edit.frame_rate == 25
    assert [note[:50] for note in made.notes] == [
        "the list does not say its rate, and its media has "
    ]
    places = {event.source.name: event.frames for event in made.edit.events[-2:]}
    assert places == {"S.mov": range(0, 48), "A.mov": range(5, 14)}


def test_labels_beyond_the_slower_rate_are_those_of_the_faster(tmp_path: Path) -> None:
    make_desk(tmp_path, Footage(name="S.mov", rate=Fraction(50)), A)
    made = read_timeline(
        save(tmp_path, event(1, 0, 0, 30), event(2, 31, 30, 40, name="S.mov", base=50))
    )
    assert made.edit.frame_rate == 50


def test_a_list_of_half_the_rate_of_all_its_media(tmp_path: Path) -> None:
    make_desk(tmp_path, Footage(name="S.mov", rate=Fraction(50)))
    lines, at = [], 0
    for number in range(1, 9):
        lines.append(event(number, 3 * number, at, 20 + number, name="S.mov"))
        at += 20 + number
    made = read_timeline(save(tmp_path, *lines))
    assert made.edit.frame_rate == 25
    assert made.edit.events[0].frames == range(6, 48)
    assert made.notes[0].startswith("the list does not say its rate: read at 25, half that")
    # A list of few labels, or of whole seconds, is as likely that of its media.
    assert read_timeline(save(tmp_path, *lines[:2])).edit.frame_rate == 50


def test_fcm_says_how_labels_without_a_sign_count(tmp_path: Path) -> None:
    ntsc = Fraction(30000, 1001)
    make_desk(tmp_path, Footage(name="N.mov", rate=ntsc, timecode="00:00:00;00"))
    times = "00:00:01:00 00:00:02:00 00:59:59:00 01:00:00:00"
    text = f"001  AX  V  C  {times}\n* FROM CLIP NAME: N.mov\n"
    drop = read_timeline(save(tmp_path, text, head="TITLE: x\nFCM: DROP FRAME\n")).edit
    assert (drop.drop_frame, drop.start_frame) == (True, 107862)
    plain = read_timeline(save(tmp_path, text)).edit
    assert (plain.drop_frame, plain.start_frame) == (False, 107970)


# Names ------------------------------------------------------------------------------------------

ODD = "Stra\u00dfe \u00e4 caf\u00e9 \U0001f3ac.mov"


@pytest.mark.parametrize(
    ("on_disk", "in_list"),
    [
        (unicodedata.normalize("NFD", ODD), ODD),
        (ODD, unicodedata.normalize("NFD", ODD)),
        (ODD, "Stra_e a cafe _.mov"),
        ("A001C003.mov", "A001C003"),
        ("a001c003.MOV", "A001C003.mov"),
        ("a,b;c.mov", "a,b;c.mov"),
    ],
)
def test_media_is_found_by_the_name_a_list_has(tmp_path: Path, on_disk: str, in_list: str) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        make_desk(tmp_path / folder, Footage(name=on_disk))
    (tmp_path / "list").mkdir()
    for folder, search in (("here", None), ("list", tmp_path / "there")):
        path = save(tmp_path / folder, event(1, 10, 0, 25, name=in_list))
        assert film_of(path, search=search).numbers == a(10, 34)


def test_a_list_of_ours_names_files_as_they_are_called(tmp_path: Path) -> None:
    for name in (ODD, "tab\there.mov", " lead.mov", "two\nlines.mov"):
        folder = tmp_path / name[:2].strip()
        folder.mkdir(exist_ok=True)
        source = source_of(make_footage(folder, Footage(name=name)))
        edl.write(cuts([(source, 10, 25)]), folder / "cut.edl")
        assert film_of(folder / "cut.edl").numbers == a(10, 34)
    text = (tmp_path / ODD[:2] / "cut.edl").read_bytes().decode("utf-8")
    assert f"* FROM CLIP NAME: {ODD}\r\n" in text


def test_a_source_file_goes_before_the_name_of_a_clip(tmp_path: Path) -> None:
    make_desk(tmp_path)
    more = "* SOURCE FILE: B.mov\n"
    film = film_of(save(tmp_path, event(1, 10, 0, 25, name="Take 1") + more))
    assert film.numbers == b(10, 34)
