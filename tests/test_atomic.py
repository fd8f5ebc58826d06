"""Files that appear whole: permissions, links, names, whose errors, and what killed runs leave."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hlcli.atomic import (
    atomic_write,
    sweep_unfinished,
    unfinished_folder,
    unfinished_path,
    write_text,
)
from hlcli.errors import OutputError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="permissions and links of POSIX")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@POSIX
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from hlcli.atomic import write_text\n"
        "os.umask(0o077); write_text(Path('x.txt'), 'x')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert mode(tmp_path / "x.txt") == 0o600


@POSIX
def test_the_umask_is_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask is of all threads"))
    write_text(tmp_path / "x.txt", "x")
    assert (tmp_path / "x.txt").read_text() == "x"


@POSIX
@pytest.mark.parametrize("kept", [0o600, 0o640, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "private.csv"
    path.write_text("before")
    path.chmod(kept)
    write_text(path, "after")
    assert (path.read_text(), mode(path)) == ("after", kept)


@POSIX
def test_the_permissions_of_a_private_file_hold_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "private.csv"
    path.write_text("before")
    path.chmod(0o600)
    with atomic_write(path) as stream:
        stream.write(b"after")
        [unfinished] = tmp_path.glob(".*.part")
        assert mode(unfinished) == 0o600


@POSIX
def test_a_link_stays_and_the_file_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere/cut.otio"
    file.write_text("before")
    between, link = tmp_path / "between.otio", tmp_path / "cut.otio"
    between.symlink_to(file)
    link.symlink_to("between.otio")
    write_text(link, "after")
    assert link.is_symlink()
    assert between.is_symlink()
    assert file.read_text() == "after"
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "between.otio",
        "cut.otio",
        "cut.otio",
        "elsewhere",
    ]


@POSIX
def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path: Path) -> None:
    link = tmp_path / "cut.otio"
    link.symlink_to("made.otio")
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "made.otio").read_text() == "new"
    link.unlink()
    link.symlink_to("no such folder/made.otio")
    with pytest.raises(OutputError, match="no such folder does not exist"):
        write_text(link, "new")


@POSIX
def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    loop, pipe, folder = tmp_path / "a.txt", tmp_path / "pipe.txt", tmp_path / "folder.txt"
    loop.symlink_to("b.txt")
    (tmp_path / "b.txt").symlink_to("a.txt")
    os.mkfifo(pipe)
    folder.mkdir()
    for path, why in ((loop, "symbolic links"), (pipe, "pipe"), (folder, "directory")):
        with pytest.raises(OutputError, match=why) as caught:
            write_text(path, "x")
        assert str(path) in caught.value.message
    assert (loop.is_symlink(), pipe.is_fifo(), folder.is_dir()) == (True, True, True)


@pytest.mark.parametrize("name", ["🎬" * 60 + ".otio", "ß" * 125 + ".csv", "x" * 250 + ".txt"])
def test_a_name_of_255_bytes_can_be_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_text(path, "x")
    assert path.read_text() == "x"
    assert len(list(tmp_path.iterdir())) == 1


@POSIX
def test_a_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe cut.otio")
    try:
        write_text(path, "x")
    except OutputError:
        pytest.skip("this file system takes UTF-8 only")
    assert path.read_text() == "x"


def test_errors_of_what_is_read_are_not_said_to_be_of_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "copy.bin"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="the card is broken"), atomic_write(path) as stream:  # noqa: PT012
        stream.write(b"half")
        raise OSError(errno.EIO, "the card is broken")
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["copy.bin"]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from hlcli.atomic import atomic_write
from hlcli.errors import OutputError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with atomic_write(Path("big.bin")) as stream:
        for number in range(int(sys.argv[1])):
            stream.write(b"x" * 1000)
except OutputError as error:
    print(error.message)
"""


@POSIX
@pytest.mark.parametrize("count", [101, 5000])  # in the last flush, and long before
def test_errors_of_what_is_written_name_it_and_leave_nothing(tmp_path: Path, count: int) -> None:
    (tmp_path / "big.bin").write_bytes(b"before")
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(count)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("cannot write big.bin: File too large\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["big.bin"]
    assert (tmp_path / "big.bin").read_bytes() == b"before"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder .*nowhere does not exist"):
        write_text(tmp_path / "nowhere/x.txt", "x")


WRITER = """
import sys, time
from pathlib import Path
from hlcli.atomic import atomic_write, unfinished_folder

folder = Path(sys.argv[1])
with atomic_write(folder / "x.csv") as stream, unfinished_folder(folder, "reel.mp4") as made:
    stream.write(b"half")
    stream.flush()
    (made / "film.mp4").write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(600)
"""


@POSIX
def test_what_a_killed_run_left_goes_with_the_next_and_what_is_written_stays(
    tmp_path: Path,
) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        for run in runs:
            assert run.stdout is not None
            assert run.stdout.readline() == "ready\n"
        (tmp_path / ".x.csv.abc12345.part").write_text("another program's")
        (tmp_path / "x.csv.hl-01234567.part").write_text("somebody's own")
        assert len(list(tmp_path.iterdir())) == 6
        sweep_unfinished(tmp_path)
        assert len(list(tmp_path.iterdir())) == 6
        runs[0].send_signal(signal.SIGKILL)
        runs[0].wait()
        # Any other output in that folder does it, in a process of its own or in this one.
        write_text(tmp_path / "other.csv", "whole")
        left = sorted(path.name for path in tmp_path.iterdir())
        assert len(left) == 5
        assert left[0] == ".reel.mp4.hl-" + left[0].split(".hl-")[1]
        assert (tmp_path / left[0] / "film.mp4").read_bytes() == b"half"
        assert [name for name in left if name.startswith(".x.csv.hl-")]
    finally:
        for run in runs:
            run.kill()
            run.wait()
            assert run.stdout is not None
            run.stdout.close()
    sweep_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".x.csv.abc12345.part",
        "other.csv",
        "x.csv.hl-01234567.part",
    ]


@POSIX
def test_a_link_that_looks_unfinished_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "film.mp4").write_text("whole")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".x.hl-01234567.part").symlink_to(outside)
    sweep_unfinished(folder)
    assert (outside / "film.mp4").read_text() == "whole"
    sweep_unfinished(tmp_path / "nowhere")


def test_many_threads_write_one_file_and_one_of_them_wins(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    texts = [str(number) * 100_000 for number in range(8)]
    errors: list[BaseException] = []

    def work(text: str) -> None:
        try:
            for _ in range(5):
                write_text(path, text)
                sweep_unfinished(tmp_path)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert path.read_text() in texts
    assert [one.name for one in tmp_path.iterdir()] == ["x.txt"]


def test_an_unfinished_folder_is_renamed_or_gone(tmp_path: Path) -> None:
    with unfinished_folder(tmp_path, "model") as made:
        (made / "weights").write_text("x")
        made.rename(tmp_path / "model")
    with unfinished_folder(tmp_path, "other") as made:
        (made / "weights").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model/weights").read_text() == "x"


def test_what_is_moved_away_to_be_deleted_counts_as_left_behind(tmp_path: Path) -> None:
    doomed = unfinished_path(tmp_path, "model")
    assert not doomed.exists()
    doomed.mkdir()
    (doomed / "weights").write_text("x")
    sweep_unfinished(tmp_path)
    assert doomed.exists() == (sys.platform == "win32")
