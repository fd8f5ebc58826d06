"""Many files in worker processes: the same bytes, and what kills a worker costs one file."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_runner import hl
from serve_factory import children

import hlcli
from hlcli.errors import HlError, UsageError
from hlcli.lock import KeyedLock
from hlcli.media.identity import content_identity
from hlcli.progress import BatchProgress, BatchSummary, Listener
from hlcli.workflows import batch, jobs
from hlcli.workflows.jobs import JobSettings, claims_path, num_jobs
from hlcli.workflows.score import Pipeline, score_videos
from tests.media_factory import AudioTrack, click_track, make_video, moving_square

ROOT = Path(__file__).resolve().parents[1]
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="other signals there")


class Watcher(Listener):
    """Keeps what it is told, and does something to the worker that has a file."""

    def __init__(self, act: Callable[[int, Path], None] = lambda pid, path: None) -> None:
        self.begun: list[Path] = []
        self.problems: list[HlError] = []
        self.summary: BatchSummary | None = None
        self._act = act
        self._seen: set[tuple[int, Path]] = set()

    def batch(self, progress: BatchProgress) -> None:
        if not progress.elapsed_seconds:
            return  # They are only looked at.
        running = set(progress.running.items())
        for pid, path in sorted(running - self._seen):
            self.begun.append(path)
            self._act(pid, path)
        self._seen = running

    def batch_ends(self, summary: BatchSummary) -> None:
        self.summary = summary

    def problem(self, error: HlError) -> None:
        self.problems.append(error)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of videos of 2 to 4 s, a copy of one, and something else."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate("abc"):
        seconds = 2 + number
        sound = AudioTrack(click_track(seconds, (0.5,)))
        make_video(
            folder,
            name=f"{name}.mp4",
            num_frames=25 * seconds,
            first_number=100 * number,
            paint=moving_square,
            audio=(sound,),
        )
    shutil.copyfile(folder / "b.mp4", folder / "again.mp4")
    (folder / "text.mp4").write_text("no video")
    return folder


def test_the_bytes_are_those_of_a_plain_run(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, many = tmp_path / "plain.json", tmp_path / "many.json"
    first = hl("score", clips, "-o", plain)
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path / "other"))
    second = hl("score", clips, "-o", many, "--jobs", "2")
    assert first.exit_code == second.exit_code == 3
    assert many.read_bytes() == plain.read_bytes()
    assert second.stdout == first.stdout
    assert "text.mp4 as a video: it is text" in second.stderr
    assert "5 videos: 3 scored, 1 stored before, 1 failed; 7.5 s of video in " in second.stderr
    assert "\ntime by stage: " in second.stderr
    # Again, by Python: all is stored, nothing is begun.
    watcher = Watcher()
    documents = hlcli.score(clips, jobs=2, on=watcher)
    names = [Path(document.video.path).name for document in documents]
    assert names == ["a.mp4", "again.mp4", "b.mp4", "c.mp4"]
    assert watcher.begun == []
    assert watcher.summary is not None
    assert (watcher.summary.num_stored, watcher.summary.num_scored) == (4, 0)
    assert [failure.path.name for failure in watcher.summary.failures] == ["text.mp4"]


def scored(
    files: list[Path], watcher: Watcher, *, use_cache: bool = True, **settings: object
) -> list[str]:
    """Score files one at a time in worker processes; returns the names of those that went well."""
    found = score_videos(
        Pipeline(use_cache=use_cache),
        files,
        jobs=JobSettings(**{"num_jobs": 1, **settings}),  # type: ignore[arg-type]
        on=watcher,
    )
    return [Path(document.video.path).name for document in found]


@needs_signals
def test_a_file_that_crashes_its_worker_is_set_aside(clips: Path) -> None:
    files = [clips / f"{name}.mp4" for name in "abc"]

    def crash(pid: int, path: Path) -> None:
        if path.name == "b.mp4":
            os.kill(pid, signal.SIGSEGV)

    watcher = Watcher(crash)
    assert scored(files, watcher) == ["a.mp4", "c.mp4"]
    # The longest first; what crashed comes again when all others are done.
    assert [path.name for path in watcher.begun] == ["c.mp4", "b.mp4", "a.mp4", "b.mp4", "b.mp4"]
    (error,) = watcher.problems
    assert error.exit_code == 3
    assert error.message == (
        f"{files[1]} is set aside: it was tried 3 times, and its process ended: killed by SIGSEGV"
    )
    assert "--retry-failed" in error.hint
    # It is remembered, and tried again only when that is asked for.
    after = Watcher(crash)
    assert scored(files, after) == ["a.mp4", "c.mp4"]
    assert after.begun == []
    assert after.problems[0].message == error.message
    assert scored(files, Watcher(), retry_failed=True) == ["a.mp4", "b.mp4", "c.mp4"]
    assert scored(files, Watcher()) == ["a.mp4", "b.mp4", "c.mp4"]


@needs_signals
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"stall_seconds": 1.0}, "it made no progress for 1 s"),
        ({"memory_bytes": 1 << 20}, "it took more than 0.0 GiB of memory"),
    ],
)
def test_a_file_that_hangs_or_takes_all_memory(
    clips: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], reason: str
) -> None:
    def hang(pid: int, path: Path) -> None:
        if "stall_seconds" in settings:
            os.kill(pid, signal.SIGSTOP)

    if not Path("/proc/self/statm").exists() and "memory_bytes" in settings:
        pytest.skip("the system does not say what memory a process has")
    monkeypatch.setattr(batch, "MAX_RETRIES", 0)
    watcher = Watcher(hang)
    # Without the cache nothing is remembered, and nothing asked for.
    assert scored([clips / "a.mp4"], watcher, use_cache=False, **settings) == []
    assert watcher.problems[0].message.endswith(f"it was tried once, and {reason}")
    assert not Path(os.environ["HL_CACHE_DIR"], "set-aside").exists()


def test_what_another_run_works_on_is_left_to_it(clips: Path) -> None:
    video = clips / "a.mp4"
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from hlcli.lock import KeyedLock\n"
            "with KeyedLock(Path(sys.argv[1])).claim(sys.argv[2]) as is_ours:\n"
            "    print(is_ours, flush=True); sys.stdin.read()",
            str(claims_path()),
            content_identity(video),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"

    class Patient(Watcher):
        def batch(self, progress: BatchProgress) -> None:
            super().batch(progress)
            if len(self.begun) == 2:
                other.stdin.close()  # type: ignore[union-attr]

    watcher = Patient()
    assert scored([video], watcher) == ["a.mp4"]
    other.wait()
    other.stdout.close()
    assert len(watcher.begun) >= 2
    locks = KeyedLock(claims_path())
    with contextlib.closing(locks), locks.claim(content_identity(video)) as is_ours:
        assert is_ours


def test_workers_that_cannot_start(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_MODULE", "hlcli.nothing")
    with pytest.raises(HlError, match=r"cannot be started: exit code 1: .*No module named"):
        scored([clips / "a.mp4"], Watcher())


@pytest.mark.parametrize(
    "words",
    [
        ("--jobs", "0"),
        ("--jobs", "many"),
        ("--jobs", "-1"),
        ("--jobs", "2", "--stall-limit", "soon"),
        ("--jobs", "2", "--memory-limit", "0.01"),
        ("--jobs", "2", "--memory-limit", "nan"),
        ("--retry-failed",),
        ("--stall-limit", "5m"),
        ("--memory-limit", "2"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], clips: Path) -> None:
    result = hl("score", clips / "a.mp4", *words)
    assert result.exit_code == 2
    assert words[-2 if len(words) > 1 else 0] in result.stderr


def test_auto_is_a_process_for_each_core_that_has_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "num_cores", lambda: 16)
    monkeypatch.setattr(jobs, "_memory_bytes", lambda: None)
    assert num_jobs("auto") == 16
    monkeypatch.setattr(jobs, "_memory_bytes", lambda: 8 << 30)
    assert num_jobs("auto") == 6
    monkeypatch.setattr(jobs, "_memory_bytes", lambda: 256 << 20)
    assert num_jobs("auto") == 1
    assert num_jobs(3) == num_jobs("3") == 3
    with pytest.raises(UsageError):
        num_jobs(10**9)


@needs_signals
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_a_run_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, clips: Path, name: str
) -> None:
    command = [sys.executable, "-m", "hlcli", "score", str(clips), "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(workers := children(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(getattr(signal, name))
    stdout, stderr = process.communicate(timeout=60)
    if name == "SIGINT":
        assert (process.returncode, stdout) == (130, ""), stderr
        assert stderr.endswith(
            "stopped; what was finished is kept, run the same command to go on\n"
        )
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "out.json").exists()
    assert not list(Path(os.environ["HL_CACHE_DIR"]).rglob("*.part"))
