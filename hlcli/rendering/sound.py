"""The sound of a timeline, put together sample by sample.

Every stretch starts at the sample nearest to its frame and is as long as its frames; at a hard cut
it fades in and out over five milliseconds, so that no cut clicks. Where a source goes on over the
cut in its own next frame, or in the next file of its recording, nothing fades.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from hlcli.errors import OutputError
from hlcli.media.stereo import SoundTrack, Stereo
from hlcli.rendering.media import MediaFile
from hlcli.rendering.settings import AudioChoice
from hlcli.rendering.shots import Shot
from hlcli.timeline.edit_list import EditList, Event, Sound

CUT_FADE_SECONDS = Fraction(5, 1000)
"""Length of the fade on each side of a hard cut, in seconds."""
_BLOCK_SECONDS = 1
_MOST_IDLE_TRACKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPiece:
    """A stretch of one sound track of a source, at its place."""

    event: Event
    """What it belongs to."""
    sound: Sound
    """Which sound track of the source, and of the timeline."""
    start_seconds: Fraction
    """Its first instant, in seconds from the first frame of the source."""
    place: range
    """Samples of the timeline."""
    fade_in: int
    """Samples over which it comes up; 0 is at once."""
    fade_out: int
    """Samples over which it goes away; 0 is at once."""
    crosses_in: bool = False
    """Whether another stretch goes away meanwhile."""
    crosses_out: bool = False
    """Whether another stretch comes up meanwhile."""


def plan_sound(
    edit: EditList, shots: Sequence[Shot], *, sample_rate: int
) -> dict[int, list[SoundPiece]]:
    """Say which stretches play when, by sound track of the timeline, in the order of their starts.

    Sound crosses where its picture does.
    """
    leads = {
        (id(shot.event), shot.record.start): (shot.lead, before.tail)
        for before, shot in itertools.pairwise(shots)
    }
    tails = {
        (id(shot.event), shot.record.stop): (after.lead, shot.tail)
        for shot, after in itertools.pairwise(shots)
    }

    def sample(frame: int) -> int:
        return math.floor(frame * sample_rate / edit.frame_rate + Fraction(1, 2))

    tracks: dict[int, list[SoundPiece]] = {}
    by_track = sorted(
        ((sound, event) for event in edit.events for sound in event.sound),
        key=lambda pair: (pair[0].track, pair[1].record.start),
    )
    cut_fade = round(CUT_FADE_SECONDS * sample_rate)
    for index, (sound, event) in enumerate(by_track):
        lead, before_tail = leads.get((id(event), event.record.start), (0, 0))
        after_lead, tail = tails.get((id(event), event.record.stop), (0, 0))
        start, stop = event.record.start - lead, event.record.stop + tail
        place = range(sample(start), sample(stop))
        goes_on_before = index > 0 and _goes_on(by_track[index - 1], by_track[index])
        goes_on_after = index + 1 < len(by_track) and _goes_on(*by_track[index : index + 2])
        most = len(place) // 2
        fade_in = sample(event.record.start + before_tail) - place.start
        fade_out = place.stop - sample(event.record.stop - after_lead)
        piece = SoundPiece(
            event=event,
            sound=sound,
            start_seconds=event.frames.start / event.source.frame_rate - lead / edit.frame_rate,
            place=place,
            fade_in=fade_in or (0 if goes_on_before else min(cut_fade, most)),
            fade_out=fade_out or (0 if goes_on_after else min(cut_fade, most)),
            crosses_in=fade_in > 0,
            crosses_out=fade_out > 0,
        )
        tracks.setdefault(sound.track, []).append(piece)
    return tracks


def write_sound(
    tracks: dict[int, list[SoundPiece]],
    media: dict[str, MediaFile],
    folder: Path,
    *,
    num_samples: int,
    sample_rate: int,
    audio: AudioChoice,
    progress: Callable[[float, float], None],
) -> list[SoundFile]:
    """Write each sound track of the film as raw samples.

    Args:
        tracks: What `plan_sound` says.
        media: What is behind the sources.
        folder: Where to put the files.
        num_samples: Exact length of every track.
        sample_rate: Of the film, in Hz.
        audio: What becomes of several tracks.
        progress: Called with samples done and all samples.

    Raises:
        OutputError: The disk is full.
    """
    numbers = sorted(tracks)
    if not numbers:
        return []
    chosen = {"mix": [numbers], "first": [numbers[:1]], "all": [[n] for n in numbers]}[audio]
    written: list[SoundFile] = []
    for index, group in enumerate(chosen):
        pieces = sorted((p for n in group for p in tracks[n]), key=lambda piece: piece.place.start)
        path = folder / f"sound{index}.raw"
        peak, done = 0.0, 0
        try:
            with path.open("wb") as file:
                for block in _mixed(pieces, media, num_samples, sample_rate):
                    peak = max(peak, float(np.abs(block).max(initial=0.0)))
                    file.write(np.ascontiguousarray(block.T, dtype="<f4").tobytes())
                    done += block.shape[1]
                    progress(index * num_samples + done, len(chosen) * num_samples)
        except OSError as error:
            raise OutputError(
                f"cannot write the sound to {folder}: {error.strerror or error}",
                hint="free some space",
            ) from error
        written.append(SoundFile(path=path, peak=peak))
    return written


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """A sound track of the film as raw stereo, 32-bit floating point, little-endian."""

    path: Path
    """Where it lies."""
    peak: float
    """Its loudest sample; above 1 where tracks add up to more than fits."""


class _Playing:
    """One piece, read on as it is needed."""

    def __init__(self, piece: SoundPiece, track: SoundTrack) -> None:
        self.piece, self.track = piece, track
        self._blocks = track.read(piece.start_seconds, len(piece.place))
        self._rest: Stereo = np.zeros((2, 0), dtype=np.float32)
        self._done = 0

    def take(self, num_samples: int) -> Stereo:
        while self._rest.shape[1] < num_samples:
            self._rest = np.concatenate([self._rest, next(self._blocks)], axis=1)
        block, self._rest = self._rest[:, :num_samples], self._rest[:, num_samples:]
        gain = _gain(self.piece, range(self._done, self._done + num_samples))
        self._done += num_samples
        return np.asarray(block * gain, dtype=np.float32)


def _mixed(
    pieces: Sequence[SoundPiece],
    media: dict[str, MediaFile],
    num_samples: int,
    sample_rate: int,
) -> Iterator[Stereo]:
    """Yield the sum of all pieces in blocks; open are only the files that play."""
    idle: dict[tuple[str, int], list[SoundTrack]] = {}
    playing: list[_Playing] = []
    coming = iter(pieces)
    following = next(coming, None)
    try:
        for start in range(0, num_samples, _BLOCK_SECONDS * sample_rate):
            stop = min(start + _BLOCK_SECONDS * sample_rate, num_samples)
            block = np.zeros((2, stop - start), dtype=np.float32)
            going_on, playing = playing, []
            for each in going_on:
                _add(each, block, start)
                _put_away(each, stop, playing, idle)
            # One after the other: short pieces in a row need one open file, not one each.
            while following is not None and following.place.start < stop:
                file = media[following.event.source.path]
                if following.sound.stream < len(file.sound_streams) and following.place:
                    ready = idle.get((following.event.source.path, following.sound.stream))
                    track = ready.pop() if ready else _open(file, following.sound, sample_rate)
                    each = _Playing(following, track)
                    playing.append(each)
                    _add(each, block, start)
                    playing.remove(each)
                    _put_away(each, stop, playing, idle)
                following = next(coming, None)
            yield block
    finally:
        for each in playing:
            each.track.close()
        _close_some(idle, keep=0)


def _add(playing: _Playing, block: Stereo, start: int) -> None:
    place = playing.piece.place
    part = range(max(place.start, start), min(place.stop, start + block.shape[1]))
    block[:, part.start - start : part.stop - start] += playing.take(len(part))


def _put_away(
    each: _Playing,
    stop: int,
    playing: list[_Playing],
    idle: dict[tuple[str, int], list[SoundTrack]],
) -> None:
    """Keep a piece that goes on, and the file of one that is over."""
    if each.piece.place.stop > stop:
        playing.append(each)
        return
    idle.setdefault((each.piece.event.source.path, each.piece.sound.stream), []).append(each.track)
    _close_some(idle)


def _open(file: MediaFile, sound: Sound, sample_rate: int) -> SoundTrack:
    return SoundTrack(
        file.path,
        file.sound_streams[sound.stream],
        clock=file.clock,
        sample_rate=sample_rate,
    )


def _close_some(
    idle: dict[tuple[str, int], list[SoundTrack]], keep: int = _MOST_IDLE_TRACKS
) -> None:
    for key in list(idle):
        if sum(map(len, idle.values())) <= keep:
            return
        for track in idle.pop(key):
            track.close()


def _gain(piece: SoundPiece, samples: range) -> Stereo | float:
    """Return the level of some samples of a piece: straight at a cut, equal power at a crossing."""
    ends_at = len(piece.place) - piece.fade_out
    if samples.start >= piece.fade_in and samples.stop <= ends_at:
        return 1.0
    at = np.arange(samples.start, samples.stop, dtype=np.float64) + 0.5
    rising = np.clip(at / piece.fade_in, 0, 1) if piece.fade_in else np.ones_like(at)
    falling = (
        np.clip((len(piece.place) - at) / piece.fade_out, 0, 1)
        if piece.fade_out
        else np.ones_like(at)
    )
    if piece.crosses_in:
        rising = np.sin(rising * math.pi / 2)
    if piece.crosses_out:
        falling = np.sin(falling * math.pi / 2)
    return np.asarray(rising * falling, dtype=np.float32)


def _goes_on(before: tuple[Sound, Event], after: tuple[Sound, Event]) -> bool:
    (sound, event), (next_sound, next_event) = before, after
    if sound != next_sound or event.record.stop != next_event.record.start:
        return False
    source, next_source = event.source, next_event.source
    if source == next_source:
        return event.frames.stop == next_event.frames.start
    is_joint = event.frames.stop == source.num_frames and next_event.frames.start == 0
    return is_joint and source.goes_on_in(next_source)
