"""Signed addresses: what a `<video>` element asks for, which cannot send the token."""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode


def signed(token: str, path: str, query: dict[str, str]) -> str:
    """Return an address of this service that can be read without the token, and nothing else.

    Args:
        token: The token of the service.
        path: Path of the call.
        query: Its parameters; `key` is added.
    """
    return f"{path}?{urlencode([*query.items(), ('key', _key(token, path, query))])}"


def is_signed(token: str, path: str, query_string: str) -> bool:
    """Whether a request for this address was signed by this service."""
    pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=8)
    query = dict(pairs)
    key = query.pop("key", "")
    # A name that comes twice could mean one thing here and another in the call.
    is_plain = len(pairs) == len(query) + 1
    return is_plain and hmac.compare_digest(
        key.encode("utf-8", "replace"), _key(token, path, query).encode()
    )


def _key(token: str, path: str, query: dict[str, str]) -> str:
    text = f"GET {path}?{urlencode(sorted(query.items()))}"
    return hmac.new(token.encode(), text.encode("utf-8", "replace"), sha256).hexdigest()
