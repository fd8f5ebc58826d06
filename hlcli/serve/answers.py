"""What clients get, for the OpenAPI document; the service itself answers with plain JSON."""

from __future__ import annotations

import json
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel

from hlcli.serve.job import Kind, State


class Problem(BaseModel):
    """Every body of status 400 and above."""

    message: str
    hint: str
    exit_code: int | None


class About(BaseModel):
    """Who is there."""

    name: Literal["hl"]
    version: str
    protocol: Literal[1]
    pairing: Literal["open", "closed", "locked"]


class Paired(BaseModel):
    """The token."""

    token: str
    protocol: Literal[1]


class Picked(BaseModel):
    """Files that may be read now."""

    picked: list[str]


class Results(BaseModel):
    """What came of a job."""

    files: list[str]
    num_scores: int
    model: str | None


class ShownJob(BaseModel):
    """A job."""

    id: str
    kind: Kind
    paths: list[str]
    options: dict[str, Any]
    state: State
    stage: str
    done: float
    total: float
    position: int | None
    created: str
    started: str | None
    finished: str | None
    interruptions: int
    error: Problem | None
    problems: list[Problem]
    remarks: list[str]
    results: Results


class UnreadableJob(BaseModel):
    """A job of an earlier service that cannot be read; its folder stays as it is."""

    folder: str
    why: str


class Jobs(BaseModel):
    """All jobs, the newest first."""

    jobs: list[ShownJob]
    unreadable: list[UnreadableJob]


class Scores(BaseModel):
    """Scores documents."""

    documents: list[dict[str, Any]]


def errors(*statuses: int, content: str | None = None) -> dict[int | str, dict[str, Any]]:
    """Describe what a call can answer besides its result, in terms of FastAPI.

    Args:
        statuses: Errors of this call, besides those of every call.
        content: Type of the result where it is no JSON.
    """
    always = (401, 403, 421, 422, 431, 500, 503)
    described: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem} for status in sorted({*always, *statuses})
    }
    if content is not None:
        described[200] = {"content": {content: {}}}
    return described


def reply(value: Any, status: int = 200) -> Response:
    """Return a value as JSON, in ASCII: file names of Linux may hold what is no UTF-8."""
    return Response(
        json.dumps(value, allow_nan=False), status_code=status, media_type="application/json"
    )
