"""Many files on a cluster of Ray; what needs no Ray is tested without it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cli_runner import hl

import hlcli
from hlcli.errors import DeviceError, UsageError
from hlcli.workflows import ray_engine
from hlcli.workflows.jobs import WorkerSettings, job_settings_of
from hlcli.workflows.ray_engine import Board, Slot, _raise_as_ours
from hlcli.workflows.score import Pipeline
from tests.media_factory import AudioTrack, click_track, make_video, moving_square

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or importlib.util.find_spec("grpc") is None,
    reason="Ray is not installed",
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three videos, a copy of one, and something else."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate("abc"):
        make_video(
            folder,
            name=f"{name}.mp4",
            num_frames=25 * (2 + number),
            first_number=100 * number,
            paint=moving_square,
            audio=(AudioTrack(click_track(2 + number, (0.5,))),),
        )
    shutil.copyfile(folder / "b.mp4", folder / "again.mp4")
    (folder / "text.mp4").write_text("no video")
    return folder


def first_message(**changed: Any) -> dict[str, Any]:
    """Return what a driver settles."""
    settings = WorkerSettings.of(Pipeline(), visual_only=False, num_cores=1)
    given = {name: getattr(settings, name) for name in WorkerSettings.__slots__}
    return {
        "version": hlcli.__version__,
        "settings": given | changed,
        "environment": {"HL_CACHE_DIR": os.environ["HL_CACHE_DIR"]},
        "stall_seconds": 60.0,
        "memory_bytes": None,
        "num_workers": 1,
    }


def request(what: str, path: Path, identity: str = "") -> dict[str, Any]:
    return {"do": what, "path": str(path), "identity": identity}


class Handle:
    """Calls an actor at once, as Ray does some time later."""

    def __init__(self, board: Board) -> None:
        self.put = self
        self.fractions: list[float] = []
        self._board = board

    def remote(self, number: int, place: int, fraction: float) -> None:
        self._board.put(number, place, fraction)
        self.fractions.append(fraction)


def test_what_a_node_answers(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "_PROGRESS_SECONDS", 0.0)
    slot, first, board = Slot(), first_message(), Board()
    try:
        names = ["a.mp4", "text.mp4", "b.mp4"]
        looked = slot.work(first, [request("look", clips / name) for name in names])
        assert [answer["event"] for answer in looked] == ["looked", "failed", "looked"]
        identity = looked[0]["identity"]
        # One that dies costs its own request; the next has a process of its own.
        child = slot._child
        assert child is not None
        os.kill(child.pid, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (child.pid, signal.SIGKILL)).start()
        requests = [
            request("score", clips / "a.mp4", identity),
            request("look", clips / "a.mp4"),
        ]
        ended, again = slot.work(first, requests)
        assert ended == {"event": "ended", "reason": "its process ended: killed by SIGKILL"}
        assert again == looked[0]
        handle = Handle(board)
        again, scored = slot.work(first, requests[::-1], handle, 7)
        assert scored["event"] == "scored"
        assert handle.fractions == sorted(handle.fractions)
        assert board.progress_of([7, 8]) == {7: (1, 1.0)}
        assert board.progress_of([8]) == {}
        assert scored["document"]["video"]["path"] == str(clips / "a.mp4")
    finally:
        slot._close()


def test_a_node_that_differs_is_refused(clips: Path) -> None:
    look = [request("look", clips / "a.mp4")]
    (answer,) = Slot().work(first_message() | {"version": "0.0.1"}, look)
    assert answer["event"] == "refused"
    assert f"has hl {hlcli.__version__}, not 0.0.1" in answer["error"]["message"]
    (answer,) = Slot().work(first_message(model_sha256="0" * 64), look)
    assert answer["event"] == "refused"
    assert "is another model on" in answer["error"]["message"]
    (answer,) = Slot().work(first_message(model="mine"), look)
    assert answer["event"] == "refused"
    assert "mine" in answer["error"]["message"]


def test_what_is_no_engine_is_refused(clips: Path) -> None:
    for text in ("spark", "ray://", "ray://host", "http://host:1", "host:", ""):
        result = hl("score", clips / "a.mp4", "--engine", text)
        assert result.exit_code == 2
        assert "is neither ray nor an address" in result.stderr


@pytest.mark.parametrize("engine", ["ray", "ray://127.0.0.1:10001", "127.0.0.1:6379"])
def test_without_ray_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(UsageError, match="Ray is not installed") as error:
        job_settings_of(jobs=None, engine=engine)
    assert error.value.hint == 'pip install "hlcli[cluster]"'


def test_an_address_that_does_not_answer() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        for engine in (address, f"ray://{address}", "ray://127.0.0.1:99999"):
            with pytest.raises(DeviceError, match="does not answer") as error:
                ray_engine._check_answers(engine)
            assert error.value.exit_code == 5


def test_versions_that_differ_are_one_line() -> None:
    # As ray._private.utils.check_version_info has it.
    text = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.40.0\n    Python: 3.10.4\n"
        "This process on Ray Client was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )
    with pytest.raises(DeviceError) as error:
        _raise_as_ours("ray://head:10001", RuntimeError(text))
    assert error.value.message == (
        "--engine: ray://head:10001 has Ray 2.40.0 and Python 3.10.4, "
        "this machine has Ray 2.60.0 and Python 3.11.7"
    )
    with pytest.raises(DeviceError, match="lets nobody in") as error:
        _raise_as_ours("ray://head:10001", ConnectionError("ray client connection timeout"))
    assert "RAY_AUTH_TOKEN" in error.value.hint
    with pytest.raises(DeviceError, match="hl is not installed on a node"):
        _raise_as_ours("ray", RuntimeError("x\nModuleNotFoundError: No module named 'hlcli'"))


@needs_ray
def test_the_text_of_versions_that_differ_is_still_so() -> None:
    import ray
    from ray._private.utils import check_version_info

    other = {"ray_version": "1.0.0", "python_version": "3.9.0"}
    with pytest.raises(RuntimeError) as raised:
        check_version_info(other, "Ray Client")
    with pytest.raises(DeviceError, match=rf"Python 3.9.0, this machine has Ray {ray.__version__}"):
        _raise_as_ours("ray://head:10001", raised.value)


@needs_ray
@pytest.mark.slow
def test_the_bytes_are_those_of_a_plain_run(tmp_path: Path, clips: Path) -> None:
    def score(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        # In a process of its own: Ray leaves open files to the end of its process.
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "hlcli",
                "score",
                str(clips),
                "-o",
                str(tmp_path / name),
                *words,
            ],
            env=os.environ | {"HL_CACHE_DIR": str(tmp_path / name.partition(".")[0])},
            capture_output=True,
            text=True,
            check=False,
        )

    plain, ray = score("plain.json"), score("ray.json", "--engine", "ray", "--jobs", "2")
    assert plain.returncode == ray.returncode == 3, ray.stderr
    assert (tmp_path / "ray.json").read_bytes() == (tmp_path / "plain.json").read_bytes()
    assert ray.stdout == plain.stdout
    assert "5 videos: 3 scored, 1 stored before, 1 failed; " in ray.stderr
    # Only hl speaks.
    assert "Ray" not in ray.stderr
    assert "ray:" not in ray.stderr


@needs_ray
@pytest.mark.slow
def test_ctrl_c_leaves_no_task(tmp_path: Path, clips: Path) -> None:
    from serve_factory import children

    command = [sys.executable, "-m", "hlcli", "score", str(clips), "--engine", "ray"]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def below(pid: int) -> list[int]:
        return [one for child in children(pid) for one in (child, *below(child))]

    def scores(pid: int) -> bool:
        return b"job_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()

    deadline = time.monotonic() + 120
    found: list[int] = []
    while not any(map(scores, found)) and time.monotonic() < deadline:
        time.sleep(0.1)
        found = below(process.pid)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, ""), stderr
    while any(Path(f"/proc/{pid}").exists() for pid in found) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in found if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "out.json").exists()
