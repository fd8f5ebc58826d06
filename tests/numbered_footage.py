"""Footage in which every frame and every moment of the sound can be told from every other.

Each picture carries its number (`media_factory`), each sound track noise of its own, so that a
test can read from any rendered file, by whatever engine, which frames it shows and which samples
it plays. Gaps are black and silent, and read back as None and as "no such sound".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from media_factory import AudioTrack, Recipe, Sound, is_upright, make_video, read_frame_number

from hlcli.document import VideoRecord
from hlcli.media.probe import probe

SAMPLE_RATE = 48000
"""Of every sound track, in Hz: what editors and engines work at."""
SEARCHED_SAMPLES = 4800
"""How far from its place sound is looked for, a tenth of a second to either side."""


@dataclass(frozen=True, kw_only=True)
class Footage:
    """One numbered video."""

    name: str = "numbered.mov"
    """File name; its ending chooses the container."""
    rate: Fraction = Fraction(25)
    seconds: Fraction = Fraction(4)
    """Length, rounded up to a whole frame."""
    timecode: str | None = None
    """Start timecode; ";" before the frames is drop-frame."""
    first_number: int = 0
    """Number on the first frame."""
    width: int = 160
    height: int = 96
    num_sounds: int = 1
    """Sound tracks, each with noise of its own."""
    channels: int = 2
    sound_codec: str = "pcm_s16le"
    """PCM, stored frame by frame, or "aac", in packets of 1024 samples that no cut falls on."""
    is_variable_rate: bool = False
    """Leave out one frame of seven in each second half; the others keep their own time."""

    @property
    def num_frames(self) -> int:
        """Frames at the constant rate, the left out ones counted."""
        return -int(-self.seconds * self.rate // 1)

    @property
    def frame_times(self) -> tuple[Fraction, ...]:
        """Start of each frame that is there, in seconds."""
        times = [index / self.rate for index in range(self.num_frames)]
        if not self.is_variable_rate:
            return tuple(times)
        # The last one stays: it holds the length of the file.
        return tuple(
            at
            for index, at in enumerate(times)
            if index % 7 != 3 or at % 1 < Fraction(1, 2) or index == self.num_frames - 1
        )

    def number_at(self, seconds: Fraction) -> int:
        """Return the number on the frame that is shown at an instant of the file."""
        shown = [index for index, at in enumerate(self.frame_times) if at <= seconds]
        return self.first_number + shown[-1]

    def number_of(self, frame: int) -> int:
        """Return the number shown at the start of a frame of the constant rate."""
        return self.number_at(frame / self.rate)


RATES: dict[str, Footage] = {
    "24000/1001": Footage(rate=Fraction(24000, 1001), timecode="01:00:00:00"),
    "24": Footage(rate=Fraction(24)),
    "25": Footage(rate=Fraction(25), timecode="10:20:30:05"),
    "30000/1001 DF": Footage(rate=Fraction(30000, 1001), timecode="00:59:58;10"),
    "30000/1001 NDF": Footage(rate=Fraction(30000, 1001), timecode="00:59:58:10"),
    "30": Footage(rate=Fraction(30)),
    "30 DF": Footage(rate=Fraction(30), timecode="16:37:10;02"),
    "50": Footage(rate=Fraction(50), timecode="00:00:10:00"),
    "60000/1001 DF": Footage(rate=Fraction(60000, 1001), timecode="00:59:58;20"),
    "60": Footage(rate=Fraction(60)),
    "variable 30": Footage(rate=Fraction(30), is_variable_rate=True, name="variable.mov"),
}
"""Every rate of the proof, by the words of its table."""


def make_footage(folder: Path, footage: Footage, **changes: object) -> Path:
    """Write numbered footage into `folder` and return its path.

    Args:
        folder: Where to put it.
        footage: What to make.
        changes: Fields of it to change.
    """
    footage = replace(footage, **changes)  # type: ignore[arg-type]
    num_samples = round(footage.num_frames / footage.rate * SAMPLE_RATE)
    return make_video(
        folder,
        Recipe(
            name=footage.name,
            rate=footage.rate,
            num_frames=footage.num_frames,
            first_number=footage.first_number,
            width=footage.width,
            height=footage.height,
            frame_times=footage.frame_times if footage.is_variable_rate else None,
            audio=tuple(
                AudioTrack(
                    wave=np.tile(noise(footage, track)[:num_samples], (footage.channels, 1)),
                    sample_rate=SAMPLE_RATE,
                    codec=footage.sound_codec,
                    interleaved_samples=1 if footage.sound_codec.startswith("pcm") else 1024,
                )
                for track in range(footage.num_sounds)
            ),
            timecode=footage.timecode,
        ),
    )


def video_record(path: Path) -> VideoRecord:
    """Return what a scores document says of a file, as `hl score` finds it."""
    return VideoRecord.from_media(probe(path), "a" * 64)


def noise(footage: Footage, track: int) -> npt.NDArray[np.float32]:
    """Return the sound of a track as made, mono, from the first frame on."""
    length = round(footage.num_frames / footage.rate * SAMPLE_RATE)
    return _noise(1000 * footage.first_number + track, length)


@cache
def _noise(seed: int, num_samples: int) -> npt.NDArray[np.float32]:
    """Return noise below 6 kHz, which lossy codecs and resamplers keep."""
    white = np.random.default_rng(seed).standard_normal(num_samples)
    spectrum = np.fft.rfft(white)
    spectrum[np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE) > 6000] = 0
    wave = np.fft.irfft(spectrum, num_samples)
    return np.asarray(0.2 * wave / wave.std(), dtype=np.float32).clip(-1, 1)


def read_numbers(path: Path) -> list[int | None]:
    """Return the number on every frame of a rendered file; None for a black one, a gap."""
    numbers: list[int | None] = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            numbers.append(read_frame_number(image) if is_upright(image) else None)
    return numbers


def read_sound(path: Path, stream: int = 0) -> Sound:
    """Return a sound track of a rendered file, `(channels, N)`, from its first picture on."""
    blocks: list[Sound] = []
    with av.open(str(path)) as container:
        track = container.streams.audio[stream]
        picture = container.streams.video[0]
        resampler = av.AudioResampler(format="fltp", rate=SAMPLE_RATE)
        first: Fraction | None = None
        for frame in container.decode(track):
            if first is None:
                first = frame.pts * frame.time_base
            blocks += [block.to_ndarray() for block in resampler.resample(frame)]
        blocks += [block.to_ndarray() for block in resampler.resample(None)]
        video_start = (picture.start_time or 0) * picture.time_base
    wave = np.concatenate(blocks, axis=1)
    ahead = round(((first or Fraction(0)) - video_start) * SAMPLE_RATE)
    if ahead < 0:
        return wave[:, -ahead:]
    return np.pad(wave, ((0, 0), (ahead, 0)))


def sound_lag(
    rendered_N: npt.NDArray[np.float32],
    footage: Footage,
    *,
    track: int,
    source: range,
    record_start: int,
) -> int | None:
    """Return how many samples late a stretch of a source plays; negative is early.

    Args:
        rendered_N: One channel of the rendered sound, at `SAMPLE_RATE`.
        footage: Where the stretch comes from.
        track: Its sound track.
        source: The samples of it that should play.
        record_start: The sample of the rendered sound at which they should start.

    Returns:
        Samples at `SAMPLE_RATE`, to one sample; None when the stretch is not found within
        `SEARCHED_SAMPLES` of its place.
    """
    # The ends are left out: fades and the neighbours' sound are not what is measured.
    margin = min(SEARCHED_SAMPLES // 2, len(source) // 4)
    wanted = noise(footage, track)[source.start + margin : source.stop - margin]
    start = record_start + margin - SEARCHED_SAMPLES
    window = rendered_N[max(0, start) : start + len(wanted) + 2 * SEARCHED_SAMPLES]
    window = np.pad(window, (max(0, -start), 0))
    window = np.pad(window, (0, len(wanted) + 2 * SEARCHED_SAMPLES - len(window)))
    size = 1 << (len(window) + len(wanted)).bit_length()
    product = np.fft.rfft(window, size) * np.conj(np.fft.rfft(wanted, size))
    match = np.fft.irfft(product, size)[: 2 * SEARCHED_SAMPLES + 1]
    best = int(match.argmax())
    heard = window[best : best + len(wanted)]
    norm = float(np.linalg.norm(heard) * np.linalg.norm(wanted))
    # Four tracks that play at once leave each a half; what is not there stays under a tenth.
    if norm == 0 or match[best] / norm < 0.25:
        return None
    return best - SEARCHED_SAMPLES


def samples(frames: range, rate: Fraction) -> range:
    """Return the samples during frames of a rate."""
    return range(*(round(edge / rate * SAMPLE_RATE) for edge in (frames.start, frames.stop)))
