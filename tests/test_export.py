"""`hl export` and the options it shares with `hl score`."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import opentimelineio as otio
import pytest
from document_factory import make_document
from typer.testing import CliRunner, Result

from hlcli import scores_cache
from hlcli.cli import app
from hlcli.document import read_documents, write_documents
from hlcli.errors import UsageError
from hlcli.media.identity import content_identity
from hlcli.moments import Selection
from hlcli.parsing import parse_duration
from hlcli.workflows.requests import selection_of

ROOT = Path(__file__).parents[1]


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def kept_seconds(path: Path) -> float:
    timeline = otio.adapters.read_from_file(str(path))
    return float(sum(clip.source_range.duration.to_seconds() for clip in timeline.tracks[0]))


def make_video(path: Path, content: bytes = b"moving pictures") -> Path:
    # Export looks at the bytes only: it must not decode.
    path.write_bytes(content)
    return path


def store(path: Path, **changes: object) -> None:
    document = make_document(path="/old/place.mp4", identity=content_identity(path), **changes)
    scores_cache.put(document.with_moments([]))


# Durations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("1m30s", 90), ("1:30", 90), ("90", 90), ("1.5min", 90), ("500ms", 0.5),
        ("0:01:30", 90), ("1h 2m 3s", 3723), ("2 S", 2), (" .5 ", 0.5), ("90:00", 5400),
        ("1:02.5", 62.5), ("1m500ms", 60.5),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, option="--x") == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "-3", "1:75", "1:75:00", "3s1h", "1s2s", "5x", "2mins", "nan", "inf", "1e3", "1 2",
     "1.5.2", "s", "\u0663s"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_duration(text, option="--handles")
    assert error.value.message == f"--handles: {text!r} is not a duration"
    assert "90s, 1m30s, 1:30, 1.5min or 500ms" in error.value.hint


def test_options_become_a_selection() -> None:
    assert selection_of() is None
    assert selection_of(
        target_duration="1:30", min_duration="1s", max_duration="1m", handles="250ms"
    ) == Selection(
        target_duration_seconds=90,
        min_duration_seconds=1,
        max_duration_seconds=60,
        handles_seconds=0.25,
    )


# From documents ------------------------------------------------------------------------------


def test_document_to_timeline_table_and_document(tmp_path: Path) -> None:
    source = tmp_path / "scores.json"
    make_document().write(source)
    outputs = [tmp_path / name for name in ("x.otio", "x.csv", "x.json")]
    result = export(
        source, "-o", outputs[0], "-o", outputs[1], "-o", outputs[2], "--target-duration", "12s"
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    words = [line.split()[0] for line in result.stderr.splitlines()]
    assert words == ["warning:"] + ["wrote"] * 3
    assert "/footage/match.mp4 is not there" in result.stderr
    assert kept_seconds(outputs[0]) == pytest.approx(12, abs=0.2)
    [document] = read_documents(outputs[2])
    assert sum(m.duration_seconds for m in document.moments) == pytest.approx(12, abs=1e-5)
    assert len(outputs[1].read_text().splitlines()) == 1 + len(document.moments)


def test_document_keeps_its_moments_unless_asked(tmp_path: Path) -> None:
    source = tmp_path / "scores.json"
    make_document(spans=[(1.0, 3.5)]).write(source)
    assert export(source, "-o", tmp_path / "x.otio", "-q").exit_code == 0
    assert kept_seconds(tmp_path / "x.otio") == 2.5
    assert export(source, "-o", tmp_path / "x.otio", "--top", 2).exit_code == 0
    assert kept_seconds(tmp_path / "x.otio") > 2.5


def test_list_of_documents_and_patterns(tmp_path: Path) -> None:
    documents = [make_document(path=f"/{name}.mp4", spans=[(1.0, 3.0)]) for name in "abc"]
    first = json.loads(documents[0].to_text())
    second = json.loads(documents[1].to_text())
    (tmp_path / "1.json").write_text(json.dumps([first, second]))
    documents[2].write(tmp_path / "2.json")
    assert export(f"{tmp_path}/*.json", "-o", tmp_path / "x.otio").exit_code == 0
    timeline = otio.adapters.read_from_file(str(tmp_path / "x.otio"))
    assert [clip.name for clip in timeline.tracks[0]] == ["a.mp4", "b.mp4", "c.mp4"]
    (tmp_path / "out").mkdir()
    assert export(f"{tmp_path}/*.json", "-o", tmp_path / "out").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.otio", "b.otio", "c.otio"]


def test_one_bad_document_among_several(tmp_path: Path) -> None:
    make_document().write(tmp_path / "good.json")
    (tmp_path / "bad.json").write_text("{}")
    result = export(tmp_path / "bad.json", tmp_path / "good.json", "-o", tmp_path / "x.otio")
    assert result.exit_code == 3
    assert f"error: {tmp_path / 'bad.json'}: schema is missing" in result.stderr
    assert "hint: make it anew with `hl score" in result.stderr
    assert kept_seconds(tmp_path / "x.otio") > 0


def test_one_output_that_fails_does_not_stop_those_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "timelines"
    folder.mkdir()
    flat = [0.0] * 60
    documents = [
        make_document(path="/a/dull.mp4", scores=flat),
        make_document(path="/a/match.mp4"),
    ]
    document_file = tmp_path / "both.json"
    write_documents(document_file, documents)
    result = export(document_file, "--threshold", "0.5", "-o", folder, "-o", tmp_path / "x.csv")
    assert result.exit_code == 6
    lines = result.stderr.splitlines()
    assert lines[0].startswith("warning: /a/match.mp4 is not there")
    assert lines[1:] == [
        "error: there is no moment to put on the timeline dull",
        "hint: --top 3 or --target-duration takes the best all the same, a lower --threshold more",
        f"wrote {folder / 'match.otio'}: 6 moments by tiny 1; DaVinci Resolve wants --for resolve",
        f"wrote {tmp_path / 'x.csv'}: 6 moments by tiny 1",
    ]
    assert kept_seconds(folder / "match.otio") > 0
    assert [path.name for path in folder.iterdir()] == ["match.otio"]

    documents[0].write(document_file)
    yields = ("-o", tmp_path / "y.otio", "-o", tmp_path / "y.csv", "-q")
    result = export(document_file, "--threshold", "0.5", *yields)
    assert result.exit_code == 6
    assert len(result.stderr.splitlines()) == 2
    assert not (tmp_path / "y.otio").exists()
    assert (tmp_path / "y.csv").exists()


# From videos ---------------------------------------------------------------------------------


def test_moved_video_is_known_by_its_content(tmp_path: Path) -> None:
    video = make_video(tmp_path / "old name.mp4")
    store(video)
    moved = video.rename(tmp_path / "new #name.mp4")
    result = export(moved, "-o", tmp_path / "x.otio", "--top", 2)
    assert result.exit_code == 0, result.stderr
    timeline = otio.adapters.read_from_file(str(tmp_path / "x.otio"))
    clips = list(timeline.tracks[0])
    assert len(clips) == 2
    assert clips[0].media_reference.target_url.endswith("/new%20%23name.mp4")


def test_video_never_scored(tmp_path: Path) -> None:
    video = make_video(tmp_path / "x.mp4")
    result = export(video, "-o", tmp_path / "x.otio")
    assert result.exit_code == 3
    assert f"error: {video} has not been scored yet" in result.stderr
    assert f"hint: run `hl score {video}` first" in result.stderr
    assert not (tmp_path / "x.otio").exists()


def test_visual_only_needs_scores_by_picture(tmp_path: Path) -> None:
    video = make_video(tmp_path / "x.mp4")
    store(video)
    result = export(video, "-o", tmp_path / "x.otio", "--visual-only")
    assert result.exit_code == 3
    assert "has not been scored yet by its picture alone" in result.stderr
    store(video, audio=0)
    assert export(video, "-o", tmp_path / "x.otio", "--visual-only").exit_code == 0


def test_folder_with_one_unscored_video(tmp_path: Path) -> None:
    for name in ("2", "10"):
        store(make_video(tmp_path / f"{name}.mp4", name.encode()), spans=None)
    make_video(tmp_path / "3.mp4", b"new")
    result = export(tmp_path, "-o", tmp_path / "x.otio", "--top", 1)
    assert result.exit_code == 3
    assert "3.mp4 has not been scored yet" in result.stderr
    timeline = otio.adapters.read_from_file(str(tmp_path / "x.otio"))
    assert [clip.name for clip in timeline.tracks[0]] == ["2.mp4", "10.mp4"]


def test_missing_input(tmp_path: Path) -> None:
    assert export(tmp_path / "no.mp4", "-o", tmp_path / "x.otio").exit_code == 3
    assert export(tmp_path / "no.json", "-o", tmp_path / "x.otio").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "there is nothing to write"),
        (["-o", "x.mp4"], 2, "the extension .mp4 is unknown"),
        (["-o", "missing/x.otio"], 6, "the folder missing does not exist"),
        (["-o", "x.otio", "--top", "0"], 2, "--top must be at least 1, got 0"),
        (["-o", "x.otio", "--top", "1", "--threshold", "0.5"], 2, "exclude each other"),
        (["-o", "x.otio", "--threshold", "1.5"], 2, "between 0 and 1"),
        (["-o", "x.otio", "--handles", "soon"], 2, "--handles: 'soon' is not a duration"),
        (["-o", "x.otio", "--min-duration", "30s"], 2, "is longer than --max-duration 20 s"),
        (["-o", "x.otio", "--threshold", "0.99"], 6, "no moment to put on the timeline"),
    ],
)
def test_wrong_command_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_document().write(Path("scores.json"))
    result = export("scores.json", *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert "hint: " in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_unknown_model_is_named(tmp_path: Path) -> None:
    make_document().write(tmp_path / "scores.json")
    result = export(tmp_path / "scores.json", "-o", tmp_path / "x.otio", "--model", "nosuch")
    assert result.exit_code == 4
    assert "nosuch" in result.stderr


def test_nothing_heavy_is_loaded_for_a_document(tmp_path: Path) -> None:
    make_document().write(tmp_path / "scores.json")
    code = (
        "import sys\n"
        "from hlcli.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print(sorted({'torch', 'av', 'safetensors', 'scipy', 'numpy'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "export", tmp_path / "scores.json", "-o", tmp_path / "x.otio"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert result.stdout.strip() == "['numpy']"
    assert (tmp_path / "x.otio").exists()


# What people meet ------------------------------------------------------------------------------


def test_the_scores_that_were_shown_last_are_taken_and_named(tmp_path: Path) -> None:
    video = make_video(tmp_path / "match.mp4")
    for name, sha256 in (("first", "1" * 64), ("second", "2" * 64)):
        document = make_document(identity=content_identity(video), model_sha256=sha256)
        model = dataclasses.replace(document.model, name=name)
        scores_cache.put(dataclasses.replace(document, model=model))

    def exported() -> str:
        result = export(video, "-o", tmp_path / "x.csv")
        assert result.exit_code == 0, result.stderr
        return result.stderr

    assert exported() == f"wrote {tmp_path / 'x.csv'}: 2 moments by second 1\n"
    # Scores that are stored are shown again: `hl score` does just this.
    assert scores_cache.find(content_identity(video), "1" * 64, "va", renew=True) is not None
    assert exported() == f"wrote {tmp_path / 'x.csv'}: 2 moments by first 1\n"
    # Looking for scores without showing them changes nothing.
    assert scores_cache.find(content_identity(video), "2" * 64, "va") is not None
    assert exported().endswith(" by first 1\n")


def test_a_slash_makes_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_document().write(Path("scores.json"))
    programs = ("--for", "resolve", "--for", "premiere")
    result = export("scores.json", "-o", "cuts/day 1/", *programs)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in Path("cuts/day 1").iterdir()) == [
        "match.premiere.otio",
        "match.resolve.otio",
    ]
    # Without the slash it might be a slip in a file's name: the way is said, nothing is made.
    result = export("scores.json", "-o", "other", *programs)
    assert (result.exit_code, "hint: name a folder, as other/:" in result.stderr) == (2, True)
    # A wrong program makes no folder either.
    assert export("scores.json", "-o", "wrong/", "--for", "vegas").exit_code == 2
    Path("file").write_text("")
    result = export("scores.json", "-o", "file/cuts/")
    assert (result.exit_code, "cannot make the folder file/cuts" in result.stderr) == (6, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cuts", "file", "scores.json"]


def test_a_target_longer_than_the_video_is_said(tmp_path: Path) -> None:
    make_document().write(tmp_path / "scores.json")
    result = export(tmp_path / "scores.json", "-o", tmp_path / "x.csv", "--target-duration", "2h")
    assert result.exit_code == 0
    assert (
        "match.mp4 is 60.0 s long, shorter than the target of 7200 s: all of it is kept\n"
        in result.stderr
    )
    result = export(tmp_path / "scores.json", "-o", tmp_path / "x.csv", "--target-duration", "50s")
    assert "shorter than" not in result.stderr


def test_a_film_is_made_by_other_commands(tmp_path: Path) -> None:
    make_document().write(tmp_path / "scores.json")
    result = export(tmp_path / "scores.json", "-o", tmp_path / "reel.mp4")
    assert result.exit_code == 2
    assert "hint: `hl score VIDEO -o reel.mp4` makes a film and its timeline" in result.stderr
