"""Any OpenTimelineIO timeline as flat lanes of clips, in exact seconds.

Nested sequences are laid out where they stand. What cuts cannot say is left out with a note, and
what is left out leaves a gap, so that nothing after it moves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import opentimelineio as otio

from hlcli.errors import TimelineError
from hlcli.timeline.read.bounds import MOST_TRACKS, ItemCount, TooMuchError
from hlcli.timeline.read.exact import exact_number, exact_rate, exact_seconds, settled
from hlcli.timeline.read.types import Notes, listed

Lane = tuple[int, ...]
"""Place of a track in the stack, lowest first; nested tracks add a number."""
_DEEPEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One clip where it plays, cut to what is seen or heard of it."""

    clip: otio.schema.Clip
    """The clip."""
    kind: str
    """`TrackKind.Video` or `TrackKind.Audio`."""
    lane: Lane
    """Its track."""
    start: Fraction
    """Begin on the timeline, in seconds from its start."""
    media_start: Fraction | None
    """First instant of the media, in seconds as its ranges count; None is the file's first."""
    duration: Fraction
    """Length, in seconds."""
    is_retimed: bool = False
    """Whether its speed was left out: its file may end before it does."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Which part of a composition is seen, and where."""

    at: Fraction
    begin: Fraction
    end: Fraction


class LeafReader:
    """Walks one timeline.

    Args:
        notes: Gets what is left out.
        media_length: Returns the length in seconds of a clip that states none, None if unknown.
    """

    def __init__(
        self, notes: Notes, media_length: Callable[[otio.schema.Clip], Fraction | None]
    ) -> None:
        self._notes = notes
        self._media_length = media_length
        self._effects: Counter[str] = Counter()
        self._transitions = 0
        self._disabled: dict[str, Counter[str]] = {_VIDEO: Counter(), _AUDIO: Counter()}
        self._laid_down = ItemCount()

    def read(self, timeline: otio.schema.Timeline) -> list[Leaf]:
        """Return the clips of all tracks, by lane and then by time.

        Raises:
            TimelineError: A clip has no length, or the nesting has no end.
        """
        counts: Counter[str] = Counter()
        leaves: list[Leaf] = []
        stack = timeline.tracks
        whole = self._length(stack)
        trim = Fraction(0) if stack.source_range is None else _start(stack.source_range)
        for child in stack:
            kind = child.kind if isinstance(child, otio.schema.Track) else _VIDEO
            number = counts[kind]
            counts[kind] += 1
            if number >= MOST_TRACKS:
                raise TooMuchError(f"it has more than {MOST_TRACKS:,} tracks of one kind")
            if kind not in (_VIDEO, _AUDIO):
                self._notes.add(f"the track {child.name!r} of kind {kind!r} is left out")
                continue
            if not child.enabled:
                self._leave_out_track(child, kind, number)
                continue
            window = _Window(Fraction(0), trim, trim + whole)
            leaves += self._walk(child, kind, (number,), window, 0)
        self._sum_up()
        return sorted(leaves, key=lambda leaf: (leaf.kind != _VIDEO, leaf.lane, leaf.start))

    def _sum_up(self) -> None:
        if self._transitions:
            self._notes.add(
                f"{self._transitions} {_plural('transition', self._transitions)} "
                "became plain cuts at the edit points"
            )
        # A picture and its sound are one clip.
        disabled = self._disabled[_VIDEO] | self._disabled[_AUDIO]
        if disabled:
            count = disabled.total()
            self._notes.add(
                f"{count} switched-off {_plural('clip', count)} left out, gaps stay: "
                f"{listed(disabled)}"
            )
        if self._effects:
            words = ", ".join(
                name if count == 1 else f"{name} ({count} times)"
                for name, count in sorted(self._effects.items())
            )
            self._notes.add(f"effects are left out: {words}")

    def _walk(
        self, item: otio.core.Composable, kind: str, lane: Lane, window: _Window, depth: int
    ) -> Iterator[Leaf]:
        """Yield the clips of one item; the window is in the item's own outer time."""
        if depth > _DEEPEST:
            raise TooMuchError(f"sequences are nested more than {_DEEPEST} deep")
        self._laid_down.add(1 + len(item.effects) if isinstance(item, otio.core.Item) else 1)
        if isinstance(item, otio.schema.Clip):
            yield from self._clip(item, kind, lane, window)
            return
        if not self._playable(item):
            return
        inner = window
        if item.source_range is not None:
            shift = _start(item.source_range)
            inner = _Window(window.at, window.begin + shift, window.end + shift)
        if isinstance(item, otio.schema.Track):
            yield from self._track(item, kind, lane, inner, depth)
        elif isinstance(item, otio.schema.Stack):
            if depth or item.name:
                self._notes.add(f"the nested sequence {_called(item)} is laid out in place")
            number = 0
            for child in item:
                own = child.kind if isinstance(child, otio.schema.Track) else kind
                if own != kind:
                    continue
                if child.enabled:
                    below = lane if number == 0 else (*lane, number)
                    yield from self._walk(child, kind, below, inner, depth + 1)
                else:
                    self._leave_out_track(child, kind, number)
                number += 1

    def _leave_out_track(self, track: otio.core.Item, kind: str, number: int) -> None:
        name = repr(track.name) if track.name else f"{kind[0]}{number + 1}"
        if not isinstance(track, otio.schema.Track):
            self._disabled[kind][track.name or "unnamed"] += 1
            return
        names = listed(clip.name or "unnamed" for clip in track.find_clips())
        self._notes.add(f"the switched-off track {name} is left out{': ' if names else ''}{names}")

    def _track(
        self, track: otio.schema.Track, kind: str, lane: Lane, window: _Window, depth: int
    ) -> Iterator[Leaf]:
        at = Fraction(0)
        for item in track:
            self._laid_down.add()
            if isinstance(item, otio.schema.Transition):
                self._transitions += kind == _VIDEO
                continue
            start, stop = at, settled(at + self._length(item))
            at = stop
            begin, end = max(start, window.begin), min(stop, window.end)
            if begin >= end or isinstance(item, otio.schema.Gap):
                continue
            if not item.enabled:
                self._disabled[kind][item.name or "unnamed"] += 1
                continue
            part = _Window(window.at + begin - window.begin, begin - start, end - start)
            yield from self._walk(item, kind, lane, part, depth + 1)

    def _clip(
        self, clip: otio.schema.Clip, kind: str, lane: Lane, window: _Window
    ) -> Iterator[Leaf]:
        if not self._playable(clip):
            return
        # Beside longer tracks of a stack, a clip ends before the window does.
        duration = min(window.end, self._length(clip)) - window.begin
        if duration <= 0:
            return
        stated = clip.source_range
        if stated is None and clip.media_reference is not None:
            stated = clip.media_reference.available_range
        media_start: Fraction | None
        if stated is not None:
            media_start = _start(stated) + window.begin
        else:
            media_start = window.begin if window.begin else None
        yield Leaf(
            clip=clip,
            kind=kind,
            lane=lane,
            start=window.at,
            media_start=media_start,
            duration=duration,
            is_retimed=any(isinstance(e, otio.schema.LinearTimeWarp) for e in clip.effects),
        )

    def _playable(self, item: otio.core.Item) -> bool:
        """Note the effects of an item; say whether it can be played at all."""
        for effect in item.effects:
            if isinstance(effect, otio.schema.FreezeFrame):
                self._notes.add(f"{_called(item)} is a frozen frame: left out, a gap stays")
                return False
            if isinstance(effect, otio.schema.LinearTimeWarp):
                speed = float(exact_number(effect.time_scalar))
                if abs(speed - 1) < 1e-6:
                    continue
                if speed <= 0 or not isinstance(item, otio.schema.Clip):
                    what = "plays backwards" if speed < 0 else f"runs at {speed:g} times the speed"
                    self._notes.add(f"{_called(item)} {what}: left out, a gap stays")
                    return False
                self._notes.add(
                    f"{_called(item)} runs at {speed:g} times the speed: it plays at normal speed "
                    "from the same first frame, as long as it lay on the timeline"
                )
            elif isinstance(effect, otio.schema.TimeEffect):
                self._notes.add(f"{_called(item)} changes its speed: left out, a gap stays")
                return False
            else:
                self._effects[effect.effect_name or effect.name or "unnamed"] += 1
        return True

    def _length(self, item: otio.core.Composable) -> Fraction:
        """Return how long an item lies on its track, in seconds."""
        if isinstance(item, otio.schema.Transition):
            return Fraction(0)
        if item.source_range is not None:
            return exact_seconds(item.source_range.duration)
        if isinstance(item, otio.schema.Stack):
            return max((self._length(child) for child in item), default=Fraction(0))
        if isinstance(item, otio.schema.Track):
            return reduce(lambda at, child: settled(at + self._length(child)), item, Fraction(0))
        if isinstance(item, otio.schema.Clip):
            media = item.media_reference
            if media is not None and media.available_range is not None:
                return exact_seconds(media.available_range.duration)
            known = self._media_length(item)
            if known is not None:
                return known
        raise TimelineError(
            f"{_called(item)} does not say how long it is",
            hint="export the timeline again, or name the folder of its media with --search",
        )


_VIDEO: str = otio.schema.TrackKind.Video
_AUDIO: str = otio.schema.TrackKind.Audio


def stated_rate(clip: otio.schema.Clip) -> Fraction | None:
    """Return the rate at which a clip's range counts; None where it states none."""
    stated = clip.source_range
    if stated is None and clip.media_reference is not None:
        stated = clip.media_reference.available_range
    return None if stated is None else exact_rate(stated.duration.rate)


def _start(stated: otio.opentime.TimeRange) -> Fraction:
    return exact_seconds(stated.start_time)


def _called(item: otio.core.Composable) -> str:
    return repr(item.name) if item.name else f"an unnamed {type(item).__name__.lower()}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"
