"""One picture per clip, in one pass, decoding no more than needed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
import numpy.typing as npt

from hlcli.clock_text import clock_text
from hlcli.media.clips import ClipGrid
from hlcli.media.container import main_video_stream, open_media, unreadable
from hlcli.media.decode import motion_between, open_decoder
from hlcli.media.decode_plan import DecodePlan, DecodeSegment, plan_decoding
from hlcli.media.measures import Measurements, PictureMeasures, measures_per_clip
from hlcli.media.probe import MediaInfo
from hlcli.media.segment import Picture, SegmentResult
from hlcli.media.signals import find_gaps, find_shot_boundaries, motion_per_clip

__all__ = ["Picture", "PictureReader", "PictureSignals", "read_pictures"]

_WAITING_PICTURES = 32
_POLL_SECONDS = 0.1
_LEAST_REPEATED_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSignals:
    """What the whole pass over the pictures found besides the pictures."""

    motion_T: npt.NDArray[np.float32]
    """Mean absolute luma change over a quarter second (between keyframes where only those were
    decoded), averaged over each clip, float32 in [0, 1], shape `(T,)`."""
    shot_boundaries_seconds: npt.NDArray[np.float64]
    """Instants at which a new shot starts, ascending, shape `(S,)`, in seconds."""
    measures: PictureMeasures
    """How the picture of each clip looks and moves."""
    num_clips_read: int
    """Clips whose picture could be decoded; the others repeat a neighbour's."""
    damage: str | None
    """What could not be decoded, in words; None for a sound file."""


def read_pictures(
    info: MediaInfo,
    grid: ClipGrid,
    *,
    picture_size: int,
    num_workers: int,
    draft: bool = False,
) -> PictureReader:
    """Plan the decoding of one picture for each clip of a video.

    The pictures come in any order, each clip exactly once; use the reader in a `with` block, so
    that its threads end with it. They begin with the first picture asked for, or by `start`.

    Args:
        info: What `probe` said about the file.
        grid: The clips.
        picture_size: Side of the square pictures, in pixels.
        num_workers: How many threads decode, at least 1; it never changes the result.
        draft: Decode keyframes alone; a clip without one takes the nearest.

    Raises:
        MediaUnreadableError: The file can no longer be opened.
    """
    with open_media(info.path) as container:
        stream = main_video_stream(container)
        if stream is None:
            raise unreadable(info.path, "its picture is gone")
        plan = plan_decoding(container, stream, info, grid, draft=draft)
    return PictureReader(info, grid, plan, picture_size=picture_size, num_workers=num_workers)


class PictureReader:
    """Iterator over the pictures of a video; made by `read_pictures`."""

    def __init__(
        self,
        info: MediaInfo,
        grid: ClipGrid,
        plan: DecodePlan,
        *,
        picture_size: int,
        num_workers: int,
    ) -> None:
        self.plan = plan
        self._info, self._grid = info, grid
        self._picture_size = picture_size
        self._segments: list[DecodeSegment] = list(reversed(plan.segments))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._queue: queue.Queue[Picture | SegmentResult | BaseException] = queue.Queue(
            _WAITING_PICTURES
        )
        self._finished: dict[int, SegmentResult] = {}
        self._merged = _Merged(plan)
        self._signals: PictureSignals | None = None
        count = max(1, min(num_workers, len(plan.segments)))
        # One segment alone: the decoder's own threads share the work instead.
        num_threads = max(1, num_workers) if count == 1 and len(plan.segments) == 1 else 1
        self._threads = [
            threading.Thread(
                target=self._work, args=(num_threads,), name=f"hl-decode-{i}", daemon=True
            )
            for i in range(count)
        ]
        self._pictures = self._run()

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Picture]:
        return self

    def __next__(self) -> Picture:
        """Return the next picture.

        Raises:
            MediaUnreadableError: Not a single picture of the file could be decoded.
        """
        return next(self._pictures)

    def start(self) -> None:
        """Begin to decode, some pictures ahead of the first one asked for."""
        for thread in self._threads:
            if thread.ident is None:
                thread.start()

    @property
    def signals(self) -> PictureSignals:
        """Motion, shot boundaries and damage; known once all pictures were taken."""
        if self._signals is None:
            raise RuntimeError("the signals are known only after the last picture")
        return self._signals

    def close(self) -> None:
        """Stop the decoding threads and wait for them; more than one call does no harm."""
        self._stop.set()
        self._pictures.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    # In the consumer's thread.

    def _run(self) -> Generator[Picture, None, None]:
        self.start()
        try:
            while self._merged.num_segments < len(self.plan.segments):
                try:
                    # A wait without an end would not let Ctrl-C through on every platform.
                    item = self._queue.get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    continue
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, Picture):
                    yield item
                    continue
                self._finished[item.index] = item
                while (result := self._finished.pop(self._merged.num_segments, None)) is not None:
                    yield from self._merged.append(result)
        finally:
            self._stop.set()
        if self._merged.unfilled:
            raise unreadable(self._info.path, "no frame of it can be decoded")
        self._signals = self._merged.signals(self._info, self._grid)

    # In the workers' threads.

    def _work(self, num_threads: int) -> None:
        try:
            with open_decoder(
                self._info,
                self._grid,
                self.plan,
                picture_size=self._picture_size,
                num_threads=num_threads,
            ) as decoder:
                while (segment := self._next_segment()) is not None:
                    self._put(decoder.run(segment, self._put, self._stop.is_set))
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._put(error)

    def _next_segment(self) -> DecodeSegment | None:
        with self._lock:
            if self._stop.is_set() or not self._segments:
                return None
            return self._segments.pop()

    def _put(self, item: Picture | SegmentResult | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue


class _Merged:
    """Segments' results joined in order, nothing lost at the seams."""

    def __init__(self, plan: DecodePlan) -> None:
        self.num_segments = 0
        self.unfilled: list[int] = []
        self._plan = plan
        self._results: list[SegmentResult] = []
        self._motion: list[tuple[float, float, float]] = []
        self._last = SegmentResult(-1, range(0))

    def append(self, result: SegmentResult) -> Iterator[Picture]:
        """Take the next segment's result; yields pictures for clips that have none."""
        last = self._last
        before, after = last.last_step, result.first_step
        if before is not None and after is not None and after.number > before.number:
            self._motion.append(motion_between(before, after, self._plan))
        self._motion.extend(result.motion)
        source = result.last_picture or last.last_picture
        empty = [*self.unfilled, *result.missing_clips]
        self.unfilled = [] if source is not None else empty
        if result.last_picture is None:
            result.last_picture = last.last_picture
        if result.last_step is None:
            result.last_step = last.last_step
        last.first_step = last.last_step = last.last_picture = None
        self._last = result
        self._results.append(result)
        self.num_segments += 1
        if source is not None:
            for clip in empty:
                yield replace(source, clip=clip)

    def signals(self, info: MediaInfo, grid: ClipGrid) -> PictureSignals:
        """Return the signals of the whole video."""
        pairs = np.concatenate(
            [np.asarray(result.change_seconds, dtype=np.float64) for result in self._results]
        ).reshape(-1, 2)
        change = np.concatenate([np.asarray(r.change, dtype=np.float32) for r in self._results])
        boundaries = find_shot_boundaries(
            pairs[:, 0], pairs[:, 1], change, keyframes_only=self._plan.keyframes_only
        )
        measured = Measurements()
        for result in self._results:
            measured.extend(result.measured)
        lost = _joined([stretch for result in self._results for stretch in result.lost])
        duration = float(info.duration_seconds)
        return PictureSignals(
            motion_T=motion_per_clip(self._motion, boundaries, grid),
            shot_boundaries_seconds=boundaries[(boundaries > 0) & (boundaries < duration)],
            measures=measures_per_clip(
                measured, pairs, change, grid, rotation_degrees=info.rotation_degrees
            ),
            num_clips_read=grid.num_clips - _num_inside(lost, duration, grid),
            damage=_describe(
                lost,
                find_gaps(pairs[:, 0], pairs[:, 1]),
                duration,
                sum(result.repeated_seconds for result in self._results),
            ),
        )


def _joined(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if joined and start - joined[-1][1] < 0.5:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _num_inside(lost: list[tuple[float, float]], duration: float, grid: ClipGrid) -> int:
    """Count the clips of which nothing is left."""
    length = float(grid.clip_seconds)
    return sum(
        any(
            start <= clip * length and min((clip + 1) * length, duration) <= end + 1e-6
            for start, end in lost
        )
        for clip in range(grid.num_clips if lost else 0)
    )


def _describe(
    lost: list[tuple[float, float]],
    gaps: list[tuple[float, float]],
    duration: float,
    repeated_seconds: float,
) -> str | None:
    words = []
    if len(lost) == 1 and lost[0][1] >= duration - 0.5:
        words.append(f"the last {lost[0][1] - lost[0][0]:.1f} s could not be decoded")
    elif lost:
        total = sum(end - start for start, end in lost)
        words.append(f"{total:.1f} s could not be decoded, the first of it at {lost[0][0]:.1f} s")
    for start, end in gaps:
        # What could not be decoded leaves a gap too, and was said already.
        if not any(one_start < end and start < one_end for one_start, one_end in lost):
            words.append(f"no picture between {clock_text(start)} and {clock_text(end)}")
    if repeated_seconds > _LEAST_REPEATED_SECONDS:
        words.append(
            f"about {repeated_seconds:.1f} s are left out, their time stamps step back over what "
            "came before"
        )
    return "; ".join(words) or None
