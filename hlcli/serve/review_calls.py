"""The calls of the review page, as part of the FastAPI application."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Path, Query, Response
from pydantic import BaseModel

from hlcli.serve.answers import Paired, ShownJob, errors, reply
from hlcli.serve.edit import MAX_VIDEOS, Edit
from hlcli.serve.job import Job
from hlcli.serve.requests import (
    EditRequest,
    ExportOptions,
    FinetuneOptions,
    RenderOptions,
    ReviewRequest,
    TicketRequest,
)
from hlcli.serve.service import Service
from hlcli.serve.video_answer import video_answer

ReviewId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
VideoNumber = Annotated[int, Path(ge=0, lt=MAX_VIDEOS)]
Key = Annotated[str | None, Query(min_length=64, max_length=64)]
RangeHeader = Annotated[str | None, Header(alias="range")]


class Ticket(BaseModel):
    """What a browser trades for the token."""

    ticket: str


class ReviewedVideo(BaseModel):
    """One video of a review, with its scores."""

    identity: str
    path: str
    name: str
    problem: str | None
    document: dict[str, Any] | None


class ShownFormat(BaseModel):
    """A format to export to."""

    suffix: str
    title: str
    targets: list[str]


class ShownReview(BaseModel):
    """A review."""

    id: str
    revision: int
    changed: str
    edit: Edit
    videos: list[ReviewedVideo]
    formats: list[ShownFormat]
    folder: str


class ListedReview(BaseModel):
    """A review in a list."""

    id: str
    revision: int
    changed: str
    names: list[str]


class ListedReviews(BaseModel):
    """All reviews, the last changed first."""

    reviews: list[ListedReview]


class Saved(BaseModel):
    """An edit that is on disk."""

    revision: int
    changed: str


class Media(BaseModel):
    """How a video can be played."""

    address: str
    proxy_address: str | None
    start_seconds: float
    is_continuous: bool
    has_sound: bool
    frame_rate: float
    codec: str
    container: str


def add_review_calls(app: FastAPI, service: Service) -> None:
    """Add the calls to the service."""
    _add_tickets(app, service)
    _add_reviews(app, service)
    _add_videos(app, service)
    _add_work(app, service)


def _add_tickets(app: FastAPI, service: Service) -> None:
    @app.post("/v1/tickets", response_model=Ticket, responses=errors(400, 408, 413, 415))
    def issue() -> Response:
        """Give a ticket for the address of the review page."""
        return reply({"ticket": service.tickets.issue()})

    @app.post("/v1/tickets/redeem", response_model=Paired, responses=errors(400, 408, 413, 415))
    def redeem(body: TicketRequest) -> Response:
        """Give the token for a ticket, once."""
        return reply({"token": service.tickets.redeem(body.ticket), "protocol": 1})


def _add_reviews(app: FastAPI, service: Service) -> None:
    @app.post("/v1/reviews", response_model=ShownReview, responses=errors(400, 404, 408, 413, 415))
    def open_review(body: ReviewRequest) -> Response:
        """Open the review of these videos, or begin one."""
        return reply(
            service.reviews.open(body.paths, model=body.model, visual_only=body.visual_only)
        )

    @app.get("/v1/reviews", response_model=ListedReviews, responses=errors())
    def reviews() -> Response:
        """List reviews."""
        return reply({"reviews": service.reviews.all()})

    @app.get("/v1/reviews/{review_id}", response_model=ShownReview, responses=errors(404))
    def review(review_id: ReviewId) -> Response:
        """Return a review with the scores of its videos."""
        return reply(service.reviews.show(review_id))

    @app.put(
        "/v1/reviews/{review_id}",
        response_model=Saved,
        responses=errors(400, 404, 408, 409, 413, 415),
    )
    def save(review_id: ReviewId, body: EditRequest) -> Response:
        """Keep an edit made from the newest revision."""
        return reply(service.reviews.save(review_id, body.revision, body.edit))


def _add_videos(app: FastAPI, service: Service) -> None:
    @app.get(
        "/v1/reviews/{review_id}/media/{number}",
        response_model=Media,
        responses=errors(400, 404),
    )
    def media(review_id: ReviewId, number: VideoNumber) -> Response:
        """Say how a video can be played."""
        return reply(service.reviews.media(review_id, number))

    @app.get(
        "/v1/reviews/{review_id}/video/{number}",
        response_class=Response,
        responses={
            **errors(400, 404, content="application/octet-stream"),
            206: {"description": "A piece", "content": {"application/octet-stream": {}}},
            416: {"description": "No such piece"},
        },
    )
    def video(
        review_id: ReviewId,
        number: VideoNumber,
        of: Annotated[Literal["source", "proxy"], Query()] = "source",
        key: Key = None,
        range_: RangeHeader = None,
    ) -> Response:
        """Return a video or a piece of it; `key` stands for the token."""
        path = service.reviews.video_file(review_id, number, of_proxy=of == "proxy")
        return video_answer(path, range_)


def _add_work(app: FastAPI, service: Service) -> None:
    def shown(job: Job) -> Response:
        return reply(service.queue.shown(job)[0], status=202)

    taken: dict[str, Any] = {
        "status_code": 202,
        "response_model": ShownJob,
        "responses": errors(400, 404, 408, 409, 413, 415, 429),
    }

    @app.post("/v1/reviews/{review_id}/proxy/{number}", **taken)
    def proxy(review_id: ReviewId, number: VideoNumber) -> Response:
        """Queue the making of a small copy that any browser plays."""
        return shown(service.reviews.make_proxy(review_id, number))

    @app.post("/v1/reviews/{review_id}/export", **taken)
    def export(review_id: ReviewId, body: ExportOptions) -> Response:
        """Queue the writing of the kept moments."""
        return shown(service.reviews.export(review_id, body))

    @app.post("/v1/reviews/{review_id}/render", **taken)
    def render(review_id: ReviewId, body: RenderOptions) -> Response:
        """Queue the making of a film from the kept moments."""
        return shown(service.reviews.render(review_id, body))

    @app.post("/v1/reviews/{review_id}/learn", **taken)
    def learn(review_id: ReviewId, body: FinetuneOptions) -> Response:
        """Queue the tuning of a model to what is kept and dropped."""
        return shown(service.reviews.learn(review_id, body))
