"""Which pieces of which labelled clips make up a composite video, and which are its highlights.

Kinds (the highlight share is 20 % unless the name says otherwise):

* `rare`: one label among another of the same source
* `action`: one label that moves among labels that stay calm (`ACTION_LABELS`, `CALM_LABELS`)
* `foreign`: one label in a background of other sources
* `distractors`: `rare`, with 15 % of one-off pieces of other sources that are no highlights
* `action-10`, `action-35`, `action-50`: `action` with that share of highlights
* `block`: one label, with one coherent stretch of another (20 %) that is no highlight, as credits
  or an interview are none, and 15 % of short one-off highlights of other sources

`action` has one moving label per video on purpose: with several, all variety is in the highlights
and whatever differs from the mean stays right even at a share of 50 %, which real footage with one
sport in it does not grant.

A plan is a pure function of the manifest, the part, the kind and the seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError

FRAME_RATE = 25
"""Frames per second of every composite; segments are cut on its frames."""
HEADLINE_KINDS = ("rare", "action", "foreign", "distractors")
"""The kinds whose mean is the headline figure."""
SHARE_KINDS = ("action-10", "action-35", "action-50")
"""`action` with other shares of highlights (20 % is `action` itself); not in the headline."""
KINDS = (*HEADLINE_KINDS, *SHARE_KINDS, "block")

CALM_LABELS = frozenset({"ApplyEyeMakeup", "ApplyLipstick", "BabyCrawling"})
"""UCF101 labels that serve as background of `action`: little happens and nobody competes."""
ACTION_LABELS = frozenset({"Archery", "BalanceBeam", "BandMarching", "BasketballDunk"})
"""UCF101 labels that serve as highlight of `action`: sport and parade."""

MIN_VIDEO_SECONDS = 60.0
MAX_VIDEO_SECONDS = 150.0
MIN_SEGMENT_SECONDS = 4.0
MAX_SEGMENT_SECONDS = 10.0
_SEGMENT_SECONDS = (MIN_SEGMENT_SECONDS, MAX_SEGMENT_SECONDS)
HIGHLIGHT_SHARE = 0.2
DISTRACTOR_SHARE = 0.15
BLOCK_SHARE = 0.2
MOMENT_SHARE = 0.15
MOMENT_SECONDS = (3.0, 6.0)
"""Shortest and longest highlight of `block`."""
# A container's duration may count sound that outlasts the picture.
_TAIL_SECONDS = 0.1
_SHORTEST_FRAMES = FRAME_RATE
_LONGEST_FRAMES = int(MAX_SEGMENT_SECONDS * FRAME_RATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClip:
    """One labelled short clip of the manifest, of the part being evaluated."""

    index: int
    """Row of the manifest, from 0."""
    source: str
    """Where the clip was taken from."""
    label: str | None
    """What it shows; None when nobody said."""
    num_frames: int
    """Usable length, in frames at `FRAME_RATE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeSegment:
    """A piece of one source clip inside a composite."""

    clip: int
    """Row of the manifest, from 0."""
    start_frame: int
    """First frame taken from the source clip, at `FRAME_RATE`."""
    num_frames: int
    """Length, in frames at `FRAME_RATE`, at least 1."""
    highlight: bool
    """Whether the piece is a highlight of the composite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositePlan:
    """What one composite video is made of, in order."""

    name: str
    """Unique within one evaluation, fit for a file name."""
    kind: str
    """One of `KINDS`."""
    segments: tuple[CompositeSegment, ...]
    """Pieces in playing order, at least one."""

    @property
    def num_frames(self) -> int:
        """Length, in frames at `FRAME_RATE`."""
        return sum(segment.num_frames for segment in self.segments)

    @property
    def num_repeats(self) -> int:
        """How many segments come from a clip that was already used in this video."""
        return len(self.segments) - len({segment.clip for segment in self.segments})

    def highlight_spans(self) -> list[tuple[Fraction, Fraction]]:
        """Half-open spans of the highlights, in seconds, in order; neighbours are not joined."""
        spans, start = [], 0
        for segment in self.segments:
            end = start + segment.num_frames
            if segment.highlight:
                spans.append((Fraction(start, FRAME_RATE), Fraction(end, FRAME_RATE)))
            start = end
        return spans

    def positive_T(self, num_clips: int) -> npt.NDArray[np.bool_]:
        """Label of each 1-second clip: True if at least half of it lies in a highlight.

        Args:
            num_clips: How many clips the detector scored; the last may be partial, and then
                half of what there is of it counts.
        """
        is_highlight = np.concatenate(
            [np.full(segment.num_frames, segment.highlight) for segment in self.segments]
        )
        labels = np.zeros(num_clips, dtype=np.bool_)
        for clip in range(num_clips):
            frames = is_highlight[clip * FRAME_RATE : (clip + 1) * FRAME_RATE]
            labels[clip] = len(frames) > 0 and 2 * int(frames.sum()) >= len(frames)
        return labels


def source_clips(rows: Sequence[Mapping[str, object]], chosen: Sequence[int]) -> list[SourceClip]:
    """Turn manifest rows into source clips; those too short to be a segment are left out.

    Args:
        rows: The manifest, one mapping per clip.
        chosen: Which rows may be used.
    """
    clips = []
    for index in chosen:
        row = rows[index]
        label = row.get("label")
        seconds = float(str(row["duration_seconds"])) - _TAIL_SECONDS
        clip = SourceClip(
            index=index,
            source=str(row.get("source") or ""),
            label=None if label is None else str(label),
            num_frames=int(seconds * FRAME_RATE),
        )
        if clip.num_frames >= _SHORTEST_FRAMES:
            clips.append(clip)
    return clips


def plan_composites(
    clips: Sequence[SourceClip], *, kind: str, num_videos: int, seed: int
) -> list[CompositePlan]:
    """Plan the composites of one kind.

    No clip comes twice in a video as long as there is other material; a label is preferred as
    background when it lasts long enough for that.

    Args:
        clips: Material of one part.
        kind: One of `KINDS`.
        num_videos: How many to plan.
        seed: Fixes everything that is drawn.

    Raises:
        UsageError: The kind is unknown, or the material cannot make it.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown kind of composite {kind!r}", hint=f"choose from {list(KINDS)}")
    random = np.random.default_rng([seed, KINDS.index(kind)])
    share = MOMENT_SHARE if kind == "block" else HIGHLIGHT_SHARE
    if kind in SHARE_KINDS:
        share = int(kind.removeprefix("action-")) / 100
    casts = _casts(clips, kind=kind)
    if not casts:
        raise UsageError(
            f"these clips cannot make a composite of kind {kind!r}",
            hint="clips of several labels and, for foreign and distractors, of several sources "
            "are needed in the part that is evaluated",
        )
    plans: list[CompositePlan] = []
    while len(plans) < num_videos:
        for i in random.permutation(len(casts))[: num_videos - len(plans)]:
            segments = _fill_video(casts[i], share=share, random=random)
            name = f"{kind}-{seed}-{len(plans):03d}"
            plans.append(CompositePlan(name=name, kind=kind, segments=segments))
    return plans


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """Which clips may play which role in one video."""

    highlights: tuple[SourceClip, ...]
    background: tuple[SourceClip, ...]
    distractors: tuple[SourceClip, ...] = ()
    block: tuple[SourceClip, ...] = ()
    """What the one coherent stretch is made of; empty where there is none."""


def _casts(clips: Sequence[SourceClip], *, kind: str) -> list[_Cast]:
    by_label: dict[tuple[str, str], tuple[SourceClip, ...]] = {}
    for clip in clips:
        if clip.label is not None:
            key = (clip.source, clip.label)
            by_label[key] = (*by_label.get(key, ()), clip)

    def of_other_sources(source: str) -> tuple[SourceClip, ...]:
        return tuple(clip for clip in clips if clip.source != source)

    if kind.startswith("action"):
        calm = tuple(clip for clip in clips if clip.label in CALM_LABELS)
        return [
            _Cast(highlights=members, background=calm)
            for (_, label), members in sorted(by_label.items())
            if calm and label in ACTION_LABELS
        ]
    if kind == "foreign":
        return [
            _Cast(highlights=members, background=of_other_sources(source))
            for (source, _), members in sorted(by_label.items())
            if of_other_sources(source)
        ]
    pairs = [
        (common, other)
        for common, other in itertools.permutations(sorted(by_label), 2)
        if common[0] == other[0] and (kind == "rare" or of_other_sources(common[0]))
    ]
    if kind == "block":
        casts = [
            _Cast(
                highlights=of_other_sources(common[0]),
                background=by_label[common],
                block=by_label[other],
            )
            for common, other in pairs
        ]
    else:
        casts = [
            _Cast(
                highlights=by_label[rare],
                background=by_label[common],
                distractors=of_other_sources(common[0]) if kind == "distractors" else (),
            )
            for common, rare in pairs
        ]
    enough = MIN_VIDEO_SECONDS * (1 - HIGHLIGHT_SHARE) * FRAME_RATE
    ample = [cast for cast in casts if _frames(cast.background) >= enough]
    return ample or casts


def _frames(clips: Sequence[SourceClip]) -> int:
    """Most that the clips can fill without a repeat, in frames."""
    return sum(min(clip.num_frames, _LONGEST_FRAMES) for clip in clips)


def _fill_video(
    cast: _Cast, *, share: float, random: np.random.Generator
) -> tuple[CompositeSegment, ...]:
    distractor_share = DISTRACTOR_SHARE if cast.distractors else 0.0
    block_share = BLOCK_SHARE if cast.block else 0.0
    background_share = 1 - share - distractor_share - block_share
    seconds = random.uniform(MIN_VIDEO_SECONDS, MAX_VIDEO_SECONDS)
    # Rather a shorter video than the same clip twice.
    limits = [_frames(cast.background) / background_share, _frames(cast.highlights) / share]
    seconds = min(seconds, max(MIN_VIDEO_SECONDS, min(limits) / FRAME_RATE))
    lengths = MOMENT_SECONDS if cast.block else _SEGMENT_SECONDS
    segments = [
        *_fill(cast.highlights, seconds * share, highlight=True, random=random, lengths=lengths),
        *_fill(cast.background, seconds * background_share, highlight=False, random=random),
        *_fill(cast.distractors, seconds * distractor_share, highlight=False, random=random),
    ]
    mixed = [segments[i] for i in random.permutation(len(segments))]
    if cast.block:
        block = _fill(cast.block, seconds * block_share, highlight=False, random=random)
        place = int(random.integers(len(mixed) + 1))
        mixed[place:place] = block
    return tuple(mixed)


def _fill(
    clips: Sequence[SourceClip],
    seconds: float,
    *,
    highlight: bool,
    random: np.random.Generator,
    lengths: tuple[float, float] = _SEGMENT_SECONDS,
) -> list[CompositeSegment]:
    """Draw segments that last `seconds` together, each clip once before any comes again."""
    left = round(seconds * FRAME_RATE)
    segments: list[CompositeSegment] = []
    deck: list[SourceClip] = []
    while clips and left >= _SHORTEST_FRAMES:
        deck = deck or [clips[i] for i in random.permutation(len(clips))]
        clip = deck.pop()
        wanted = round(random.uniform(*lengths) * FRAME_RATE)
        # Where material is scarce take more of each clip, so that none comes again.
        wanted = min(max(wanted, left - _frames(deck)), round(lengths[1] * FRAME_RATE))
        num_frames = min(wanted, clip.num_frames, left)
        start = int(random.integers(0, clip.num_frames - num_frames + 1))
        segments.append(
            CompositeSegment(
                clip=clip.index, start_frame=start, num_frames=num_frames, highlight=highlight
            )
        )
        left -= num_frames
    return segments
