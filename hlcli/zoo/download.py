"""Fetches weights over https: resumes, verifies, then renames into place.

Only the standard library: `urllib` takes the proxy from HTTPS_PROXY and NO_PROXY by itself.
"""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import hlcli
from hlcli.errors import CheckpointError, ChecksumError, DownloadError, OutputError
from hlcli.lock import exclusive_lock
from hlcli.progress import Download, Progress, silent
from hlcli.zoo.hashing import file_sha256
from hlcli.zoo.header import check_safetensors
from hlcli.zoo.partial import Partial
from hlcli.zoo.urls import check_url

_CHUNK_BYTES = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to give up on a server."""

    timeout_seconds: float = 30.0
    """Longest wait for a connection or for the next bytes."""
    num_attempts: int = 5
    """How often to try in all, at least 1; every attempt goes on where the last one stopped."""
    backoff_seconds: float = 1.0
    """Pause before the second attempt; doubles each time."""
    min_bytes_per_second: float = 512.0
    """A connection slower than this over `timeout_seconds` counts as cut."""


class _TransferInterrupted(Exception):
    """The transfer stopped in a way that another attempt may cure."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    size_bytes: int,
    progress: Progress = silent,
    retry_policy: RetryPolicy | None = None,
) -> None:
    """Fetch a file to `target`, which appears whole and verified or not at all.

    A broken download leaves `<target>.part`, from which the next call goes on. Two processes that
    want the same file take turns, and the second finds it done.

    Args:
        url: https, or http to this machine. Redirects must be https too.
        target: Where the file belongs; its folder is made. Called `.safetensors`, it must be
            such a file.
        sha256: Published hash, 64 hex digits.
        size_bytes: Published size.
        progress: Called with the bytes done and in all.
        retry_policy: When to give up; see the defaults.

    Raises:
        DownloadError: The server refuses, is not reached, keeps cutting the connection, redirects
            to an address that is not allowed, or has a file of another size.
        ChecksumError: The bytes are not the published ones; they are removed.
        CheckpointError: The published bytes are not safetensors, as the name of `target` says;
            they are removed.
        OutputError: The folder cannot be written or the disk is full.
    """
    retry_policy = retry_policy or RetryPolicy()
    try:
        check_url(url)
    except ValueError as error:
        raise DownloadError(f"cannot download {url}: {error}") from error
    lock = target.with_name(f".{target.name}.lock")
    waiting = f"waiting for another download of {target.name}"
    with exclusive_lock(lock, on_wait=lambda: progress(waiting, 0, 0)):
        if target.is_file() and file_sha256(target) == sha256:
            return
        with Partial(target, url=url, sha256=sha256, size_bytes=size_bytes) as partial:
            _check_space(partial)
            # A file that changed on the server between two attempts gets one fresh start.
            if not _fetch(partial, progress, retry_policy):
                partial.restart()
                _fetch(partial, progress, retry_policy)
            _publish(partial)


def _check_space(partial: Partial) -> None:
    folder = partial.target.parent
    needed_bytes = partial.size_bytes - partial.done_bytes
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise OutputError(
            f"{folder} has {free_bytes:,} bytes free and {partial.target.name} needs "
            f"{needed_bytes:,} more",
            hint="free some space, or set HL_CACHE_DIR to another disk",
        )


def _fetch(partial: Partial, progress: Progress, retry_policy: RetryPolicy) -> bool:
    """Bring the file to its full size; False when it was continued and came out wrong."""
    continued = partial.done_bytes > 0
    for attempt in range(1, retry_policy.num_attempts + 1):
        try:
            _transfer(partial, progress, retry_policy)
            break
        except _TransferInterrupted as error:
            if attempt == retry_policy.num_attempts:
                raise DownloadError(
                    f"cannot download {partial.url}: {error}",
                    hint="run it again later, it goes on where it stopped",
                ) from error
        continued = continued or partial.done_bytes > 0
        time.sleep(retry_policy.backoff_seconds * 2 ** (attempt - 1))
    return not continued or partial.hexdigest() == partial.sha256


def _publish(partial: Partial) -> None:
    got = partial.hexdigest()
    if got != partial.sha256:
        partial.discard()
        raise ChecksumError(
            f"{partial.url} has the wrong bytes: expected sha256 {partial.sha256}, got {got} "
            f"({partial.size_bytes:,} bytes)",
            hint="nothing was kept; try later or use another mirror (HL_MODEL_MIRROR)",
        )
    try:
        if partial.target.suffix == ".safetensors":
            check_safetensors(partial.path, name=partial.url)
    except CheckpointError:
        partial.discard()
        raise
    partial.publish()


def _transfer(partial: Partial, progress: Progress, retry_policy: RetryPolicy) -> None:
    """Make one request and take what it gives."""
    if partial.done_bytes == partial.size_bytes:
        return
    with _open(partial, retry_policy) as response:
        _accept(response, partial)
        stage = Download(f"downloading {partial.target.name}")
        progress(stage, partial.done_bytes, partial.size_bytes)
        window_start, window_bytes = time.monotonic(), 0
        while chunk := _read(response):
            partial.append(chunk)
            progress(stage, partial.done_bytes, partial.size_bytes)
            window_bytes += len(chunk)
            elapsed = time.monotonic() - window_start
            if elapsed > retry_policy.timeout_seconds:
                # A server that sends a byte now and then never runs into the socket's timeout.
                if window_bytes < retry_policy.min_bytes_per_second * elapsed:
                    raise _TransferInterrupted(
                        f"the server sent {window_bytes} bytes in {elapsed:.0f} s"
                    )
                window_start, window_bytes = time.monotonic(), 0
    if partial.done_bytes < partial.size_bytes:
        raise _TransferInterrupted(
            f"the connection closed after {partial.done_bytes:,} of {partial.size_bytes:,} bytes"
        )


def _read(response: http.client.HTTPResponse) -> bytes:
    # Apart from the writing, so that an error of the disk is never taken for one of the network.
    try:
        return response.read1(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _TransferInterrupted(
            f"the connection broke: {error or type(error).__name__}"
        ) from error


def _open(partial: Partial, retry_policy: RetryPolicy) -> http.client.HTTPResponse:
    request = Request(
        partial.url,
        headers={"User-Agent": f"hl/{hlcli.__version__}", "Accept-Encoding": "identity"},
    )
    if partial.done_bytes:
        request.add_header("Range", f"bytes={partial.done_bytes}-")
        if partial.validator:
            request.add_header("If-Range", partial.validator)
    try:
        return cast(
            "http.client.HTTPResponse",
            build_opener(_SafeRedirects).open(request, timeout=retry_policy.timeout_seconds),
        )
    except HTTPError as error:
        with error:
            raise _refused(error.code, partial) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, socket.gaierror | ssl.SSLCertVerificationError):
            # Neither gets better within seconds.
            raise DownloadError(
                f"cannot reach {urlsplit(partial.url).hostname}: {reason}",
                hint="check the network and the proxy settings (HTTPS_PROXY)",
            ) from error
        raise _TransferInterrupted(
            f"no answer from the server: {reason or type(error).__name__}"
        ) from error


def _refused(status: int, partial: Partial) -> Exception:
    if status == 416:
        # What is here does not fit what is there: begin again.
        partial.restart()
        return _TransferInterrupted("the server cannot continue the file")
    if status in _RETRIED_STATUS:
        return _TransferInterrupted(f"the server answered {status}")
    return DownloadError(
        f"cannot download {partial.url}: the server answered {status}",
        hint="check HL_MODEL_MIRROR" if status == 404 else "try later or use a mirror",
    )


def _accept(response: http.client.HTTPResponse, partial: Partial) -> None:
    """Decide from the headers whether the body continues, begins again, or is not wanted."""
    headers = response.headers
    total: int | None
    if response.status == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        etag = headers.get("ETag")
        changed = bool(etag and _is_etag(partial.validator) and etag != partial.validator)
        if changed or not found or int(found[1]) != partial.done_bytes:
            partial.restart()
            raise _TransferInterrupted("the server sent another part of the file than asked for")
        total = None if found[2] == "*" else int(found[2])
    elif response.status == 200:
        partial.restart(_validator(headers))
        declared = headers.get("Content-Length", "")
        total = int(declared) if declared.isdecimal() else None
    else:
        raise DownloadError(f"cannot download {partial.url}: the server answered {response.status}")
    if total not in (None, partial.size_bytes):
        partial.discard()
        raise DownloadError(
            f"{partial.url} has {total:,} bytes and {partial.size_bytes:,} are published",
            hint="the file on the server is another one; try later or use another mirror",
        )
    if headers.get("Content-Encoding", "identity") != "identity":
        partial.discard()
        raise DownloadError(f"{partial.url} is sent compressed although that was not asked for")


def _validator(headers: http.client.HTTPMessage) -> str | None:
    """Return what If-Range takes: a strong ETag, or else the date of the last change."""
    etag = headers.get("ETag")
    return etag if _is_etag(etag) else headers.get("Last-Modified")


def _is_etag(text: str | None) -> bool:
    return text is not None and text.startswith('"')


class _SafeRedirects(HTTPRedirectHandler):
    """Follows redirects to https only; from plain http on this machine also to itself."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> Request | None:
        try:
            scheme = check_url(newurl).scheme
            if req.type == "https" and scheme != "https":
                raise ValueError("https must not turn into http")
        except ValueError as error:
            fp.close()
            # Without path and query, which may hold a signature.
            goal = "{0.scheme}://{0.hostname}".format(urlsplit(newurl))
            raise DownloadError(
                f"{req.full_url} redirects to {goal}, which is refused: {error}"
            ) from error
        # Python before 3.11 does not know 308, which is a 307 for good.
        return super().redirect_request(req, fp, 307 if code == 308 else code, msg, headers, newurl)

    http_error_308 = HTTPRedirectHandler.http_error_302
