"""Pairing: six digits from the terminal, typed into the panel, become the token."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Literal

from hlcli.serve.refusal import RequestError

LIFE_SECONDS = 600.0
"""How long a code is good."""
MAX_TRIES = 5
"""Wrong codes until nobody can pair any more: a guess hits once in 200,000 services."""
State = Literal["open", "closed", "locked"]
"""Whether a code is shown, none is, or too many were wrong."""


class Pairing:
    """Gives the token to whoever knows the code.

    Args:
        token: What is given.
        is_open: Whether there is a code at all.
        on_pair: Called when the token is given.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        token: str,
        *,
        is_open: bool,
        on_pair: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.code: str | None = f"{secrets.randbelow(10**6):06d}" if is_open else None
        self._token = token
        self._on_pair = on_pair
        self._clock = clock
        self._ends = clock() + LIFE_SECONDS
        self._wrong = 0
        # Tries at the same time must not be counted as one.
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """What a panel can expect."""
        if self._wrong >= MAX_TRIES:
            return "locked"
        return "open" if self.code is not None and self._clock() < self._ends else "closed"

    def pair(self, code: str) -> str:
        """Return the token for the right code, once.

        Raises:
            RequestError: Pairing is closed or locked, or the code is wrong.
        """
        with self._lock:
            state = self.state
            if state == "locked":
                raise RequestError(
                    "pairing is locked: too many wrong codes",
                    hint="stop hl serve and start it again with --open-pairing",
                    status=429,
                )
            if state == "closed" or self.code is None:
                raise RequestError(
                    "pairing is closed",
                    hint="stop hl serve and start it again with --open-pairing",
                    status=403,
                )
            typed = re.sub(r"[\s-]", "", code)
            if not hmac.compare_digest(typed.encode("utf-8", "replace"), self.code.encode()):
                self._wrong += 1
                left = MAX_TRIES - self._wrong
                raise RequestError(
                    "that is not the code",
                    hint=f"{left} {'try is' if left == 1 else 'tries are'} left; "
                    "the code is in the terminal of hl serve",
                    status=403,
                )
            self.code = None
            self._on_pair()
            return self._token
