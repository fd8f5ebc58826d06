"""`hl render`: the frames and samples of the timeline, none other, none more."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import AudioTrack, make_video, read_frame_number
from numbered_footage import (
    RATES,
    SAMPLE_RATE,
    Footage,
    make_footage,
    noise,
    read_numbers,
    read_sound,
)
from render_factory import cuts, ffmpeg, lags, numbers_of, source_of

from hlcli.document import AudioRecord
from hlcli.media import container as container_module
from hlcli.media.probe import probe
from hlcli.rendering.film import render
from hlcli.rendering.settings import RenderSettings
from hlcli.timeline.edit_list import EditList, Event, Sound, Source

NTSC = Fraction(30000, 1001)
PIECES = ((40, 17), (3, 9), (60, 25), (5, 1), (0, 5), (86, 5))


def footage_and_cuts(folder: Path, footage: Footage) -> tuple[EditList, dict[str, Footage]]:
    source = source_of(make_footage(folder, footage))
    return cuts([(source, *piece) for piece in PIECES]), {source.path: footage}


@pytest.mark.parametrize("footage", RATES.values(), ids=RATES)
def test_exact_frames_and_samples_at_every_rate(tmp_path: Path, footage: Footage) -> None:
    edit, made = footage_and_cuts(tmp_path, footage)
    film = tmp_path / "film.mov"
    report = render(edit, film)
    assert read_numbers(film) == numbers_of(edit, made)
    assert report.num_frames == edit.num_frames
    info = probe(film)
    assert (info.frame_rate, info.num_frames) == (edit.frame_rate, edit.num_frames)
    # PCM: nothing of the codec stands between, so one sample is the rounding of the cut itself.
    wave = read_sound(film)
    assert wave.shape[1] == round(edit.num_frames / edit.frame_rate * SAMPLE_RATE)
    assert all(lag is not None and abs(lag) <= 1 for lag in lags(wave[0], edit, made))


def test_aac_and_flac_start_at_the_same_sample(tmp_path: Path) -> None:
    edit, made = footage_and_cuts(tmp_path, RATES["24000/1001"])
    whole = round(edit.num_frames / edit.frame_rate * SAMPLE_RATE)
    for name, longest in (("film.mp4", whole + 1023), ("film.mkv", whole)):
        film = tmp_path / name
        render(edit, film)
        wave = read_sound(film)
        # AAC comes in packets of 1024 samples; what pads the last one lies after the picture.
        assert whole <= wave.shape[1] <= longest
        assert all(lag is not None and abs(lag) <= 1 for lag in lags(wave[0], edit, made))
        assert read_numbers(film) == numbers_of(edit, made)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a.mkv"},
        {"name": "a.ts", "start_seconds": Fraction(7, 5)},
        {"name": "a.mp4", "start_seconds": Fraction(1, 3)},
        {"name": "a.avi", "codec": "mpeg4", "b_frames": 0},
        {"name": "a.avi", "codec": "libx264", "b_frames": 2},
        {"name": "a.mp4", "options": (("x264-params", "open-gop=1:scenecut=0"),)},
        {"name": "a.h264", "format": "h264"},
        {"name": "a.mp4", "codec": "libx265"},
        {"name": "a.mov", "codec": "mjpeg", "pix_fmt": "yuvj420p"},
        {"name": "a.mpg", "codec": "mpeg2video"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values()))[:30],
)
def test_exact_frames_from_every_container(tmp_path: Path, changes: dict[str, object]) -> None:
    path = make_video(tmp_path, num_frames=150, rate=Fraction(25), gop=30, **changes)
    source = source_of(path)
    edit = cuts([(source, 100, 20), (source, 31, 2), (source, 29, 3), (source, 145, 5)])
    film = tmp_path / "film.mp4"
    render(edit, film)
    assert read_numbers(film) == [*range(100, 120), 31, 32, 29, 30, 31, *range(145, 150)]


def test_a_file_that_starts_inside_a_group_of_pictures(tmp_path: Path) -> None:
    whole = make_video(tmp_path, name="whole.mp4", num_frames=120, rate=Fraction(25), gop=40)
    # Copied from a time between keyframes: an edit list hides the frames before it.
    ffmpeg("-ss", "1.0", "-i", whole, "-c", "copy", tmp_path / "part.mp4")
    source = source_of(tmp_path / "part.mp4")
    edit = cuts([(source, 10, 4), (source, 0, 3)])
    film = tmp_path / "film.mp4"
    render(edit, film)
    assert read_numbers(film) == [35, 36, 37, 38, 25, 26, 27]


@pytest.mark.parametrize("sound", ["aac", "flac", "libmp3lame", "libopus"])
def test_sound_of_codecs_whose_packets_lean_on_one_another(tmp_path: Path, sound: str) -> None:
    footage = Footage(name="a.mkv", rate=Fraction(25), sound_codec=sound, seconds=Fraction(4))
    source = source_of(make_footage(tmp_path, footage))
    edit = cuts([(source, 61, 20), (source, 2, 20)])
    film = tmp_path / "film.mov"
    render(edit, film)
    # Matroska itself says where sound lies to a millisecond, 48 samples, no better.
    found = lags(read_sound(film)[0], edit, {source.path: footage})
    assert all(lag is not None and abs(lag) <= 48 for lag in found), found
    assert len(set(found)) == 1


def test_five_hundred_cuts_open_no_more_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage = RATES["30000/1001 DF"]
    source = source_of(make_footage(tmp_path, footage))
    edit = cuts([(source, (37 * index) % 110, 1 + index % 3) for index in range(500)])
    most, descriptors = 0, Path("/proc/self/fd")
    real_open = av.open

    def counting_open(*arguments: Any, **options: Any) -> Any:
        nonlocal most
        made = real_open(*arguments, **options)
        if descriptors.is_dir():
            most = max(most, sum(_leads_to(each, source.path) for each in descriptors.iterdir()))
        return made

    monkeypatch.setattr(container_module.av, "open", counting_open)
    film = tmp_path / "film.mov"
    render(edit, film)
    monkeypatch.undo()
    # Two readers of pictures in turn, or one of sound.
    assert most <= 3
    assert read_numbers(film) == numbers_of(edit, {source.path: footage})
    assert read_sound(film).shape[1] == round(edit.num_frames / NTSC * SAMPLE_RATE)


def _leads_to(link: Path, path: str) -> bool:
    try:
        return str(link.readlink()) == path
    except OSError:
        return False  # Closed meanwhile.


def test_sources_of_other_rates_and_sizes(tmp_path: Path) -> None:
    kinds = [
        Footage(name="a.mov", rate=NTSC),
        Footage(name="b.mov", rate=Fraction(60000, 1001), first_number=300, width=320, height=180),
        Footage(name="c.mov", rate=Fraction(25), first_number=600, width=96, height=160),
        Footage(name="d.mov", rate=Fraction(24000, 1001), first_number=800, width=128, height=96),
    ]
    made = {str(make_footage(tmp_path, each)): each for each in kinds}
    sources = [source_of(Path(path)) for path in made]
    edit = cuts([(source, 11 + 3 * n, 24 + n) for n, source in enumerate(sources)], rate=NTSC)
    film = tmp_path / "film.mov"
    render(edit, film)
    info = probe(film)
    assert (info.width, info.height, info.num_frames) == (160, 96, edit.num_frames)
    wanted = numbers_of(edit, made)
    with av.open(str(film)) as container:
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    shown = []
    for event in edit.events:
        width, height = event.source.width, event.source.height
        scale = min(160 / width, 96 / height)
        wide, high = round(width * scale / 2) * 2, round(height * scale / 2) * 2
        left, top = (160 - wide) // 2, (96 - high) // 2
        for image in images[event.record.start : event.record.stop]:
            # The bars beside it are black, the picture keeps its shape.
            assert wide == 160 or image[:, : left - 2].max() < 24
            assert high == 96 or image[: top - 2].max() < 24
            shown.append(read_frame_number(image[top : top + high, left : left + wide]))
    assert shown == wanted
    assert all(abs(lag or 0) <= 1 for lag in lags(read_sound(film)[0], edit, made))


def test_gaps_are_black_and_silent_and_upper_tracks_cover(tmp_path: Path) -> None:
    low, high = Footage(name="a.mov"), Footage(name="b.mov", first_number=500)
    made = {str(make_footage(tmp_path, each)): each for each in (low, high)}
    a, b = (source_of(Path(path)) for path in made)
    below = Event(source=a, frames=range(30), record=range(5, 35), sound=(Sound(0, 0),))
    above = Event(source=b, frames=range(7, 17), record=range(12, 22), video_track=1)
    late = Event(source=b, frames=range(5), record=range(40, 45), sound=(Sound(0, 0),))
    edit = EditList(
        name="reel", frame_rate=a.frame_rate, events=(below, above, late), width=160, height=96
    )
    film = tmp_path / "film.mov"
    render(edit, film)
    assert read_numbers(film) == numbers_of(edit, made)
    wave = read_sound(film)
    step = SAMPLE_RATE // 25
    assert np.abs(wave[:, : 5 * step]).max() == np.abs(wave[:, 35 * step : 40 * step]).max() == 0
    assert wave.shape[1] == 45 * step


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_and_pixel_shape(tmp_path: Path, rotation: int) -> None:
    path = make_video(
        tmp_path, num_frames=3, rotation_degrees=rotation, sample_aspect_ratio=Fraction(2)
    )
    source = source_of(path)
    film = tmp_path / "film.mp4"
    render(cuts([(source, 0, 3)]), film)
    with av.open(str(film)) as container, av.open(str(path)) as original:
        shown = next(container.decode(video=0))
        image = next(original.decode(video=0)).to_ndarray(format="rgb24")
        upright = np.rot90(np.repeat(image, 2, axis=1), -rotation // 90)
        assert (shown.width, shown.height) == upright.shape[1::-1]
        assert shown.rotation == 0
        difference = np.abs(shown.to_ndarray(format="rgb24").astype(int) - upright)
    assert np.median(difference) <= 3


def test_no_click_at_cuts_and_no_fade_where_a_source_goes_on(tmp_path: Path) -> None:
    tone = np.full((2, SAMPLE_RATE * 4), 0.5, dtype=np.float32)
    path = make_video(
        tmp_path,
        name="a.mov",
        rate=Fraction(25),
        num_frames=100,
        audio=(AudioTrack(tone, codec="pcm_s16le"),),
    )
    source = source_of(path)
    film = tmp_path / "film.mov"
    render(cuts([(source, 10, 10), (source, 20, 10), (source, 50, 10)]), film)
    wave = read_sound(film)[0]
    step = SAMPLE_RATE // 25
    # 5 ms at each side of the real cut and at both ends; a step of 1/240 of the level at most.
    assert np.abs(np.diff(wave)).max() <= 0.5 / 240 + 1e-4
    assert wave[19 * step // 2 : 21 * step // 2].min() > 0.49
    assert wave[20 * step - 1] < 0.01
    assert wave[20 * step] < 0.01
    assert wave[20 * step - 240] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("timecode", "fades"), [("10:00:04:00", False), ("10:00:09:00", True)])
def test_a_recording_plays_through_where_a_camera_split_it(
    tmp_path: Path, timecode: str, fades: bool
) -> None:
    at = np.arange(SAMPLE_RATE * 8) / SAMPLE_RATE
    tone = np.tile(0.5 * np.cos(2 * np.pi * 441 * at), (2, 1)).astype(np.float32)
    half = SAMPLE_RATE * 4
    first, second = (
        source_of(
            make_video(
                tmp_path,
                name=f"GX0{number + 1}0042.MOV",
                rate=Fraction(25),
                num_frames=100,
                first_number=100 * number,
                timecode=start,
                audio=(
                    AudioTrack(tone[:, half * number : half * (number + 1)], codec="pcm_s16le"),
                ),
            )
        )
        for number, start in enumerate(("10:00:00:00", timecode))
    )
    film = tmp_path / "film.mov"
    render(cuts([(first, 80, 20), (second, 0, 20), (second, 60, 10)]), film)
    assert read_numbers(film) == [*range(80, 120), *range(160, 170)]
    step = SAMPLE_RATE // 25
    difference = np.abs(read_sound(film)[0][: 40 * step] - tone[0, 80 * step : 120 * step])
    near = difference[20 * step - 480 : 20 * step + 480]
    assert (near.max() > 0.2) == fades
    assert difference[480 : 20 * step - 480].max() < 1e-3
    assert difference[20 * step + 480 : -480].max() < 1e-3


def test_several_sound_tracks_mixed_kept_or_first(tmp_path: Path) -> None:
    footage = Footage(num_sounds=3)
    source = source_of(make_footage(tmp_path, footage))
    edit, made = cuts([(source, 10, 40)]), {source.path: footage}
    film = tmp_path / "film.mov"
    render(edit, film)
    mixed = read_sound(film)[0]
    part = slice(10 * 1920 + 480, 50 * 1920 - 480)
    added = sum(noise(footage, track)[part] for track in range(3))
    level = max(1.0, float(np.abs(sum(noise(footage, n)[19200:96000] for n in range(3))).max()))
    assert np.abs(mixed[480:-480] - added / level).max() < 0.02
    render(edit, film, RenderSettings(audio="all"))
    assert len(probe(film).audio_streams) == 3
    for track in range(3):
        assert lags(read_sound(film, track)[0], edit, made, track) == [0]
    report = render(edit, film, RenderSettings(audio="first"))
    assert len(probe(film).audio_streams) == 1
    assert np.abs(read_sound(film)[0][480:-480] - noise(footage, 0)[part]).max() < 0.001
    assert "1 of 3 sound tracks was rendered" in report.remarks


def test_mono_plays_on_both_sides_and_silent_sources_are_silent(tmp_path: Path) -> None:
    mono = Footage(name="mono.mov", channels=1)
    made = {str(make_footage(tmp_path, mono)): mono}
    (path,) = made
    silent = make_video(tmp_path, name="silent.mov", rate=Fraction(25), num_frames=50)
    edit = cuts([(source_of(silent), 0, 20), (source_of(Path(path)), 30, 20)])
    film = tmp_path / "film.mov"
    render(edit, film)
    wave = read_sound(film)
    assert (wave[0] == wave[1]).all()
    assert np.abs(wave[0][: 20 * 1920]).max() == 0
    wanted = noise(mono, 0)[30 * 1920 + 480 : 50 * 1920 - 480]
    assert np.abs(wave[0][20 * 1920 + 480 : 40 * 1920 - 480] - wanted).max() < 0.001


def test_a_timeline_without_any_sound_has_no_sound_track(tmp_path: Path) -> None:
    source = source_of(make_video(tmp_path, num_frames=10))
    film = tmp_path / "film.mp4"
    render(cuts([(source, 2, 5)]), film)
    assert not probe(film).has_audio


def test_music_under_a_picture(tmp_path: Path) -> None:
    music = Footage(first_number=700)
    video = make_footage(tmp_path, Footage())
    ffmpeg("-i", make_footage(tmp_path, music, name="m.mov"), "-vn", tmp_path / "music.wav")
    below = cuts([(source_of(video), 10, 30)]).events[0]
    record = AudioRecord(channels=2, sample_rate=SAMPLE_RATE)
    # As a reader gives it: frames at the timeline's rate.
    file = Source(
        path=str(tmp_path / "music.wav"), frame_rate=Fraction(25), num_frames=100, audio=(record,)
    )
    above = Event(
        source=file,
        frames=range(25, 45),
        record=range(5, 25),
        video_track=None,
        sound=(Sound(0, 1),),
    )
    edit = EditList(
        name="reel", frame_rate=Fraction(25), events=(below, above), width=160, height=96
    )
    film = tmp_path / "film.mov"
    render(edit, film, RenderSettings(audio="all"))
    assert read_numbers(film) == list(range(10, 40))
    second = read_sound(film, 1)[0]
    wanted = noise(music, 0)[25 * 1920 + 240 : 45 * 1920 - 240]
    assert np.abs(second[5 * 1920 + 240 : 25 * 1920 - 240] - wanted).max() < 0.001
    assert np.abs(second[: 5 * 1920]).max() == np.abs(second[25 * 1920 :]).max() == 0


@pytest.mark.shared
def test_torture_clips(tmp_path: Path, shared_dir: Path) -> None:
    rendered = 0
    for path in sorted((shared_dir / "data/media/torture").iterdir()):
        if path.suffix not in (".mp4", ".mov", ".mkv", ".ts"):
            continue
        source = source_of(path)
        edit = cuts([(source, source.num_frames - 7, 7), (source, 3, 5)])
        film = tmp_path / f"{rendered}.mov"
        render(edit, film, RenderSettings(size=(320, 180)))
        info = probe(film)
        assert (info.num_frames, info.frame_rate) == (12, source.frame_rate), path
        assert info.has_audio == bool(source.audio), path
        rendered += 1
    assert rendered >= 12
