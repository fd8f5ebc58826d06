"""The options that shape a timeline, as people write them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from document_factory import make_document
from typer.testing import CliRunner, Result

from hlcli.cli import app
from hlcli.errors import LONGEST_MESSAGE, UsageError, shortened
from hlcli.parsing import parse_frame_rate
from hlcli.timeline.build import Layout
from hlcli.timeline.formats import FORMATS, TARGETS
from hlcli.workflows.requests import layout_of

NTSC = Fraction(30000, 1001)


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)), ("25", Fraction(25)), (" 30 ", Fraction(30)),
        ("25.0", Fraction(25)), ("50", Fraction(50)), ("60", Fraction(60)),
        ("23.976", Fraction(24000, 1001)), ("23.98", Fraction(24000, 1001)),
        ("29.97", NTSC), ("29.970", NTSC), ("2997/100", NTSC), ("30000/1001", NTSC),
        ("59.94", Fraction(60000, 1001)), ("60000/1001", Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)), ("120", Fraction(120)),
    ],
)  # fmt: skip
def test_rates_as_people_write_them(text: str, rate: Fraction) -> None:
    assert parse_frame_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "0", "-25", "25 fps", "29,97", "1e9", "1e999999999", "nan", "inf", "30000/0", "26", "1000",
     "1/2/3", "\u0662\u0665", "9" * 5000],
)  # fmt: skip
def test_what_is_no_rate_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_frame_rate(text)
    message = f"--frame-rate: {text!r} is no rate a timeline can have"
    assert error.value.message == shortened(message, LONGEST_MESSAGE)
    assert "23.976, 24, 25, 29.97, 30, " in error.value.hint


def test_nothing_given_is_the_default_layout() -> None:
    assert layout_of() == Layout()
    assert layout_of(
        order="rank",
        markers_only=True,
        track_per_source=True,
        start_timecode="01:00:00;00",
        frame_rate="29.97",
        map_path=["/mnt/footage=Z:\\footage", "\\\\nas\\a=/Volumes/a=b"],
    ) == Layout(
        order="rank",
        markers_only=True,
        track_per_source=True,
        start_timecode="01:00:00;00",
        frame_rate=NTSC,
        path_maps=(("/mnt/footage", "Z:\\footage"), ("\\\\nas\\a", "/Volumes/a=b")),
    )


def test_a_folder_given_from_here_is_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layout = layout_of(map_path=["footage=/Volumes/footage"])
    assert layout.path_maps == ((str(tmp_path / "footage"), "/Volumes/footage"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/mnt/footage", "is not FROM=TO"), ("=Z:\\", "is not FROM=TO"),
        ("/mnt=", "is not FROM=TO"), ("", "is not FROM=TO"), ("/mnt=Z:", "'Z:' is no whole path"),
        ("/mnt=footage", "'footage' is no whole path"),
    ],
)  # fmt: skip
def test_what_is_no_path_map(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        layout_of(map_path=[text])
    assert error.value.message.startswith("--map-path: ")
    assert words in error.value.message


def test_from_the_command_line_to_the_timeline(tmp_path: Path) -> None:
    source, output = tmp_path / "s.json", tmp_path / "x.otio"
    document = make_document(
        path="/mnt/footage/day 1/a.mp4",
        frame_rate=NTSC,
        spans=[(20.02, 22.022), (2.002, 4.004)],
    )
    document.write(source)
    result = export(
        source, "-o", output, "--order", "rank", "--start-timecode", "01:00:00;00",
        "--map-path", "/mnt/footage=Z:\\", "--map-path", "/mnt/other=/x",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        "warning: --map-path: no video lies in /mnt/other",
        f"wrote {output}: 2 moments by tiny 1; DaVinci Resolve wants --for resolve",
    ]
    timeline = otio.adapters.read_from_file(str(output))
    assert timeline.global_start_time == otio.opentime.RationalTime(107892, float(NTSC))
    clips = list(timeline.tracks[0])
    assert [clip.source_range.start_time.value for clip in clips] == [600, 60]
    assert {clip.media_reference.target_url for clip in clips} == {"file:///Z:/day%201/a.mp4"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--frame-rate", "26"), "--frame-rate: '26' is no rate"),
        (("--start-timecode", "1:00"), "--start-timecode: '1:00' is not a timecode"),
        (("--start-timecode", "00:00:00:30"), "is not a timecode at 30 frames a second"),
        (("--map-path", "x"), "--map-path: 'x' is not FROM=TO"),
        (("--order", "best"), "--order"),
        (("--for", "vegas"), "--for: 'vegas' is unknown"),
        (("--for", "avid"), "it does not read OpenTimelineIO"),
    ],
)
def test_bad_values_write_nothing(tmp_path: Path, options: tuple[str, str], words: str) -> None:
    make_document(spans=[(2.0, 4.0)]).write(tmp_path / "s.json")
    result = export(tmp_path / "s.json", "-o", tmp_path / "x.otio", *options)
    assert result.exit_code == 2, result.stderr
    assert words in result.stderr
    assert not (tmp_path / "x.otio").exists()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Resolve davinci DaVinci-Resolve DAVINCI_RESOLVE", "resolve"),
        ("Premiere PremierePro ppro adobe", "premiere"),
        ("fcp FCPX final-cut FinalCutPro", "finalcut"),
        ("AVID mediacomposer", "avid"),
        ("Kdenlive", "kdenlive"),
        ("ShotCut", "shotcut"),
        ("generic otio", "generic"),
    ],
)
def test_programs_are_understood_as_people_call_them(tmp_path: Path, words: str, name: str) -> None:
    make_document(spans=[(2.0, 4.0)], audio=False).write(tmp_path / "s.json")
    output = tmp_path / f"x{TARGETS[name].suffix}"
    assert export(tmp_path / "s.json", "-o", output, "--for", name).exit_code == 0
    wanted = output.read_bytes()
    for word in words.split():
        output.unlink()
        result = export(tmp_path / "s.json", "-o", output, "--for", word)
        assert result.exit_code == 0, result.stderr
        if name != "avid":  # Its files have the time of writing in them.
            assert output.read_bytes() == wanted
    # As a title, with spaces; the name of the file says the program as hl calls it.
    folder = tmp_path / "cuts"
    folder.mkdir()
    result = export(tmp_path / "s.json", "-o", folder, "--for", TARGETS[name].title, "--for", name)
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in folder.iterdir()] == [f"match{TARGETS[name].suffix}"]


def test_a_slip_in_a_program_is_put_right(tmp_path: Path) -> None:
    make_document(spans=[(2.0, 4.0)]).write(tmp_path / "s.json")
    result = export(tmp_path / "s.json", "-o", tmp_path / "x.otio", "--for", "reslove")
    assert result.exit_code == 2
    assert "hint: did you mean resolve? use one of generic, resolve, " in result.stderr


def test_help_and_the_table_name_every_format_and_program() -> None:
    output_help = flat(export("--help").stdout).partition("--output FILE ")[2].partition(" --")[0]
    table = export("--list-formats").stdout
    for suffix in FORMATS:
        assert suffix in output_help
        assert f"\n {suffix} " in f"\n {table}".replace("\n", "\n ").replace("\n  ", "\n ")
    for target in TARGETS.values():
        assert target.name in table
        assert target.title in table
    (resolve,) = [line for line in table.splitlines() if line.startswith(" resolve ")]
    assert resolve.split()[-4:] == [".otio,", ".xml,", ".fcpxml,", ".edl"]


def test_a_name_too_long_for_the_system_is_no_bug(tmp_path: Path) -> None:
    make_document(spans=[(2.0, 4.0)]).write(tmp_path / "s.json")
    long = tmp_path / ("a" * 300)
    result = export(tmp_path / "s.json", "-o", f"{long}.otio")
    assert (result.exit_code, "cannot write" in result.stderr) == (6, True)
    result = export(f"{long}.mp4", "-o", tmp_path / "x.otio")
    assert (result.exit_code, "cannot use" in result.stderr) == (3, True)
    assert "bug" not in result.stderr
