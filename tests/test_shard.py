"""Parts of many videos: each video in one, the same on every machine."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from cli_runner import hl

from hlcli.document import read_documents
from hlcli.workflows.shard import Shard, parse_shard
from tests.media_factory import make_video


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_every_file_is_in_one_part_wherever_it_lies(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    for number in range(40):
        (here / f"{number}.mp4").write_bytes(b"video" * number)
        shutil.copyfile(here / f"{number}.mp4", there / f"other-{number}.mp4")
    files = sorted(here.iterdir())
    parts = [Shard(number, 4).files(files) for number in (1, 2, 3, 4)]
    assert sorted(path for part in parts for path in part) == files
    assert all(len(part) > 2 for part in parts)
    assert parts[0] == [path for path in files if path in parts[0]]  # in their order
    # Elsewhere, by other names and in another order: the same contents.
    shuffled = random.Random(7).sample(sorted(there.iterdir()), 40)
    found = Shard(2, 4).files(shuffled)
    assert sorted(names(found)) == sorted(f"other-{name}" for name in names(parts[1]))
    assert Shard(1, 1).files(files) == files


def test_a_file_that_cannot_be_read_is_in_one_part(tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    assert sum(len(Shard(number, 3).files([gone])) for number in (1, 2, 3)) == 1


@pytest.mark.parametrize(
    "text", ["", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1", "1/", "1.5/2", "1/9999999"]
)
def test_bad_numbers_are_refused(text: str, tmp_path: Path) -> None:
    result = hl("score", make_video(tmp_path), "--shard", text)
    assert result.exit_code == 2
    assert "error: --shard: " in result.stderr
    assert "hint: " in result.stderr
    assert (parse_shard(" 2/3 ").number, parse_shard("2/3").count) == (2, 3)


def test_parts_score_what_one_run_scores(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, name in enumerate("ab"):
        make_video(folder, name=f"{name}.mp4", first_number=100 * number)
    videos = []
    for number in (1, 2, 3):
        output = tmp_path / f"{number}.json"
        result = hl("score", folder, "--shard", f"{number}/3", "-o", output)
        assert result.exit_code == 0, result.stderr
        assert f"part {number} of 3: " in result.stderr
        if output.exists():  # A part may be empty.
            videos += [Path(one.video.path).name for one in read_documents(output)]
    assert sorted(videos) == ["a.mp4", "b.mp4"]
    whole = tmp_path / "whole.json"
    assert hl("export", folder, "-o", whole).exit_code == 0
    assert len(read_documents(whole)) == 2


def test_two_runs_never_write_one_file(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        make_video(tmp_path / folder, name="clip.mp4", first_number=len(folder))
    result = hl("score", tmp_path, "--shard", "1/2", "-o", f"{tmp_path}/out/")
    assert result.exit_code == 2
    assert "would be written to one file" in result.stderr
