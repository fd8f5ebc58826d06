"""Files that lie elsewhere: object stores and web servers, by any address that fsspec knows."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from hlcli.errors import HlError, MediaError, MediaNotFoundError, OutputError, UsageError

_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether a text is an address, and no path.

    Example:
        >>> is_address("s3://bucket/a.mp4"), is_address("a.mp4"), is_address("file:///a.mp4")
        (True, False, False)
    """
    return _ADDRESS.match(text) is not None


def filesystem(address: str) -> tuple[Any, str]:
    """Return fsspec's file system of an address, and the path there.

    Raises:
        UsageError: The extra, or the package for this kind of address, is not installed; or there
            is no such kind.
    """
    kind = address.partition("://")[0]
    try:
        import fsspec

        # Every call sees what is there now: listings are not remembered.
        found, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise UsageError(
            f"{address}: what reads {kind}:// addresses is not installed: {error}",
            hint='pip install "hlcli[cluster]"'
            + ("" if kind in ("s3", "http", "https") else " and what fsspec needs for it"),
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{address}: there is no kind of address called {kind}://",
            hint="s3://, https:// and what else fsspec knows",
        ) from error
    return found, path


def glob_part(address: str) -> bool:
    """Whether an address holds a pattern; "?" is part of a web address."""
    return any(sign in address for sign in "*[") and not address.startswith("http")


@contextlib.contextmanager
def said(address: str, *, writes: bool = False) -> Iterator[None]:
    """Turn what file systems and their libraries raise about an address into our errors.

    Args:
        address: What is read or written.
        writes: Whether it is an output.
    """
    try:
        yield
    except HlError:
        raise
    except FileNotFoundError as error:
        missing: type[HlError] = OutputError if writes else MediaNotFoundError
        raise missing(
            f"there is no {address}: {_first_line(error)}", hint="check the bucket and the name"
        ) from error
    except PermissionError as error:
        kind = OutputError if writes else MediaError
        raise kind(
            f"{address} is refused: {_first_line(error)}",
            hint="check the credentials: they must be allowed to do this",
        ) from error
    except Exception as error:
        # Libraries of stores have trees of errors of their own.
        if not isinstance(error, OSError) and not _is_of_a_store(error):
            raise
        kind = OutputError if writes else MediaError
        if "credential" in str(error).lower():
            raise kind(
                f"{address}: there are no credentials for it: {_first_line(error)}",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, as for "
                "any program that reads this store",
            ) from error
        raise kind(
            f"{address} cannot be {'written' if writes else 'read'}: {_first_line(error)}",
            hint="check the address and the network",
        ) from error


def _is_of_a_store(error: Exception) -> bool:
    kinds = {base.__module__.partition(".")[0] for base in type(error).__mro__}
    return bool(kinds & {"botocore", "aiohttp", "s3fs", "gcsfs", "google", "azure", "asyncio"})


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def shared_store() -> str | None:
    """Return the address that `HL_STORE` names: where scores are kept for several machines."""
    return os.environ.get("HL_STORE", "").rstrip("/") or None
