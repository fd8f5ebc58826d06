"""Scoring: video files -> features -> scores -> moments.

A `Pipeline` loads the model and the encoders once, and only when they are needed: a video whose
scores are stored is answered without torch, one whose features are stored without decoding.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hlcli import paths, scores_cache
from hlcli.clock_text import clock_text
from hlcli.cores import num_cores
from hlcli.document import ModelRecord, ScoresDocument, VideoRecord
from hlcli.errors import DeviceError, HlError, OutputError
from hlcli.media.camera_marks import has_log, read_camera_marks
from hlcli.media.clips import ClipGrid
from hlcli.media.discover import MayRead, any_file, find_videos
from hlcli.media.hardware import hardware_decoder
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.media.proxies import ProxyFinder, difference
from hlcli.media.remote import RemoteFile, Video, identity_of, video_at
from hlcli.moments import Observation, Selection
from hlcli.progress import Listener, Progress, silent
from hlcli.stages import stage
from hlcli.timeline.paths import readable
from hlcli.workflows.export import choose_across_files, choose_moments
from hlcli.workflows.likeness import Photographs
from hlcli.workflows.requests import check_stretches
from hlcli.workflows.transcripts import (
    Transcript,
    read_transcripts,
    transcripts_of,
    with_transcript,
)
from hlcli.zoo.manifest import ModelManifest, default_model_name, detector_kind, find_detector
from hlcli.zoo.weights import weights_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hlcli.document.records import Modality
    from hlcli.features.encoder import Encoders
    from hlcli.features.naming import Named
    from hlcli.features.types import FeatureSpec, VideoFeatures
    from hlcli.media.frames import PictureReader
    from hlcli.model.scorer import ClipScores, Scorer
    from hlcli.workflows.jobs import JobSettings

logger = logging.getLogger(__name__)


_MOST_SHOWN = 5


def ignore(words: str) -> None:
    """Tell nobody."""


def score(
    videos: str | Path | Sequence[str | Path],
    selection: Selection | None = None,
    *,
    model: str | None = None,
    device: str = "auto",
    visual_only: bool = False,
    use_cache: bool = True,
    proxies: bool = True,
    draft: bool = False,
    transcripts: Sequence[str | Path] = (),
    like: Sequence[str | Path] = (),
    marks_from: Sequence[str | Path] = (),
    jobs: int | Literal["auto"] | None = None,
    engine: str | None = None,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[ScoresDocument]:
    """Score videos and choose their moments, as `hl score` does.

    Args:
        videos: Files, folders and globs.
        selection: How much to keep; None is the default rule.
        model: A detector of `hl models list`; None takes the default one.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        visual_only: Leave the sound out even where there is some.
        use_cache: Whether stored features and scores are read and written.
        proxies: Whether a proxy beside a video is looked at in its place.
        draft: Look at keyframes alone, for a first look; see `Pipeline`.
        transcripts: Files of what is said, each called as its video where there are several.
        like: Photographs of the event, and folders of them: what looks like them counts for more.
        marks_from: Timelines of the videos, whose markers count as marks set while recording.
        jobs: Worker processes that score several videos at once, "auto" for one on each core;
            None scores one after the other in this process.
        engine: "ray" for a cluster of this machine, or the address of one that runs.
        may_read: Asked before a file is opened in this process: worker processes ask nobody.
        on: Notified of progress, and of videos that cannot be scored; without one the first such
            video raises, and what was scored before it is in the cache.

    Returns:
        A document for each video, in the order given.

    Raises:
        MediaError: A video cannot be used.
        ModelError: There is no such detector, or its weights cannot be used.
        DeviceError: The device is missing or out of memory.
        UsageError: `jobs` is no number of processes, or `engine` is none.
    """
    named = [videos] if isinstance(videos, (str, Path)) else videos
    read = read_transcripts(transcripts, may_read=may_read)
    photographs = Photographs(like, device=device, may_read=may_read) if like else None
    pipeline = Pipeline(
        model_name=model,
        device=device,
        use_cache=use_cache,
        proxies=proxies,
        draft=draft,
        may_read=may_read,
    )
    paths = find_videos([str(video) for video in named], may_read=may_read, on=on)
    settings = None
    if jobs is not None or engine is not None:
        from hlcli.workflows.jobs import job_settings_of

        settings = job_settings_of(jobs=jobs, engine=engine)
    said = transcripts_of(read, paths)
    marks = marks_of_timelines(marks_from, paths, may_read=may_read, on=on)
    scored = list(
        score_videos(
            pipeline,
            paths,
            selection,
            visual_only=visual_only,
            said=said,
            like=photographs,
            marks=marks,
            jobs=settings,
            on=on,
        )
    )
    return choose_across_files(scored, selection, on or Listener())


def score_videos(
    pipeline: Pipeline,
    videos: Sequence[Video],
    selection: Selection | None = None,
    *,
    visual_only: bool = False,
    said: Sequence[Transcript | None] | None = None,
    like: Photographs | None = None,
    marks: Mapping[str, Sequence[Observation]] | None = None,
    among: Sequence[Video] | None = None,
    jobs: JobSettings | None = None,
    on: Listener | None = None,
) -> Generator[ScoresDocument, None, None]:
    """Yield the scores of each video with its moments; one that fails is told and left out.

    Args:
        pipeline: Scores one video.
        videos: The videos.
        selection: How much to keep; None is the default rule.
        visual_only: Leave the sound out even where there is some.
        said: The transcript of each video, see `transcripts_of`; None where there is none.
        like: Photographs; what looks like them counts for more.
        marks: More marks of the videos, see `marks_of_timelines`.
        among: All videos that were named, where `videos` are a part of them.
        jobs: How worker processes score several at once; None scores one after the other here.
        on: See `score`.

    Raises:
        UsageError: A stretch of the selection is in none of the videos.
    """
    on = on or Listener()
    check_stretches(selection, [str(one) for one in (videos if among is None else among)])
    if jobs is None or jobs.engine is None:
        with on.one_file(pipeline.device):
            pipeline.check_device()
    if jobs is None:
        scored = _one_after_the_other(pipeline, videos, visual_only, on)
    else:
        from hlcli.workflows.jobs import score_in_workers

        scored = score_in_workers(pipeline, videos, jobs, visual_only=visual_only, on=on)
    with contextlib.closing(scored):
        for place, document in scored:
            found = []
            with on.one_file(videos[place]):
                if document.damage:
                    on.warning(f"{videos[place].name}: {document.damage}; the rest was scored")
                if like is not None:
                    features = pipeline.features_of(document, on.progress)
                    document = like.likened(document, on, features)
                if marks is not None and (more := marks.get(document.video.sha256_head)):
                    document = _with_marks(document, more)
                if said is not None:
                    document = with_transcript(document, said[place], on)
                found = [choose_moments(document, selection, on)]
            yield from found


def marks_of_timelines(
    timelines: Sequence[str | Path],
    videos: Sequence[Path],
    *,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> dict[str, list[Observation]]:
    """Return the markers of timelines as marks of videos, by the content of these.

    Args:
        timelines: Timelines of the videos, in any format that hl reads.
        videos: The videos.
        may_read: Asked before a timeline or what it names is opened.
        on: Notified of timelines that cannot be used, and of markers that are of no video.

    Raises:
        HlError: A timeline cannot be used, where no listener takes it.
    """
    if not timelines or not videos:
        return {}
    from hlcli.tuning.footage import Footage
    from hlcli.tuning.marks import marks_of_timeline

    on = on or Listener()
    footage = Footage([str(video) for video in videos], may_read=may_read)
    found: dict[str, list[Observation]] = {}
    for timeline in timelines:
        with on.one_file(timeline):
            marks, notes = marks_of_timeline(may_read(Path(timeline).expanduser()), footage)
            for note in notes:
                on.remark(f"{Path(timeline).name}: {note}")
            count = sum(map(len, marks.values()))
            on.remark(
                f"{Path(timeline).name}: {count} markers count as marks of {len(marks)} files"
            )
            for identity, more in marks.items():
                found.setdefault(identity, []).extend(more)
    return found


def _with_marks(document: ScoresDocument, more: Sequence[Observation]) -> ScoresDocument:
    # A timeline of hl has the marks of the camera, too.
    known = {(round(mark.start_seconds, 1), mark.name): mark for mark in more}
    known |= {(round(mark.start_seconds, 1), mark.name): mark for mark in document.marks or ()}
    return replace(
        document, marks=tuple(sorted(known.values(), key=lambda mark: mark.start_seconds))
    )


def _one_after_the_other(
    pipeline: Pipeline, videos: Sequence[Video], visual_only: bool, on: Listener
) -> Generator[tuple[int, ScoresDocument], None, None]:
    """Yield the place of each video and its scores."""
    for place, video in enumerate(videos):
        on.begins(Path(str(video)), place + 1, len(videos))
        found = []
        with on.one_file(video):
            document = pipeline.score(
                video, visual_only=visual_only, progress=on.progress, remark=on.remark
            )
            found = [(place, document)]
        yield from found


class Pipeline:
    """Scores videos with one model on one device.

    Args:
        model_name: Name in the model zoo; None takes the default model.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        use_cache: Whether stored features and scores are read and written.
        proxies: Whether a proxy beside a video is looked at in its place.
        draft: Look at keyframes alone, however far apart. Where something better is stored, or
            keyframes are as near as a full result needs, that is what comes out.
        may_read: Asked before a proxy or a log of marks beside a video is opened.

    Raises:
        UnknownModelError: No detector has that name.
        DeviceError: The device is not there (raised by the first video that needs it).
        UsageError: The environment names a graphics card to decode with that there cannot be.
    """

    def __init__(
        self,
        *,
        model_name: str | None = None,
        device: str = "auto",
        use_cache: bool = True,
        proxies: bool = False,
        draft: bool = False,
        may_read: MayRead = any_file,
    ) -> None:
        hardware_decoder()
        self.manifest: ModelManifest = find_detector(model_name or default_model_name())
        self.device = device
        self.use_cache = use_cache
        self.uses_proxies = proxies
        self.draft = draft
        self._may_read = may_read
        self._proxies = ProxyFinder() if proxies else None
        self._load_error: HlError | None = None
        self._scorer: Scorer | None = None
        self._encoders: Encoders | None = None
        self._latest: tuple[str, VideoFeatures] | None = None

    def check_device(self) -> None:
        """Look whether a device that was named is there, also where stored scores need none.

        Raises:
            UsageError: No device is ever called that.
            DeviceError: It is not there.
        """
        if self.device.strip().lower() in ("auto", "cpu"):
            return
        from hlcli.features.device import resolve_device

        try:
            resolve_device(self.device)
        except HlError as error:
            self._load_error = error
            raise

    def score(
        self,
        video: Video,
        *,
        visual_only: bool = False,
        progress: Progress = silent,
        remark: Callable[[str], None] = ignore,
    ) -> ScoresDocument:
        """Score every clip of one video; the document has no moments yet.

        Args:
            video: The video file; one that lies elsewhere is fetched unless its scores are stored.
            visual_only: Leave the sound out even where there is some.
            progress: Called with seconds of video done; while weights are fetched, with bytes and
                a stage that `hlcli.progress.counts_bytes` knows.
            remark: Notified of which proxy was looked at, and why another was not.

        Raises:
            MediaError: The file is missing, damaged beyond use, or has no picture.
            ModelError: The weights cannot be found, fetched or trusted.
            DeviceError: The device is missing or out of memory.
            OutputError: The cache folder cannot be used.
        """
        self._latest = None
        identity = identity_of(video)
        stored = self.stored(video, identity, visual_only=visual_only)
        if stored is not None:
            return stored
        with _on_disk(video, progress) as path:
            document = self._score(path, identity, visual_only, progress, remark)
        return document if isinstance(video, Path) else _named_by(document, video)

    def _score(
        self,
        path: Path,
        identity: str,
        visual_only: bool,
        progress: Progress,
        remark: Callable[[str], None],
    ) -> ScoresDocument:
        with stage("probed"):
            info = probe(path)
        if self._load_error is not None:
            raise self._load_error
        proxy = self._proxy_of(info, remark)
        source = proxy or info
        source_identity = identity if proxy is None else content_identity(proxy.path)
        # Decoding begins while torch is imported, some pictures ahead and no further: an unknown
        # model is said before an hour of decoding, not after.
        with self._pictures(source, source_identity) as pictures:
            with stage("networks loaded"):
                scorer = self._loaded_scorer(progress)
            from hlcli.features.device import one_thread_a_call

            try:
                features = self.features(
                    source,
                    source_identity,
                    use_audio=not visual_only,
                    pictures=pictures,
                    progress=progress,
                )
                self._latest = (identity, features)
                with stage("scored"), one_thread_a_call():
                    clip_scores = scorer.score(
                        features, modality="va" if features.has_audio and not visual_only else "v"
                    )
            except DeviceError as error:
                raise DeviceError(f"{path}: {error.message}", hint=error.hint) from error
        return self._document(
            info,
            identity,
            features,
            clip_scores,
            visual_only=visual_only,
            proxy=None if proxy is None else readable(proxy.path.name),
            draft=pictures is not None and pictures.plan.is_draft,
            marks=_marks(info, remark, self._may_read),
        )

    def _proxy_of(self, info: MediaInfo, remark: Callable[[str], None]) -> MediaInfo | None:
        """Return the proxy of a video that shows the same, frame by frame; None without one."""
        if self._proxies is None:
            return None
        for path in self._proxies.candidates(info.path):
            try:
                found = probe(self._may_read(path))
            except HlError as error:
                why: str | None = f"cannot be read: {error.message}"
            else:
                why = difference(info, found, may_skip_frames=True)
                clips = [ClipGrid.covering(one.duration_seconds) for one in (info, found)]
                if why is None and clips[0].num_clips != clips[1].num_clips:
                    why = f"has {found.num_frames} frames, not {info.num_frames}"
                if why is None:
                    remark(f"{info.path.name}: its proxy {path.name} is looked at instead")
                    return found
            remark(f"{info.path.name}: {path.name} is not taken for its proxy: it {why}")
        return None

    def stored(
        self, video: Video, identity: str, *, visual_only: bool = False
    ) -> ScoresDocument | None:
        """Return the stored scores of a video, without moments; None where there are none.

        Args:
            video: Where the video is now: it may have been moved or renamed since.
            identity: What `content_identity` says of it.
            visual_only: See `score`.
        """
        if not self.use_cache:
            return None
        modality: Modality = "v" if visual_only else "va"
        stored = scores_cache.find(identity, self.manifest.sha256, modality, renew=True)
        if stored is None and self.draft:
            stored = scores_cache.find(identity, self.manifest.sha256, modality, draft=True)
        if stored is None or (stored.proxy is not None and self._proxies is None):
            return None
        now = (
            as_of_now(stored, video, self._may_read)
            if isinstance(video, Path)
            else _named_by(stored, video)
        )
        return replace(now, moments=())

    def features(
        self,
        info: MediaInfo,
        identity: str,
        *,
        use_audio: bool = True,
        pictures: PictureReader | None = None,
        progress: Progress = silent,
    ) -> VideoFeatures:
        """Return the features of one probed video, from the cache where they are stored.

        Args:
            info: What `probe` said.
            identity: What `content_identity` said.
            use_audio: False skips decoding the sound; such features are not stored, since they
                would stand in for the whole.
            pictures: What reads them, where it has begun already; features of a draft are not
                stored either.
            progress: Called with seconds of video done.
        """
        from hlcli.features.extract import extract_features
        from hlcli.features.store import FeatureStore

        encoders = self.encoders
        store = FeatureStore(paths.features_dir()) if self.use_cache else None
        if store is not None:
            stored = store.get(identity, encoders.spec)
            if stored is not None:
                return stored if use_audio else stored.without_audio()
        features = extract_features(
            info, encoders=encoders, use_audio=use_audio, pictures=pictures, progress=progress
        )
        is_whole = (use_audio or not info.has_audio) and not (pictures and pictures.plan.is_draft)
        if store is not None and is_whole:
            try:
                store.put(identity, encoders.spec, features)
            except OutputError as error:
                # The result of an hour of decoding is worth more than its cache entry.
                logger.warning("features of %s are not stored: %s", info.path, error)
        return features

    @contextlib.contextmanager
    def _pictures(self, info: MediaInfo, identity: str) -> Iterator[PictureReader | None]:
        """Begin to decode the pictures of a video; None where its features are stored."""
        from hlcli.features.store import FeatureStore
        from hlcli.media.frames import read_pictures

        spec = self._spec
        if self.use_cache and FeatureStore(paths.features_dir()).has(identity, spec):
            yield None
            return
        with read_pictures(
            info,
            ClipGrid.covering(info.duration_seconds),
            picture_size=spec.picture_size,
            num_workers=num_cores(),
            draft=self.draft,
        ) as pictures:
            pictures.start()
            yield pictures

    @property
    def _spec(self) -> FeatureSpec:
        """What the detector's features are made with, known without loading a network."""
        from hlcli.features.types import FeatureSpec

        return FeatureSpec.from_table(self.manifest.feature_spec)

    def features_of(self, document: ScoresDocument, progress: Progress) -> VideoFeatures:
        """Return the features that a document was made of; they are made again where they are gone.

        Args:
            document: Scores by this pipeline's detector.
            progress: Called with seconds of video done.

        Raises:
            MediaError: They are gone, and the video cannot be read.
        """
        from hlcli.features.store import stored_features

        if self._latest is not None and self._latest[0] == document.video.sha256_head:
            return self._latest[1]
        stored = stored_features(document, self._spec) if self.use_cache else None
        if stored is not None:
            return stored
        with _on_disk(video_at(document.video.path), progress) as path:
            return self.features(
                probe(path), document.video.sha256_head, use_audio=False, progress=progress
            )

    @property
    def encoders(self) -> Encoders:
        """The image and sound encoders the detector learned from, loaded on first use."""
        if self._encoders is None:
            from hlcli.features.device import resolve_device
            from hlcli.features.encoders import load_encoders_of

            self._encoders = load_encoders_of(self._spec, resolve_device(self.device))
        return self._encoders

    @property
    def scorer(self) -> Scorer:
        """The detector, loaded on first use."""
        return self._loaded_scorer(silent)

    def _loaded_scorer(self, progress: Progress) -> Scorer:
        """Load the detector once; what fails is not tried again for every further video."""
        if self._load_error is not None:
            raise self._load_error
        if self._scorer is None:
            from hlcli.features.device import resolve_device
            from hlcli.model.load import load_scorer

            try:
                self._scorer = load_scorer(
                    weights_path(self.manifest, progress=progress),
                    kind=detector_kind(self.manifest),
                    device=str(resolve_device(self.device)),
                    feature_spec=self.encoders.spec,
                )
            except HlError as error:
                self._load_error = error
                raise
        return self._scorer

    def _document(
        self,
        info: MediaInfo,
        identity: str,
        features: VideoFeatures,
        clip_scores: ClipScores,
        *,
        visual_only: bool,
        proxy: str | None,
        draft: bool,
        marks: tuple[Observation, ...],
    ) -> ScoresDocument:
        document = ScoresDocument(
            video=VideoRecord.from_media(info, identity),
            model=ModelRecord(
                name=self.manifest.name,
                version=self.manifest.version,
                sha256=self.manifest.sha256,
            ),
            modality="v" if clip_scores.sound_T is None else "va",
            clip_seconds=1.0,
            scores=_row(clip_scores.score_T),
            raw_scores=_row(clip_scores.raw_T),
            picture_scores=None if clip_scores.picture_T is None else _row(clip_scores.picture_T),
            sound_scores=None if clip_scores.sound_T is None else _row(clip_scores.sound_T),
            shot_boundaries_seconds=_row(features.shot_boundaries_seconds),
            damage=features.damage,
            speech=None
            if features.speech_S2 is None
            else tuple((start, end) for start, end in features.speech_S2.round(6).tolist()),
            moments=(),
            proxy=proxy,
            draft=draft,
            marks=marks,
            **self.observed(features, float(info.duration_seconds)),
        )
        if self.use_cache:
            try:
                scores_cache.put(document, "v" if visual_only else "va")
            except OutputError as error:
                logger.warning("scores of %s are not stored: %s", info.path, error)
        return document

    def observed(self, features: VideoFeatures, duration: float) -> dict[str, Any]:
        """Return the fields of a document from which moments are explained.

        Args:
            features: The features of a video.
            duration: Its length, in seconds.
        """
        from hlcli.features.encoder import PictureClassifier
        from hlcli.features.fingerprints import PICTURE_SIZE, SOUND_SIZE, fingerprints
        from hlcli.features.naming import look_groups, named_sights, named_sounds
        from hlcli.media.unusable import find_unusable

        def stretches(found: Iterable[Named]) -> tuple[Observation, ...]:
            return tuple(
                Observation(
                    name=one.name,
                    start_seconds=float(one.first_clip),
                    end_seconds=round(min(one.last_clip + 1.0, duration), 6),
                    score=round(one.score, 2),
                )
                for one in found
            )

        pictures, audio_TA = features.pictures, features.audio_TA
        visual, events_TC = self.encoders.visual, features.events_TC
        return {
            "unusable": None
            if pictures is None
            else tuple(
                find_unusable(
                    pictures,
                    features.motion_T,
                    features.shot_boundaries_seconds,
                    clip_seconds=1.0,
                    duration_seconds=round(duration, 6),
                    loudness_T=features.loudness_T,
                )
            ),
            "motion": tuple(round(float(value), 4) for value in features.motion_T),
            "loudness": None
            if features.loudness_T is None
            else tuple(round(float(value), 1) for value in features.loudness_T),
            "looks": tuple(int(group) for group in look_groups(features.visual_TV)),
            "sounds": None
            if events_TC is None
            else stretches(named_sounds(events_TC, self.encoders.audio.class_names)),
            "sights": stretches(named_sights(features.visual_TV, visual.class_probabilities))
            if isinstance(visual, PictureClassifier)
            else None,
            "picture_fingerprints": fingerprints(features.visual_TV, PICTURE_SIZE),
            "sound_fingerprints": None if audio_TA is None else fingerprints(audio_TA, SOUND_SIZE),
        }


@contextlib.contextmanager
def _on_disk(video: Video, progress: Progress) -> Iterator[Path]:
    if isinstance(video, Path):
        yield video
        return
    with contextlib.ExitStack() as stack:
        with stage("fetched"):
            path = stack.enter_context(video.fetched(progress))
        try:
            yield path
        except HlError as error:
            # Where it lay for a while is of no use to anybody.
            message = error.message.replace(str(path), video.address)
            raise type(error)(message, hint=error.hint) from error


def _named_by(document: ScoresDocument, video: RemoteFile) -> ScoresDocument:
    return replace(document, video=replace(document.video, path=video.address))


def as_of_now(stored: ScoresDocument, path: Path, may_read: MayRead = any_file) -> ScoresDocument:
    """Return stored scores with the place of their video now, and the marks of its log now.

    Args:
        stored: Scores of the video's content.
        path: Where the video is: it may have been moved or renamed since.
        may_read: Asked before a log beside it is opened.

    Raises:
        MediaError: There is a log beside the video, which cannot be read.
    """
    stored = replace(stored, video=replace(stored.video, path=str(path.absolute())))
    # A log may have been written beside it since.
    if not has_log(path):
        return stored
    return replace(stored, marks=_marks(probe(path), ignore, may_read))


def _marks(
    info: MediaInfo, remark: Callable[[str], None], may_read: MayRead
) -> tuple[Observation, ...]:
    """Return the marks of a video, and tell them."""
    marks, problems = read_camera_marks(info, may_read)
    for problem in problems:
        remark(f"{info.path.name}: {problem}")
    if marks:
        named = [f"{clock_text(mark.seconds)} {mark.name}" for mark in marks[:_MOST_SHOWN]]
        more = f" and {len(marks) - _MOST_SHOWN} more" if len(marks) > _MOST_SHOWN else ""
        remark(f"{info.path.name}: marked at {', '.join(named)}{more}")
    return tuple(
        Observation(
            name=readable(mark.name),
            start_seconds=round(float(mark.seconds), 6),
            end_seconds=round(float(mark.seconds + 1 / info.frame_rate), 6),
            score=mark.confidence,
        )
        for mark in marks
    )


def _row(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    # Rounded as the document is written: the same moments from fresh and from stored scores.
    return tuple(round(float(value), 6) for value in values)
