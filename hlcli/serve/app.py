"""The calls of `plugins/PROTOCOL.md`, as a FastAPI application."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from hlcli import __version__
from hlcli.errors import HlError
from hlcli.serve.answers import (
    About,
    Jobs,
    Paired,
    Picked,
    Scores,
    ShownJob,
    errors,
    reply,
)
from hlcli.serve.job import Job, State
from hlcli.serve.page import add_page
from hlcli.serve.refusal import BUG, problem, problem_of, status_of
from hlcli.serve.requests import Choice, JobRequest, PairRequest, PickedRequest, Vote
from hlcli.serve.review_calls import add_review_calls
from hlcli.serve.service import Service

PROTOCOL = 1
"""Version of `plugins/PROTOCOL.md`."""
_POLL_SECONDS = 0.2
_COMMENT_SECONDS = 15.0

JobId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Number = Annotated[float, Query(ge=0, le=1e6, allow_inf_nan=False)]
Height = Annotated[int, Query(ge=16, le=1080)]
File = Annotated[str, Query(min_length=1, max_length=4096)]
Written = Annotated[str | None, Query(min_length=1, max_length=40)]


def make_app(service: Service) -> FastAPI:
    """Return the application; `hlcli.serve.guard.Guard` must stand before it."""
    app = FastAPI(
        title="hl serve",
        version=f"{__version__} (protocol {PROTOCOL})",
        description="The local service of hl. plugins/PROTOCOL.md explains every call.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_errors(app)
    _add_pairing(app, service)
    _add_jobs(app, service)
    _add_results(app, service)
    add_review_calls(app, service)
    add_page(app)
    _describe_token(app)
    return app


def _add_pairing(app: FastAPI, service: Service) -> None:
    @app.get("/v1/about", response_model=About, responses=errors())
    def about() -> Response:
        """Say who is there."""
        return reply(
            {
                "name": "hl",
                "version": __version__,
                "protocol": PROTOCOL,
                "pairing": service.pairing.state,
            }
        )

    @app.post("/v1/pair", response_model=Paired, responses=errors(400, 408, 413, 415, 429))
    def pair(body: PairRequest) -> Response:
        """Give the token for the code."""
        return reply({"token": service.pairing.pair(body.code), "protocol": PROTOCOL})

    @app.post("/v1/picked", response_model=Picked, responses=errors(400, 404, 408, 413, 415))
    def picked(body: PickedRequest) -> Response:
        """Remember files that the user chose."""
        return reply({"picked": [str(path) for path in service.pick(body.paths)]})


def _add_jobs(app: FastAPI, service: Service) -> None:
    def shown(job: Job) -> dict[str, Any]:
        return service.queue.shown(job)[0]

    @app.post(
        "/v1/jobs",
        status_code=202,
        response_model=ShownJob,
        responses=errors(400, 404, 408, 409, 413, 415, 429),
    )
    def begin(body: JobRequest) -> Response:
        """Queue a job."""
        return reply(shown(service.begin(body)), status=202)

    @app.get("/v1/jobs", response_model=Jobs, responses=errors())
    def jobs(state: State | None = None) -> Response:
        """List jobs."""
        return reply(
            {
                "jobs": service.queue.shown(*service.queue.jobs(state)),
                "unreadable": [
                    {"folder": str(one.folder), "why": one.why} for one in service.queue.unreadable
                ],
            }
        )

    @app.get("/v1/jobs/{job_id}", response_model=ShownJob, responses=errors(404))
    def job(job_id: JobId) -> Response:
        """Show a job."""
        return reply(shown(service.queue.get(job_id)))

    @app.delete("/v1/jobs/{job_id}", response_model=ShownJob, responses=errors(404))
    def cancel(job_id: JobId) -> Response:
        """Cancel a job."""
        return reply(shown(service.queue.cancel(job_id)))

    @app.get(
        "/v1/jobs/{job_id}/events",
        response_class=StreamingResponse,
        responses=errors(404, content="text/event-stream"),
    )
    async def events(job_id: JobId) -> StreamingResponse:
        """Tell of every change."""
        service.queue.get(job_id)

        async def stream() -> AsyncIterator[str]:
            last: dict[str, Any] | None = None
            spoke = time.monotonic()
            while not service.queue.is_closing:
                try:
                    now = await asyncio.to_thread(lambda: shown(service.queue.get(job_id)))
                except HlError:
                    return  # It was old, and is gone.
                if now != last:
                    yield f"event: job\ndata: {json.dumps(now)}\n\n"
                    last, spoke = now, time.monotonic()
                    if now["finished"] is not None:
                        return
                elif time.monotonic() - spoke > _COMMENT_SECONDS:
                    yield ": still here\n\n"
                    spoke = time.monotonic()
                await asyncio.sleep(_POLL_SECONDS)

        return StreamingResponse(stream(), media_type="text/event-stream")


def _add_results(app: FastAPI, service: Service) -> None:
    @app.get("/v1/jobs/{job_id}/scores", response_model=Scores, responses=errors(400, 404, 409))
    def scores(
        job_id: JobId,
        target_duration: Written = None,
        top: Annotated[int | None, Query(ge=1, le=10**6)] = None,
        threshold: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
        min_duration: Written = None,
        max_duration: Written = None,
        handles: Written = None,
        keep_all: bool | None = None,
        keep_takes: bool | None = None,
        marks: Vote = None,
    ) -> Response:
        """Return scores and moments, chosen anew where a parameter says how."""
        choice = Choice(
            target_duration=target_duration,
            top=top,
            threshold=threshold,
            min_duration=min_duration,
            max_duration=max_duration,
            handles=handles,
            keep_all=keep_all,
            keep_takes=keep_takes,
            marks=marks,
        )
        return reply({"documents": service.scores(service.queue.get(job_id), choice)})

    @app.get(
        "/v1/thumbnail",
        response_class=Response,
        responses=errors(404, content="image/jpeg"),
    )
    def thumbnail(path: File, seconds: Number, height: Height = 90) -> Response:
        """Return one frame."""
        return Response(service.thumbnail(path, seconds, height), media_type="image/jpeg")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HlError)
    def refused(request: Request, error: HlError) -> Response:
        return reply(problem_of(error), status=status_of(error))

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{where}: {first['msg']}" if where else str(first["msg"])
        return reply(
            problem(message[:500], hint="GET /openapi.json says what is expected", exit_code=2),
            status=422,
        )

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        # Without it the framework answers in plain text; the guard writes the log.
        return reply(BUG, status=500)

    @app.exception_handler(HTTPException)
    def other(request: Request, error: HTTPException) -> Response:
        answer = reply(
            problem(str(error.detail).lower(), hint="GET /openapi.json has all calls"),
            status=error.status_code,
        )
        answer.headers.update(error.headers or {})
        return answer


def _describe_token(app: FastAPI) -> None:
    """Say in the OpenAPI document which calls need the token."""
    document = app.openapi()
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"}
    }
    document["security"] = [{"token": []}]
    for path in ("/v1/about", "/v1/pair", "/v1/tickets/redeem"):
        for call in document["paths"][path].values():
            call["security"] = []
