"""Matching a film against the footage it was cut from, shot by shot.

Axes: F film frames of a shot, Q pictures of the film.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hlcli.errors import MediaError
from hlcli.features.encoder import VisualEncoder
from hlcli.features.types import RowArray
from hlcli.matching.align import LEAST_ALIKE, Line, find_end, find_seam, fit_line
from hlcli.matching.film import Shot, find_shots
from hlcli.matching.geometry import find_placements, refined
from hlcli.matching.search import Candidate, PlaceSearch, Spread
from hlcli.matching.signature import FloatArray, details, signatures
from hlcli.media.clips import true_runs
from hlcli.media.grey import GreyFrames, GreyReader, Rect
from hlcli.media.probe import MediaInfo
from hlcli.progress import Progress, silent

PICTURES_STAGE = "looking at the film"
"""Name of the stage that counts pictures of the film."""
SEARCH_STAGE = "searching the footage"
"""Name of the stage that counts files."""
MATCH_STAGE = "matching the shots"
"""Name of the stage that counts seconds of the film."""
_LEAST_SURE = 0.6
"""A stretch is claimed where its frames are so much alike."""
_SHORTEST_FRAMES = 5
_NEAR_SECONDS = 2.0
_WHOLE_SECONDS = 20.0
_KEY_STEP_SECONDS = 0.2
_SURE = 0.93
# Slow and fast motion, looked for where about normal speed does not explain all that is seen; so
# much of a shot must be alike, and by so much more.
_OTHER_SPEEDS = (0.5, 2.0)
_LEAST_FOLLOWED = 0.8
_OTHER_GAIN = 0.05
# How many places are looked at first.
_LIKELY = 8
# A film as a whole may run faster, as 24 frames at 25: so many shots must say so.
_LEAST_SHOTS = 5
_LEAST_TELLING = 0.8
_SAME_SPEED = 0.01
_MOST_OF_THEM = 0.6
_SHARP = 0.1
_MOST_FRAMES_KEPT = 16_000
_LEAST_PART_SECONDS = 0.3
_SPLIT_SECONDS = 3.0
_MOST_SAMPLED = 100
_SAME_FRAMES = 1.5
_SHORT_SECONDS = 0.5
_EDGE_FRAMES = 2
# So far from where two shots meet it is looked for where they do.
_SEAM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MatchedShot:
    """A stretch of the film and where it comes from."""

    film: range
    """Frames of the film, half-open."""
    file: int
    """Index of the file of the footage."""
    offset_seconds: float
    """Instant of the file that is shown at instant 0 of the film."""
    speed: float
    """Seconds of the file for each second of the film."""
    rect: Rect
    """The part of the file's picture that the film shows."""
    alike: float
    """Mean correlation of the pictures, in [-1, 1]."""

    def source_seconds(self, film_seconds: float) -> float:
        """Return the instant of the file that is shown at an instant of the film."""
        return self.offset_seconds + self.speed * film_seconds


@dataclass(frozen=True, slots=True)
class FilmMatch:
    """What was found of a film."""

    shots: tuple[MatchedShot, ...]
    """In the order of the film, apart from each other."""
    unmatched: tuple[range, ...]
    """Stretches of the film that nothing was found for, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    file: int
    line: Line
    rect: Rect

    @property
    def value(self) -> float:
        return float(np.maximum(self.line.alike_F - LEAST_ALIKE, 0).mean())

    @property
    def mean(self) -> float:
        """Return the mean correlation of all frames of the shot."""
        return float(self.line.alike_F.mean())

    @property
    def share(self) -> float:
        """Return how many frames of the shot are surely explained, of all."""
        return float((self.line.alike_F > _LEAST_SURE).mean())


def match_film(
    film: MediaInfo,
    footage: Sequence[MediaInfo],
    rows_of: Callable[[int], RowArray | None],
    encoder: VisualEncoder,
    *,
    progress: Progress = silent,
) -> FilmMatch:
    """Find the shots of a film in footage.

    Args:
        film: What `probe` said about the film.
        footage: The same of the files it may come from.
        rows_of: Returns the embeddings of a file's clips, `(T, V)`; None for one that cannot be
            used.
        encoder: What made them.
        progress: Told how far it is.

    Raises:
        MediaError: The film cannot be read.
    """
    rate = float(film.frame_rate)
    shots = find_shots(film, progress=progress)
    numbers = [shot.pictures(rate) for shot in shots]
    seconds_Q = (np.concatenate([np.asarray(one) for one in numbers]) + 0.5) / rate
    pictures_QV = _pictures(film, shots, numbers, encoder, progress)
    search = PlaceSearch(pictures_QV, _spread_of(rows_of, len(footage)))
    for file in range(len(footage)):
        progress(SEARCH_STAGE, file, len(footage))
        rows = rows_of(file)
        if rows is not None:
            search.look_in(file, rows)
    progress(SEARCH_STAGE, len(footage), len(footage))
    with _Sources(footage) as sources, GreyReader.open(film) as reader:
        matcher = _Matcher(film, sources)

        def match_all(usual_speed: float) -> list[MatchedShot]:
            matched: list[MatchedShot] = []
            for shot in shots:
                progress(MATCH_STAGE, shot.frames.start / rate, film.num_frames / rate)
                frames = reader.stretch(shot.frames)
                # What one candidate leaves of a shot is looked for again by itself: a dissolve
                # and a fade are no cut that is seen before.
                parts = [shot.frames]
                while parts:
                    part = parts.pop()
                    pictures = np.flatnonzero(
                        (seconds_Q > part.start / rate) & (seconds_Q < part.stop / rate)
                    )
                    found = matcher.match(
                        replace(shot, frames=part),
                        frames[part.start - shot.frames.start : part.stop - shot.frames.start],
                        search.candidates(pictures, seconds_Q),
                        usual_speed,
                    )
                    matched += found
                    if not found and len(part) > _SPLIT_SECONDS * rate:
                        # More than one shot, maybe, none of which is likely enough for all of it.
                        middle = (part.start + part.stop) // 2
                        parts += [range(part.start, middle), range(middle, part.stop)]
                    if found:
                        left = _rest(sorted(found, key=lambda one: one.film.start), part)
                        parts += [one for one in left if len(one) >= _LEAST_PART_SECONDS * rate]
            return matched

        matched = match_all(1.0)
        speed = shared_speed(matched, rate)
        if speed != 1.0:
            # Shots in which little moves are as good at many speeds: they have that of the others.
            matched = match_all(speed)
        matched = _joined(matched, footage)
        _meet(matched, shots, reader, sources)
    progress(MATCH_STAGE, film.num_frames / rate, film.num_frames / rate)
    return FilmMatch(tuple(matched), tuple(_rest(matched, range(film.num_frames))))


def shared_speed(matched: Sequence[MatchedShot], rate: float) -> float:
    """Return the speed that most shots of a film have, 1 where that is normal or none is.

    Args:
        matched: The shots.
        rate: Of the film, in frames per second.
    """
    speeds = np.array(
        [one.speed for one in matched if len(one.film) >= rate and one.alike >= _LEAST_TELLING]
    )
    if len(speeds) < _LEAST_SHOTS:
        return 1.0
    usual = float(np.median(speeds))
    is_shared = float((np.abs(speeds - usual) < _SAME_SPEED).mean()) >= _MOST_OF_THEM
    return usual if is_shared and abs(usual - 1) > _SAME_SPEED / 2 else 1.0


def _spread_of(rows_of: Callable[[int], RowArray | None], num_files: int) -> Spread:
    """Measure the embeddings of the footage, on evenly chosen files where there are many."""
    spread = Spread()
    for file in range(0, num_files, max(1, num_files // _MOST_SAMPLED)):
        rows = rows_of(file)
        if rows is not None:
            spread.add(rows)
    return spread


def _pictures(
    film: MediaInfo,
    shots: Sequence[Shot],
    numbers: Sequence[Sequence[int]],
    encoder: VisualEncoder,
    progress: Progress,
) -> RowArray:
    total = sum(map(len, numbers))
    rows_QV = np.empty((total, encoder.size), np.float32)
    done = 0
    with GreyReader.open(film) as reader:
        for shot, wanted in zip(shots, numbers, strict=True):
            for start in range(0, len(wanted), encoder.batch_size):
                batch = wanted[start : start + encoder.batch_size]
                pictures = reader.pictures(batch, size=encoder.picture_size, inside=shot.inside)
                rows_QV[done : done + len(batch)] = encoder.encode(pictures)
                done += len(batch)
                progress(PICTURES_STAGE, done, total)
    return rows_QV


class _Matcher:
    def __init__(self, film: MediaInfo, sources: _Sources) -> None:
        self._film = film
        self._rate = float(film.frame_rate)
        self._sources = sources

    def match(
        self,
        shot: Shot,
        frames: GreyFrames,
        candidates: Sequence[Candidate],
        usual_speed: float,
    ) -> list[MatchedShot]:
        """Return what the candidates explain of a shot in a film of a usual speed.

        The less likely ones are looked at only where the likelier ones show nothing of it.
        """
        wanted = signatures(frames, shot.inside)
        likely, others = candidates[:_LIKELY], candidates[_LIKELY:]
        found = self._found(shot, frames, wanted, likely, usual_speed, _OTHER_SPEEDS)
        return list(_claims(shot, found)) or list(
            _claims(shot, self._found(shot, frames, wanted, others, usual_speed, ()))
        )

    def _found(
        self,
        shot: Shot,
        frames: GreyFrames,
        wanted: npt.NDArray[np.float32],
        candidates: Sequence[Candidate],
        usual_speed: float,
        other_speeds: Sequence[float],
    ) -> list[_Found]:
        """Return how candidates follow a shot, up to the first that leaves no doubt."""
        found: list[_Found] = []
        for candidate in candidates:
            one = self._followed(shot, frames, wanted, candidate, usual_speed)
            if one is None or one.mean < _SURE:
                for factor in other_speeds:
                    other = self._followed(shot, frames, wanted, candidate, factor * usual_speed)
                    if other is None or other.share < _LEAST_FOLLOWED:
                        continue
                    if one is None or other.mean > one.mean + _OTHER_GAIN:
                        one = other
            if one is None:
                continue
            found.append(one)
            is_sure = float(np.median(one.line.alike_F)) > _SURE
            if is_sure and one.line.sharpness > _SHARP and one.line.alike_F.min() > _LEAST_SURE:
                break
        return found

    def _followed(
        self,
        shot: Shot,
        frames: GreyFrames,
        wanted: npt.NDArray[np.float32],
        at: Candidate,
        speed: float,
    ) -> _Found | None:
        """Align a shot with the neighbourhood of a candidate, at about a speed."""
        info = self._sources.infos[at.file]
        rate = float(info.frame_rate)
        numbers = self._neighbourhood(shot, at, info, speed)
        source = self._sources.frames(at.file, numbers)
        if source is None:
            return None
        key = min(max(int(at.film_seconds * self._rate) - shot.frames.start, 0), len(frames) - 1)
        shapes = (
            self._film.width / self._film.height,
            info.width / info.height,
        )
        keys = np.arange(0, len(source), max(1, round(_KEY_STEP_SECONDS * rate)))
        if len(source) > _NEAR_SECONDS * 4 * rate:
            # Near its place of the film, if it is not the whole of a short file.
            middle = (at.offset_seconds + at.film_seconds) * rate - numbers.start
            if info.duration_seconds > _WHOLE_SECONDS:
                keys = keys[np.abs(keys - middle) <= _NEAR_SECONDS * rate]
        if not len(keys):
            return None
        placements = find_placements(frames[key], shot.inside, source[keys], shapes=shapes)

        def line_of(part: Rect) -> Line:
            return fit_line(
                wanted @ signatures(source, part).T,
                film_start=shot.frames.start,
                film_rate=self._rate,
                source_start=numbers.start,
                source_rate=rate,
                usual_speed=speed,
            )

        best: _Found | None = None
        for placement in placements:
            if placement.correlation < LEAST_ALIKE:
                break
            one = _Found(at.file, line_of(placement.rect), placement.rect)
            if best is None or one.value > best.value:
                best = one
        if best is None:
            return None
        pairs = self._pairs(shot, best.line, numbers, rate)
        if pairs:
            ours, theirs = map(list, zip(*pairs, strict=True))
            _, better = refined(frames[ours], shot.inside, source[theirs], best.rect)
            if better != best.rect:
                improved = _Found(at.file, line_of(better), better)
                if improved.value > best.value:
                    best = improved
        return best

    def _pairs(self, shot: Shot, line: Line, numbers: range, rate: float) -> list[tuple[int, int]]:
        good = np.flatnonzero(line.alike_F > LEAST_ALIKE)
        if not len(good):
            return []
        chosen = good[np.linspace(0, len(good) - 1, min(4, len(good))).astype(int)]
        pairs = []
        for place in chosen:
            seconds = line.source_seconds((shot.frames.start + place + 0.5) / self._rate)
            number = int(np.floor(seconds * rate)) - numbers.start
            if 0 <= number < len(numbers):
                pairs.append((int(place), number))
        return pairs

    def _neighbourhood(self, shot: Shot, at: Candidate, info: MediaInfo, speed: float) -> range:
        """Return the frames of a file in which a shot must lie if the candidate is right."""
        if info.duration_seconds <= _WHOLE_SECONDS:
            return range(info.num_frames)
        start, stop = shot.frames.start / self._rate, shot.frames.stop / self._rate
        slack = _NEAR_SECONDS + 0.05 * (stop - start)
        at_key = at.film_seconds + at.offset_seconds
        low = int((at_key + speed * (start - at.film_seconds) - slack) * float(info.frame_rate))
        high = int((at_key + speed * (stop - at.film_seconds) + slack) * float(info.frame_rate)) + 1
        return range(max(0, low), max(0, min(high, info.num_frames)))


class _Sources:
    """Frames of the footage; the latest ones are kept."""

    def __init__(self, infos: Sequence[MediaInfo]) -> None:
        self.infos = infos
        self._reader: tuple[int, GreyReader] | None = None
        self._kept: OrderedDict[tuple[int, range], GreyFrames] = OrderedDict()
        self._unreadable: set[tuple[int, range]] = set()

    def __enter__(self) -> _Sources:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def frames(self, file: int, numbers: range) -> GreyFrames | None:
        """Return frames of a file; None where they cannot be read."""
        if not numbers or (file, numbers) in self._unreadable:
            return None
        for (other, span), kept in self._kept.items():
            if other == file and span.start <= numbers.start and numbers.stop <= span.stop:
                self._kept.move_to_end((other, span))
                return kept[numbers.start - span.start : numbers.stop - span.start]
        try:
            if self._reader is None or self._reader[0] != file:
                self._close()
                self._reader = file, GreyReader.open(self.infos[file])
            found = self._reader[1].stretch(numbers)
        except MediaError:
            self._unreadable.add((file, numbers))
            return None
        self._kept[file, numbers] = found
        while sum(map(len, self._kept.values())) > _MOST_FRAMES_KEPT and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return found

    def shown(self, shot: MatchedShot, frames: range, rate: float) -> GreyFrames | None:
        """Return what a shot would show in frames of a film of a rate, at and beyond its ends."""
        info = self.infos[shot.file]
        seconds = [shot.source_seconds((frame + 0.5) / rate) for frame in frames]
        numbers = np.floor(np.asarray(seconds) * float(info.frame_rate)).astype(int)
        numbers = np.clip(numbers, 0, info.num_frames - 1)
        found = self.frames(shot.file, range(int(numbers.min()), int(numbers.max()) + 1))
        return None if found is None else found[numbers - numbers.min()]

    def _close(self) -> None:
        if self._reader is not None:
            self._reader[1].close()
            self._reader = None


def _claims(shot: Shot, found: Sequence[_Found]) -> Iterator[MatchedShot]:
    """Give each frame of a shot to the line that it is most like, in whole stretches."""
    left = np.ones(len(shot.frames), bool)
    chosen: list[_Found] = []
    candidates = list(found)
    while candidates:
        best = max(candidates, key=lambda one: float(_gain(one.line.alike_F, left).sum()))
        candidates.remove(best)
        run = _longest_run((_smooth(best.line.alike_F) >= LEAST_ALIKE) & left)
        if len(run) < _SHORTEST_FRAMES:
            continue
        if float(best.line.alike_F[run.start : run.stop].mean()) < _LEAST_SURE:
            continue
        chosen.append(best)
        left[run.start : run.stop] = False
    if not chosen:
        return
    # Where two overlap, as in a dissolve, the cut is where one overtakes the other.
    alike = np.stack([_smooth(one.line.alike_F) for one in chosen])
    owner = np.where(alike.max(axis=0) >= LEAST_ALIKE, alike.argmax(axis=0), -1)
    for index, one in enumerate(chosen):
        run = _to_the_edges(_longest_run(owner == index), len(owner))
        part = one.line.alike_F[run.start : run.stop]
        if len(run) < _SHORTEST_FRAMES or float(part.mean()) < _LEAST_SURE:
            continue
        yield MatchedShot(
            film=range(shot.frames.start + run.start, shot.frames.start + run.stop),
            file=one.file,
            offset_seconds=one.line.offset_seconds,
            speed=one.line.speed,
            rect=one.rect,
            alike=float(part.mean()),
        )


def _to_the_edges(run: range, count: int) -> range:
    """Stretch what ends just beside a cut to the cut: a cut is certain to the frame."""
    if not len(run):
        return run
    return range(
        0 if run.start <= _EDGE_FRAMES else run.start,
        count if count - run.stop <= _EDGE_FRAMES else run.stop,
    )


def _gain(alike_F: npt.NDArray[np.float32], left: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = np.where(left, np.maximum(alike_F - LEAST_ALIKE, 0), 0)
    return found


def _smooth(alike_F: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the median of three neighbours: one bad frame does not end a shot."""
    if len(alike_F) < 3:
        return alike_F
    padded = np.concatenate([alike_F[:1], alike_F, alike_F[-1:]])
    found: npt.NDArray[np.float32] = np.median(
        np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0
    )
    return found


def _longest_run(wanted: npt.NDArray[np.bool_]) -> range:
    """Return the first of the longest runs of True; empty where there is none."""
    return max((range(*run) for run in true_runs(wanted)), key=len, default=range(0))


def _joined(shots: Sequence[MatchedShot], footage: Sequence[MediaInfo]) -> list[MatchedShot]:
    """Join neighbours that go on where the one before ended: no cut was between them."""
    joined: list[MatchedShot] = []
    for shot in sorted(shots, key=lambda one: one.film.start):
        if joined and _goes_on(joined[-1], shot, footage):
            before = joined[-1]
            count, more = len(before.film), len(shot.film)
            longer = before if count >= more else shot
            joined[-1] = replace(
                longer,
                film=range(before.film.start, shot.film.stop),
                alike=(before.alike * count + shot.alike * more) / (count + more),
            )
        else:
            joined.append(shot)
    return joined


def _goes_on(before: MatchedShot, after: MatchedShot, footage: Sequence[MediaInfo]) -> bool:
    if before.file != after.file or after.film.start - before.film.stop > 2:
        return False
    rate = float(footage[before.file].frame_rate)
    # A short piece is placed less surely, and nobody cuts away three frames inside it.
    is_short = min(len(before.film), len(after.film)) < _SHORT_SECONDS * rate
    most = 2 * _SAME_FRAMES if is_short else _SAME_FRAMES
    # At the seam, in seconds of the film: rates are near enough for that.
    return (
        abs(
            before.source_seconds(after.film.start / rate)
            - after.source_seconds(after.film.start / rate)
        )
        # In slow motion a frame of the source is shown more than once.
        <= most / rate / min(1.0, before.speed, after.speed)
    )


def _meet(
    matched: list[MatchedShot], shots: Sequence[Shot], reader: GreyReader, sources: _Sources
) -> None:
    """Let neighbours meet where the film shows more of the second than of the first.

    At a cut that is the cut, in a dissolve its middle, whatever either hides of the other. Where
    nothing was found beside a shot, it ends where half of it is gone.
    """
    rate = float(reader.info.frame_rate)
    around = round(_SEAM_SECONDS * rate)
    cuts = {shots[-1].frames.stop, *(one.frames.start for one in shots)}

    def seen(shot: MatchedShot, frames: range) -> FloatArray | None:
        shown = sources.shown(shot, frames, rate)
        return None if shown is None else details(shown, shot.rect)

    def film(frames: range) -> FloatArray:
        inside = next(one.inside for one in reversed(shots) if one.frames.start <= frames.start)
        return details(reader.stretch(frames), inside)

    met: set[int] = set()
    for place in range(len(matched) - 1):
        before, after = matched[place : place + 2]
        if after.film.start - before.film.stop > around:
            continue
        frames = range(
            max(before.film.start + 1, before.film.stop - around),
            min(after.film.stop - 1, after.film.start + around),
        )
        if not frames:
            continue
        going, coming = seen(before, frames), seen(after, frames)
        if going is None or coming is None:
            continue
        seam = find_seam(film(frames), going, coming)
        if seam is not None:
            cut = frames.start + seam
            matched[place] = replace(before, film=range(before.film.start, cut))
            matched[place + 1] = replace(after, film=range(cut, after.film.stop))
            met |= {2 * place + 1, 2 * place + 2}
    for place, shot in enumerate(matched):
        start, stop = shot.film.start, shot.film.stop
        low = matched[place - 1].film.stop if place else 0
        high = matched[place + 1].film.start if place + 1 < len(matched) else shots[-1].frames.stop
        middle = (start + stop) // 2
        if 2 * place not in met and start not in cuts and low < start:
            frames = range(max(low, start - around), min(start + around, middle + 1))
            shown = seen(shot, frames)
            if shown is not None:
                start = frames.stop - find_end(film(frames)[::-1], shown[::-1])
        if 2 * place + 1 not in met and stop not in cuts and stop < high:
            frames = range(max(stop - around, middle), min(stop + around, high))
            shown = seen(shot, frames)
            if shown is not None:
                stop = frames.start + find_end(film(frames), shown)
        if start < stop:
            matched[place] = replace(shot, film=range(start, stop))


def _rest(shots: Sequence[MatchedShot], frames: range) -> Iterator[range]:
    """Yield what shots, in order, leave of a stretch of the film."""
    at = frames.start
    for shot in shots:
        if shot.film.start > at:
            yield range(at, shot.film.start)
        at = shot.film.stop
    if at < frames.stop:
        yield range(at, frames.stop)
