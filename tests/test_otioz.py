"""Bundles with media, read back with OpenTimelineIO's own adapter."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace

import opentimelineio as otio
import pytest
from document_factory import make_document
from media_factory import make_video

from hlcli.document import ScoresDocument
from hlcli.errors import HlError, MediaError, MediaNotFoundError, OutputError
from hlcli.media.identity import content_identity
from hlcli.paths import bundles_dir
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.formats import otioz
from hlcli.timeline.formats.otio import otio_timeline
from hlcli.timeline.read import otioz as read_otioz
from hlcli.timeline.read import read_timeline
from hlcli.workflows.outputs import write_outputs


def scored(file: Path, content: bytes, *, audio: int = 1) -> ScoresDocument:
    """Write a file and return a document of it; a bundle does not care what is in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    identity = content_identity(file)
    return make_document(path=str(file), identity=identity, audio=audio, spans=[(1.0, 3.0)])


def read_back(bundle: Path, folder: Path) -> dict[str, bytes]:
    """Unpack with OpenTimelineIO; return what each clip of the picture leads to, by its name."""
    folder.mkdir()
    timeline = otio.adapters.read_from_file(str(bundle), extract_to_directory=str(folder))
    return {
        clip.name + "/" + clip.media_reference.target_url: (
            folder / clip.media_reference.target_url
        ).read_bytes()
        for clip in timeline.find_clips()
    }


def test_bundle_holds_timeline_and_media(tmp_path: Path) -> None:
    documents = [
        scored(tmp_path / "a.mp4", b"first"),
        scored(tmp_path / "b roll.mov", b"second", audio=0),
    ]
    write_outputs([tmp_path / "cut.otioz"], documents)
    assert read_back(tmp_path / "cut.otioz", tmp_path / "out") == {
        "a.mp4/media/a.mp4": b"first",
        "b roll.mov/media/b roll.mov": b"second",
    }
    with zipfile.ZipFile(tmp_path / "cut.otioz") as bundle:
        assert bundle.read("version.txt") == b"1.0.0"
        assert bundle.namelist() == [
            "version.txt",
            "content.otio",
            "media/a.mp4",
            "media/b roll.mov",
        ]
        assert {entry.compress_type for entry in bundle.infolist()} == {zipfile.ZIP_STORED}
        # Where the media lay on this machine is nobody's business.
        assert str(tmp_path).encode() not in bundle.read("content.otio")


def test_bundle_has_the_cuts_of_the_timeline(tmp_path: Path) -> None:
    document = scored(tmp_path / "a.mp4", b"first")
    write_outputs([tmp_path / "cut.otioz"], [document])
    write_outputs([tmp_path / "cut.otio"], [document])
    bundled, plain = (
        otio.adapters.read_from_file(str(tmp_path / f"cut{suffix}"))
        for suffix in (".otioz", ".otio")
    )
    for clip in [*bundled.find_clips(), *plain.find_clips()]:
        clip.media_reference.target_url = "here"
    assert bundled.is_equivalent_to(plain)


def bundle_of(tmp_path: Path, name: str) -> Path:
    """Write a bundle of one real video."""
    folder = tmp_path / name
    folder.mkdir()
    video = make_video(folder, name=f"{name}.mp4", first_number=len(name))
    document = make_document(path=str(video), spans=[(0.2, 1.0)], identity=content_identity(video))
    write_outputs([tmp_path / f"{name}.otioz"], [document])
    return tmp_path / f"{name}.otioz"


def test_damaged_media_in_the_cache_is_taken_out_again(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, "a")
    whole = (tmp_path / "a/a.mp4").read_bytes()
    [event] = read_timeline(bundle).edit.events
    cached = Path(event.source.path)
    assert bundles_dir() in cached.parents
    assert cached.read_bytes() == whole
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    for data in (bytes(damaged), bytes(len(whole)), whole[:-1], b""):
        cached.write_bytes(data)
        assert read_timeline(bundle).edit.events == (event,)
        assert cached.read_bytes() == whole
    cached.unlink()
    assert read_timeline(bundle).edit.events == (event,)
    # What is whole is left alone.
    before = cached.stat().st_mtime_ns
    read_timeline(bundle)
    assert cached.stat().st_mtime_ns == before


def test_media_of_bundles_read_long_ago_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles = [bundle_of(tmp_path, name) for name in ("a", "bb", "ccc", "dddd")]
    size = (tmp_path / "a/a.mp4").stat().st_size
    monkeypatch.setattr(read_otioz, "MAX_BUNDLES_BYTES", int(2.5 * size))

    def folder_of(bundle: Path) -> Path:
        return bundles_dir() / content_identity(bundle)[:32]

    for days, bundle in zip((3, 2, 4), bundles[:3], strict=True):
        read_timeline(bundle)
        os.utime(folder_of(bundle), (time.time() - days * 86400,) * 2)
    read_timeline(bundles[3])
    # Those of four and of three days ago are gone.
    assert [folder_of(bundle).exists() for bundle in bundles] == [False, True, False, True]
    # What was read today stays, however large, and what is asked for is there.
    monkeypatch.setattr(read_otioz, "MAX_BUNDLES_BYTES", 0)
    for bundle in bundles:
        [event] = read_timeline(bundle).edit.events
        assert Path(event.source.path).is_file()
    assert all(folder_of(bundle).exists() for bundle in bundles)


def test_names_that_clash_or_are_no_url(tmp_path: Path) -> None:
    names = ["one/A001.MP4", "two/a001.mp4", "clip \u00e4 \u65e5\u672c #1 100%25 & 'q'.mp4", ".mov"]
    if os.name != "nt":
        names += ["what?.mp4", "caf\udce9.mp4", "con.mp4", 'a"b|c*.mp4', "end. "]
    contents = {name: f"content of {index}".encode() for index, name in enumerate(names)}
    if sys.platform == "darwin":
        del contents["caf\udce9.mp4"]  # Apple's file system has no such names.
    documents = [scored(tmp_path / name, content) for name, content in contents.items()]
    write_outputs([tmp_path / "cut.otioz"], documents)
    found = read_back(tmp_path / "cut.otioz", tmp_path / "out")
    assert list(found.values()) == list(contents.values())
    urls = [name.partition("/media/")[2] for name in found]
    assert urls[:4] == [
        "A001.MP4",
        "a001-2.mp4",
        "clip \u00e4 \u65e5\u672c _1 100_25 _ 'q'.mp4",
        ".mov",
    ]
    if sys.platform == "linux":
        assert urls[4:] == ["what_.mp4", "caf_.mp4", "_con.mp4", "a_b_c_.mp4", "end"]
    for url in urls:
        # OpenTimelineIO's own way from a URL to a path, which cuts at "#" and decodes "%25".
        assert otio.url_utils.filepath_from_url(f"media/{url}") == f"media/{url}"


def test_one_file_is_bundled_once(tmp_path: Path) -> None:
    document = scored(tmp_path / "a.mp4", b"first")
    write_outputs([tmp_path / "cut.otioz"], [document, document])
    with zipfile.ZipFile(tmp_path / "cut.otioz") as bundle:
        assert bundle.namelist() == ["version.txt", "content.otio", "media/a.mp4"]


def test_two_runs_give_the_same_bytes_whatever_the_files_dates(tmp_path: Path) -> None:
    document = scored(tmp_path / "a.mp4", b"first")
    write_outputs([tmp_path / "cut.otioz"], [document])
    first = (tmp_path / "cut.otioz").read_bytes()
    os.utime(tmp_path / "a.mp4", (1_000_000_000, 1_000_000_000))
    write_outputs([tmp_path / "cut.otioz"], [document])
    assert (tmp_path / "cut.otioz").read_bytes() == first


def test_opentimelineio_alone_refuses_files_of_one_name_and_writes_dates(tmp_path: Path) -> None:
    # Why the bundle is not left to its adapter.
    documents = [
        scored(tmp_path / "one/a.mp4", b"first"),
        scored(tmp_path / "two/a.mp4", b"second"),
    ]
    timeline = otio_timeline(build_edit_list(documents, name="x"))
    with pytest.raises(otio.exceptions.OTIOError, match="unique basenames"):
        otio.adapters.write_to_file(timeline, str(tmp_path / "x.otioz"))
    timeline = otio_timeline(build_edit_list(documents[:1], name="x"))
    sizes = set()
    for number, date in enumerate((1_000_000_000, 1_100_000_000)):
        os.utime(tmp_path / "one/a.mp4", (date, date))
        otio.adapters.write_to_file(timeline, str(tmp_path / f"{number}.otioz"))
        sizes.add((tmp_path / f"{number}.otioz").read_bytes())
    assert len(sizes) == 2


@pytest.mark.parametrize("path", ["C:\\footage\\a.mp4", "\\\\srv\\share\\a.mp4", "/gone/a.mp4"])
def test_media_that_is_not_here(tmp_path: Path, path: str) -> None:
    document = make_document(path=path, spans=[(1.0, 3.0)])
    with pytest.raises(MediaNotFoundError, match="not on this machine") as error:
        write_outputs([tmp_path / "cut.otioz"], [document])
    assert path in error.value.message
    assert ".otio" in error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_paths_of_another_machine_are_not_here(tmp_path: Path) -> None:
    document = scored(tmp_path / "a.mp4", b"first")
    layout = Layout(path_maps=((str(tmp_path), "Z:\\footage"),))
    with pytest.raises(MediaNotFoundError, match="not on this machine") as error:
        write_outputs([tmp_path / "cut.otioz"], [document], layout=layout)
    assert "Z:\\footage\\a.mp4" in error.value.message
    assert "--map-path" in error.value.hint


def test_media_that_was_replaced(tmp_path: Path) -> None:
    document = scored(tmp_path / "a.mp4", b"first")
    (tmp_path / "a.mp4").write_bytes(b"other")
    with pytest.raises(MediaError, match="not the file that was scored"):
        write_outputs([tmp_path / "cut.otioz"], [document])
    assert not (tmp_path / "cut.otioz").exists()


def test_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = scored(tmp_path / "a.mp4", b"first")
    (tmp_path / "cut.otioz").write_bytes(b"what stood there")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=4))
    with pytest.raises(OutputError, match="the media is 5 B, 4 B are free"):
        write_outputs([tmp_path / "cut.otioz"], [document])
    assert (tmp_path / "cut.otioz").read_bytes() == b"what stood there"


def test_disk_that_fills_up_meanwhile(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    document = scored(tmp_path / "a.mp4", bytes(300_000))
    (tmp_path / "a.json").write_text(document.to_text())
    (tmp_path / "cut.otioz").write_bytes(b"what stood there")
    # A process of its own: the limit on the size of files would be everybody's.
    script = f"""
import resource, signal
from pathlib import Path
from hlcli.document import read_documents
from hlcli.errors import OutputError
from hlcli.workflows.outputs import write_outputs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
documents = read_documents(Path("a.json"))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))
try:
    write_outputs([Path("cut.otioz")], documents)
except OutputError as error:
    print(error.message)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.stdout == "cannot write cut.otioz: File too large\n", run.stderr
    assert (tmp_path / "cut.otioz").read_bytes() == b"what stood there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.mp4", "cut.otioz"]


def test_media_that_breaks_off_is_not_taken_for_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = scored(tmp_path / "a.mp4", b"first")

    def broken(file: Path) -> str:
        # The card is pulled between the look at the file and the copy.
        file.unlink()
        return document.video.sha256_head

    monkeypatch.setattr(otioz, "_check_room", lambda path, files: None)
    monkeypatch.setattr(otioz, "content_identity", broken)
    with pytest.raises(MediaError, match="cannot read") as error:
        write_outputs([tmp_path / "cut.otioz"], [document])
    assert error.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_large_media_is_streamed_and_gets_the_64_bit_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = scored(tmp_path / "a.mp4", b"begin")
    with (tmp_path / "a.mp4").open("r+b") as stream:
        stream.truncate(48 << 20)
    identity = content_identity(tmp_path / "a.mp4")
    video = dataclasses.replace(document.video, sha256_head=identity)
    document = dataclasses.replace(document, video=video)
    # As if 2 GiB were 16 MiB; a file of this size would do without otherwise.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 16 << 20)
    write_outputs([tmp_path / "warm.otioz"], [document])  # loads what is loaded once
    tracemalloc.start()
    try:
        write_outputs([tmp_path / "cut.otioz"], [document])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 12 << 20
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "cut.otioz") as bundle:
        entry = bundle.getinfo("media/a.mp4")
        assert (entry.file_size, entry.compress_size) == (48 << 20, 48 << 20)
        assert entry.extract_version == 45  # the first with 64-bit sizes
        assert bundle.testzip() is None


def test_every_failure_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    document = make_document(path=str(tmp_path / "folder.mp4"), spans=[(1.0, 3.0)])
    with pytest.raises(HlError, match="is a folder"):
        write_outputs([tmp_path / "cut.otioz"], [document])
