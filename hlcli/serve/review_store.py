"""Reviews on disk: a folder for each, found by the content of its videos."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hlcli.atomic import make_folder, sweep_unfinished, write_text
from hlcli.document import ScoresDocument
from hlcli.errors import DocumentError
from hlcli.serve.edit import Edit
from hlcli.serve.folder import private_folder
from hlcli.serve.refusal import RequestError

SCHEMA = "hl.review/1"
"""Name and version of the file; the number rises when an older reader would misread it."""

_FILE = "review.json"
_HINT = "set HL_CACHE_DIR to a folder you may write to"
_ID = re.compile(r"[0-9a-f]{16}")
_IDENTITY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewVideo:
    """One video of a review."""

    identity: str
    """`hlcli.media.identity.content_identity`: it survives renames and moves."""
    path: str
    """Where it was when the review was last opened, as the client calls it."""
    is_seeded: bool = False
    """Whether the moments that hl chose are in the edit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review as it is kept. Frozen: every change is another object."""

    id: str
    """16 hexadecimal digits, from the content of the videos."""
    videos: tuple[ReviewVideo, ...]
    """In the order in which they were first opened, which numbers of an edit refer to."""
    revision: int = 0
    """Rises with every change of the edit."""
    edit: Edit = dataclasses.field(default_factory=Edit)
    """All decisions."""
    changed: str = ""
    """When the edit changed last, ISO 8601 in UTC."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "revision": self.revision,
            "changed": self.changed,
            "videos": [dataclasses.asdict(video) for video in self.videos],
            "edit": self.edit.model_dump(mode="json"),
        }

    @classmethod
    def from_json(cls, value: Any) -> Review:
        """Read what `to_json` gave.

        Raises:
            ValueError: It is something else, or of a newer version.
        """
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise ValueError(f"it is not of schema {SCHEMA}")
        videos = tuple(ReviewVideo(**video) for video in value["videos"])
        if not videos or not all(_IDENTITY.fullmatch(video.identity) for video in videos):
            raise ValueError("its videos have no identity")
        revision = value["revision"]
        if not isinstance(revision, int) or revision < 0:
            raise ValueError("its revision is no number")
        return cls(
            id=value["id"],
            videos=videos,
            revision=revision,
            edit=Edit.model_validate(value["edit"]),
            changed=str(value["changed"]),
        )


def review_id(identities: Iterable[str]) -> str:
    """Return the name of the review of these videos, in whatever order they are given."""
    text = "\n".join(sorted(set(identities)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class ReviewStore:
    """Keeps reviews.

    Args:
        folder: Where; it is made when the first is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def folder_of(self, review: str) -> Path:
        """Return a review's own folder."""
        return self.folder / review

    def load(self, review: str) -> Review | None:
        """Return a review, None where there is none.

        Raises:
            RequestError: It is there and cannot be read; it stays as it is.
        """
        path = self.folder_of(review) / _FILE
        try:
            found = Review.from_json(json.loads(path.read_bytes()))
            if found.id != review:
                raise ValueError(f"it is of the review {found.id!r}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        except (ValidationError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise _unreadable(path, str(error).splitlines()[0]) from error
        return found

    def save(self, review: Review) -> None:
        """Write a review in place of what was there: on disk when this returns.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        private_folder(self.folder)
        folder = self.folder_of(review.id)
        make_folder(folder, hint=_HINT)
        write_text(folder / _FILE, json.dumps(review.to_json()) + "\n")

    def all(self) -> list[Review]:
        """Return all reviews that can be read, the last changed first."""
        reviews = []
        with contextlib.suppress(OSError):
            for folder in self.folder.iterdir():
                if _ID.fullmatch(folder.name):
                    sweep_unfinished(folder)
                    with contextlib.suppress(RequestError):
                        if (review := self.load(folder.name)) is not None:
                            reviews.append(review)
        return sorted(reviews, key=lambda review: (review.changed, review.id), reverse=True)

    def put_document(self, review: str, document: ScoresDocument) -> None:
        """Keep the scores of a video; its moments are the candidates, best first.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        private_folder(self.folder)
        make_folder(self.folder_of(review), hint=_HINT)
        document.write(self._document_path(review, document.video.sha256_head))

    def document(self, review: str, identity: str) -> ScoresDocument | None:
        """Return the kept scores of a video; None where there are none that can be read."""
        try:
            document = ScoresDocument.read(self._document_path(review, identity))
        except DocumentError:
            return None
        return document if document.video.sha256_head == identity else None

    def _document_path(self, review: str, identity: str) -> Path:
        return self.folder_of(review) / f"scores-{identity[:32]}.json"


def _unreadable(path: Path, why: str) -> RequestError:
    return RequestError(
        f"the review in {path} cannot be read: {why}",
        hint="a newer hl may have written it: update hl, or move the file away to begin anew",
        status=500,
    )
