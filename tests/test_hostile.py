"""What an assistant editor with odd files and an engineer with scripts do to `hl`."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import run
from http_servers import WeightsServer, running

import hlcli.__main__ as program
from hlcli.cli.console import progress_bar
from hlcli.cli.show import curve
from hlcli.errors import OutputError
from hlcli.features.store import FeatureStore
from hlcli.progress import Download, counts_bytes
from hlcli.workflows.score import Pipeline
from hlcli.zoo.manifest import find_model
from hlcli.zoo.weights import local_path
from tests.media_factory import make_video

DEMO = Path(__file__).resolve().parents[1] / "docs/demo/big-buck-bunny-excerpt.mp4"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_request_to_end_is_heeded_like_ctrl_c(tmp_path: Path, name: str) -> None:
    output, cache = tmp_path / "out.otio", tmp_path / "cache"
    environment = os.environ | {"HL_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "hlcli", "score", str(DEMO), "-o", str(output)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # The remembered hashes of the weights are the first thing written: decoding starts after.
    deadline = time.monotonic() + 60
    while not cache.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(getattr(signal, name))
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, ""), stderr
    assert stderr == "stopped; what was finished is kept, run the same command to go on\n"
    assert not output.exists()
    assert not list(tmp_path.rglob("*.part"))


SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"]


def ended_by(folder: Path, program: str) -> tuple[int, str]:
    """Run `hl` with `program` in the place of its command line; returns exit code and stderr."""
    text = (
        "import atexit, os, signal, sys, threading, time\n"
        "import hlcli.__main__, hlcli.cli\n"
        "def ask(name):\n"
        "    os.kill(os.getpid(), getattr(signal, name))\n"
        f"def run():\n{textwrap.indent(program, '    ')}\n"
        "hlcli.cli.main = run\n"
        "hlcli.__main__.main()\n"
    )
    # With -m, as `python -m hlcli`: Python ends a file and a text of -c in another way.
    (folder / "stopped_program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "stopped_program"],
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("name", SIGNALS)
def test_asked_to_end_in_code_that_is_made_on_the_spot(tmp_path: Path, name: str) -> None:
    # As dataclasses and torch do while they are imported: Python remembers a plain
    # KeyboardInterrupt that leaves such code, and ends itself by SIGINT when all is done.
    program = f'exec("ask({name!r})\\ntime.sleep(30)", globals())'
    assert ended_by(tmp_path, program) == (130, "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("name", SIGNALS)
def test_asked_to_end_when_the_work_is_done(tmp_path: Path, name: str) -> None:
    # While Python takes itself apart: after all that was registered to be done at the end.
    late = f"import hlcli\nclass Late:\n    def __del__(self, ask=ask): ask({name!r})\n"
    assert ended_by(tmp_path, late + "hlcli.late = Late()") == (0, "")
    # While threads are waited for, which may be for ever.
    waiting = f"threading.Thread(target=lambda: (time.sleep(0.2), ask({name!r}), time.sleep(30)))"
    assert ended_by(tmp_path, waiting + ".start()") == (130, "")


@pytest.fixture
def signals_restored() -> Iterator[None]:
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_restored")
def test_ctrl_c_while_the_program_loads_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hlcli.cli.main", interrupted)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 130


def test_footage_is_never_overwritten(tmp_path: Path) -> None:
    video = make_video(tmp_path).rename(tmp_path / "footage.csv")
    before = video.read_bytes()
    os.link(video, tmp_path / "link.json")
    for output in (video, tmp_path / "link.json"):
        for command in ("score", "export"):
            code, stdout, stderr = run(command, video, "-o", output)
            assert (code, stdout) == (2, ""), stderr
            assert "is one of the videos" in stderr
    assert video.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_control_codes_in_a_name_never_reach_the_terminal(tmp_path: Path) -> None:
    video = make_video(tmp_path).rename(tmp_path / "a\n\x1b[2J\x07.mp4")
    code, stdout, stderr = run("score", video, "-o", tmp_path)
    assert code == 0
    assert stdout.startswith("a??[2J?.mp4  0:02")
    assert f"wrote {tmp_path}/a??[2J?.otio: " in stderr
    video.write_text("no video")
    code, _, stderr = run("score", video)
    assert (code, len(stderr.splitlines())) == (3, 2)
    assert "\x1b" not in stderr


def test_features_that_cannot_be_stored_are_a_warning_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(FeatureStore, "put", full)
    video = make_video(tmp_path)
    code, stdout, stderr = run("score", video)
    assert code == 0
    assert f"warning: features of {video} are not stored: the disk is full\n" in stderr
    assert "\n1 moment, 0:02 in all; little stands out of this video\n" in stdout


def test_a_full_disk_for_the_cache_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    video = make_video(tmp_path)
    assert run("models", "verify", "subspace")[0] == 0
    monkeypatch.setattr(os, "fsync", full)
    code, stdout, stderr = run("score", video)
    assert code == 0
    assert "\n1 moment, 0:02 in all; little stands out of this video\n" in stdout
    warnings = [line for line in stderr.splitlines() if line.startswith("warning: ")]
    kinds = [line.split(" of ")[0] for line in warnings]
    assert kinds == ["warning: features", "warning: scores"]
    for line in warnings:
        assert f"{video} are not stored: the disk is full: cannot write" in line
        assert line.count("not stored") + line.count("not cached") == 1


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.0, 0.05, 0.1], " ▄█"),
        ([0.1, 0.49], "▁█"),
        ([0.1, 0.5], " ▄"),
        ([0.0, 1.0], " █"),
        ([0.0, 0.0], "  "),
    ],
)
def test_a_calm_curve_is_drawn_to_its_own_scale(
    scores: list[float], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.cli.show._can_show", lambda characters: True)
    assert str(curve(scores, [], duration_seconds=len(scores), columns=80)) == expected


def test_a_download_counts_bytes_and_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("rich.progress.Task.elapsed", 2.0)
    with progress_bar(quiet=False, counts_video_seconds=True) as report:
        report(Download("downloading far"), 1 << 20, 4 << 20)
        report(Download("downloading far"), 2 << 20, 4 << 20)
    assert "2.0 of 4.0 MiB" in screen.getvalue()
    assert "real time" not in screen.getvalue()
    # A video may be called like that.
    with progress_bar(quiet=False, counts_video_seconds=True) as report:
        report("downloading trip.mp4: looking", 1 << 20, 4 << 20)
        report("downloading trip.mp4: looking", 2 << 20, 4 << 20)
    assert screen.getvalue().count("MiB") == screen.getvalue().count("of 4.0 MiB")
    assert "real time" in screen.getvalue()


def test_scoring_says_how_far_the_download_of_its_model_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = find_model("subspace")
    data = local_path(bundled).read_bytes()
    reports: list[tuple[str, float, float]] = []
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HL_MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    with running(WeightsServer(data)) as server:
        pipeline = Pipeline(model_name="subspace")
        pipeline.manifest = dataclasses.replace(
            bundled, name="far", file=None, golden=None, url=server.url()
        )
        pipeline.score(make_video(tmp_path), progress=lambda *report: reports.append(report))
    fetched = [report for report in reports if counts_bytes(report[0])]
    assert fetched[-1][1:] == (len(data), len(data))
    assert {report[2] for report in reports if not counts_bytes(report[0])} == {2}


def test_speed_is_told_only_where_seconds_of_video_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for counts, expected in ((True, True), (False, False)):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setattr("rich.progress.Task.elapsed", 2.0)
        with progress_bar(quiet=False, counts_video_seconds=counts) as report:
            report("stage", 10, 100)
            report("stage", 40, 100)
        assert "stage" in screen.getvalue()
        assert ("20x real time" in screen.getvalue()) is expected


def test_only_our_own_log_reaches_the_user() -> None:
    code = (
        "import logging\n"
        "from hlcli.cli.console import log_to_console\n"
        "with log_to_console():\n"
        "    logging.getLogger('torch').warning('chatter')\n"
        "    logging.getLogger('hlcli.workflows.score').info('detail')\n"
        "    logging.getLogger('hlcli.workflows.score').warning('%s is full', 'the disk')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stderr.decode().splitlines() == ["warning: the disk is full"]


@pytest.mark.parametrize(
    "words", [(), ("score",), ("export",), ("train",), ("eval",), ("doctor",), ("models", "pull")]
)
def test_help_fits_a_terminal(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, stdout, _ = run(*words, "--help")
    assert code == 0
    lines = stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert stdout.startswith(("Usage: root", "Usage: hl"))
    assert "<" not in stdout
    assert "{" not in lines[0]
    if words == ("score",):
        for expected in ("Shape of a moment:", "Examples:", "  hl score match.mp4"):
            assert expected in lines
    if not words:
        assert "  130  stopped by Ctrl-C or a signal" in lines


def test_help_needs_no_rich() -> None:
    code = (
        "import sys\nfrom hlcli.cli import app\n"
        "try:\n    app(['score', '--help'])\n"
        "except SystemExit:\n    print('rich' in sys.modules, 'hlcli.zoo' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.decode().splitlines()[-1] == "False False"
