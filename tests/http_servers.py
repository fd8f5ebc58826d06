"""Real HTTP servers on this machine that misbehave on request."""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Behaviour = Callable[["Handler"], None]


@dataclass
class WeightsServer:
    """Serves one body under every path, with ranges and ETag, unless told otherwise."""

    body: bytes
    certificate: Path | None = None
    """Key and certificate in one PEM file: the server speaks https."""
    port: int = 0
    etag: str | None = '"v1"'
    modified: str | None = None
    plan: list[Behaviour] = field(default_factory=list)
    """What the next requests get, one each; after that all is well."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """Headers of every request, with `path` among them, names in lower case."""
    sent_bytes: list[int] = field(default_factory=list)
    """How many bytes of body each request got."""

    def url(self, name: str = "demo.safetensors") -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}/models/{name}"


class Handler(BaseHTTPRequestHandler):
    owner: WeightsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append({**headers, "path": self.path})
        self.owner.sent_bytes.append(0)
        self.slot = len(self.owner.sent_bytes) - 1
        behaviour = self.owner.plan.pop(0) if self.owner.plan else serve
        self.close_connection = True
        with contextlib.suppress(ConnectionError):
            behaviour(self)

    def head(self, status: int, headers: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.owner.sent_bytes[self.slot] += len(data)

    def log_message(self, format: str, *args: Any) -> None:
        return


def _start(handler: Handler, *, with_ranges: bool = True) -> bytes:
    """Send the headers and return the body to send."""
    owner = handler.owner
    size = len(owner.body)
    marks = {"ETag": owner.etag, "Last-Modified": owner.modified}
    wanted = handler.headers.get("Range")
    condition = handler.headers.get("If-Range")
    if with_ranges and wanted and condition in (None, owner.etag, owner.modified):
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= size:
            handler.head(416, {"Content-Range": f"bytes */{size}", "Content-Length": 0})
            return b""
        content_range = f"bytes {start}-{size - 1}/{size}"
        handler.head(206, {**marks, "Content-Range": content_range, "Content-Length": size - start})
        return owner.body[start:]
    handler.head(200, {**marks, "Content-Length": size})
    return owner.body


def serve(handler: Handler) -> None:
    handler.send(_start(handler))


def serve_without_ranges(handler: Handler) -> None:
    handler.send(_start(handler, with_ranges=False))


def cut_after(num_bytes: int) -> Behaviour:
    """Send the first bytes of what was asked for, then close the connection."""

    def behaviour(handler: Handler) -> None:
        handler.send(_start(handler)[:num_bytes])

    return behaviour


def drip(chunk_bytes: int, gap_seconds: float) -> Behaviour:
    """Send slowly until the client hangs up."""

    def behaviour(handler: Handler) -> None:
        body = _start(handler)
        for start in range(0, len(body), chunk_bytes):
            handler.send(body[start : start + chunk_bytes])
            time.sleep(gap_seconds)

    return behaviour


def answer(status: int, headers: dict[str, Any] | None = None, body: bytes = b"") -> Behaviour:
    def behaviour(handler: Handler) -> None:
        handler.head(status, {"Content-Length": len(body), **(headers or {})})
        handler.send(body)

    return behaviour


def endless(handler: Handler) -> None:
    """Send more and more without saying how much."""
    handler.head(200, {"Connection": "close"})
    for _ in range(10_000):
        handler.send(bytes(4096))


class _QuietServer(ThreadingHTTPServer):
    """Does not print when a client hangs up, which is what the tests are about."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def running(owner: WeightsServer) -> Iterator[WeightsServer]:
    handler = type("OwnedHandler", (Handler,), {"owner": owner})
    with _listening(handler, owner.certificate) as port:
        owner.port = port
        yield owner


@contextlib.contextmanager
def proxy_running() -> Iterator[tuple[str, list[str]]]:
    """Run a forward proxy; yields its address and the addresses it was asked for."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(self.path) as answered:
                data = answered.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            return

    with _listening(Proxy) as port:
        yield f"http://127.0.0.1:{port}", asked


@contextlib.contextmanager
def _listening(
    handler: type[BaseHTTPRequestHandler], certificate: Path | None = None
) -> Iterator[int]:
    server = _QuietServer(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake belongs into the request's own thread.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
