"""A folder into which videos arrive: scored when they have settled, once, whatever dies."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_runner import hl

from hlcli.errors import OutputError
from hlcli.progress import Listener
from hlcli.workflows.score import Pipeline
from hlcli.workflows.watch import FolderWatch
from tests.media_factory import make_video


class Said(Listener):
    def __init__(self) -> None:
        self.begun: list[str] = []
        self.problems: list[str] = []

    def begins(self, path: Path, number: int, count: int) -> None:
        self.begun.append(path.name)

    def problem(self, error: Exception) -> None:
        self.problems.append(str(error))


def look(folder: Path, output: Path, said: Said, *, settle_seconds: float = 0.0) -> FolderWatch:
    return FolderWatch(folder, output, Pipeline(), settle_seconds=settle_seconds, on=said)


def test_what_arrives_is_scored_once_and_survives_a_restart(tmp_path: Path) -> None:
    incoming, output, said = tmp_path / "incoming", tmp_path / "cuts", Said()
    (incoming / "card").mkdir(parents=True)
    make_video(incoming, name="a.mp4")
    with contextlib.closing(look(incoming, output, said)) as watched:
        with pytest.raises(OutputError, match="another hl watch writes into"):
            look(incoming, output, said)
        watched.list_folder()
        assert not watched.score_settled()
        make_video(incoming / "card", name="a.mp4", first_number=200)
        make_video(incoming, name="a.mkv", first_number=300)
        (incoming / "bad.mp4").write_text("no video")
        watched.list_folder()
        watched.score_settled()
        watched.list_folder()
        watched.score_settled()
    # In the folders of the videos; the second of one name beside the first.
    assert said.begun[0] == "a.mp4"
    assert sorted(said.begun) == ["a.mkv", "a.mp4", "a.mp4", "bad.mp4"]
    assert len(said.problems) == 1
    written = {path.relative_to(output).as_posix() for path in output.rglob("*.otio")}
    assert written == {"a.otio", "a-2.otio", "card/a.otio"}
    # What an editor made of it stays, and nothing is begun again but what failed.
    (output / "a.otio").write_text("edited")
    again = Said()
    with contextlib.closing(look(incoming, output, again)) as watched:
        watched.list_folder()
        watched.score_settled()
    assert again.begun == ["bad.mp4"]
    assert (output / "a.otio").read_text() == "edited"
    # Another content is another video, and the edited timeline is kept.
    make_video(incoming, name="a.mp4", first_number=900)
    with contextlib.closing(look(incoming, output, again)) as watched:
        watched.list_folder()
        watched.score_settled()
    assert (output / "a.otio").read_text() != "edited"
    (kept,) = output.glob("*backup-1*")
    assert kept.read_text() == "edited"


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    incoming, said = tmp_path / "incoming", Said()
    incoming.mkdir()
    whole = make_video(tmp_path, name="whole.mp4").read_bytes()
    growing = incoming / "growing.mp4"
    growing.write_bytes(whole[: len(whole) // 2])
    with contextlib.closing(look(incoming, tmp_path / "cuts", said, settle_seconds=0.5)) as watched:
        watched.list_folder()
        assert watched.score_settled()
        growing.write_bytes(whole)
        assert watched.score_settled()  # It has changed: it is waited for anew.
        assert said.begun == []
        while watched.score_settled():
            time.sleep(0.05)
    assert (said.begun, said.problems) == (["growing.mp4"], [])


def test_the_command(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles", reason="the extra watch is not installed")
    incoming, output = tmp_path / "incoming", tmp_path / "cuts"
    incoming.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "hlcli", "watch", incoming, "-o", output, "--settle", "0.2s"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("watching ")
    make_video(incoming, name="a.mp4")
    assert "wrote " in process.stderr.readline()
    process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (output / "a.otio").exists()
    if sys.platform != "win32":
        assert process.returncode == 130, stderr
    result = hl("watch", incoming, "-o", output, "--once", "--settle", "0.1s")
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere", "-o", "cuts"], 3, "there is no folder"),
        (["incoming", "-o", "cuts", "--settle", "soon"], 2, "--settle"),
        (["incoming", "-o", "cuts", "--for", "nothing"], 2, "--for"),
        (["incoming", "-o", "file"], 6, "cannot make the folder"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "incoming").mkdir()
    (tmp_path / "file").write_text("")
    result = hl("watch", *words, "--once")
    assert result.exit_code == code, result.stderr
    assert said in result.stderr
    monkeypatch.setattr("hlcli.workflows.watch.find_spec", lambda name: None)
    without = hl("watch", "incoming", "-o", "cuts")
    assert without.exit_code == 2
    assert 'pip install "hlcli[watch]"' in without.stderr
