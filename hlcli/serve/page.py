"""The review page itself: files that were built from web/ and lie in this package."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI, Response

PREFIX = "/review/"
"""Where the page is. It needs no token: there is nothing in it that is not public."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # Nothing from elsewhere, nothing inline but what scripts of ours set.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def page_files() -> dict[str, tuple[str, bytes]]:
    """Return type and content of each file of the page, by its path below `PREFIX`."""
    found = {}
    for file in (files("hlcli.serve") / "page_built").iterdir():
        kind = _TYPES.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            found["" if file.name == "index.html" else file.name] = (kind, file.read_bytes())
    return found


def add_page(app: FastAPI) -> None:
    """Add the files of the page to the service."""

    def add(name: str, kind: str, content: bytes) -> None:
        @app.get(PREFIX + name, include_in_schema=False)
        def page_file() -> Response:
            return Response(content, media_type=kind, headers=_HEADERS)

    for name, (kind, content) in page_files().items():
        add(name, kind, content)
