"""`hl render` as a program: timelines in, films out, errors, interruptions, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cli_runner import hl
from media_factory import make_video
from numbered_footage import Footage, make_footage, read_numbers, read_sound
from render_factory import cuts, source_of

from hlcli.errors import MediaError, MediaUnreadableError, OutputError, UsageError
from hlcli.media import ffmpeg as ffmpeg_module
from hlcli.media.identity import content_identity
from hlcli.parsing import parse_size
from hlcli.rendering import workspace as workspace_module
from hlcli.rendering.copying import render_copy
from hlcli.rendering.encode import EncoderProcess
from hlcli.rendering.film import render
from hlcli.rendering.workspace import workspace
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats.otio import write

RATE = Fraction(25)


def made_timeline(folder: Path, *, seconds: int = 4, length: int = 12) -> tuple[Path, Path]:
    """Return a timeline of two cuts and its source."""
    video = make_footage(folder, Footage(seconds=Fraction(seconds)))
    source = replace(source_of(video), sha256_head=content_identity(video))
    timeline = folder / "highlights.otio"
    write(cuts([(source, 10, length), (source, 50, length)]), timeline)
    return timeline, video


def run(*arguments: object) -> tuple[int, str]:
    result = hl("render", *arguments)
    return result.exit_code, result.output


def test_a_timeline_becomes_a_film(tmp_path: Path) -> None:
    timeline, _ = made_timeline(tmp_path)
    film = tmp_path / "reel 100% #1.mp4"
    code, words = run(timeline, "-o", film)
    assert (code, words) == (0, f"wrote {film}: 24 frames, libx264\n")
    assert read_numbers(film) == [*range(10, 22), *range(50, 62)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [timeline.name, "numbered.mov", film.name]
    )
    assert run(timeline, "-o", film, "--quiet") == (0, "")


def test_a_source_that_has_moved(tmp_path: Path) -> None:
    timeline, video = made_timeline(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    shutil.move(video, tmp_path / "elsewhere" / video.name)
    film = tmp_path / "reel.mp4"
    code, words = run(timeline, "-o", film)
    assert code == 3
    assert f"no such file: {video}" in words
    assert "--search FOLDER" in words
    code, words = run(timeline, "-o", film, "--search", tmp_path / "elsewhere")
    assert code == 0, words
    assert len(read_numbers(film)) == 24


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "reel.avi"], 2, "use one of .mp4, .mov, .mkv"),
        (["-o", "cut.srt"], 2, "numbered.mov --transcript TRANSCRIPT -o cut.srt` writes captions"),
        (["-o", "cut.VTT", "--copy"], 2, "--transcript TRANSCRIPT -o cut.VTT` writes captions"),
        (["-o", "cut.csv"], 2, "numbered.mov -o cut.csv` writes"),
        (["-o", "reel.mp4", "--size", "big"], 2, "write 1280x720, 1080p or 720p"),
        (["-o", "reel.mp4", "--size", "101x64"], 2, "both numbers must be even"),
        (["-o", "reel.mp4", "--crossfade", "long"], 2, "is not a duration"),
        (["-o", "reel.mp4", "--copy", "--vertical"], 2, "--copy changes nothing"),
        (["-o", "reel.mp4", "--encoder", "nothing"], 2, "the encoder nothing does not work"),
        (["-o", "nowhere/reel.mp4"], 6, "does not exist"),
        (["-o", "numbered.mov"], 2, "is one of the videos"),
        (["-o", "numbered.mov", "--copy"], 2, "is one of the videos"),
    ],
)
def test_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    timeline, video = made_timeline(tmp_path)
    before = video.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run(timeline, *arguments)[0] == code
    assert words in run(timeline, *arguments)[1]
    assert video.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {timeline.name, video.name}


def test_sizes() -> None:
    assert parse_size(None, vertical=False) is None
    assert parse_size("1280x720", vertical=True) == (1280, 720)
    assert parse_size("1080p", vertical=False) == (1920, 1080)
    assert parse_size("1080P", vertical=True) == (1080, 1920)
    assert parse_size("480p", vertical=False) == (854, 480)


def test_an_empty_timeline_and_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "reel.mp4"
    with pytest.raises(OutputError, match="is empty"):
        render(EditList(name="reel", frame_rate=RATE, events=()), film)
    source = source_of(make_video(tmp_path, num_frames=20))
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(workspace_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="too full"):
        render(cuts([(source, 0, 20)]), film)
    assert not film.exists()


def test_a_source_shorter_than_the_timeline_says(tmp_path: Path) -> None:
    source = source_of(make_video(tmp_path, rate=RATE, num_frames=80))
    edit = cuts([(source, 60, 20)])
    make_video(tmp_path, rate=RATE, num_frames=40)
    with pytest.raises(MediaError, match=r"is 1\.60 s long, .* until 3\.20 s"):
        render(edit, tmp_path / "reel.mp4")


def test_a_source_damaged_in_the_middle(tmp_path: Path) -> None:
    path = make_video(
        tmp_path, name="a.mkv", rate=RATE, num_frames=200, gop=25, codec="mjpeg",
        pix_fmt="yuvj420p",
    )  # fmt: skip
    source = source_of(path)
    content = bytearray(path.read_bytes())
    # Two fifths of the file, somewhere in the middle, is nothing any more.
    third = len(content) // 3
    content[third : third + len(content) * 2 // 5] = bytes(len(content) * 2 // 5)
    path.write_bytes(content)
    film = tmp_path / "reel.mp4"
    render(cuts([(source, 0, 50)]), film)
    assert read_numbers(film) == list(range(50))
    with pytest.raises(
        MediaUnreadableError, match=r"a\.mkv at .* s: the picture is damaged"
    ) as info:
        render(cuts([(source, 0, 5), (source, 60, 90)]), tmp_path / "other.mp4")
    assert "into the timeline" in info.value.message
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv", "reel.mp4"}


def test_no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timeline, _ = made_timeline(tmp_path)
    monkeypatch.setattr(ffmpeg_module.shutil, "which", lambda name: None)
    monkeypatch.setattr(ffmpeg_module, "_bundled", lambda: None)
    code, words = run(timeline, "-o", tmp_path / "reel.mp4")
    assert code == 6
    assert "there is no ffmpeg program" in words


def test_the_bundled_ffmpeg_gives_the_same_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeline, _ = made_timeline(tmp_path)
    monkeypatch.setattr(ffmpeg_module.shutil, "which", lambda name: None)
    film = tmp_path / "reel.mov"
    assert run(timeline, "-o", film)[0] == 0
    assert read_numbers(film) == [*range(10, 22), *range(50, 62)]
    assert read_sound(film).shape[1] == 24 * 1920


def test_copying_says_exactly_what_it_took(tmp_path: Path) -> None:
    footage = Footage(name="a.mov", sound_codec="aac", seconds=Fraction(8))
    path = make_footage(tmp_path, footage)  # a keyframe every 12 frames
    edit = cuts([(source_of(path), 30, 10), (source_of(path), 48, 12), (source_of(path), 190, 10)])
    film = tmp_path / "film.mov"
    report = render_copy(edit, film)
    assert read_numbers(film) == [*range(24, 48), *range(48, 60), *range(180, 200)]
    assert report.num_frames == 56
    assert report.remarks == [
        "cut 1: 6 frames early, 8 frames late",
        "cut 2: 0 frames early, 0 frames late",
        "cut 3: 10 frames early, 0 frames late",
        "the film has 56 frames instead of 32: 24 frames too many",
    ]
    # Nothing was encoded: sound comes along in its own packets, to half of one.
    wave = read_sound(film)[0]
    assert abs(len(wave) - 56 * 1920) <= 3 * 1024


def test_copying_what_cannot_be_joined(tmp_path: Path) -> None:
    first = source_of(make_video(tmp_path, name="a.mp4", num_frames=24))
    second = source_of(make_video(tmp_path, name="b.mp4", num_frames=24, width=320))
    with pytest.raises(UsageError, match=r"b\.mp4 cannot be copied behind the others"):
        render_copy(cuts([(first, 0, 12), (second, 0, 12)]), tmp_path / "film.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "b.mp4"}


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_copying_enters_only_at_clean_keyframes(tmp_path: Path, codec: str) -> None:
    options = {
        "libx264": (("x264-params", "open-gop=1:scenecut=0:bframes=2"),),
        "libx265": (("x265-params", "log-level=none:open-gop=1:keyint=12:scenecut=0"),),
    }[codec]
    path = make_video(
        tmp_path, name="a.mp4", rate=RATE, num_frames=96, gop=12, codec=codec, options=options
    )
    film = tmp_path / "film.mp4"
    report = render_copy(cuts([(source_of(path), 40, 10)]), film)
    numbers = read_numbers(film)
    assert len(numbers) == report.num_frames
    assert numbers == list(range(numbers[0] or 0, (numbers[0] or 0) + len(numbers)))
    assert set(range(40, 50)) <= set(numbers)


@pytest.mark.skipif(os.name == "nt", reason="no such signals on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing_and_the_next_starts_clean(
    tmp_path: Path, number: signal.Signals
) -> None:
    timeline, _ = made_timeline(tmp_path, seconds=40, length=900)
    film = tmp_path / "reel.mp4"
    film.write_bytes(b"what was there before")
    command = [sys.executable, "-m", "hlcli", "render", str(timeline), "-o", str(film)]
    # So slow that it cannot be over before it is stopped.
    process = subprocess.Popen([*command, "--size", "3840x2160"], stderr=subprocess.PIPE)
    while not (found := list(tmp_path.glob(".reel.mp4.*/film.mp4"))):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    process.send_signal(number)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 130, words
    assert {path.name for path in tmp_path.iterdir()} == {timeline.name, "numbered.mov", film.name}
    assert film.read_bytes() == b"what was there before"
    # ffmpeg has gone too: nothing holds the file that was removed.
    assert not _runs_with(str(found[0]))


def _runs_with(text: str) -> bool:
    processes = Path("/proc")
    if not processes.is_dir():
        pytest.skip("processes cannot be listed here")
    for folder in processes.iterdir():
        try:
            if folder.name.isdigit() and text in (folder / "cmdline").read_text(errors="replace"):
                return True
        except OSError:
            continue
    return False


def test_what_a_killed_run_left_is_removed_and_a_running_one_is_not(tmp_path: Path) -> None:
    film = tmp_path / "reel.mp4"
    left = tmp_path / ".reel.mp4.hl-01234567.part"
    left.mkdir()
    (left / "film.mp4").write_bytes(b"half")
    with workspace(film) as running:
        assert left.exists() == (os.name == "nt")
        with workspace(film) as second:
            assert second != running
            assert running.is_dir()
    assert os.name == "nt" or list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_fed_is_an_error_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    # Reads all that comes, as ffmpeg does, and ends by itself only when there is no more.
    command = [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"]
    strided = np.zeros((4, 4), np.uint8)[:, ::2]
    with EncoderProcess(command, tmp_path / "reel.mp4", lambda frames: None) as process:
        process.write(strided)
        with pytest.raises(OutputError, match=r"could not write .*reel\.mp4: \w*Error: .*contig"):
            process.finish()


def test_an_encoder_that_dies_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hlcli.rendering import film as run_module

    source = source_of(make_video(tmp_path, num_frames=60))
    real = run_module.encode_command

    def broken(*arguments: object, **options: object) -> list[str]:
        command = real(*arguments, **options)  # type: ignore[arg-type]
        return [*command[:-1], str(tmp_path / "not there" / "film.mp4")]

    monkeypatch.setattr(run_module, "encode_command", broken)
    with pytest.raises(OutputError, match=r"ffmpeg could not write .*reel\.mp4: .*No such file"):
        render(cuts([(source, 0, 60)]), tmp_path / "reel.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"video.mp4"}
