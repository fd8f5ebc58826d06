"""Downloads from real servers on this machine, good and bad."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_servers import (
    Behaviour,
    WeightsServer,
    answer,
    cut_after,
    drip,
    endless,
    proxy_running,
    running,
    serve,
    serve_without_ranges,
)
from zoo_factory import detector, weights_bytes

from hlcli.errors import (
    CheckpointError,
    ChecksumError,
    DownloadError,
    OfflineError,
    OutputError,
)
from hlcli.paths import models_dir
from hlcli.zoo import weights
from hlcli.zoo.download import RetryPolicy, download

GOOD = weights_bytes(num_bytes=50_000)
OTHER = weights_bytes(fill=8, num_bytes=50_000)
HALF = len(GOOD) // 2
QUICK = RetryPolicy(timeout_seconds=5, num_attempts=3, backoff_seconds=0.01)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HL_MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    with running(WeightsServer(GOOD)) as owner:
        yield owner


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "demo.safetensors"


def fetch(server: WeightsServer, target: Path, **changes: Any) -> None:
    options: dict[str, Any] = {
        "sha256": hashlib.sha256(GOOD).hexdigest(),
        "size_bytes": len(GOOD),
        "retry_policy": QUICK,
    }
    download(changes.pop("url", server.url()), target, **(options | changes))


def left_behind(target: Path) -> set[str]:
    """Names in the folder, without the lock."""
    return {path.name for path in target.parent.iterdir()} - {f".{target.name}.lock"}


def ranges(server: WeightsServer) -> list[str | None]:
    return [request.get("range") for request in server.requests]


def test_good_file_arrives(server: WeightsServer, target: Path) -> None:
    reported: list[tuple[str, float, float]] = []
    fetch(server, target, progress=lambda *report: reported.append(report))
    assert target.read_bytes() == GOOD
    assert left_behind(target) == {target.name}
    assert reported[0] == ("downloading demo.safetensors", 0, len(GOOD))
    assert reported[-1] == ("downloading demo.safetensors", len(GOOD), len(GOOD))
    assert server.requests[0]["accept-encoding"] == "identity"


def test_a_file_that_is_there_is_not_fetched_again(server: WeightsServer, target: Path) -> None:
    fetch(server, target)
    fetch(server, target)
    assert len(server.requests) == 1
    target.write_bytes(OTHER)
    fetch(server, target)
    assert len(server.requests) == 2
    assert target.read_bytes() == GOOD


def test_cut_connection_goes_on_where_it_stopped(server: WeightsServer, target: Path) -> None:
    server.plan = [cut_after(HALF)]
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert server.requests[1]["if-range"] == '"v1"'
    assert server.sent_bytes == [HALF, len(GOOD) - HALF]


@pytest.mark.parametrize(
    ("etag", "modified", "condition"),
    [
        ('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT", '"v1"'),
        ('W/"v1"', "Mon, 01 Jan 2024 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 GMT"),
        (None, None, None),
    ],
)
def test_broken_download_is_continued_by_a_later_call(
    etag: str | None,
    modified: str | None,
    condition: str | None,
    server: WeightsServer,
    target: Path,
) -> None:
    server.etag, server.modified = etag, modified
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError, match=f"closed after {HALF:,} of {len(GOOD):,} bytes"):
        fetch(server, target, retry_policy=RetryPolicy(num_attempts=1))
    assert left_behind(target) == {"demo.safetensors.part", "demo.safetensors.part.json"}
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert left_behind(target) == {target.name}
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert server.requests[1].get("if-range") == condition
    assert server.sent_bytes == [HALF, len(GOOD) - HALF]


def test_every_attempt_is_cut(server: WeightsServer, target: Path) -> None:
    server.plan = [cut_after(100)] * 3
    with pytest.raises(DownloadError) as caught:
        fetch(server, target)
    assert "closed after 300 of" in caught.value.message
    assert caught.value.hint == "run it again later, it goes on where it stopped"
    assert ranges(server) == [None, "bytes=100-", "bytes=200-"]


def test_server_without_ranges_starts_again(server: WeightsServer, target: Path) -> None:
    server.plan = [cut_after(HALF), serve_without_ranges]
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert server.sent_bytes == [HALF, len(GOOD)]


def test_changed_file_starts_again(server: WeightsServer, target: Path) -> None:
    # The first half is of another file of the same size, whose ETag is another one too.
    server.body, server.etag = OTHER, '"old"'
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError):
        fetch(server, target, retry_policy=RetryPolicy(num_attempts=1))
    server.body, server.etag = GOOD, '"new"'
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert server.requests[1]["if-range"] == '"old"'
    assert server.sent_bytes == [HALF, len(GOOD)]


def test_a_part_with_an_etag_that_changed_is_not_put_together_with_another(
    server: WeightsServer, target: Path
) -> None:
    server.body, server.etag = OTHER, '"old"'
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError):
        fetch(server, target, retry_policy=RetryPolicy(num_attempts=1))
    server.body, server.etag = GOOD, '"new"'
    size = len(GOOD)
    # A server that does not know If-Range answers with a part of what it has now.
    part = {"ETag": '"new"', "Content-Range": f"bytes {HALF}-{size - 1}/{size}"}
    server.plan = [answer(206, part, GOOD[HALF:])]
    reported: list[float] = []
    fetch(server, target, progress=lambda stage, done, total: reported.append(done))
    assert target.read_bytes() == GOOD
    assert ranges(server) == [None, f"bytes={HALF}-", None]
    # Known at once, and not by the hash of two halves that do not fit.
    assert reported.count(size) == 1
    assert reported[0] == 0


def test_changed_file_of_a_server_without_marks_starts_again(
    server: WeightsServer, target: Path
) -> None:
    server.body, server.etag = OTHER, None
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError):
        fetch(server, target, retry_policy=RetryPolicy(num_attempts=1))
    server.body = GOOD
    fetch(server, target)
    assert target.read_bytes() == GOOD
    # The halves do not fit: one fresh start.
    assert server.sent_bytes == [HALF, len(GOOD) - HALF, len(GOOD)]


def test_part_of_another_release_is_not_continued(server: WeightsServer, target: Path) -> None:
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError):
        fetch(server, target, sha256="0" * 64, retry_policy=RetryPolicy(num_attempts=1))
    fetch(server, target)
    assert ranges(server) == [None, None]
    assert target.read_bytes() == GOOD


@pytest.mark.parametrize("notes", ["", "[]", "{}", "null", '"text"'])
def test_damaged_notes_start_again(notes: str, server: WeightsServer, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("demo.safetensors.part").write_bytes(OTHER[:HALF])
    target.with_name("demo.safetensors.part.json").write_text(notes)
    fetch(server, target)
    assert ranges(server) == [None]
    assert target.read_bytes() == GOOD


def test_refused_range_starts_again(server: WeightsServer, target: Path) -> None:
    server.plan = [cut_after(HALF), answer(416)]
    fetch(server, target)
    assert ranges(server) == [None, f"bytes={HALF}-", None]
    assert target.read_bytes() == GOOD


def test_wrong_part_of_the_file_starts_again(server: WeightsServer, target: Path) -> None:
    content_range = {"Content-Range": f"bytes 0-{len(GOOD) - 1}/{len(GOOD)}"}
    server.plan = [cut_after(HALF), answer(206, content_range, GOOD)]
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert ranges(server) == [None, f"bytes={HALF}-", None]


def test_wrong_bytes_are_named_and_removed(server: WeightsServer, target: Path) -> None:
    server.body = OTHER
    with pytest.raises(ChecksumError) as caught:
        fetch(server, target)
    expected, got = (hashlib.sha256(data).hexdigest() for data in (GOOD, OTHER))
    assert f"expected sha256 {expected}, got {got} ({len(GOOD):,} bytes)" in caught.value.message
    assert left_behind(target) == set()
    assert len(server.requests) == 1


def test_missing_file_is_not_tried_again(server: WeightsServer, target: Path) -> None:
    server.plan = [answer(404)] * 3
    with pytest.raises(DownloadError, match="the server answered 404") as caught:
        fetch(server, target)
    assert server.url() in caught.value.message
    assert len(server.requests) == 1
    assert not target.exists()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_server_trouble_is_tried_again(status: int, server: WeightsServer, target: Path) -> None:
    server.plan = [answer(status), answer(status)]
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert len(server.requests) == 3
    target.unlink()
    server.plan = [answer(status)] * 3
    with pytest.raises(DownloadError, match=f"the server answered {status}"):
        fetch(server, target)
    assert len(server.requests) == 6


def test_slow_server_is_waited_for(server: WeightsServer, target: Path) -> None:
    server.plan = [drip(10_000, 0.05)]
    fetch(server, target, retry_policy=RetryPolicy(timeout_seconds=10, num_attempts=1))
    assert target.read_bytes() == GOOD
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [(drip(20_000, 1.5), "broke: .*timed out"), (drip(20, 0.05), "the server sent .* bytes in ")],
)
def test_stalled_server_is_left_and_continued(
    behaviour: Behaviour, says: str, server: WeightsServer, target: Path
) -> None:
    server.plan = [behaviour]
    impatient = RetryPolicy(timeout_seconds=0.5, num_attempts=1, min_bytes_per_second=5000)
    with pytest.raises(DownloadError, match=says):
        fetch(server, target, retry_policy=impatient)
    done_bytes = target.with_name("demo.safetensors.part").stat().st_size
    assert 0 < done_bytes < len(GOOD)
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert ranges(server) == [None, f"bytes={done_bytes}-"]


@pytest.mark.parametrize("size_bytes", [len(GOOD) - 1, len(GOOD) + 1])
def test_declared_size_must_be_the_published_one(
    size_bytes: int, server: WeightsServer, target: Path
) -> None:
    with pytest.raises(
        DownloadError, match=f"has {len(GOOD):,} bytes and {size_bytes:,} are published"
    ):
        fetch(server, target, size_bytes=size_bytes)
    assert left_behind(target) == set()
    assert len(server.requests) == 1


def test_undeclared_oversize_body_stops_at_the_published_size(
    server: WeightsServer, target: Path
) -> None:
    server.plan = [endless]
    seen: list[float] = []
    with pytest.raises(DownloadError, match="sends more than the published"):
        fetch(server, target, progress=lambda _, done, __: seen.append(done))
    assert max(seen) <= len(GOOD)
    assert left_behind(target) == set()
    assert len(server.requests) == 1


def test_grown_file_is_refused_when_continued(server: WeightsServer, target: Path) -> None:
    server.etag = None
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError):
        fetch(server, target, retry_policy=RetryPolicy(num_attempts=1))
    server.body = GOOD + b"x"
    with pytest.raises(DownloadError, match="are published"):
        fetch(server, target)
    assert left_behind(target) == set()


@pytest.mark.parametrize(
    ("location", "goal"),
    [
        ("http://weights.example/a.safetensors?key=secret", "http://weights.example"),
        ("https://user:secret@weights.example/a.safetensors", "https://weights.example"),
    ],
)
def test_redirect_elsewhere_is_refused(
    location: str, goal: str, server: WeightsServer, target: Path
) -> None:
    server.plan = [answer(302, {"Location": location})]
    with pytest.raises(DownloadError) as caught:
        fetch(server, target)
    assert f"redirects to {goal}, which is refused" in caught.value.message
    assert "secret" not in caught.value.message
    assert len(server.requests) == 1


def test_redirect_to_a_file_is_refused(server: WeightsServer, target: Path) -> None:
    server.plan = [answer(302, {"Location": "file:///etc/passwd"})]
    with pytest.raises(DownloadError, match="the server answered 302"):
        fetch(server, target)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_allowed_redirect_is_followed_with_the_range(
    status: int, server: WeightsServer, target: Path
) -> None:
    moved = answer(status, {"Location": "/elsewhere"})
    server.plan = [cut_after(HALF), moved, serve]
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert server.requests[2]["path"] == "/elsewhere"
    assert server.requests[2]["range"] == f"bytes={HALF}-"


def test_redirect_loop_ends(server: WeightsServer, target: Path) -> None:
    server.plan = [answer(302, {"Location": server.url()})] * 50
    with pytest.raises(DownloadError, match="the server answered 302"):
        fetch(server, target)


def test_pickle_never_gets_the_name(server: WeightsServer, target: Path) -> None:
    server.body = b"cos\nsystem\n(S'exit 1'\ntR."
    with pytest.raises(CheckpointError, match="is not a safetensors file") as caught:
        fetch(
            server,
            target,
            sha256=hashlib.sha256(server.body).hexdigest(),
            size_bytes=len(server.body),
        )
    assert server.url() in caught.value.message
    assert left_behind(target) == set()


def test_compressed_body_is_refused(server: WeightsServer, target: Path) -> None:
    server.plan = [answer(200, {"Content-Encoding": "gzip"}, GOOD)]
    with pytest.raises(DownloadError, match="sent compressed"):
        fetch(server, target)
    assert left_behind(target) == set()


@pytest.mark.parametrize("url", ["http://example.org/a", "file:///etc/passwd", "https://a b/c"])
def test_bad_address_is_refused_before_any_connection(url: str, target: Path) -> None:
    with pytest.raises(DownloadError, match="cannot download"):
        download(url, target, sha256="0" * 64, size_bytes=1)
    assert not target.parent.exists()


def test_nobody_listens(target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/demo.safetensors"
        with pytest.raises(DownloadError, match=r"no answer from the server: .*refused"):
            download(url, target, sha256="0" * 64, size_bytes=1, retry_policy=QUICK)


def test_ctrl_c_leaves_what_a_later_pull_completes(server: WeightsServer, target: Path) -> None:
    server.plan = [drip(10_000, 0.05)]

    def interrupt(stage: str, done: float, total: float) -> None:
        if done >= HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, target, progress=interrupt)
    part = target.with_name("demo.safetensors.part")
    assert left_behind(target) == {part.name, f"{part.name}.json"}
    done_bytes = part.stat().st_size
    assert part.read_bytes() == GOOD[:done_bytes]
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert ranges(server) == [None, f"bytes={done_bytes}-"]


def test_a_complete_part_needs_no_request(server: WeightsServer, target: Path) -> None:
    def interrupt(stage: str, done: float, total: float) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, target, progress=interrupt)
    assert not target.exists()
    fetch(server, target)
    assert target.read_bytes() == GOOD
    assert len(server.requests) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_is_an_output_error(server: WeightsServer, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("demo.safetensors.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="the disk is full") as caught:
        fetch(server, target)
    assert caught.value.hint.startswith("free ")
    assert not target.exists()


def test_too_little_space_is_seen_before_the_download(
    server: WeightsServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(target.parent.parent)._replace(free=len(GOOD) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=f"needs {len(GOOD):,} more"):
        fetch(server, target)
    assert server.requests == []


def test_folder_that_cannot_be_made(server: WeightsServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write into"):
        fetch(server, tmp_path / "file" / "models" / "demo.safetensors")


def test_two_processes_share_one_download(server: WeightsServer, target: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hlcli.zoo.download import download;"
        "download(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], size_bytes=int(sys.argv[4]))"
    )
    server.plan = [drip(5000, 0.1)]
    command = [sys.executable, "-c", code, server.url(), str(target)]
    command += [hashlib.sha256(GOOD).hexdigest(), str(len(GOOD))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    both = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    assert target.read_bytes() == GOOD
    assert len(server.requests) == 1
    assert left_behind(target) == {target.name}


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody trusts yet."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    both = tmp_path / "both.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    both.write_bytes((tmp_path / "key.pem").read_bytes() + (tmp_path / "cert.pem").read_bytes())
    return both


def test_https_checks_the_certificate(certificate: Path, target: Path) -> None:
    with running(WeightsServer(GOOD, certificate=certificate)) as server:
        assert server.url().startswith("https://")
        with pytest.raises(DownloadError, match=r"cannot reach 127\.0\.0\.1: .*self.signed"):
            fetch(server, target)
        assert server.requests == []
        assert not target.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="SSL_CERT_FILE is OpenSSL's own setting")
def test_https_stays_https(
    certificate: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running(WeightsServer(GOOD, certificate=certificate)) as server:
        server.plan = [cut_after(HALF)]
        fetch(server, target)
        assert target.read_bytes() == GOOD
        assert ranges(server) == [None, f"bytes={HALF}-"]
        target.unlink()
        server.plan = [answer(302, {"Location": "http://127.0.0.1:1/demo.safetensors"})]
        with pytest.raises(DownloadError, match="https must not turn into http"):
            fetch(server, target)


# Through the model


def published(server: WeightsServer, **changes: Any) -> Any:
    return detector(GOOD, file=None, url=server.url(), **changes)


def test_weights_are_downloaded_once(server: WeightsServer) -> None:
    manifest = published(server)
    assert weights.location(manifest) == "not here"
    path = weights.weights_path(manifest)
    assert path.parent == models_dir()
    assert path.read_bytes() == GOOD
    assert weights.weights_path(manifest) == path
    assert weights.location(manifest) == "downloaded"
    assert len(server.requests) == 1


def test_damaged_download_is_an_error_that_pull_cures(server: WeightsServer) -> None:
    manifest = published(server)
    weights.pull(manifest).write_bytes(OTHER)
    with pytest.raises(ChecksumError) as caught:
        weights.weights_path(manifest)
    assert caught.value.hint == "run `hl models pull demo` to download them again"
    assert weights.pull(manifest).read_bytes() == GOOD
    weights.verify(manifest)


def test_removed_weights_take_their_part_along(server: WeightsServer) -> None:
    manifest = published(server)
    server.plan = [cut_after(HALF)]
    with pytest.raises(DownloadError):
        weights.pull(manifest, retry_policy=RetryPolicy(num_attempts=1))
    assert weights.remove(manifest)
    assert left_behind(weights.local_path(manifest)) == set()
    assert not weights.remove(manifest)


def test_offline_uses_what_is_here(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = published(server)
    path = weights.pull(manifest)
    monkeypatch.setenv("HL_OFFLINE", "1")
    assert weights.weights_path(manifest) == path
    assert weights.pull(manifest) == path
    weights.remove(manifest)
    with pytest.raises(OfflineError):
        weights.pull(manifest)
    assert len(server.requests) == 1


@pytest.mark.parametrize("slash", ["", "/"])
def test_mirror_replaces_all_but_the_name(
    slash: str, server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HL_MODEL_MIRROR", f"http://127.0.0.1:{server.port}/my/mirror{slash}")
    url = "https://weights.example/releases/v1/rasl.safetensors"
    path = weights.pull(detector(GOOD, file=None, url=url))
    assert path.read_bytes() == GOOD
    assert [request["path"] for request in server.requests] == ["/my/mirror/rasl.safetensors"]


def test_proxy_is_honoured(
    server: WeightsServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy_running() as (address, asked):
        monkeypatch.setenv("http_proxy", address)
        fetch(server, target)
        assert asked == [server.url()]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        target.unlink()
        fetch(server, target)
        assert asked == [server.url()]
    assert target.read_bytes() == GOOD
    assert len(server.requests) == 2
