"""Standard streams that are closed, full or without a reader, and machines without memory."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from media_factory import make_video

from hlcli import errors
from hlcli.errors import HlError, is_out_of_memory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
HL = f"'{sys.executable}' -m hlcli"
COMMANDS = ["--help", "export --list-formats", "models list"]


def shell(line: str, **variables: str) -> tuple[int, str]:
    """Run a line; returns the exit code of `hl` and what it said on standard error."""
    run = subprocess.run(
        ["bash", "-c", line.replace("hl ", f"{HL} ", 1) + "; exit ${PIPESTATUS[0]}"],
        env=os.environ | {"PYTHONDEVMODE": ""} | variables,
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    # `true` reads nothing at all and is gone long before the first byte.
    assert shell(f"hl {command} | true") == (0, "")


@FULL
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("where", ["> /dev/full", ">&- <&-"])
def test_output_that_cannot_be_written_is_one_error(command: str, where: str) -> None:
    code, said = shell(f"hl {command} {where}")
    lines = said.splitlines()
    assert (code, len(lines)) == (6, 2), said
    assert lines[0].startswith("error: cannot write to standard output: ")
    assert lines[1].startswith("hint: ")


@FULL
@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full"])
def test_words_that_cannot_be_written_end_nothing(tmp_path: Path, where: str) -> None:
    video, output = make_video(tmp_path), tmp_path / "cut.csv"
    assert shell(f"hl score '{video}' -o '{output}' {where}")[0] == 0
    assert output.read_text().count("\n") == 2
    assert shell(f"hl score '{video}x' {where}")[0] == 3
    assert shell(f"hl score --nonsense {where}")[0] == 2


@FULL
def test_what_was_asked_for_is_written_although_the_table_cannot_be(tmp_path: Path) -> None:
    video, output = make_video(tmp_path), tmp_path / "cut.csv"
    code, said = shell(f"hl score '{video}' -o '{output}' > /dev/full")
    assert (code, said.count("error: ")) == (6, 1), said
    assert shell(f"hl score '{video}' -o '{output}' | true")[0] == 0
    assert shell(f"hl score '{video}' --json | head -c 1")[0] == 0


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    # A damaged file: decoders complain on number 2, whatever that is.
    video = make_video(tmp_path)
    data = bytearray(video.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    video.write_bytes(data)
    output = tmp_path / "cut.csv"
    shell(f"hl score '{video}' -o '{output}' 2>&- <&-")
    assert output.read_text().startswith("rank,")


@pytest.mark.skipif(not Path("/proc").exists(), reason="limits of memory mean nothing there")
@pytest.mark.parametrize("megabytes", [160, 500])
def test_without_memory_there_is_one_error(tmp_path: Path, megabytes: int) -> None:
    video = make_video(tmp_path)
    code, said = shell(
        f"ulimit -v {megabytes * 1024}; hl score '{video}' --no-cache", OPENBLAS_NUM_THREADS="1"
    )
    # 5 where the networks ask for it, which depends on what was loaded before.
    assert code in (1, 5)
    first, second = said.splitlines()
    assert first.startswith("error: ")
    assert first.endswith("out of memory")
    assert second.startswith("hint: close other programs")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), True),
        (ImportError("libtorch.so: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("No module named 'torch'"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("shapes do not fit"), False),
    ],
)
def test_the_ways_in_which_memory_runs_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
    outer = ValueError("while loading")
    outer.__cause__ = error
    assert is_out_of_memory(outer) is expected


def test_every_exit_code_is_in_the_help() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "hlcli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    listed = {line.split()[0] for line in said.partition("Exit codes:")[2].splitlines() if line}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {str(kind.exit_code) for kind in kinds if issubclass(kind, HlError)}
    assert codes | {"0", "130"} == listed
