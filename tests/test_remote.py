"""Videos and scores that lie elsewhere: a real S3 server and a real web server."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import hl

from hlcli.atomic import unfinished_folder
from hlcli.document import read_documents
from hlcli.errors import OutputError
from hlcli.media import remote
from hlcli.media.identity import content_identity
from hlcli.progress import Listener, silent
from tests.media_factory import make_video

pytest.importorskip("fsspec", reason="the extra cluster is not installed")
s3fs = pytest.importorskip("s3fs", reason="the extra cluster is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run an S3 server; returns its address."""
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> s3fs.S3FileSystem:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # of a test before, with its credentials or none
    store = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    if store.exists("archive"):
        store.rm("archive", recursive=True)
    store.mkdir("archive")
    return store


def test_videos_in_a_bucket_are_scored_under_their_addresses(
    tmp_path: Path, bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(tmp_path, name="a.mp4")
    bucket.put(str(video), "archive/card/a.mp4")
    bucket.pipe("archive/card/bad.mp4", b"no video")
    bucket.pipe("archive/card/notes.txt", b"no video")
    (file, _) = remote.find_remote(["s3://archive/card"], Listener())
    assert file.identity() == content_identity(video)
    local, far = tmp_path / "local.json", tmp_path / "far.json"
    assert hl("score", video, "-o", local, "--no-cache").exit_code == 0
    result = hl("score", "s3://archive/card", "-o", far)
    assert result.exit_code == 3
    assert "cannot read s3://archive/card/bad.mp4 as a video" in result.stderr
    assert "no video" in bucket.cat("archive/card/bad.mp4").decode()
    assert result.stderr.count("error: ") == 1
    (document,) = read_documents(far)
    assert document.video.path == "s3://archive/card/a.mp4"
    assert document.scores == read_documents(local)[0].scores
    # Nothing fetched is left; and what is scored is not fetched again.
    assert not list(Path(os.environ["HL_CACHE_DIR"], "staged").iterdir())
    monkeypatch.setattr(remote.RemoteFile, "fetch", None)
    assert hl("score", "s3://archive/card/*.mp4", "-o", far).exit_code != 0  # bad.mp4 alone
    assert [one.video.path for one in read_documents(far)] == ["s3://archive/card/a.mp4"]


def test_scores_in_a_bucket_are_shared(
    tmp_path: Path, bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(tmp_path, name="a.mp4", first_number=50)
    monkeypatch.setenv("HL_STORE", "s3://archive/scores")
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    assert hl("score", video, "-o", first).exit_code == 0
    (name,) = bucket.ls("archive/scores", detail=False)
    before = bucket.info(name)["LastModified"]
    # Another machine: nothing is decoded. What is there is never written over.
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path / "other"))
    monkeypatch.setattr("hlcli.workflows.score.probe", None)
    assert hl("score", video, "-o", second).exit_code == 0
    assert second.read_bytes() == first.read_bytes()
    assert bucket.ls("archive/scores", detail=False) == [name]
    assert bucket.info(name)["LastModified"] == before


def test_a_store_writes_only_what_is_not_there(bucket: s3fs.S3FileSystem) -> None:
    bucket.pipe_file("archive/x.json", b"first", mode="create")
    with pytest.raises(FileExistsError):
        bucket.pipe_file("archive/x.json", b"second", mode="create")
    assert bucket.cat("archive/x.json") == b"first"


def test_videos_on_a_web_server(tmp_path: Path) -> None:
    folder = tmp_path / "www"
    folder.mkdir()
    make_video(folder, name="a.mp4", first_number=70)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{web.server_port}/a.mp4"
        output = tmp_path / "out.json"
        result = hl("score", address, "-o", output)
        gone = hl("score", address.replace("a.mp4", "gone.mp4"))
        web.shutdown()
    assert result.exit_code == 0, result.stderr
    assert read_documents(output)[0].video.path == address
    assert gone.exit_code == 3
    assert "there is no http://127.0.0.1" in gone.stderr


def test_worker_processes_fetch_for_themselves(tmp_path: Path, bucket: s3fs.S3FileSystem) -> None:
    for number, name in enumerate("ab"):
        video = make_video(tmp_path, name=f"{name}.mp4", first_number=50 * number)
        bucket.put(str(video), f"archive/{name}.mp4")
    bucket.pipe("archive/bad.mp4", b"no video")
    words = ("--jobs", 2, "--shard", "1/1", "-o", tmp_path / "a.json")
    result = hl("score", "s3://archive/", tmp_path / "b.mp4", *words)
    assert result.exit_code == 3, result.stderr
    assert result.stderr.count("error: ") == 1
    assert "cannot read s3://archive/bad.mp4 as a video" in result.stderr
    found = [one.video.path for one in read_documents(tmp_path / "a.json")]
    assert found == [str(tmp_path / "b.mp4"), "s3://archive/a.mp4", "s3://archive/b.mp4"]
    assert not list(Path(os.environ["HL_CACHE_DIR"], "staged").iterdir())


def test_what_cannot_be_reached_is_said_in_words(
    tmp_path: Path, bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = hl("score", "s3://no-such-bucket-here/a.mp4")
    assert missing.exit_code == 3
    assert "s3://no-such-bucket-here/a.mp4" in missing.stderr
    unknown = hl("score", "nothing://x/a.mp4")
    assert unknown.exit_code == 2
    assert "no kind of address" in unknown.stderr
    monkeypatch.setenv("HL_STORE", "s3://no-such-bucket-here/scores")
    store = hl("score", make_video(tmp_path))
    assert store.exit_code == 6
    assert "check the bucket" in store.stderr
    monkeypatch.delenv("HL_STORE")
    bucket.pipe("archive/a.mp4", b"0123456789")
    monkeypatch.setattr("shutil.disk_usage", lambda path: Full())
    full = hl("score", "s3://archive/a.mp4")
    assert full.exit_code == 6
    assert "there is no room to fetch s3://archive/a.mp4" in full.stderr
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()  # as another process would
    nobody = hl("score", "s3://archive/a.mp4")
    assert nobody.exit_code == 3
    assert "credentials" in nobody.stderr
    assert "Traceback" not in nobody.stderr


class Full:
    free = 0


def test_it_waits_for_room_that_others_take(
    tmp_path: Path, bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe("archive/a.mp4", b"0123456789")
    (file,) = remote.find_remote(["s3://archive/a.mp4"], Listener())
    usage = shutil.disk_usage(tmp_path)
    stages: list[str] = []
    staged = Path(os.environ["HL_CACHE_DIR"], "staged")
    staged.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as other:
        other.enter_context(unfinished_folder(staged, "fetched"))
        monkeypatch.setattr("shutil.disk_usage", lambda path: Full())

        def progress(stage: str, done: float, total: float) -> None:
            stages.append(stage)
            other.close()
            monkeypatch.setattr("shutil.disk_usage", lambda path: usage)

        with file.fetched(progress) as path:
            assert path.read_bytes() == b"0123456789"
    assert stages == ["waiting for room for a.mp4", "fetching a.mp4"]
    assert not path.exists()


@pytest.mark.parametrize("size", [1_000_000, 65_536 + 100])
def test_a_disk_that_fills_up_while_fetching_is_named(
    tmp_path: Path, bucket: s3fs.S3FileSystem, size: int
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        bucket.pipe("archive/a.mp4", bytes(size))
        (file,) = remote.find_remote(["s3://archive/a.mp4"], Listener())
        with pytest.raises(OutputError, match=r"the disk is full: cannot write .*disk"):
            file.fetch(disk / "a.mp4", silent)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
