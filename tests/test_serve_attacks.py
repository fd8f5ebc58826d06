"""Attacks on `hl serve`: strangers, other pages, paths, floods, slowness, sudden death."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import http.client
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
import schemathesis
from document_factory import make_document
from hypothesis import HealthCheck, Phase, given, settings
from media_factory import make_video
from pydantic import ValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serve_factory import Served, children, is_alive, serving, until

from hlcli.errors import MediaNotFoundError, OutputError
from hlcli.media.photographs import find_photographs
from hlcli.serve import connection, guard
from hlcli.serve import queue as serve_queue
from hlcli.serve.allowed import Allowed
from hlcli.serve.app import make_app
from hlcli.serve.folder import read_or_make_token
from hlcli.serve.job import Job
from hlcli.serve.queue import JobQueue
from hlcli.serve.refusal import RequestError
from hlcli.serve.requests import OPTIONS
from hlcli.serve.store import MAX_FINISHED, JobStore
from hlcli.stopping import EXIT_INTERRUPTED
from hlcli.workers import process
from hlcli.workflows.score import Pipeline

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="kill -9, ps and links are POSIX")


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked") / "footage"
    folder.mkdir()
    make_video(folder, name="match.mp4")
    make_video(folder.parent, name="secret.mp4")
    make_document().write(folder / "scores.json")
    return folder.resolve()


@pytest.fixture(scope="module")
def served(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    arguments = ["--root", str(footage), "--allow-origin", "http://localhost:3000"]
    with serving(tmp_path_factory.mktemp("cache"), *arguments) as running:
        yield running


def thumbnail(path: str | Path) -> str:
    return f"/v1/thumbnail?path={quote(str(path))}&seconds=0"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic TOKEN"},
        {"Authorization": "TOKEN"},
        {"Authorization": "Bearer TOKEN-and-more"},
        {"Cookie": "token=TOKEN"},
    ],
)
def test_strangers_learn_nothing(served: Served, headers: dict[str, str]) -> None:
    sent = {name: value.replace("TOKEN", served.token) for name, value in headers.items()}
    for method, path in (
        ("GET", "/v1/jobs"),
        ("GET", "/v1/jobs/0123456789abcdef"),
        ("DELETE", "/v1/jobs/0123456789abcdef"),
        ("GET", "/openapi.json"),
        ("GET", "/nothing/here"),
        ("POST", "/v1/about"),
        ("GET", "/v1/about/"),
        ("HEAD", "/v1/jobs"),
        ("OPTIONS", "/v1/jobs"),
    ):
        reply = served.call(method, path, token=None, headers=sent)
        assert reply.status == 401, (method, path)
        assert reply.headers["www-authenticate"] == "Bearer"
    part = served.call("GET", f"/v1/jobs?token={served.token}", token=served.token[:-1])
    assert part.status == 401


def test_two_tokens_or_hosts_are_one_too_many(served: Served) -> None:
    for line in (f"Authorization: Bearer {served.token}", f"Host: 127.0.0.1:{served.port}"):
        head = (
            f"GET /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
            f"Authorization: Bearer {served.token}\r\n{line}\r\n\r\n"
        )
        assert raw(served, head.encode()).split()[1] in (b"400", b"401", b"421"), line


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1",
        "localhost.evil.example:PORT",
        "[::1]:PORT",
        "127.0.0.1:1",
        "0.0.0.0:PORT",
        "127.0.0.1:PORT.evil.example",
        "",
    ],
)
def test_foreign_hosts_are_turned_away_before_anything_else(served: Served, host: str) -> None:
    named = host.replace("PORT", str(served.port))
    for path, token in (("/v1/about", None), ("/v1/jobs", "")):
        reply = served.call("GET", path, token=token, headers={"Host": named})
        assert reply.status == 421
        assert "hl" not in reply.json


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1",
        "http://127.0.0.1:PORT",
        "http://localhost:3001",
        "chrome-extension://abc",
        "nullx",
        "file://evil.example",
        "uxp://a b",
        "http://uxp://x",
        "",
    ],
)
def test_pages_of_other_origins_are_turned_away(served: Served, origin: str) -> None:
    named = origin.replace("PORT", str(served.port))
    for method in ("GET", "POST", "OPTIONS"):
        reply = served.call(method, "/v1/pair", headers={"Origin": named})
        assert reply.status == 403
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    "origin", ["null", "file://", "uxp://com.hl.panel", "http://localhost:3000"]
)
def test_panels_may_ask_and_read(served: Served, origin: str) -> None:
    asked = served.call(
        "OPTIONS",
        "/v1/jobs",
        token=None,
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
    )
    assert asked.status == 204
    assert asked.headers["access-control-allow-headers"] == "authorization, content-type"
    reply = served.call("GET", "/v1/jobs", headers={"Origin": origin})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)
    # What is said to one origin must not be kept for another.
    for one in (asked, reply, served.call("GET", "/v1/about", token=None)):
        assert one.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in reply.headers
    assert served.call("GET", "/v1/jobs", token=None, headers={"Origin": origin}).status == 401


@pytest.mark.parametrize(
    "origins",
    [("http://localhost:3000", "http://evil.example"), ("null", "null"), ("http://evil.example",)],
)
def test_two_origins_are_one_too_many(served: Served, origins: tuple[str, ...]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.putrequest("GET", "/v1/jobs", skip_host=True)
        connection.putheader("Host", f"127.0.0.1:{served.port}")
        connection.putheader("Authorization", f"Bearer {served.token}")
        for origin in origins:
            connection.putheader("Origin", origin)
        connection.endheaders()
        answered = connection.getresponse()
        assert answered.status == 403
        assert answered.getheader("access-control-allow-origin") is None
    finally:
        connection.close()


def test_forms_of_pages_cannot_post(served: Served) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        reply = served.call(
            "POST", "/v1/pair", body=b'{"code": "0"}', headers={"Content-Type": kind}
        )
        assert reply.status == 415


def test_paths_lead_nowhere_outside(served: Served, footage: Path) -> None:
    secret = footage.parent / "secret.mp4"
    for path in (
        secret,
        f"{footage}/../secret.mp4",
        f"{footage}/./x/../../secret.mp4",
        f"{footage}-not/secret.mp4",
        "/etc/passwd",
        "/dev/zero",
        "/proc/self/environ",
        "secret.mp4",
        "../secret.mp4",
        "~/secret.mp4",
        f"file://{secret}",
        f"{footage}\0/match.mp4",
        "//evil.example/share/a.mp4",
        "\\\\evil.example\\share\\a.mp4",
        "/" + "a" * 4000,
        str(footage.parent / "not there.mp4"),
    ):
        reply = served.call("GET", thumbnail(path))
        assert reply.status == 403, path
        value = {"kind": "score", "paths": [str(path)]}
        assert served.call("POST", "/v1/jobs", value).status == 403, path
    assert served.call("GET", thumbnail(footage / "not there.mp4")).status == 404
    assert served.call("GET", thumbnail(footage)).status == 404
    # Encoded once more, dots and slashes are only letters of a name.
    twice = quote(quote(f"{footage}/../secret.mp4", safe=""), safe="")
    assert served.call("GET", f"/v1/thumbnail?path={twice}&seconds=0").status == 403
    for path in ("/v1/jobs/..%2f..%2ftoken", "/v1/jobs/../token", "/v1/jobs/%2e%2e/scores"):
        assert served.call("GET", path).status in (404, 422)


def test_what_the_system_does_not_look_at_is_an_error_in_words(
    served: Served, footage: Path
) -> None:
    """No file system has names of 300 letters, nor of 200 letters of four bytes each."""
    long = f"{footage}/{'a' * 300}.mp4"
    assert served.call("GET", thumbnail(long)).status == 403
    scores = [str(footage / "scores.json")]
    for call, value in (
        ("picked", {"paths": [long]}),
        ("reviews", {"paths": [long]}),
        ("jobs", {"kind": "score", "paths": [long]}),
        ("jobs", {"kind": "export", "paths": scores, "options": {"like": [long]}}),
    ):
        reply = served.call("POST", f"/v1/{call}", value)
        assert reply.status == 403, (call, value)
        assert "cannot look at" in reply.json["message"]
    for option in ("output", "rejects"):
        for name in (f"{footage}/{'a' * 300}.otio", "\N{FILM PROJECTOR}" * 150 + ".otio"):
            value = {"kind": "export", "paths": scores, "options": {option: name}}
            reply = served.call("POST", "/v1/jobs", value)
            assert reply.status == 400, (option, name)
            assert "cannot write" in reply.json["message"]
    value = {"kind": "export", "paths": scores, "options": {"start_timecode": "soon"}}
    assert "start_timecode" in served.call("POST", "/v1/jobs", value).json["message"]


def test_a_bug_is_answered_as_the_protocol_says(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Any] = []
    app = guard.Guard(make_app(cast("Any", SimpleNamespace())), token="x", port=80)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/v1/about", "raw_path": b"/v1/about",
        "query_string": b"", "headers": [(b"host", b"127.0.0.1:80")],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert [message.get("status") for message in sent] == [500, None]
    assert json.loads(sent[1]["body"])["message"] == "unexpected: this is a bug in hl"
    assert "AttributeError" in caplog.text


@POSIX
def test_links_out_of_the_roots_are_followed_and_refused(served: Served, footage: Path) -> None:
    secret = footage.parent / "secret.mp4"
    (footage / "link.mp4").symlink_to(secret)
    (footage / "up").symlink_to(footage.parent)
    (footage / "loop").symlink_to(footage / "loop")
    (footage / "inside.mp4").symlink_to(footage / "match.mp4")
    os.mkfifo(footage / "pipe.mp4")
    for name in ("link.mp4", "up/secret.mp4", "up", "loop", "pipe.mp4"):
        assert served.call("GET", thumbnail(footage / name)).status == 403, name
    assert served.call("GET", thumbnail(footage / "inside.mp4")).status == 200
    for name in ("up/new.otio", "link.mp4"):
        value = {
            "kind": "export",
            "paths": [str(footage / "scores.json")],
            "options": {"output": str(footage / name), "overwrite": True},
        }
        assert served.call("POST", "/v1/jobs", value).status == 403, name
    # Not what is read beside the work, either, by any option of any kind of job.
    link, inside = str(footage / "link.mp4"), str(footage / "match.mp4")
    guarded: set[str] = set()
    for kind, model in OPTIONS.items():
        needed = {"finetune": {"name": "x"}, "find": {"words": "x"}, "match": {"film": inside}}
        for name, field in model.model_fields.items():
            for path in (link, [link]):
                options = needed.get(kind, {}) | {field.alias or name: path}
                with contextlib.suppress(ValidationError):
                    if link in getattr(model(**options), "files", ()):
                        guarded.add(name)
                        value = {"kind": kind, "paths": [str(footage)], "options": options}
                        reply = served.call("POST", "/v1/jobs", value)
                        # A font without captions is refused for that.
                        assert reply.status == (400 if name == "font" else 403), (kind, name)
    assert guarded >= {
        "transcript", "like", "music", "marks_from", "captions", "font", "film", "from_cut",
        "from_film", "labels",
    }  # fmt: skip
    # In a folder they are left out.
    folder = footage / "folder"
    folder.mkdir()
    (folder / "link.mp4").symlink_to(secret)
    job = served.wait(served.post("export", [folder])["id"])
    assert (job["state"], job["error"]["exit_code"]) == ("failed", None)
    assert "outside the folders" in job["error"]["message"]


@POSIX
def test_what_lies_beside_a_video_is_guarded_too(tmp_path: Path) -> None:
    """A proxy and a log that are links out of the roots, and a photograph in a folder of them."""
    root = tmp_path / "root"
    root.mkdir()
    make_video(tmp_path, name="secret.mp4")
    (tmp_path / "secret.txt").write_text("0:00 a secret\n")
    video = make_video(root, name="a.mp4")
    (root / "a_proxy.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "a.marks.txt").symlink_to(tmp_path / "secret.txt")
    (root / "photo.jpg").symlink_to(tmp_path / "secret.mp4")
    may_read = Allowed(roots=(root.resolve(),)).may_read
    told: list[str] = []
    document = Pipeline(device="cpu", use_cache=False, proxies=True, may_read=may_read).score(
        video, visual_only=True, remark=told.append
    )
    assert (document.proxy, document.marks) == (None, ())
    assert sum("outside the folders" in words for words in told) == 2, told
    assert "a secret" not in str(told)
    with pytest.raises(MediaNotFoundError, match="no photograph in the folder"):
        find_photographs([root], may_read)


@POSIX
def test_a_link_that_changes_after_the_check_is_checked_again(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    video = tmp_path / "root/a.mp4"
    video.write_bytes(b"x")
    allowed = Allowed(roots=((tmp_path / "root").resolve(),))
    assert allowed.existing(str(video)) == video.resolve()
    video.unlink()
    video.symlink_to(tmp_path / "elsewhere.mp4")
    with pytest.raises(RequestError, match="outside"):
        allowed.existing(str(video))


def test_bodies_are_bounded(served: Served) -> None:
    limit = guard.MAX_BODY_BYTES
    fits = b'{"code": "' + b"1" * 20 + b'"}'
    for body, status in (
        (fits + b" " * (limit - len(fits)), 403),
        (fits + b" " * (limit - len(fits) + 1), 413),
    ):
        reply = served.call("POST", "/v1/pair", body=body)
        assert reply.status == (429 if is_locked(served) and status == 403 else status)
    for length in ("99999999999999999999", "10000000"):
        head = f"POST /v1/pair HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        assert raw(served, head.encode()).split()[1] == b"413"
    chunks = b"".join(b"2000\r\n" + b" " * 0x2000 + b"\r\n" for _ in range(9)) + b"0\r\n\r\n"
    head = f"POST /v1/pair HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(served, head.encode() + chunks).split()[1] == b"413"
    long_header = {"X-Long": "x" * (guard.MAX_HEAD_BYTES + 100)}
    assert served.call("GET", "/v1/about", headers=long_header).status == 431


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[" * 60000,
        b'{"code": 1}',
        b'{"code": "\\ud800"}',
        b"\xff\xfe",
        b'{"code": "1", "more": 1}',
        b'{"code": NaN}',
        b"1" * 60000,
        b'{"code": ["1"]}',
    ],
)
def test_damaged_bodies_are_errors_without_tracebacks(served: Served, body: bytes) -> None:
    for path in ("/v1/jobs", "/v1/picked", "/v1/pair"):
        reply = served.call("POST", path, body=body)
        assert reply.status in (400, 403, 422, 429), (path, reply.body)
        assert sorted(reply.json) == ["exit_code", "hint", "message"]
        assert b"Traceback" not in reply.body
        assert b".py" not in reply.body


def test_slow_clients_do_not_keep_others_out(served: Served) -> None:
    """Headers and bodies that never end; afterwards all is as before."""
    head = f"POST /v1/pair HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    starts = [
        b"",
        b"GET /v1/ab",
        head.encode(),
        f"{head}Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{".encode(),
    ]
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(60)]
    for number, one in enumerate(slow):
        one.sendall(starts[number % len(starts)])
    assert served.call("GET", "/v1/about").status == 200
    # A byte now and then buys no time.
    limit = max(connection.HEADER_SECONDS, guard.BODY_SECONDS) + 20
    deadline = time.monotonic() + limit
    answers: dict[int, bytes] = {}
    while len(answers) < len(slow):
        assert time.monotonic() < deadline, "slow clients are still connected"
        for number, one in enumerate(slow):
            if number in answers:
                continue
            one.settimeout(0.01)
            try:
                if number % len(starts) == 2:
                    one.sendall(b"X")
                answers[number] = one.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                answers[number] = b""
        time.sleep(0.5)
    for number, answer in answers.items():
        slow[number].close()
        expected = b"HTTP/1.1 408 " if number % len(starts) == 3 else b""
        assert answer[: len(b"HTTP/1.1 408 ")] == expected
    assert served.call("GET", "/v1/jobs").status == 200


def test_one_connection_too_many_is_told_so(served: Served) -> None:
    held = [
        socket.create_connection(("127.0.0.1", served.port))
        for _ in range(connection.MAX_CONNECTIONS)
    ]
    try:
        until(lambda: raw(served, b"", timeout=0.3), lambda answer: b" 503 " in answer[:20])
    finally:
        for one in held:
            one.close()
    until(lambda: raw(served, b"", timeout=0.3), lambda answer: answer == b"")
    assert served.call("GET", "/v1/about").status == 200


def test_two_hundred_jobs_at_once_are_all_kept(served: Served, footage: Path) -> None:
    first = served.post("score", [footage / "match.mp4"], no_cache=True)
    before = {job["id"] for job in served.call("GET", "/v1/jobs").json["jobs"]}

    def post(number: int) -> str:
        value = {
            "kind": "score",
            "paths": [str(footage / "match.mp4")],
            "options": {"top": number + 1},
        }
        while (reply := served.call("POST", "/v1/jobs", value)).status == 503:
            time.sleep(0.1)
        assert reply.status == 202, reply.body
        return str(reply.json["id"])

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        posted = list(pool.map(post, range(200)))
    assert len(set(posted)) == 200
    listed = {job["id"]: job for job in served.call("GET", "/v1/jobs").json["jobs"]}
    assert set(listed) == before | set(posted)
    assert {listed[one]["options"]["top"] for one in posted} == set(range(1, 201))
    on_disk = {
        folder.name: json.loads((folder / "job.json").read_text())["state"]
        for folder in served.jobs_folder.iterdir()
    }
    assert set(on_disk) >= set(posted)
    running = [job["id"] for job in listed.values() if job["state"] == "running"]
    assert len(running) <= 1
    for one in [*posted, first["id"]]:
        assert served.call("DELETE", f"/v1/jobs/{one}").status == 200
    # No more than 200 that ended are kept, so the one or two that ended first may be gone by now.
    assert {served.wait(one)["state"] for one in posted[5:]} <= {"cancelled", "done"}


def is_locked(served: Served) -> bool:
    return bool(served.call("GET", "/v1/about").json["pairing"] == "locked")


def test_codes_cannot_be_guessed_not_even_at_once(served: Served, footage: Path) -> None:
    assert served.code is not None
    wrong = f"{(int(served.code) + 1) % 10**6:06d}"

    def guess(_: int) -> int:
        return served.call("POST", "/v1/pair", {"code": wrong}, token=None).status

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(guess, range(40)))
    # Tests before this one may have used some of the five.
    assert statuses.count(403) <= 5
    assert statuses.count(403) + statuses.count(429) == 40
    right = served.call("POST", "/v1/pair", {"code": served.code}, token=None)
    assert (right.status, right.json["message"]) == (
        429,
        "pairing is locked: too many wrong codes",
    )
    # Who is paired stays so.
    assert served.call("GET", "/v1/jobs").status == 200


def test_requests_made_from_the_openapi_document_get_what_it_promises(
    served: Served, footage: Path
) -> None:
    document = served.call("GET", "/openapi.json").json
    url = f"http://127.0.0.1:{served.port}"
    schema = schemathesis.openapi.from_dict(document)
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    calls = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=6,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal calls
            calls += 1
            case.call_and_validate(
                base_url=url, headers={"Authorization": f"Bearer {served.token}"}, checks=checks
            )

        ask()
    assert calls >= 30


def test_a_token_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    token = read_or_make_token(tmp_path)
    assert len(token) >= 43
    assert read_or_make_token(tmp_path) == token
    if sys.platform != "win32":
        (tmp_path / "token").chmod(0o644)
        assert read_or_make_token(tmp_path) != token
        (tmp_path / "elsewhere").write_text("x" * 43)
        (tmp_path / "elsewhere").chmod(0o600)
        (tmp_path / "token").unlink()
        (tmp_path / "token").symlink_to(tmp_path / "elsewhere")
        assert read_or_make_token(tmp_path) != "x" * 43
        assert (tmp_path / "elsewhere").read_text() == "x" * 43
    (tmp_path / "token").write_text("short")
    assert len(read_or_make_token(tmp_path)) >= 43


@POSIX
def test_killed_in_the_middle_of_a_job_nothing_is_lost_and_nothing_leaks(tmp_path: Path) -> None:
    footage = (tmp_path / "footage").resolve()
    footage.mkdir()
    video = make_video(footage, name="match.mp4")
    make_document(path=str(video), num_frames=60).write(footage / "scores.json")
    timeline, film = footage / "cut.otio", footage / "film.mp4"
    arguments = ["--root", str(footage)]
    with serving(tmp_path / "cache", *arguments) as served:
        kept = served.wait(
            served.post("export", [footage / "scores.json"], output=str(timeline))["id"]
        )
        assert kept["state"] == "done"
        first = served.post("render", [timeline], output=str(film))
        second = served.post("render", [timeline])
        served.wait(first["id"], "running")
        workers = until(lambda: children(served.process.pid), bool)
        token = served.token
        served.process.send_signal(signal.SIGKILL)
        served.process.wait()
        # They notice by themselves.
        until(lambda: [one for one in workers if is_alive(one)], lambda left: not left)
    with serving(tmp_path / "cache", *arguments) as served:
        assert "2 jobs of last time go on" in served.words
        assert served.token == token
        assert served.code is not None  # nobody has paired
        done = served.wait(first["id"])
        assert (done["state"], done["interruptions"]) == ("done", 1), (done, served.words)
        assert served.wait(second["id"])["interruptions"] == 0
        assert served.job(second["id"])["state"] == "done"
        assert (
            film.stat().st_size
            == Path(served.job(second["id"])["results"]["files"][0]).stat().st_size
        )
        assert served.job(kept["id"]) == kept
        assert Path(kept["results"]["files"][0]).stat().st_size > 0
        assert len(served.call("GET", "/v1/jobs").json["jobs"]) == 3
        assert [path for path in footage.iterdir() if path.name.startswith(".")] == []
        assert not list((tmp_path / "cache").rglob("*.part"))
        assert not list(served.jobs_folder.glob("*/tmp"))
        pid = served.process.pid
        until(lambda: children(pid), lambda left: not left)


@pytest.fixture
def queue_folder(tmp_path: Path) -> Path:
    (tmp_path / "footage").mkdir()
    make_document().write(tmp_path / "footage/scores.json")
    return tmp_path.resolve()


def export_job(folder: Path, **changes: Any) -> Job:
    values: dict[str, Any] = {
        "id": "",
        "created": "",
        "kind": "export",
        "paths": (str(folder / "footage/scores.json"),),
        "options": {},
        "roots": (str(folder / "footage"),),
    }
    return Job(**values | changes)


def test_no_job_writes_over_what_another_will_write(queue_folder: Path) -> None:
    queue = JobQueue(JobStore(queue_folder / "jobs"), device="cpu")
    output = (str(queue_folder / "footage/cut.otio"),)
    first = queue.submit(export_job(queue_folder, outputs=output))
    with pytest.raises(RequestError, match=r"is queued, will write .*cut\.otio") as refused:
        queue.submit(export_job(queue_folder, outputs=output))
    assert refused.value.status == 409
    queue.submit(export_job(queue_folder, outputs=output, options={"overwrite": True}))
    queue.cancel(queue.jobs()[0].id)
    queue.cancel(first.id)
    assert queue.submit(export_job(queue_folder, outputs=output)).state == "queued"


@POSIX
def test_a_worker_that_is_killed_fails_its_job_only(queue_folder: Path) -> None:
    ended: list[Job] = []
    store = JobStore(queue_folder / "jobs")
    queue = JobQueue(store, device="cpu", on_end=ended.append)
    output = queue_folder / "footage/cut.otio"
    queue.start()
    try:
        first = queue.submit(export_job(queue_folder, outputs=(str(output),)))
        second = queue.submit(export_job(queue_folder))
        worker = until(lambda: queue._workers.get(first.id), bool)
        os.kill(worker.pid, signal.SIGSTOP)
        (output.parent / ".cut.otio.hl-01234567.part").write_bytes(b"half")
        (output.parent / ".other.otio.abc.part").write_bytes(b"another program's")
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: queue.get(second.id).state, lambda state: state == "done")
    finally:
        assert queue.close() == 0
    failed = queue.get(first.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["message"] == "the worker died (signal 9)"
    assert [job.id for job in ended] == [first.id, second.id]
    names = sorted(path.name for path in output.parent.iterdir())
    assert names == [".other.otio.abc.part", "scores.json"]
    assert {job.id: job.state for job in store.load()[0]} == {first.id: "failed", second.id: "done"}


@POSIX
def test_a_worker_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = process.Worker("hlcli.serve.worker", tmp_path)
    os.kill(deaf.pid, signal.SIGSTOP)
    assert deaf.stop(grace_seconds=0.2) == -signal.SIGKILL
    assert deaf.close() == -signal.SIGKILL
    willing = process.Worker("hlcli.serve.worker", tmp_path)
    assert willing.stop() == EXIT_INTERRUPTED
    assert willing.close() == EXIT_INTERRUPTED


def test_a_job_that_the_service_died_in_twice_is_not_tried_again(queue_folder: Path) -> None:
    store = JobStore(queue_folder / "jobs")
    for number, times in enumerate((0, 1)):
        store.save(
            export_job(
                queue_folder,
                id=f"{number:016x}",
                created=f"2026-01-01T00:00:0{number}Z",
                state="running",
                interruptions=times,
            )
        )
    killed = store.folder_of(f"{1:016x}")
    (killed / "tmp").mkdir()
    (killed / "tmp/forgotten").write_bytes(b"by a library")
    (killed / ".job.json.hl-01234567.part").write_bytes(b"half")
    # Of a job that was never confirmed to a client.
    (store.folder / "0123456789abcdef").mkdir()
    (store.folder / "0123456789abcdef/.job.json.hl-01234567.part").write_text('{"id": "0123')
    queue = JobQueue(store, device="cpu")
    queue.start()
    try:
        until(lambda: queue.get(f"{0:016x}").state, lambda state: state == "done")
    finally:
        queue.close()
    once, twice = queue.get(f"{0:016x}"), queue.get(f"{1:016x}")
    assert (once.state, once.interruptions) == ("done", 1)
    assert (twice.state, twice.interruptions) == ("interrupted", 2)
    assert twice.error is not None
    assert "ended twice" in twice.error["message"]
    assert sorted(path.name for path in store.folder.iterdir()) == [once.id, twice.id]
    assert [path.name for path in killed.iterdir()] == ["job.json"]


def test_a_worker_of_another_version_fails_its_job_only(
    queue_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    understood = serve_queue.after_message

    def misunderstood(job: Job, message: dict[str, Any]) -> Job:
        return understood(job, {name: message[name] for name in message if name != "num_scores"})

    store = JobStore(queue_folder / "jobs")
    queue = JobQueue(store, device="cpu")
    queue.start()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(serve_queue, "after_message", misunderstood)
            first = queue.submit(export_job(queue_folder))
            until(lambda: queue.get(first.id).is_final, bool)
        second = queue.submit(export_job(queue_folder))
        until(lambda: queue.get(second.id).is_final, bool)
    finally:
        queue.close()
    ended = queue.get(first.id)
    assert ended.state == "failed"
    assert ended.error is not None
    assert "does not understand" in ended.error["message"]
    assert queue.get(second.id).state == "done"


def test_scores_stay_where_a_timeline_cannot_be_written(queue_folder: Path) -> None:
    store = JobStore(queue_folder / "jobs")
    queue = JobQueue(store, device="cpu")
    queue.start()
    try:
        # Threshold 1 keeps nothing, and an empty timeline is an error.
        job = queue.submit(export_job(queue_folder, options={"threshold": 1.0, "for": "resolve"}))
        until(lambda: queue.get(job.id).is_final, bool)
    finally:
        queue.close()
    ended = queue.get(job.id)
    assert (ended.state, ended.num_scores, ended.files) == ("failed", 1, ())
    assert ended.error is not None
    assert ended.error["exit_code"] == 6


def kept_job(store: JobStore, folder: Path, number: int, **changes: Any) -> Path:
    """Keep a finished job with a film; returns its folder."""
    job = export_job(
        folder,
        id=f"{number:016x}",
        created=f"2999-01-01T00:00:{number:02d}Z",
        finished=f"2999-01-01T00:01:{number:02d}Z",
        state="done",
    )
    store.save(job)
    place = store.folder_of(job.id)
    (place / "files").mkdir()
    (place / "files/reel.mp4").write_bytes(b"film")
    value = json.loads((place / "job.json").read_text()) | changes
    (place / "job.json").write_text(json.dumps(value))
    return place


def test_a_job_that_cannot_be_read_is_kept_and_named(queue_folder: Path) -> None:
    store = JobStore(queue_folder / "jobs")
    newer = kept_job(store, queue_folder, 1, colour="of a newer version")
    bad = {
        "cut off": kept_job(store, queue_folder, 2),
        "no job": kept_job(store, queue_folder, 3),
        "other state": kept_job(store, queue_folder, 4, state="asleep"),
        "no times": kept_job(store, queue_folder, 5, created=None),
        "gone": kept_job(store, queue_folder, 6),
        "folder": kept_job(store, queue_folder, 7),
        "newer and waiting": kept_job(store, queue_folder, 8, state="queued", colour="blue"),
        "of another": kept_job(store, queue_folder, 9, id=f"{99:016x}"),
        "deep": kept_job(store, queue_folder, 10),
    }
    (bad["cut off"] / "job.json").write_text('{"id": "0123')
    (bad["no job"] / "job.json").write_text("[1]")
    (bad["deep"] / "job.json").write_text("[" * 100_000)
    (bad["gone"] / "job.json").unlink()
    (bad["folder"] / "job.json").unlink()
    (bad["folder"] / "job.json").mkdir()
    queue = JobQueue(store, device="cpu")
    queue.start()
    try:
        assert [job.id for job in queue.jobs()] == [newer.name]
        assert [one.folder for one in queue.unreadable] == list(bad.values())
        assert all(one.why for one in queue.unreadable)
        job = queue.submit(export_job(queue_folder))
        assert until(lambda: queue.get(job.id).state, lambda state: state == "done")
    finally:
        queue.close()
    for folder in (newer, *bad.values()):
        assert (folder / "files/reel.mp4").read_bytes() == b"film"
    # The key that this version does not know is still there for the newer one.
    assert "colour" in json.loads((newer / "job.json").read_text())


def test_a_lane_survives_whatever_a_job_does_to_it(
    queue_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(job: Job) -> None:
        ended.append(job)
        raise BrokenPipeError("nobody reads the terminal any more")

    def unforeseen(*_: object, **__: object) -> None:
        raise RuntimeError("can't do that")

    ended: list[Job] = []
    store = JobStore(queue_folder / "jobs")
    queue = JobQueue(store, device="cpu", on_end=raises)
    queue.start()
    try:
        whole = queue.submit(export_job(queue_folder))
        until(lambda: queue.get(whole.id).is_final, bool)
        assert queue.get(whole.id).state == "done"
        # No folder can be made, then no process, then something that nobody thought of.
        with monkeypatch.context() as patch:
            patch.setattr(serve_queue, "make_folder", raising(OutputError("the disk is full")))
            first = queue.submit(export_job(queue_folder))
            until(lambda: queue.get(first.id).is_final, bool)
        with monkeypatch.context() as patch:
            patch.setattr(serve_queue, "Worker", raising(OSError(errno.EMFILE, "Too many files")))
            second = queue.submit(export_job(queue_folder))
            until(lambda: queue.get(second.id).is_final, bool)
        with monkeypatch.context() as patch:
            patch.setattr(process.Worker, "messages", unforeseen)
            third = queue.submit(export_job(queue_folder))
            until(lambda: queue.get(third.id).is_final, bool)
        last = queue.submit(export_job(queue_folder))
        until(lambda: queue.get(last.id).is_final, bool)
    finally:
        assert queue.close() == 0
    errors = [queue.get(job.id).error for job in (first, second, third)]
    assert [(one["message"], one["exit_code"]) for one in errors if one is not None] == [
        ("the disk is full", 6),
        ("no worker could be started: Too many files", 1),
        ("unexpected: RuntimeError", 1),
    ]
    assert queue.get(last.id).state == "done"
    assert [job.id for job in ended] == [job.id for job in (whole, first, second, third, last)]
    assert all(job.finished for job in ended)
    assert queue._workers == {}


def raising(error: Exception) -> Any:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def test_a_job_that_cannot_be_kept_comes_to_an_end(
    queue_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Job] = []
    store = JobStore(queue_folder / "jobs")
    queue = JobQueue(store, device="cpu", on_end=ended.append)
    job = queue.submit(export_job(queue_folder))
    with monkeypatch.context() as patch:
        patch.setattr(store, "save", raising(OutputError("the disk is full", hint="free some")))
        queue.start()
        try:
            until(lambda: ended, bool)
        finally:
            queue.close()
    failed = queue.get(job.id)
    assert (failed.state, failed.finished is not None) == ("failed", True)
    assert failed.error == {"message": "the disk is full", "hint": "free some", "exit_code": 6}
    assert ended == [failed]
    # On the disk it still waits: the next service has room for it, perhaps.
    assert [one.state for one in store.load()[0]] == ["queued"]


def test_old_jobs_go(queue_folder: Path) -> None:
    store = JobStore(queue_folder / "jobs")
    for number in range(MAX_FINISHED + 3):
        store.save(
            export_job(
                queue_folder,
                id=f"{number:016x}",
                created=f"2999-01-01T00:00:{number:06d}Z",
                state="done",
                finished=f"2999-01-01T00:00:{number:06d}Z",
            )
        )
    old = export_job(queue_folder, id="f" * 16, created="2000-01-01T00:00:00Z", state="queued")
    store.save(old)
    queue = JobQueue(store, device="cpu")
    queue.start()
    queue.close()
    left = sorted(path.name for path in store.folder.iterdir())
    assert left == [f"{number:016x}" for number in range(3, MAX_FINISHED + 3)] + ["f" * 16]


def test_nothing_is_run_by_a_shell() -> None:
    folders = {Path(module.__file__).parent for module in (guard, process)}
    files = [path for folder in folders for path in folder.glob("*.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in files)
    assert not re.search(r"shell=True|os\.system|popen\(|eval\(|exec\(", sources)
    assert EXIT_INTERRUPTED == 130


def raw(served: Served, data: bytes, *, timeout: float = 30) -> bytes:
    """Send bytes as they are, and return the first of the answer."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=timeout) as one:
        try:
            one.sendall(data)
            return one.recv(4096)
        except TimeoutError:
            return b""
        except ConnectionError:
            return b"reset"
