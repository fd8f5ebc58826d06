"""Tickets: one use, a few minutes; a browser that `hl review` opens trades one for the token.

The address of a page is seen by others: in the list of processes, in the history. So the token
never stands in one.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable

from hlcli.serve.refusal import RequestError

LIFE_SECONDS = 600.0
"""How long a ticket is good."""
MAX_TICKETS = 20
"""Most tickets that are good at once; the oldest go first."""


class Tickets:
    """Gives the token to whoever has a ticket.

    Args:
        token: What is given.
        clock: Seconds that only go forward.
    """

    def __init__(self, token: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue(self) -> str:
        """Return a new ticket."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._ends[ticket] = self._clock() + LIFE_SECONDS
            while len(self._ends) > MAX_TICKETS:
                del self._ends[next(iter(self._ends))]
        return ticket

    def redeem(self, ticket: str) -> str:
        """Return the token for a ticket, once.

        Raises:
            RequestError: It is unknown, used or old.
        """
        given = ticket.encode("utf-8", "replace")
        with self._lock:
            now = self._clock()
            self._ends = {one: end for one, end in self._ends.items() if end > now}
            # Every one is compared: how long it takes says nothing about them.
            found = [known for known in self._ends if hmac.compare_digest(known.encode(), given)]
            if not found:
                raise RequestError(
                    "this address was used already, or is too old",
                    hint="run hl review again: it opens a fresh one",
                    status=403,
                )
            del self._ends[found[0]]
        return self._token
