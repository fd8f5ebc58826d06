"""A client of the service for programs of the same user, who may read the token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hlcli import paths as places
from hlcli.errors import OutputError, UsageError
from hlcli.serve.folder import token_file
from hlcli.serve.page import PREFIX
from hlcli.serve.server import running_address

_TIMEOUT_SECONDS = 120.0
# Opening a review of many long videos reads two megabytes of each and ranks their moments.


def running_service() -> str | None:
    """Return the address of this user's service, None when none runs."""
    address = running_address()
    if address is None:
        return None
    try:
        about = _call(address, "GET", "/v1/about", token=None, seconds=5.0)
    except (UsageError, OutputError):
        return None
    return address if about.get("name") == "hl" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """What a review page shall show."""

    paths: tuple[Path, ...]
    """The videos."""
    model: str | None = None
    """Detector to score them with; None takes the scores there are, or the default."""
    visual_only: bool = False
    """Whether the sound is left out."""

    def open(self, service: str) -> str:
        """Open the review and return the address of its page, good for one use.

        Args:
            service: Address of the service.

        Raises:
            UsageError: The service refuses; the message is its own.
            OutputError: It does not answer.
        """
        token = token_file(places.serve_dir()).read_text(encoding="ascii").strip()
        texts = [str(path.absolute()) for path in self.paths]
        wanted: dict[str, Any] = {"visual_only": self.visual_only}
        if self.model is not None:
            wanted["model"] = self.model
        # The user named them, so they may be read wherever they are.
        _call(service, "POST", "/v1/picked", {"paths": texts}, token=token)
        review = _call(service, "POST", "/v1/reviews", {"paths": texts, **wanted}, token=token)
        ticket = _call(service, "POST", "/v1/tickets", {}, token=token)["ticket"]
        fragment = {"review": review["id"], "ticket": ticket}
        if self.model is not None:
            fragment["model"] = self.model
        if self.visual_only:
            fragment["visual_only"] = "1"
        # Behind "#": no server ever sees it.
        return f"{service}{PREFIX}#{urlencode(fragment)}"


def _call(
    service: str,
    method: str,
    path: str,
    value: Any = None,
    *,
    token: str | None,
    seconds: float = _TIMEOUT_SECONDS,
) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = None
    if value is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(value).encode()
    request = urllib.request.Request(service + path, body, headers, method=method)
    # Never through a proxy: the token stays on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=seconds) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        try:
            problem = json.loads(error.read())
            message, hint = str(problem["message"]), str(problem["hint"])
        except (ValueError, KeyError, TypeError):
            message, hint = f"the service answers {error.code}", "stop it and start it again"
        raise UsageError(message, hint=hint) from error
    except (OSError, ValueError) as error:
        raise OutputError(
            f"the service at {service} does not answer: {error}",
            hint="stop hl serve and try again",
        ) from error
