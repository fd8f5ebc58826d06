"""The footage of the proofs reads back as it was made, and misplaced footage does not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numbered_footage import (
    RATES,
    SAMPLE_RATE,
    Footage,
    make_footage,
    noise,
    read_numbers,
    read_sound,
    sound_lag,
    video_record,
)


@pytest.mark.parametrize("name", RATES)
def test_footage_reads_back(tmp_path: Path, name: str) -> None:
    footage = RATES[name]
    path = make_footage(tmp_path, footage)
    record = video_record(path)
    assert record.frame_rate == footage.rate
    assert record.start_timecode == footage.timecode
    assert record.is_variable_rate == footage.is_variable_rate
    assert record.num_frames == footage.num_frames
    assert read_numbers(path) == list(range(len(footage.frame_times)))
    sound = read_sound(path)[0]
    whole = range(len(noise(footage, 0)))
    assert sound_lag(sound, footage, track=0, source=whole, record_start=0) == 0


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_sound_is_placed_to_the_sample(tmp_path: Path, codec: str) -> None:
    name = "numbered.mov" if codec == "pcm_s16le" else "numbered.mp4"
    footage = Footage(name=name, sound_codec=codec, num_sounds=2, first_number=7)
    path = make_footage(tmp_path, footage)
    wave = read_sound(path, 1)[1]
    stretch = range(SAMPLE_RATE, 2 * SAMPLE_RATE)
    cut = wave[stretch.start : stretch.stop]
    for late in (0, 1, -3, 480):
        moved = np.concatenate([np.zeros(9600 + late, np.float32), cut])
        found = sound_lag(moved, footage, track=1, source=stretch, record_start=9600)
        assert found == late
    silence = np.zeros(SAMPLE_RATE, np.float32)
    assert sound_lag(silence, footage, track=1, source=stretch, record_start=0) is None
    assert sound_lag(cut, footage, track=0, source=stretch, record_start=0) is None
    assert sound_lag(cut, footage, track=1, source=range(0, 48000), record_start=0) is None


def test_left_out_frames_keep_the_others_in_their_place() -> None:
    footage = Footage(rate=Fraction(30), is_variable_rate=True, first_number=100)
    assert footage.number_of(17) == footage.number_of(16) == 116
    assert footage.number_of(18) == 117
    assert footage.number_of(0) == 100
