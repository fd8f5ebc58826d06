"""Connections that must get to the point: uvicorn itself waits for headers for ever."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from hlcli.serve.refusal import problem

HEADER_SECONDS = 5.0
"""How long the headers of a request may take to arrive."""
MAX_CONNECTIONS = 100
"""Most connections at once."""


class Connection(H11Protocol):
    """One connection of a client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._is_welcome = True

    def connection_made(self, transport: Any) -> None:
        """Begin to count, or turn away one too many."""
        if len(self.connections) >= MAX_CONNECTIONS:
            body = json.dumps(
                problem("too many connections", hint="try again in a second")
            ).encode()
            transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
                b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            )
            transport.close()
            self._is_welcome = False
            return
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Read on; when a request is whole, its time no longer counts."""
        if not self._is_welcome:
            return
        super().data_received(data)
        if self._is_busy():
            self._cancel()
        elif not self.transport.is_closing():
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._cancel()
        if self._is_welcome:
            super().connection_lost(exc)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_headers(self) -> None:
        # One deadline from the first byte on: a byte every few seconds does not move it.
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_busy():
            self.transport.abort()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
