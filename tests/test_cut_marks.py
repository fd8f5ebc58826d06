"""From a finished cut back to the raw files, whatever has moved since."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import media_factory
import opentimelineio as otio
import pytest
from finetune_factory import write_cut
from test_marks import take

from hlcli.errors import MediaNotFoundError, TimelineError, TrainingError, UsageError
from hlcli.media.identity import content_identity
from hlcli.timeline.read import sources
from hlcli.timeline.relink import MissingMedia
from hlcli.tuning import footage as footage_module
from hlcli.tuning.cut import read_cut
from hlcli.tuning.footage import Footage
from hlcli.tuning.spans import Annotations


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for number in range(3):
        take(folder, f"take{number}.mp4", number=number)
    return folder


def footage(*inputs: Path, search: list[Path] | None = None) -> Footage:
    return Footage([str(one) for one in inputs], search=search or [])


def rows(annotation: Annotations) -> list[tuple[str, float, float]]:
    return [(one.file.path.name, float(one.start), float(one.end)) for one in annotation.spans]


def cut(tmp_path: Path, folder: str | Path, **changes: object) -> Path:
    events = [(f"{folder}/take0.mp4", 2, 4), (f"{folder}/take1.mp4", 0, 3)]
    events.append((f"{folder}/take0.mp4", 6, 7))
    return write_cut(tmp_path / "cut.otio", events, **{"length": 10.0} | changes)


WANTED = [("take0.mp4", 2.0, 4.0), ("take1.mp4", 0.0, 3.0), ("take0.mp4", 6.0, 7.0)]


def test_used_spans_are_kept_and_the_rest_of_their_files_passed_over(
    tmp_path: Path, raw: Path
) -> None:
    annotation = read_cut(cut(tmp_path, raw), footage(raw))
    assert rows(annotation) == WANTED
    # take2.mp4 is ten seconds long: a short file that the cut could have shown and did not.
    assert [file.path.name for file in annotation.unused] == ["take2.mp4"]
    assert (annotation.num_kept, annotation.num_passed, annotation.num_unmatched) == (3, 5, 0)
    assert annotation.notes == ()


def test_media_of_another_machine_is_known_by_its_name(tmp_path: Path, raw: Path) -> None:
    assert rows(read_cut(cut(tmp_path, "/Volumes/Card/DCIM"), footage(raw))) == WANTED
    annotation = read_cut(cut(tmp_path, "D:/cards"), footage(raw))
    assert rows(annotation) == WANTED


def test_same_name_and_another_length_is_another_file(tmp_path: Path, raw: Path) -> None:
    annotation = read_cut(cut(tmp_path, "/Volumes/Card", length=14.0), footage(raw))
    assert rows(annotation) == []
    assert annotation.num_unmatched == 3
    assert annotation.notes[0] == "2 spans are not matched: take0.mp4 has 50 frames, not 70"


def test_renamed_media_that_is_there_is_known_by_its_content(tmp_path: Path, raw: Path) -> None:
    other = tmp_path / "project"
    other.mkdir()
    shutil.copy(raw / "take2.mp4", other / "B-roll.mp4")
    path = write_cut(tmp_path / "cut.otio", [(str(other / "B-roll.mp4"), 1, 2)], length=10.0)
    assert rows(read_cut(path, footage(raw))) == [("take2.mp4", 1.0, 2.0)]


def test_renamed_media_that_hl_wrote_is_known_by_its_content(tmp_path: Path, raw: Path) -> None:
    found = footage(raw)
    path = cut(tmp_path, "/gone")
    timeline = otio.adapters.read_from_file(str(path))
    for clip in timeline.find_clips():
        name = Path(clip.media_reference.target_url).name
        (file,) = [one for one in found.files if one.path.name == name]
        clip.metadata["hl"] = {"source": {"sha256_head": file.identity, "frame_rate": "5"}}
        clip.media_reference.target_url = f"/gone/renamed-{name}"
    otio.adapters.write_to_file(timeline, str(path))
    assert rows(read_cut(path, found)) == WANTED


def test_proxies_of_the_same_name_and_length_stand_for_the_originals(
    tmp_path: Path, raw: Path
) -> None:
    take(tmp_path / "proxies", "take0.mp4", number=0, width=32)
    path = write_cut(tmp_path / "c.otio", [(str(tmp_path / "proxies/take0.mp4"), 1, 2)], length=10)
    assert rows(read_cut(path, footage(raw))) == [("take0.mp4", 1.0, 2.0)]


def test_search_finds_what_the_footage_does_not_have_and_learns_from_it(
    tmp_path: Path, raw: Path
) -> None:
    elsewhere = tmp_path / "old" / "disk"
    elsewhere.mkdir(parents=True)
    (raw / "take1.mp4").rename(elsewhere / "take1.mp4")
    without = read_cut(cut(tmp_path, "/gone"), footage(raw))
    assert (without.num_kept, without.num_unmatched) == (2, 1)
    assert without.notes == ("1 span is not matched: no file of the footage is take1.mp4",)
    found = footage(raw, search=[tmp_path / "old"])
    assert rows(read_cut(cut(tmp_path, "/gone"), found)) == WANTED
    assert [one.path.name for one in found.files] == ["take0.mp4", "take2.mp4", "take1.mp4"]
    with pytest.raises(MediaNotFoundError, match="there is no folder"):
        footage(raw, search=[tmp_path / "nowhere"])


def test_a_file_the_cut_says_nothing_about_counts_as_not_matched(tmp_path: Path, raw: Path) -> None:
    """Neither there nor with a length: readers elsewhere refuse this, learning goes on."""
    path = write_cut(
        tmp_path / "c.otio",
        [("/gone/stock.mov", 0, 2), ("/gone/take0.mp4", 2, 4), ("/gone/stock.mov", 3, 4)],
        length=None,
    )
    annotation = read_cut(path, footage(raw))
    assert rows(annotation) == [("take0.mp4", 2.0, 4.0)]
    assert annotation.num_unmatched == 2
    assert "2 spans are not matched: no file of the footage is stock.mov" in annotation.notes


def test_files_are_looked_at_once_however_many_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(real: Callable[[Path], Any], calls: list[Path]) -> Callable[[Path], Any]:
        def call(path: Path) -> Any:
            calls.append(path)
            return real(path)

        return call

    project, archive = tmp_path / "project", tmp_path / "archive"
    for number in range(4):
        take(project, f"there{number}.mp4", number=number)
        take(archive, f"old{number}.mp4", number=10 + number)
    take(tmp_path / "raw", "take.mp4", number=20)
    rows = [(str(project / f"there{number}.mp4"), 1, 2) for number in range(4)]
    rows += [(f"/gone/lost{number}.mov", 1, 2) for number in range(5)]
    probed: list[Path] = []
    hashed: list[Path] = []
    monkeypatch.setattr(sources, "probe", counted(sources.probe, probed))
    monkeypatch.setattr(footage_module, "content_identity", counted(content_identity, hashed))
    found = footage(tmp_path / "raw", search=[archive])
    annotation = read_cut(write_cut(tmp_path / "c.otio", rows, length=None), found)
    assert annotation.num_unmatched == 9
    assert sorted(path.name for path in probed) == [f"there{number}.mp4" for number in range(4)]
    searched = sorted(path.name for path in hashed if path.parent == archive)
    assert searched == [f"old{number}.mp4" for number in range(4)]


def test_an_edl_knows_names_and_timecodes_only(tmp_path: Path, raw: Path) -> None:
    take(raw, "tc.mp4", number=3, rate=Fraction(25), num_frames=250, timecode="10:00:00:00")
    path = tmp_path / "cut.edl"
    path.write_text(
        "TITLE: cut\nFCM: NON-DROP FRAME\n"
        "001  AX       V     C        10:00:02:00 10:00:04:00 01:00:00:00 01:00:02:00\n"
        "* FROM CLIP NAME: tc.mp4\n"
        "002  BX       V     C        00:00:05:00 00:00:06:00 01:00:02:00 01:00:03:00\n"
        "* FROM CLIP NAME: lost.mp4\n"
    )
    annotation = read_cut(path, footage(raw))
    assert rows(annotation) == [("tc.mp4", 2.0, 4.0)]
    assert annotation.num_unmatched == 1


def test_sound_alone_says_nothing_about_the_picture(tmp_path: Path, raw: Path) -> None:
    sound = media_factory.AudioTrack(media_factory.click_track(10, (1.0,)))
    take(raw, "loud.mp4", number=4, audio=(sound,))
    path = write_cut(
        tmp_path / "c.otio",
        [(str(raw / "take0.mp4"), 2, 4)],
        sounds=[(str(raw / "loud.mp4"), 0, 5)],
        length=10.0,
    )
    annotation = read_cut(path, footage(raw))
    assert rows(annotation) == [("take0.mp4", 2.0, 4.0)]
    assert annotation.notes[-1] == "1 event is of sound alone: nothing is learned from it"


def test_what_the_reader_simplifies_is_said(tmp_path: Path, raw: Path) -> None:
    path = cut(tmp_path, raw)
    timeline = otio.adapters.read_from_file(str(path))
    timeline.tracks[0][0].effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    otio.adapters.write_to_file(timeline, str(path))
    assert any("effect" in note or "speed" in note for note in read_cut(path, footage(raw)).notes)


def test_a_name_that_no_file_can_have_matches_nothing(tmp_path: Path, raw: Path) -> None:
    files = footage(raw)
    for name in ("take\0.mp4", "a" * 5000, "\ud800.mp4"):
        assert isinstance(files.find(MissingMedia(path=name), base=raw), str)


def test_links_of_a_path_of_any_length_are_not_followed(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One of 130,000 names took over a minute of the processor.
    followed: list[int] = []
    follow = os.path.realpath

    def counting(path: Path) -> str:
        followed.append(len(str(path)))
        return follow(path)

    files = footage(raw)
    monkeypatch.setattr(os.path, "realpath", counting)
    assert isinstance(files.find(MissingMedia(path="a/" * 100_000 + "take.mp4"), base=raw), str)
    assert followed, "the files of the footage"
    assert max(followed) <= 4096


def test_copies_teach_once(tmp_path: Path, raw: Path) -> None:
    shutil.copy(raw / "take0.mp4", raw / "copy of take0.mp4")
    found = footage(raw)
    assert len(found.files) == 3
    assert len(found.repeated) == 1
    path = write_cut(
        tmp_path / "c.otio",
        [(str(raw / "take0.mp4"), 1, 2), (str(raw / "copy of take0.mp4"), 4, 5)],
        length=10.0,
    )
    annotation = read_cut(path, found)
    assert [(float(one.start), float(one.end)) for one in annotation.spans] == [(1, 2), (4, 5)]
    assert len({one.file.identity for one in annotation.spans}) == 1


def test_unreadable_footage_is_named_and_its_spans_are_not_matched(
    tmp_path: Path, raw: Path
) -> None:
    (raw / "take1.mp4").write_bytes(b"not a video")
    found = footage(raw)
    assert [one.path.name for one in found.left_out] == ["take1.mp4"]
    annotation = read_cut(cut(tmp_path, raw), found)
    assert rows(annotation) == [WANTED[0], WANTED[2]]
    assert annotation.num_unmatched == 1


def test_footage_without_a_readable_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(TrainingError, match="none of the 1 videos could be read") as caught:
        footage(tmp_path)
    assert "a.mp4" in caught.value.message


def test_a_cut_that_is_none(tmp_path: Path, raw: Path) -> None:
    (tmp_path / "cut.otio").write_text("{}")
    with pytest.raises(TimelineError):
        read_cut(tmp_path / "cut.otio", footage(raw))
    with pytest.raises(UsageError, match=r"extension \.prproj is unknown"):
        read_cut(tmp_path / "cut.prproj", footage(raw))
    with pytest.raises(TimelineError, match="no such timeline"):
        read_cut(tmp_path / "gone.otio", footage(raw))
