"""What the calls of the review page mean, without HTTP."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlcli import paths as places
from hlcli.atomic import make_folder, write_text
from hlcli.document import ScoresDocument, find_moments, write_documents
from hlcli.document.takes import choose_across, takes_across
from hlcli.errors import HlError, MediaNotFoundError
from hlcli.media.identity import content_identity
from hlcli.moments import Moment, Selection, Take
from hlcli.serve.allowed import Allowed
from hlcli.serve.changes import now
from hlcli.serve.edit import Edit, EditMoment, edited_documents, marks_table
from hlcli.serve.job import Job, Kind
from hlcli.serve.outputs import check_export_outputs, check_film_output
from hlcli.serve.pictures import Pictures
from hlcli.serve.queue import JobQueue
from hlcli.serve.refusal import RequestError
from hlcli.serve.requests import ExportOptions, FinetuneOptions, RenderOptions
from hlcli.serve.review_store import Review, ReviewStore, ReviewVideo, review_id
from hlcli.serve.signature import signed

MAX_CANDIDATES = 500
"""Most moments of one video that the page can choose from."""
_KEPT_SNAPSHOTS = 50
_MOST_COMPARED = 50_000  # moments beside other files, for their takes there: about two seconds


@dataclass(slots=True, kw_only=True)
class Reviews:
    """All that the calls of the review page need."""

    store: ReviewStore
    """Where reviews are kept."""
    queue: JobQueue
    """The jobs."""
    pictures: Pictures
    """Looks into videos, in a process of its own."""
    allowed: Callable[[], Allowed]
    """What may be read now."""
    token: str
    """Signs addresses of videos."""
    # One service holds the folder, so one lock is enough for "read, compare, write".
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(
        self, texts: list[str], *, model: str | None = None, visual_only: bool = False
    ) -> dict[str, Any]:
        """Open the review of these videos, or begin one.

        Args:
            texts: Videos, whole paths.
            model: Only scores by this detector; None takes those that were made or shown last.
            visual_only: Only scores of the picture alone.

        Raises:
            RequestError: A path is outside or a folder, or the kept review cannot be read.
            MediaError: A video is missing or cannot be read.
            UnknownModelError: There is no such detector.
            OutputError: The review cannot be kept.
        """
        from hlcli import scores_cache
        from hlcli.zoo.manifest import find_detector

        allowed = self.allowed()
        sha256 = None if model is None else find_detector(model).sha256
        videos: dict[str, ReviewVideo] = {}
        for text in texts:
            real = allowed.existing(text)
            if real.is_dir():
                raise RequestError(
                    f"{real} is a folder", hint="name the videos in it, one by one", status=400
                )
            identity = content_identity(real)
            # What stands before ".." may be a link: such a name has no plain form.
            path = str(real) if ".." in Path(text).parts else text
            videos.setdefault(identity, ReviewVideo(identity=identity, path=path))
        with self._lock:
            name = review_id(videos)
            kept = self.store.load(name) or Review(id=name, videos=tuple(videos.values()))
            review = dataclasses.replace(
                kept,
                videos=tuple(
                    dataclasses.replace(video, path=videos[video.identity].path)
                    for video in kept.videos
                ),
            )
            self._take(
                review,
                [
                    scores_cache.find(
                        video.identity, sha256, "v" if visual_only else None, renew=True
                    )
                    for video in review.videos
                ],
            )
            review = self._seeded(review)
            if review != kept or kept.revision == 0:
                self.store.save(review)
            return self._shown(review)

    def show(self, name: str) -> dict[str, Any]:
        """Return a review with the scores of its videos.

        Raises:
            RequestError: There is none, or it cannot be read.
        """
        from hlcli import scores_cache

        with self._lock:
            review = self._load(name)
            self._take(
                review,
                [
                    scores_cache.find(video.identity, renew=True)
                    for video in review.videos
                    if self.store.document(name, video.identity) is None
                ],
            )
            seeded = self._seeded(review)
            if seeded != review:
                self.store.save(seeded)
            return self._shown(seeded)

    def all(self) -> list[dict[str, Any]]:
        """Return what there is to say about each review, the last changed first."""
        return [
            {
                "id": review.id,
                "revision": review.revision,
                "changed": review.changed,
                "names": [Path(video.path).name for video in review.videos],
            }
            for review in self.store.all()
        ]

    def save(self, name: str, revision: int, edit: Edit) -> dict[str, Any]:
        """Keep an edit; when this returns, it is on disk.

        Args:
            name: The review.
            revision: The one that the edit was made from.
            edit: All decisions.

        Raises:
            RequestError: There is no such review, or it has changed since that revision.
            OutputError: The disk is full or cannot be written; what was kept before stays.
        """
        with self._lock:
            review = self._load(name)
            if revision != review.revision:
                raise RequestError(
                    f"the review has changed since: it is at revision {review.revision}, "
                    f"this is made from {revision}",
                    hint="load it again; another tab or window may have it open",
                    status=409,
                )
            spans = [*edit.moments, *edit.avoid]
            if any(span.video >= len(review.videos) for span in spans):
                raise RequestError(
                    f"the review has {len(review.videos)} videos",
                    hint="number them from 0",
                    status=400,
                )
            review = dataclasses.replace(review, revision=revision + 1, edit=edit, changed=now())
            self.store.save(review)
        return {"revision": review.revision, "changed": review.changed}

    def media(self, name: str, number: int) -> dict[str, Any]:
        """Say how a video can be played: addresses for a browser, and where its zero is.

        Raises:
            RequestError: There is no such video, it may not be read, or it cannot be opened.
            MediaNotFoundError: It is not there.
        """
        review, video = self._video(name, number)
        path = self._path(video)
        about = self.pictures.about(path)
        call = f"/v1/reviews/{review.id}/video/{number}"
        proxy = proxy_path(video.identity)
        return {
            **about,
            "address": signed(self.token, call, {"of": "source"}),
            "proxy_address": signed(self.token, call, {"of": "proxy"}) if proxy.is_file() else None,
        }

    def video_file(self, name: str, number: int, *, of_proxy: bool) -> Path:
        """Return the file that a player shall get.

        Raises:
            RequestError: There is no such video, it may not be read, or has no proxy yet.
            MediaNotFoundError: It is not there.
        """
        _, video = self._video(name, number)
        path = self._path(video)
        if not of_proxy:
            return path
        proxy = proxy_path(video.identity)
        if not proxy.is_file():
            raise RequestError("there is no small copy yet", hint="ask for it first", status=404)
        return proxy

    def make_proxy(self, name: str, number: int) -> Job:
        """Queue the making of a small copy that any browser plays; one job a video.

        Raises:
            HlError: The video is missing or may not be read, or too many jobs wait.
        """
        _, video = self._video(name, number)
        path = self._path(video)
        for job in self.queue.jobs():
            if job.kind == "proxy" and not job.is_final and job.paths == (str(path),):
                return job
        make_folder(places.proxies_dir(), hint="set HL_CACHE_DIR to a folder you may write to")
        proxy = str(proxy_path(video.identity))
        return self._submit("proxy", (path,), options={}, outputs=(proxy,))

    def export(self, name: str, options: ExportOptions) -> Job:
        """Queue the writing of the kept moments, as `hl export` does.

        Raises:
            HlError: Nothing is kept, an option is refused, a path is outside or there already.
        """
        review, documents = self._edited(name)
        options.check()
        if options.selection() is not None or options.like:
            raise RequestError(
                "a review has chosen its moments already",
                hint="leave out what chooses moments: top, handles, pin, marks, like and the like",
                status=400,
            )
        allowed = self.allowed()
        sources = [allowed.resolved(document.video.path) for document in documents]
        outputs = check_export_outputs(options, allowed, sources)
        for text in (*options.files, *options.search):
            allowed.existing(text)
        return self._submit(
            "export",
            (self._snapshot(review, documents),),
            options=options.given(),
            outputs=tuple(map(str, outputs)),
        )

    def render(self, name: str, options: RenderOptions) -> Job:
        """Queue the making of a film from the kept moments.

        Raises:
            HlError: Nothing is kept, an option is refused, the output is outside or there already.
        """
        review, documents = self._edited(name)
        options.check()
        if options.copy_ or options.each:
            name = "copy" if options.copy_ else "each"
            raise RequestError(
                f"{name} goes with a timeline, not with a review",
                hint=f"export a timeline, then render that with {name}",
                status=400,
            )
        allowed = self.allowed()
        read = [allowed.existing(text) for text in options.files]
        for text in options.search:
            allowed.existing(text)
        outputs = check_film_output(options, allowed, read)
        return self._submit(
            "render",
            (self._snapshot(review, documents),),
            options=options.given(),
            outputs=tuple(map(str, outputs)),
        )

    def learn(self, name: str, options: FinetuneOptions) -> Job:
        """Queue the tuning of a model to what this review keeps and drops.

        Raises:
            HlError: Nothing is kept, the name is taken, or a video is missing.
        """
        if options.files:
            raise RequestError(
                "a review brings its own labels",
                hint="leave labels, from_cut and from_film out",
                status=400,
            )
        options.check()
        with self._lock:
            review = self._load(name)
        documents = self._documents(review)
        table = marks_table(review.edit, documents)
        used = {moment.video for moment in (*review.edit.moments, *review.edit.avoid)}
        sources = [
            self.allowed().existing(document.video.path)
            for number, document in enumerate(documents)
            if number in used
        ]
        path = self._snapshot_path(review, "csv")
        try:
            write_text(path, table)
        except UnicodeEncodeError as error:
            raise RequestError(
                "the name of a video is not Unicode, which a table of marks cannot say",
                hint="rename it and open the review again",
                status=400,
            ) from error
        given = options.given() | {"labels": [str(path)]}
        return self._submit("finetune", tuple(sources), options=given, picked=(path,))

    def _edited(self, name: str) -> tuple[Review, list[ScoresDocument]]:
        with self._lock:
            review = self._load(name)
        return review, edited_documents(review.edit, self._documents(review))

    def _documents(self, review: Review) -> list[ScoresDocument]:
        found = []
        for video in review.videos:
            document = self.store.document(review.id, video.identity)
            if document is None:
                raise RequestError(
                    f"{Path(video.path).name} has no scores yet", hint="score it first", status=409
                )
            found.append(_renamed(document, video.path))
        return found

    def _submit(
        self,
        kind: Kind,
        sources: tuple[Path, ...],
        *,
        options: dict[str, Any],
        outputs: tuple[str, ...] = (),
        picked: tuple[Path, ...] = (),
    ) -> Job:
        allowed = self.allowed()
        return self.queue.submit(
            Job(
                id="",
                created="",
                kind=kind,
                paths=tuple(map(str, sources)),
                options=options,
                roots=tuple(map(str, allowed.roots)),
                # What the review itself wrote lies outside the roots.
                picked=tuple(map(str, {*allowed.picked, *sources, *picked})),
                outputs=outputs,
            )
        )

    def _snapshot(self, review: Review, documents: list[ScoresDocument]) -> Path:
        """Write what a job shall work on: the review may change before it runs."""
        path = self._snapshot_path(review, "json")
        write_documents(path, documents)
        return path

    def _snapshot_path(self, review: Review, suffix: str) -> Path:
        folder = self.store.folder_of(review.id) / "sent"
        make_folder(folder, hint="set HL_CACHE_DIR to a folder you may write to")
        ages = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for old in ages[_KEPT_SNAPSHOTS:]:
            old.unlink(missing_ok=True)
        name = f"{review.revision:06d}-{secrets.token_hex(4)}.{suffix}"
        return (folder / name).resolve()

    def _take(self, review: Review, scored: Sequence[ScoresDocument | None]) -> None:
        """Keep scores with the moments one can choose from, unless they are the same as before."""
        fresh = {one.video.sha256_head: one for one in scored if one is not None}
        documents = []
        for video in review.videos:
            kept = self.store.document(review.id, video.identity)
            found = fresh.get(video.identity)
            if found is not None and not _is_known(found, kept):
                candidates = find_moments(found, Selection(top=MAX_CANDIDATES))
                kept = found.with_moments(with_takes(candidates, found.moments))
            else:
                fresh.pop(video.identity, None)
            if kept is not None:
                documents.append(kept)
        if not fresh:
            return
        if len(documents) > 1:
            pairs = len(documents) * (len(documents) - 1)
            documents = takes_across(documents, max(1, _MOST_COMPARED // pairs))
        for document in documents:
            self.store.put_document(review.id, document)

    def _seeded(self, review: Review) -> Review:
        """Return a review with what hl chose in each video that has scores for the first time."""
        chosen: dict[int, ScoresDocument] = {}
        for number, video in enumerate(review.videos):
            if not video.is_seeded:
                document = self.store.document(review.id, video.identity)
                if document is not None:
                    chosen[number] = document.with_moments(find_moments(document))
        if not chosen:
            return review
        of_takes = choose_across(list(chosen.values()), Selection(), find_moments)
        videos, moments = list(review.videos), list(review.edit.moments)
        for number, document in zip(chosen, of_takes, strict=True):
            in_time = sorted(document.moments, key=lambda moment: moment.start_seconds)
            moments += [
                EditMoment(
                    id=f"{number}-{place}",
                    video=number,
                    start_seconds=one.start_seconds,
                    end_seconds=one.end_seconds,
                    keep=True,
                )
                for place, one in enumerate(in_time, start=1)
            ]
            videos[number] = dataclasses.replace(videos[number], is_seeded=True)
        return dataclasses.replace(
            review,
            videos=tuple(videos),
            revision=review.revision + 1,
            edit=review.edit.model_copy(update={"moments": moments}),
            changed=now(),
        )

    def _shown(self, review: Review) -> dict[str, Any]:
        from hlcli.timeline.formats import FORMATS

        allowed = self.allowed()
        documents = [self.store.document(review.id, video.identity) for video in review.videos]
        paths = {
            document.video.path: video.path
            for video, document in zip(review.videos, documents, strict=True)
            if document is not None
        }
        videos = []
        for video, document in zip(review.videos, documents, strict=True):
            problem = None
            try:
                allowed.existing(video.path)
            except HlError as error:
                problem = error.message
            videos.append(
                {
                    "identity": video.identity,
                    "path": video.path,
                    "name": Path(video.path).name,
                    "problem": problem,
                    "document": None
                    if document is None
                    else _takes_renamed(_renamed(document, video.path), paths).to_json(),
                }
            )
        return {
            "id": review.id,
            "revision": review.revision,
            "changed": review.changed,
            "edit": review.edit.model_dump(mode="json"),
            "videos": videos,
            "formats": [
                {"suffix": one.suffix, "title": one.title, "targets": list(one.targets)}
                for one in FORMATS.values()
            ],
            "folder": self._export_folder(review, allowed),
        }

    @staticmethod
    def _export_folder(review: Review, allowed: Allowed) -> str:
        """Return a folder that exports may go to: that of the first video, or else a root."""
        for video in review.videos:
            folder = Path(video.path).parent
            try:
                if allowed.is_below_roots(allowed.resolved(str(folder))):
                    return str(folder)
            except HlError:
                continue
        return str(allowed.roots[0])

    def _load(self, name: str) -> Review:
        review = self.store.load(name)
        if review is None:
            raise RequestError(
                "there is no such review", hint="GET /v1/reviews lists them", status=404
            )
        return review

    def _video(self, name: str, number: int) -> tuple[Review, ReviewVideo]:
        with self._lock:
            review = self._load(name)
        if number >= len(review.videos):
            raise RequestError(
                f"the review has {len(review.videos)} videos", hint="count from 0", status=404
            )
        return review, review.videos[number]

    def _path(self, video: ReviewVideo) -> Path:
        path = self.allowed().existing(video.path)
        if path.is_dir():
            raise MediaNotFoundError(f"{path} is a folder now", hint="open the review again")
        return path


def proxy_path(identity: str) -> Path:
    """Return where the small copy of a video is, or will be."""
    return places.proxies_dir() / f"{identity[:32]}.mp4"


def _renamed(document: ScoresDocument, path: str) -> ScoresDocument:
    return dataclasses.replace(document, video=dataclasses.replace(document.video, path=path))


def _takes_renamed(document: ScoresDocument, paths: Mapping[str, str]) -> ScoresDocument:
    """Return a document whose takes in other files have the paths that these have now."""

    def renamed(take: Take) -> Take:
        path = None if take.video is None else paths.get(take.video, take.video)
        return dataclasses.replace(take, video=path)

    moments = [
        dataclasses.replace(one, alternatives=tuple(map(renamed, one.alternatives)))
        for one in document.moments
    ]
    return document.with_moments(moments, document.candidates)


def with_takes(candidates: Sequence[Moment], scored: Sequence[Moment]) -> list[Moment]:
    """Give candidates the other takes that are known of the same stretch.

    Args:
        candidates: Moments to choose from.
        scored: Moments that the scores came with.
    """
    known = [moment for moment in scored if moment.alternatives]
    found = []
    for candidate in candidates:
        for moment in known:
            shared = min(candidate.end_seconds, moment.end_seconds) - max(
                candidate.start_seconds, moment.start_seconds
            )
            shorter = min(candidate.duration_seconds, moment.duration_seconds)
            if shared > shorter / 2 and not candidate.alternatives:
                candidate = dataclasses.replace(candidate, alternatives=moment.alternatives)
        found.append(candidate)
    return found


def _is_known(found: ScoresDocument, kept: ScoresDocument | None) -> bool:
    return (
        kept is not None
        and _without_moments(kept) == _without_moments(found)
        and _num_takes(kept.moments) >= _num_takes(found.moments)
    )


def _num_takes(moments: Sequence[Moment]) -> int:
    return sum(len(moment.alternatives) for moment in moments)


def _without_moments(document: ScoresDocument) -> ScoresDocument:
    return _renamed(document.with_moments(()), "moved")
