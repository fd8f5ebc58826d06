"""What stands before every call: who asks, from where, and how much.

Any page in any browser of this machine can send requests to 127.0.0.1, so being local proves
nothing. The `Host` header keeps out pages whose name was made to point here (DNS rebinding), the
`Origin` header all other pages but our own; the token proves that the user paired this client.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias

from hlcli.serve.page import PREFIX as PAGE
from hlcli.serve.refusal import BUG, problem
from hlcli.serve.signature import is_signed

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
"""Longest body that is read."""
MAX_EDIT_BYTES = 2 * 2**20
"""Longest edit of a review that is read."""
MAX_HEAD_BYTES = 16 * 1024
"""Longest address and headers together."""
BODY_SECONDS = 5.0
"""How long a body may take to arrive."""
SEND_SECONDS = 30.0
"""How long a client may take to read a piece of the answer."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

# Adobe documents no Origin of UXP panels; these are what embedded pages of that kind send. `null`
# comes from sandboxed frames of any page as well, which is why it opens nothing without the token.
_PANEL_ORIGINS = re.compile(r"null|file://|uxp(-internal)?://[\w.-]*")
_OPEN_CALLS = frozenset(
    {("GET", "/v1/about"), ("POST", "/v1/pair"), ("POST", "/v1/tickets/redeem")}
)
_EDITS = "/v1/reviews/"
_METHODS = "GET, POST, PUT, DELETE"
_HEADERS = "authorization, content-type"


class Guard:
    """Lets through what is allowed, as an ASGI application around another.

    Args:
        app: What is behind it.
        token: What clients must know.
        port: The port that is listened on.
        origins: Origins to let in besides those of panels.
    """

    def __init__(self, app: App, *, token: str, port: int, origins: Collection[str] = ()) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        origin = headers.get(b"origin", [])
        refused = self._refused(scope, headers)
        if refused is not None:
            await answer.refuse(*refused)
            return
        if origin:
            answer.allow(origin[0])
        if scope["method"] == "OPTIONS" and origin:
            await answer.preflight()
            return
        if not self._knows_token(scope, headers):
            await answer.refuse(
                401,
                "the token is missing or wrong",
                "pair again: POST /v1/pair with the code that hl serve shows",
            )
            return
        try:
            body = await _read_body(scope, headers, receive)
        except _BadBodyError as error:
            await answer.refuse(error.status, error.message, error.hint)
            return
        if body is None:
            return
        try:
            await self._app(scope, _replayed(body, receive), answer.send)
        except _GoneError:
            pass
        except Exception:
            logger.exception("%s %s", scope["method"], scope["path"])
            await answer.refuse(500, BUG["message"], BUG["hint"], BUG["exit_code"])

    def _refused(
        self, scope: Message, headers: dict[bytes, list[bytes]]
    ) -> tuple[int, str, str] | None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
            return 431, "the headers are too long", f"send at most {MAX_HEAD_BYTES // 1024} KiB"
        host = headers.get(b"host", [])
        # Names are compared as they are: nothing that is not exactly this machine gets in.
        if len(host) != 1 or host[0].decode("latin-1").lower() not in self._hosts:
            return 421, "this is not the host you asked for", "use http://127.0.0.1:PORT"
        origin = headers.get(b"origin", [])
        if len(origin) > 1 or (
            origin
            and not self._is_known(origin[0].decode("latin-1"))
            and not _is_own(scope, origin[0], host[0])
        ):
            name = origin[0].decode("latin-1")[:100]
            return (
                403,
                # Said, because no document tells what the panels of each version send.
                f"pages of the origin {name!r} may not talk to hl serve",
                "start hl serve with --allow-origin if it is yours",
            )
        return None

    def _is_known(self, origin: str) -> bool:
        return origin in self._origins or _PANEL_ORIGINS.fullmatch(origin) is not None

    def _knows_token(self, scope: Message, headers: dict[bytes, list[bytes]]) -> bool:
        if (scope["method"], scope["path"]) in _OPEN_CALLS:
            return True
        # The page has nothing that is not public, and a <video> cannot send a token.
        if scope["method"] == "GET" and scope["path"].startswith(PAGE):
            return True
        if scope["method"] == "GET" and scope["path"].startswith(_EDITS):
            query = scope["query_string"].decode("latin-1")
            if "key=" in query and _is_signed(self._token, scope["path"], query):
                return True
        given = headers.get(b"authorization", [])
        if len(given) != 1 or given[0][:7].lower() != b"bearer ":
            return False
        return hmac.compare_digest(given[0][7:].strip(), self._token)


def _is_own(scope: Message, origin: bytes, host: bytes) -> bool:
    """Whether a request is of our own page. It never pairs: it has the token another way."""
    return origin.lower() == b"http://" + host.lower() and scope["path"] != "/v1/pair"


def _is_signed(token: bytes, path: str, query: str) -> bool:
    try:
        return is_signed(token.decode(), path, query)
    except ValueError:
        return False  # too many parameters


class _Answer:
    """Sends what goes to the client, with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
            (b"vary", b"origin"),
        ]
        self._has_begun = False

    def allow(self, origin: bytes) -> None:
        """Let a page of this origin read the answer."""
        self._headers.append((b"access-control-allow-origin", origin))

    async def preflight(self) -> None:
        """Say what a page may send."""
        headers = [
            (b"access-control-allow-methods", _METHODS.encode()),
            (b"access-control-allow-headers", _HEADERS.encode()),
            (b"access-control-allow-private-network", b"true"),
            (b"access-control-max-age", b"600"),
        ]
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def refuse(
        self, status: int, message: str, hint: str, exit_code: int | None = None
    ) -> None:
        """Answer with an error, unless an answer has begun."""
        if self._has_begun:
            return
        body = json.dumps(problem(message, hint=hint, exit_code=exit_code)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if status in (408, 413, 415):
            # The rest of the body is not waited for.
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def send(self, message: Message) -> None:
        """Send one message; a client that does not read is left."""
        if message["type"] == "http.response.start":
            self._has_begun = True
            message = {**message, "headers": [*message.get("headers", []), *self._headers]}
        try:
            await asyncio.wait_for(self._send(message), SEND_SECONDS)
        except asyncio.TimeoutError as error:
            raise _GoneError from error


class _GoneError(Exception):
    """The client does not read what it asked for."""


class _BadBodyError(Exception):
    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint


async def _read_body(
    scope: Message, headers: dict[bytes, list[bytes]], receive: Receive
) -> bytes | None:
    """Read a whole body; None when the client went away.

    Raises:
        _BadBodyError: It is too long, too slow, or no JSON by its own account.
    """
    is_edit = scope["method"] == "PUT" and scope["path"].startswith(_EDITS)
    limit = MAX_EDIT_BYTES if is_edit else MAX_BODY_BYTES
    too_long = _BadBodyError(413, "the body is too long", f"send at most {limit // 1024} KiB")
    length = headers.get(b"content-length", [b"0"])[0]
    # int() takes thousands of digits, and a long time for them.
    if len(length) > 10 or int(length) > limit:
        raise too_long
    is_json = headers.get(b"content-type", [b""])[0].split(b";")[0].strip().lower()
    if scope["method"] in ("POST", "PUT") and is_json != b"application/json":
        raise _BadBodyError(415, "the body is not JSON", "send Content-Type: application/json")

    async def read() -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > limit:
                raise too_long
            if not message.get("more_body", False):
                return bytes(body)

    try:
        return await asyncio.wait_for(read(), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise _BadBodyError(408, "the body did not arrive", "send it at once") from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body first."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay


def _headers(scope: Message) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found
