"""Finding by words: what is heard, seen and said, from what is stored.

Axes: T clips, C classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from hlcli import __version__, paths
from hlcli.document import Caption, ModelRecord, ScoresDocument, read_transcript
from hlcli.errors import HlError, UsageError
from hlcli.features.clip_words import ClipWords
from hlcli.features.concepts import (
    Meant,
    meant_by,
    picture_relevance,
    sound_relevance,
    stems,
)
from hlcli.features.picture_classes import PictureClasses, picture_names
from hlcli.features.sound_classes import event_names
from hlcli.features.store import stored_features
from hlcli.features.types import FeatureSpec, FloatArray, VideoFeatures
from hlcli.media.discover import MayRead, any_file
from hlcli.media.probe import probe
from hlcli.moments import Moment
from hlcli.moments.types import Why
from hlcli.progress import Listener
from hlcli.workflows.listen import recognised
from hlcli.workflows.report import ScoringChoice, scored_documents
from hlcli.workflows.score import Pipeline
from hlcli.workflows.transcripts import transcript_beside
from hlcli.zoo.manifest import default_model_name, find_detector, find_model, list_models
from hlcli.zoo.weights import local_path, weights_path

if TYPE_CHECKING:
    from hlcli.features.recogniser import Recogniser
    from hlcli.features.sentences import Sentences

Widening: TypeAlias = Literal["auto", "names", "words", "meaning"]
"""How a query becomes classes: by their names alone, by words that go with them too, by meaning
too, or "auto": by meaning where the extra `search` is installed."""

LEAST = 0.05
"""The lowest relevance that is a result."""
LONGEST_SECONDS = 20.0
"""Longest result."""
_HANDLE_SECONDS = 0.5
_SAID_ALIKE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relevance:
    """How much each clip of a video is what was asked for."""

    side_T: dict[str, FloatArray]
    """Relevance in [0, 1] by "sound", "picture" and "said", each of shape `(T,)`."""
    words_T: dict[str, list[str]]
    """For each of them, what was found in each clip."""


def find(
    query: str,
    videos: str | Path | Sequence[str | Path],
    *,
    top: int = 10,
    model: str | None = None,
    device: str = "auto",
    widening: Widening = "auto",
    listen: str | Path | None = None,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[ScoresDocument]:
    """Find where words are heard, seen or said, as `hl find` does.

    Args:
        query: A word or a few.
        videos: Files, folders and globs; those that were not scored yet are.
        top: The most results, of all videos together.
        model: The detector whose features are searched; None takes those that are stored.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps", for videos that were not scored yet.
        widening: How words become classes.
        listen: Folder of a model of vosk, which recognises speech where no transcript is; what
            was recognised before is searched in any case.
        may_read: Asked for each file before it is looked at, transcripts too.
        on: Notified of progress, and of videos that cannot be used; without one the first raises.

    Returns:
        A document for each video with results: its `scores` are the relevance of each clip, its
        moments the results, best first, with `reasons`. They are exported as any other.

    Raises:
        UsageError: The query has no word, `top` is less than 1, or `listen` is no model.
        MediaError: No video can be used.
    """
    on = on or Listener()
    check_query(query)
    if top < 1:
        raise UsageError(f"--top must be at least 1, got {top}")
    given = [videos] if isinstance(videos, (str, Path)) else videos
    recogniser = None
    if listen is not None:
        from hlcli.features.recogniser import Recogniser

        recogniser = Recogniser(Path(listen).expanduser())
    choice = ScoringChoice(model=model, device=device)
    documents = scored_documents(
        [str(one) for one in given], None, choice, moments=False, may_read=may_read, on=on
    )
    search = _Search(query, widening, choice, recogniser, may_read, on)
    found: list[ScoresDocument] = []
    for document in {document.video.path: document for document in documents}.values():
        with on.one_file(document.video.path):
            found.append(search.results(document, top))
    search.remark_on_pictures()
    ranked = [(number, moment) for number, one in enumerate(found) for moment in one.moments]
    ranked.sort(key=lambda item: (-item[1].score, item[0], item[1].start_seconds))
    kept = [
        replace(one, moments=tuple(moment for place, moment in ranked[:top] if place == number))
        for number, one in enumerate(found)
    ]
    return [one for one in kept if one.moments]


def check_query(query: str) -> None:
    """Refuse a query without a word.

    Raises:
        UsageError: There is none.
    """
    if not stems(query):
        raise UsageError(f"there is nothing to look for in {query!r}", hint='hl find "dog" VIDEO')


class _Search:
    """One query, ready to be looked for in any number of videos."""

    def __init__(
        self,
        query: str,
        widening: Widening,
        choice: ScoringChoice,
        recogniser: Recogniser | None,
        may_read: MayRead,
        on: Listener,
    ) -> None:
        self._query = query
        self._recogniser = recogniser
        self._may_read = may_read
        self._choice = choice
        self._on = on
        self._sentences = _sentences(widening)
        self._meant = self.meaning(widening)
        self._widening = widening
        self._looking: dict[str, PictureClasses | ClipWords | None] = {}
        self._compared: set[str] = set()  # image encoders whose pictures words were compared with
        self._pipeline: Pipeline | None = None
        self._is_unknown_said = False

    def meaning(self, widening: Widening) -> Meant:
        sentences = self._sentences
        if sentences is None:
            return meant_by(self._query, synonyms=widening != "names")

        def likeness(query: str, names: Sequence[str]) -> FloatArray:
            rows: FloatArray = _embedded(tuple(names), sentences) @ sentences.embed([query])[0]
            return rows

        return meant_by(self._query, likeness=likeness)

    def results(self, document: ScoresDocument, top: int) -> ScoresDocument:
        """Return a document whose scores are relevance and whose moments are results."""
        features = self._features(document)
        relevance = self._relevance(document, features)
        all_T = np.clip(np.max([*relevance.side_T.values()], axis=0), 0.0, 1.0)
        moments = [
            self._moment(document, relevance, span, peak)
            for span, peak in stretches(all_T, document, top)
        ]
        return replace(
            document,
            model=_record(self._query),
            scores=tuple(np.round(all_T, 6).tolist()),
            raw_scores=tuple(np.round(all_T, 6).tolist()),
            picture_scores=tuple(np.round(relevance.side_T["picture"], 6).tolist()),
            sound_scores=tuple(np.round(relevance.side_T["sound"], 6).tolist()),
            modality="va",
            moments=tuple(moments),
        )

    def _features(self, document: ScoresDocument) -> VideoFeatures:
        """Return the stored features of a video; they are made again where they are gone."""
        model = self._choice.model or default_model_name()
        for name in dict.fromkeys([document.model.name, model]):
            try:
                spec = FeatureSpec.from_table(find_detector(name).feature_spec)
            except HlError:
                continue  # a model that was removed since
            features = stored_features(document, spec)
            if features is not None:
                self._encoder = spec.visual_encoder
                return features
        if self._pipeline is None:
            self._pipeline = Pipeline(model_name=model, device=self._choice.device)
        self._encoder = self._pipeline.encoders.spec.visual_encoder
        return self._pipeline.features(
            probe(Path(document.video.path)),
            document.video.sha256_head,
            progress=self._on.progress,
        )

    def _relevance(self, document: ScoresDocument, features: VideoFeatures) -> _Relevance:
        count = len(document.scores)
        nothing = np.zeros(count, np.float32)
        side_T = {"sound": nothing, "picture": nothing, "said": nothing}
        words_T: dict[str, list[str]] = {name: [""] * count for name in side_T}
        if features.events_TC is not None and self._meant.sound_C.any():
            rows_TC = self._meant.in_sound(features.events_TC[:count])
            side_T["sound"] = _filled(sound_relevance(rows_TC), count)
            words_T["sound"] = _named(rows_TC, event_names(), count)
        looking = self._look()
        if looking is not None:
            self._compared.add(self._encoder)
        if isinstance(looking, ClipWords):
            found_T = looking.relevance(self._query, features.visual_TV[:count])
            side_T["picture"] = _filled(found_T, count)
            words_T["picture"] = [f'"{self._query}" (CLIP)'] * count
        elif looking is not None and self._meant.picture_C.any():
            rows_TC = self._meant.in_picture(looking.probabilities(features.visual_TV[:count]))
            side_T["picture"] = _filled(picture_relevance(rows_TC), count)
            words_T["picture"] = _named(rows_TC, picture_names(), count)
        if not (self._meant.is_known or isinstance(looking, ClipWords) or self._is_unknown_said):
            self._is_unknown_said = True
            self._on.remark(
                f"no class of sound or picture is called {self._query!r}: only transcripts are "
                "searched"
                + ("" if self._sentences else '; pip install "hlcli[search]" looks by meaning, too')
            )
        side_T["said"], words_T["said"] = self._said(document, count)
        return _Relevance(side_T=side_T, words_T=words_T)

    def _look(self) -> PictureClasses | ClipWords | None:
        """Return what reads the features of the present image encoder; None where nothing does."""
        name = self._encoder
        if name not in self._looking:
            self._looking[name] = None
            try:
                manifest = find_model(name)
                if (manifest.encoder or {}).get("family") != "clip":
                    self._looking[name] = PictureClasses(weights_path(manifest))
                elif self._widening in ("auto", "meaning"):
                    self._looking[name] = ClipWords(weights_path(manifest), name=name)
            except HlError as error:
                self._on.remark(
                    f"pictures are not searched, the image encoder {name} knows no words: "
                    + error.message
                    + (f"; {error.hint}" if error.hint else "")
                )
        return self._looking[name]

    def remark_on_pictures(self) -> None:
        """Say where pictures were not compared with the words as well as they could be here."""
        through_clip = {
            name for name in self._compared if isinstance(self._looking[name], ClipWords)
        }
        if through_clip and self._compared - through_clip:
            self._on.remark(
                "pictures of some videos were compared with the words by CLIP, of others by the "
                "names of classes: those scores are of two kinds, in one list; --model NAME "
                "searches all videos by one"
            )
        elif self._compared and not through_clip and self._widening in ("auto", "meaning"):
            for name in _clip_here():
                self._on.remark(
                    f"{name} is on this machine, but these videos were not scored through it: a "
                    "detector that looks through it compares words with the pictures themselves: "
                    f"hl train --set data.visual_encoder={name} makes one"
                )

    def _said(self, document: ScoresDocument, count: int) -> tuple[FloatArray, list[str]]:
        said_T, words_T = np.zeros(count, np.float32), [""] * count
        captions = self._captions(document)
        if not captions:
            return said_T, words_T
        asked = stems(self._query)
        likeness = np.zeros(len(captions), np.float32)
        if self._sentences is not None:
            rows_NH = self._sentences.embed([caption.text for caption in captions])
            likeness = rows_NH @ self._sentences.embed([self._query])[0]
        for caption, alike in zip(captions, likeness, strict=True):
            line = " ".join(caption.text.split())
            share = len(asked & stems(caption.text)) / len(asked)
            relevance = max(share, float(alike) if alike >= _SAID_ALIKE else 0.0)
            first = int(caption.start_seconds / document.clip_seconds)
            last = int(np.ceil(caption.end_seconds / document.clip_seconds))
            for clip in range(first, min(last, count)):
                if relevance > said_T[clip]:
                    said_T[clip], words_T[clip] = min(relevance, 1.0), line
        return said_T, words_T

    def _captions(self, document: ScoresDocument) -> Sequence[Caption]:
        """Return the document's own transcript, the one beside the video, or what is recognised."""
        if document.transcript is not None:
            return document.transcript
        path = transcript_beside(Path(document.video.path))
        if path is None:
            return recognised(document, self._recogniser, self._on)
        try:
            return read_transcript(self._may_read(path))
        except HlError as error:
            self._on.warning(f"{error.message}; it is not searched")
            return ()

    def _moment(
        self,
        document: ScoresDocument,
        relevance: _Relevance,
        span: tuple[float, float],
        peak: int,
    ) -> Moment:
        reasons = []
        levels = {name: float(row_T[peak]) for name, row_T in relevance.side_T.items()}
        for name in sorted(levels, key=lambda name: -levels[name]):
            words = relevance.words_T[name][peak]
            if levels[name] >= max(LEAST, 0.5 * max(levels.values())) and words:
                reasons.append({"sound": f"sounds like {words}", "picture": f"looks like {words}",
                                "said": f'"{words}"'}[name])  # fmt: skip
        sides = [name for name in ("picture", "sound") if levels[name] >= LEAST]
        why: Why = "both" if len(sides) == 2 else cast("Why", sides[0]) if sides else "sound"
        start, end = span
        middle = min(max((peak + 0.5) * document.clip_seconds, start), end)
        return Moment(
            start_seconds=start,
            end_seconds=end,
            score=round(min(1.0, max(levels.values())), 6),
            peak_seconds=middle,
            picture=levels["picture"],
            sound=levels["sound"],
            why=why,
            reasons=tuple(reasons),
        )


def stretches(
    relevance_T: FloatArray, document: ScoresDocument, top: int
) -> list[tuple[tuple[float, float], int]]:
    """Return the spans around the most relevant clips, best first, and the best clip of each.

    A span goes on while the relevance is at least half of its best clip's; spans no more than a
    clip apart are one where that is not too long. Half a second more is given on each side, but
    neither over a cut nor into another span.

    Args:
        relevance_T: Relevance of each clip, in [0, 1], shape `(T,)`.
        document: Where clips and cuts lie.
        top: The most spans.
    """
    left = np.array(relevance_T, np.float64)
    most = max(1, int(LONGEST_SECONDS / document.clip_seconds))
    runs: list[_Run] = []
    while True:
        peak = int(left.argmax())
        level = max(left[peak] / 2, LEAST)
        if left[peak] < LEAST:
            break
        run = _Run(peak, peak, peak)
        while run.last - run.first + 1 < most:
            before = left[run.first - 1] if run.first else 0.0
            after = left[run.last + 1] if run.last + 1 < len(left) else 0.0
            if max(before, after) < level:
                break
            if before > after:
                run.first -= 1
            else:
                run.last += 1
        left[run.first : run.last + 1] = 0.0
        beside = [one for one in runs if one.first - 2 <= run.last and run.first <= one.last + 2]
        for one in beside:
            first, last = min(one.first, run.first), max(one.last, run.last)
            if last - first + 1 <= most:
                one.first, one.last = first, last
                break
        else:
            if len(runs) == top:
                break
            runs.append(run)
    return [(_span(run, runs, document), run.peak) for run in runs]


@dataclass(slots=True)
class _Run:
    """Clips that belong together."""

    first: int
    last: int
    peak: int


def _span(run: _Run, runs: Sequence[_Run], document: ScoresDocument) -> tuple[float, float]:
    clip, end = document.clip_seconds, document.video.duration_seconds
    low, high = run.first * clip, min((run.last + 1) * clip, end)
    cuts = document.shot_boundaries_seconds
    others = [one for one in runs if one is not run]
    floor = [(other.last + 1) * clip for other in others if other.last < run.first]
    ceiling = [other.first * clip for other in others if other.first > run.last]
    # Where two are nearer than two handles, each takes half of what is between them.
    start = max([0.0, *(cut for cut in cuts if cut <= low), *((low + one) / 2 for one in floor)])
    stop = min([end, *(cut for cut in cuts if cut >= high), *((high + one) / 2 for one in ceiling)])
    return max(start, low - _HANDLE_SECONDS), min(stop, high + _HANDLE_SECONDS)


def _clip_here() -> list[str]:
    """Return the first CLIP whose weights were fetched, if any."""
    shown = list_models(include_hidden=True, on_bad=lambda error: None)
    return [
        one.name
        for one in shown
        if (one.encoder or {}).get("family") == "clip" and local_path(one).is_file()
    ][:1]


def _filled(row: FloatArray, count: int) -> FloatArray:
    whole = np.zeros(count, np.float32)
    whole[: len(row)] = row[:count]
    return whole


def _named(rows_TC: FloatArray, names: Sequence[str], count: int) -> list[str]:
    best = [names[int(index)].split(",")[0].lower() for index in rows_TC.argmax(axis=1)]
    return [*best, *[""] * (count - len(best))][:count]


def _record(query: str) -> ModelRecord:
    digest = hashlib.sha256(query.encode("utf-8", "replace")).hexdigest()
    return ModelRecord(name=f"find {query}", version=__version__, sha256=digest)


def _sentences(widening: Widening) -> Sentences | None:
    if widening in ("names", "words"):
        return None
    from hlcli.features.sentences import Sentences, model_folder

    return None if widening == "auto" and model_folder() is None else Sentences()


def _embedded(names: tuple[str, ...], sentences: Sentences) -> FloatArray:
    """Return a vector for each name, remembered in the cache: 1500 names take seconds."""
    from hlcli.atomic import write_bytes
    from hlcli.features.sentences import SHA256

    digest = hashlib.sha256("\n".join([SHA256, *names]).encode()).hexdigest()
    path = paths.cache_dir() / "search" / f"names-{digest[:16]}.f32"
    try:
        stored: npt.NDArray[np.float32] = np.frombuffer(path.read_bytes(), "<f4")
        return stored.reshape(len(names), -1)
    except (OSError, ValueError):
        rows_NH = sentences.embed(names)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, rows_NH.astype("<f4").tobytes())
        except (OSError, HlError):
            return rows_NH  # a cache that cannot be written only costs time
        return rows_NH
