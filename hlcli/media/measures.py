"""Measurements of how pictures look, taken from frames that are decoded anyway.

A frame is measured every quarter of a second at most, on 144 x 256 samples of its luma and on 24
narrow bands at full resolution. Luma is scaled so that video black is 0 and white is 1.

Axes: T clips, N measured frames, M pictures of clips, H and W pixels.
"""

from __future__ import annotations

import itertools
from array import array
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from hlcli.media.clips import ClipGrid
from hlcli.media.luma import LumaPlane, LumaSamples, luma_plane

Row = npt.NDArray[np.float32]

_BANDS = 24
_BLOCKS = 16
_SHARPEST_BLOCKS = _BANDS * _BLOCKS // 8
# Contrast below this is noise: an even picture is not sharp.
_LEAST_CONTRAST = 0.02
_STRONG_EDGE = 0.12
_WEAK_EDGE = 0.025
_BACKGROUND_LEVELS = 4
# A pair of frames further apart than this says nothing about how the picture moves.
_LONGEST_PAIR_SECONDS = 1.6
# A shift explains a change when it leaves less than this part of it.
_UNEXPLAINED = 0.5
_LEAST_CHANGE = 0.001
_UNCHANGED = 1e-4
# Rows around one that its detail is measured against, and detail in an eighth of a level that
# compression makes.
_SURROUNDINGS = 5
_LEAST_DETAIL = 24
_FRAME_FIELDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMeasures:
    """How the picture of each clip looks and moves; all float32, shape `(T,)`."""

    sharpness_T: Row
    """Second differences of luma in the sharpest eighth of the picture over its contrast, 0 and up;
    of the sharpest frame of the clip. Comparable within a video."""
    sharpest_seconds_T: npt.NDArray[np.float64]
    """Time of that frame, float64, in seconds from the first video frame."""
    luma_T: Row
    """Mean luma, in [0, 1]."""
    contrast_T: Row
    """Standard deviation of luma, in [0, 0.5]."""
    edges_T: Row
    """Share of the picture on a strong edge, in [0, 1]."""
    texture_T: Row
    """Share of the picture on a weak edge, in [0, 1]: much in what a camera sees, little in text
    and graphics."""
    background_T: Row
    """Share of the picture within 4 levels of its commonest luma, in [0, 1]."""
    background_luma_T: Row
    """That luma, in [0, 1]."""
    saturation_T: Row
    """Mean difference of the largest and the smallest of R, G and B, in [0, 1]."""
    bars_T: Row
    """Share of the picture's height that is upright colour bars, in [0, 1]."""
    scroll_T: Row
    """Speed at which the whole picture moves up, in picture heights a second; 0 where no shift
    explains how it changes."""
    crawl_T: Row
    """The same to the left, in picture widths a second."""
    shake_T: Row
    """How far the shift of the picture differs from one quarter second to the next, in picture
    heights."""
    frozen_T: Row
    """Share of the clip in which no frame differs from the one before, in [0, 1]."""

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, one.name)) for one in fields(self)}
        if len(lengths) != 1:
            raise ValueError(f"rows of different lengths: {sorted(lengths)}")


@dataclass(frozen=True, slots=True)
class MeasuredFrame:
    """What of a frame is needed to compare it with the next one."""

    seconds: float
    """Its time, from the first video frame."""
    detail: npt.NDArray[np.float32]
    """What stands out in it, in an eighth of 8-bit levels, shape `(144, 32)`."""
    spectrum: npt.NDArray[np.complexfloating[Any]]
    """Of the same, for the shift between two frames."""


@dataclass(slots=True)
class Measurements:
    """The raw measurements of a stretch of video, some 50 bytes for each frame."""

    seconds: array[float] = field(default_factory=lambda: array("d"))
    """Time of each measured frame."""
    frames: array[float] = field(default_factory=lambda: array("f"))
    """Of each frame: sharpness, luma, contrast, edges, texture, background and its luma, shift up
    and to the left in heights and widths a second (NaN where unknown), seconds since the frame
    before."""
    clips: array[int] = field(default_factory=lambda: array("q"))
    """Clips whose picture was measured."""
    colours: array[float] = field(default_factory=lambda: array("f"))
    """Saturation and colour bars of each of these."""

    def add_frame(
        self, seconds: float, plane: LumaPlane, samples: LumaSamples, before: MeasuredFrame | None
    ) -> MeasuredFrame:
        """Measure a frame; returns what the next one is compared with."""
        scale = plane.white - plane.black
        counts = np.bincount(samples[::2, ::2].ravel(), minlength=256)
        total = int(counts.sum())
        levels = np.arange(256)
        mean = float(counts @ levels) / total
        spread = float(counts @ (levels - mean) ** 2) / total
        near = np.convolve(counts, np.ones(2 * _BACKGROUND_LEVELS + 1, dtype=np.int64), "same")
        common = int(near.argmax())
        across = np.abs(samples[:, 1:].astype(np.int16) - samples[:, :-1])
        strong = int(np.count_nonzero(across > _STRONG_EDGE * scale))
        weak = int(np.count_nonzero(across > _WEAK_EDGE * scale)) - strong
        detail = _detail(samples)
        frame = MeasuredFrame(seconds, detail, np.fft.rfft2(detail))
        up, left, gap = np.nan, np.nan, np.nan
        if before is not None and 0 < (gap := seconds - before.seconds) <= _LONGEST_PAIR_SECONDS:
            up, left = (value / gap for value in _shift(before, frame))
        self.seconds.append(seconds)
        contrast = spread**0.5 / scale
        self.frames.extend(
            (
                _sharpness(plane, contrast),
                min(1.0, max(0.0, (mean - plane.black) / scale)),
                contrast,
                strong / across.size,
                weak / across.size,
                int(near[common]) / total,
                min(1.0, max(0.0, (common - plane.black) / scale)),
                up,
                left,
                gap,
            )
        )
        return frame

    def add_picture(self, clip: int, rgb_HWC: npt.NDArray[np.uint8]) -> None:
        """Measure the colours of a clip's picture, upright."""
        part = rgb_HWC[::4, ::3]
        largest = np.maximum(np.maximum(part[:, :, 0], part[:, :, 1]), part[:, :, 2])
        least = np.minimum(np.minimum(part[:, :, 0], part[:, :, 1]), part[:, :, 2])
        self.clips.append(clip)
        self.colours.extend((float((largest - least).mean()) / 255, _bars(part)))

    def extend(self, other: Measurements) -> None:
        """Append the measurements of a later stretch."""
        self.seconds.extend(other.seconds)
        self.frames.extend(other.frames)
        self.clips.extend(other.clips)
        self.colours.extend(other.colours)


def frame_sharpness(frame: av.VideoFrame, reformatter: VideoReformatter) -> float:
    """Return the sharpness of one frame; see `PictureMeasures.sharpness_T`."""
    plane = luma_plane(frame, reformatter)
    return _sharpness(plane, float(plane.samples().std()) / (plane.white - plane.black))


def measures_per_clip(
    measured: Measurements,
    pairs_seconds: npt.NDArray[np.float64],
    change: npt.NDArray[np.float32],
    grid: ClipGrid,
    *,
    rotation_degrees: int = 0,
) -> PictureMeasures:
    """Sum up the measurements of a video clip by clip.

    A clip in which nothing was measured takes the values of its nearest neighbour.

    Args:
        measured: Those of all frames, in order.
        pairs_seconds: Times of each pair of neighbouring frames, shape `(P, 2)`.
        change: Mean absolute luma difference of each pair, in [0, 1], shape `(P,)`.
        grid: The clips.
        rotation_degrees: Clockwise turn from the frames as stored to the picture as shown.
    """
    num_clips, length = grid.num_clips, float(grid.clip_seconds)
    seconds = np.asarray(measured.seconds, dtype=np.float64)
    table = np.asarray(measured.frames, dtype=np.float32).reshape(-1, _FRAME_FIELDS)
    clips = np.clip((seconds / length).astype(np.int64), 0, num_clips - 1)
    columns = {
        name: _mean_per_clip(clips, table[:, column], num_clips)
        for column, name in enumerate(
            ("luma", "contrast", "edges", "texture", "background", "background_luma"), start=1
        )
    }
    # The sharpest frame of a clip comes last among its own; of equals the earliest wins.
    order = np.lexsort((-seconds, table[:, 0], clips))
    last = np.flatnonzero(np.diff(clips[order], append=num_clips))
    best = order[last]
    sharpest = best[_nearest(clips[best], num_clips)] if len(best) else None
    up, left = _turned(table[:, 7], table[:, 8], rotation_degrees)
    steps = np.hypot(np.diff(up, prepend=np.nan), np.diff(left, prepend=np.nan)) * table[:, 9]
    # Where a shift was looked for and none explains the change, the picture does not move as one.
    has_before = np.isfinite(table[:, 9])
    up, left = (np.where(has_before & np.isnan(row), 0, row) for row in (up, left))
    colour_clips = np.asarray(measured.clips, dtype=np.int64)
    colours = np.asarray(measured.colours, dtype=np.float32).reshape(-1, 2)
    return PictureMeasures(
        sharpness_T=np.zeros(num_clips, np.float32) if sharpest is None else table[sharpest, 0],
        sharpest_seconds_T=(np.arange(num_clips, dtype=np.float64) + 0.5) * length
        if sharpest is None
        else seconds[sharpest],
        luma_T=columns["luma"],
        contrast_T=columns["contrast"],
        edges_T=columns["edges"],
        texture_T=columns["texture"],
        background_T=columns["background"],
        background_luma_T=columns["background_luma"],
        saturation_T=_mean_per_clip(colour_clips, colours[:, 0], num_clips),
        bars_T=_mean_per_clip(colour_clips, colours[:, 1], num_clips),
        scroll_T=_mean_per_clip(clips, up, num_clips),
        crawl_T=_mean_per_clip(clips, left, num_clips),
        shake_T=_mean_per_clip(clips, steps, num_clips),
        frozen_T=_frozen(pairs_seconds, change, num_clips, length),
    )


def _detail(samples: LumaSamples) -> npt.NDArray[np.float32]:
    """Return what stands out from its surroundings, on 144 x 32 averages over 8 columns.

    Smooth shading, which stays where it is behind moving text, is left out.
    """
    wide = samples.astype(np.uint16)
    across = wide[:, 0::2] + wide[:, 1::2]
    across = across[:, 0::2] + across[:, 1::2]
    coarse = (across[:, 0::2] + across[:, 1::2]).astype(np.float32)
    low, high, width = _around(len(coarse))
    sums = np.zeros((len(coarse) + 1, coarse.shape[1]), np.float32)
    np.cumsum(coarse, axis=0, out=sums[1:])
    detail = (coarse - (sums[high] - sums[low]) / width).astype(np.float32)
    detail[np.abs(detail) < _LEAST_DETAIL] = 0
    detail[1:-1] = (detail[:-2] + 2 * detail[1:-1] + detail[2:]) / 4
    return detail


@lru_cache(maxsize=1)
def _around(
    num_rows: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return first, one past the last, and number of the rows around each row."""
    rows = np.arange(num_rows)
    low = np.maximum(rows - _SURROUNDINGS, 0)
    high = np.minimum(rows + _SURROUNDINGS + 1, num_rows)
    return low, high, (high - low).astype(np.float32)[:, None]


def _sharpness(plane: LumaPlane, contrast: float) -> float:
    """Return the strength of the finest detail in the sharpest eighth of a frame over its contrast.

    Rows two apart are compared, which belong to one field of interlaced video.
    """
    pixels = plane.pixels
    height, width = pixels.shape
    if height < 8 or width < 2 * _BLOCKS + 4:
        return 0.0
    rows = _band_rows(height)
    wide_enough = np.int16 if pixels.dtype == np.uint8 else np.int32
    middle: npt.NDArray[np.signedinteger[Any]] = pixels[rows].astype(wide_enough)
    ring = middle[:, :-4] + middle[:, 4:]
    ring += pixels[rows - 2, 2:-2].astype(wide_enough)
    ring += pixels[rows + 2, 2:-2].astype(wide_enough)
    second = (4 * middle[:, 2:-2] - ring).astype(np.float32)
    wide = second.shape[1] // _BLOCKS * _BLOCKS
    parts = second[:, :wide].reshape(_BANDS * _BLOCKS, -1)
    blocks = np.einsum("ij,ij->i", parts, parts) / parts.shape[1]
    strongest = np.partition(blocks, -_SHARPEST_BLOCKS)[-_SHARPEST_BLOCKS:]
    scale = (plane.white - plane.black) * (1 << plane.surplus_bits)
    return float(np.sqrt(strongest.mean())) / scale / max(contrast, _LEAST_CONTRAST)


@lru_cache(maxsize=16)
def _band_rows(height: int) -> npt.NDArray[np.intp]:
    return 2 + ((np.arange(_BANDS) + 0.5) * (height - 4) / _BANDS).astype(np.intp)


def _shift(before: MeasuredFrame, after: MeasuredFrame) -> tuple[float, float]:
    """Return by how much a picture moved up and to the left, in heights and widths, or NaN.

    By phase correlation; the shift counts when it explains most of how the picture changed.
    """
    old, new = before.detail, after.detail
    changed = float(np.abs(new - old).mean())
    if changed < _LEAST_CHANGE * 255 * 8:
        return 0.0, 0.0
    cross = before.spectrum * np.conj(after.spectrum)
    height, width = old.shape
    peaks = np.fft.irfft2(cross / (np.abs(cross) + 1e-3 * np.abs(cross).max() + 1e-9), old.shape)
    up, left = divmod(int(peaks.argmax()), width)
    up = up - height if up > height // 2 else up
    left = left - width if left > width // 2 else left
    if not up and not left:
        return 0.0, 0.0
    rows, columns = height - abs(up), width - abs(left)
    if rows < height // 4 or columns < width // 4:
        return np.nan, np.nan
    old_part = old[max(0, up) :, max(0, left) :][:rows, :columns]
    new_part = new[max(0, -up) :, max(0, -left) :][:rows, :columns]
    if float(np.abs(new_part - old_part).mean()) > _UNEXPLAINED * changed:
        return np.nan, np.nan
    return up / height, left / width


def _bars(rgb_HWC: npt.NDArray[np.uint8]) -> float:
    """Return the share of a picture's height in which it is five or more upright colour bars."""
    height = rgb_HWC.shape[0]
    rows = rgb_HWC.astype(np.int16)
    alike = np.abs(np.diff(rows, axis=0)).max(axis=2) <= 12
    # Rows that equal the one before nearly everywhere belong to the same bars.
    same = alike.mean(axis=1) > 0.97
    edges = np.flatnonzero(np.concatenate([[True], ~same, [True]]))
    best = 0
    for start, end in itertools.pairwise(edges.tolist()):
        if end - start > max(best, height // 4) and _are_bars(rows[(start + end) // 2]):
            best = end - start
    return float(best / height)


def _are_bars(row_WC: npt.NDArray[np.int16]) -> bool:
    """Whether a row of pixels is five to twelve even stretches of clearly different colours."""
    jumps = np.abs(np.diff(row_WC, axis=0)).max(axis=1)
    edges = np.flatnonzero(np.concatenate([[True], jumps > 24, [True]]))
    lengths = np.diff(edges)
    wide = lengths >= max(3, len(row_WC) // 20)
    if not 5 <= int(wide.sum()) <= 12 or lengths[wide].sum() < 0.85 * len(row_WC):
        return False
    middles = row_WC[(edges[:-1] + lengths // 2)[wide]]
    coloured = int((middles.max(axis=1) - middles.min(axis=1) > 80).sum())
    return coloured >= 4


def _turned(up: Row, left: Row, degrees: int) -> tuple[Row, Row]:
    """Turn a movement of the picture as stored into one of the picture as shown."""
    if degrees == 90:
        return left, -up
    if degrees == 180:
        return -up, -left
    if degrees == 270:
        return -left, up
    return up, left


def _mean_per_clip(clips: npt.NDArray[np.int64], values: Row, num_clips: int) -> Row:
    """Average the known values of each clip; 0 where nothing is known anywhere."""
    known = np.isfinite(values)
    counts = np.bincount(clips[known], minlength=num_clips)
    sums = np.bincount(clips[known], values[known], minlength=num_clips)
    filled = np.flatnonzero(counts)
    if not len(filled):
        return np.zeros(num_clips, dtype=np.float32)
    means: Row = (sums[filled] / counts[filled]).astype(np.float32)
    return means[_nearest(filled, num_clips)]


def _nearest(places: npt.NDArray[np.intp], num_clips: int) -> npt.NDArray[np.intp]:
    """Return for each clip which of the ascending places is nearest, the earlier of two."""
    clips = np.arange(num_clips)
    after = np.clip(np.searchsorted(places, clips), 0, len(places) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(places[after] - clips) < np.abs(clips - places[before])
    return np.where(nearer, after, before)


def _frozen(
    pairs_seconds: npt.NDArray[np.float64],
    change: npt.NDArray[np.float32],
    num_clips: int,
    length: float,
) -> Row:
    """Return the share of each clip that lies between two frames without a difference."""
    shares = np.zeros(num_clips)
    for start, end in pairs_seconds[change <= _UNCHANGED].tolist():
        first = min(num_clips - 1, int(start / length))
        for clip in range(first, min(num_clips, int(end / length) + 1)):
            overlap = min(end, (clip + 1) * length) - max(start, clip * length)
            shares[clip] += max(0.0, overlap) / length
    frozen: Row = np.clip(shares, 0.0, 1.0).astype(np.float32)
    return frozen
