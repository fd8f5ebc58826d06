"""One file costs that file only, whatever goes wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cli_runner import hl

from hlcli.document import read_documents
from hlcli.errors import DeviceError
from hlcli.features.extract import extract_features
from hlcli.features.types import VideoFeatures
from hlcli.media.probe import MediaInfo, probe
from tests.media_factory import AudioTrack, click_track, make_video

ERRORS = [
    IndexError("tuple index out of range"),
    MemoryError(),
    ZeroDivisionError("division by zero"),
    RecursionError("maximum recursion depth exceeded"),
]


def failing(error: BaseException) -> Callable[[Path], MediaInfo]:
    """Return a `probe` for which one file is a bug."""

    def look(path: Path) -> MediaInfo:
        if path.name == "b.mp4":
            raise error
        return probe(path)

    return look


def test_a_device_that_is_full(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def extract(info: MediaInfo, **settings: Any) -> VideoFeatures:
        if info.path.name == "b.mp4":
            raise DeviceError("out of memory on cuda:0", hint="take --device cpu")
        return extract_features(info, **settings)

    monkeypatch.setattr("hlcli.features.extract.extract_features", extract)
    output = tmp_path / "out.json"
    result = hl("score", clips, "-o", output)
    assert result.exit_code == 5
    assert [Path(one.video.path).name for one in read_documents(output)] == ["a.mp4", "c.mp4"]
    assert f"error: {clips / 'b.mp4'}: out of memory on cuda:0" in result.stderr


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, name in enumerate("abc"):
        make_video(folder, name=f"{name}.mp4", num_frames=50, first_number=100 * number)
    return folder


def check_words(stderr: str, error: Exception) -> None:
    assert "b.mp4" in stderr
    if isinstance(error, MemoryError):
        assert "out of memory" in stderr
    else:
        assert f"unexpected: {type(error).__name__}: {error}" in stderr
        assert "this is a bug in hl" in stderr
        assert "HL_DEBUG=1" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_score(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("hlcli.workflows.score.probe", failing(error))
    output = tmp_path / "out.json"
    result = hl("score", clips, "-o", output)
    assert result.exit_code == 1
    assert [Path(one.video.path).name for one in read_documents(output)] == ["a.mp4", "c.mp4"]
    check_words(result.stderr, error)
    assert "2 of 3 videos were scored" in result.stderr


def test_ctrl_c_still_ends_the_batch(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.workflows.score.probe", failing(KeyboardInterrupt()))
    result = hl("score", clips, "-o", tmp_path / "out.json")
    assert result.exit_code == 130
    assert not (tmp_path / "out.json").exists()


def test_with_a_traceback_for_those_who_ask(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_DEBUG", "1")
    monkeypatch.setattr("hlcli.workflows.score.probe", failing(ERRORS[0]))
    result = hl("score", clips, "--json")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "in look" in result.stderr


def test_what_concerns_every_file_is_said_once_and_stored_scores_are_used_all_the_same(
    tmp_path: Path, clips: Path
) -> None:
    assert hl("score", clips / "c.mp4", "-q").exit_code == 0
    output = tmp_path / "out.json"
    result = hl("score", clips, "-o", output, "--device", "cuda:77")
    assert result.exit_code == 5
    assert result.stderr.count("error:") == 1
    assert [Path(one.video.path).name for one in read_documents(output)] == ["c.mp4"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number, name in enumerate("abcd"):
        sound = AudioTrack(click_track(10, (1.0 + number, 6.0)))
        make_video(
            folder,
            name=f"{name}.mp4",
            num_frames=100,
            rate=Fraction(10),
            first_number=300 * number,
            audio=(sound,),
        )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("shards", [False, True])
def test_train(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, shards: bool) -> None:
    monkeypatch.setattr("hlcli.training.extraction.probe", failing(ERRORS[0]))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'kind = "subspace"\nname = "x"\noutput = "{tmp_path}/run"\n[data]\n'
        f'folders = ["{corpus}"]\n' + (f'shards = "{tmp_path}/shards"\n' if shards else "")
    )
    result = hl("train", recipe, "--device", "cpu")
    check_words(result.stderr, ERRORS[0])
    assert "1 of 4 videos could not be read" in result.stderr
    # What comes after is not asked: so few clips are too much alike to learn from.
    assert "learning from 3 videos" in result.stderr


@pytest.mark.slow
def test_finetune(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlcli.tuning.footage.probe", failing(ERRORS[0]))
    marks = tmp_path / "marks.csv"
    marks.write_text("file,start,end,label\na.mp4,0,4,keep\nc.mp4,0,4,keep\na.mp4,4,8,drop\n")
    result = hl("finetune", corpus, "--name", "mine", "--labels", marks, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    check_words(result.stderr, ERRORS[0])
    assert hl("models", "list").stdout.count("mine") == 1
