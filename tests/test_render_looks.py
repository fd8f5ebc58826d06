"""`hl render`: crossfades, vertical crops, colours, encoders."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import AudioTrack, Image, make_video, read_frame_number
from numbered_footage import SAMPLE_RATE, Footage, make_footage, read_numbers, read_sound
from render_factory import cuts, ffmpeg, source_of

from hlcli.errors import UsageError
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.probe import probe
from hlcli.media.still import read_stills
from hlcli.rendering import encoders
from hlcli.rendering.action import FASTEST_WIDTHS_PER_SECOND, Seen, follow
from hlcli.rendering.faces import Face, find_faces
from hlcli.rendering.film import render
from hlcli.rendering.settings import RenderSettings
from hlcli.rendering.shots import add_crossfades, plan_shots
from hlcli.timeline.edit_list import EditList, Event


def pictures(film: Path) -> list[Image]:
    with av.open(str(film)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def two_levels(folder: Path) -> EditList:
    """Return a cut from a dark, quiet source to a bright, loud one; 25 frames a second."""
    sources = []
    for name, level, loud in (("dark.mov", 40, 0.2), ("light.mov", 200, 0.6)):

        def paint(index: int, image: Image, level: int = level) -> None:
            image[:] = level

        wave = np.full((2, SAMPLE_RATE * 4), loud, dtype=np.float32)
        path = make_video(
            folder,
            name=name,
            rate=Fraction(25),
            num_frames=100,
            paint=paint,
            counter=False,
            audio=(AudioTrack(wave, codec="pcm_s16le"),),
        )
        sources.append(source_of(path))
    return cuts([(sources[0], 20, 30), (sources[1], 50, 30)])


def test_a_crossfade_blends_picture_and_sound_around_the_cut(tmp_path: Path) -> None:
    edit = two_levels(tmp_path)
    film = tmp_path / "film.mov"
    report = render(edit, film, RenderSettings(crossfade_seconds=Fraction(2, 5)))
    images = pictures(film)
    assert report.remarks == []
    assert len(images) == 60
    levels = [float(image[48:60, 60:120].mean()) for image in images]
    # Ten frames, five on each side of the cut at 30: frame k of them is k/11 of the second.
    wanted = [40.0] * 25 + [40 + 160 * k / 11 for k in range(1, 11)] + [200.0] * 25
    assert np.abs(np.array(levels) - wanted).max() < 3
    wave = read_sound(film)[0]
    step = SAMPLE_RATE // 25
    assert len(wave) == 60 * step
    assert wave[240 : 25 * step] == pytest.approx(0.2, abs=0.001)
    assert wave[35 * step : -240] == pytest.approx(0.6, abs=0.001)
    # Equal power: in the middle both are at the root of a half.
    assert wave[30 * step] == pytest.approx(0.8 * 0.5**0.5, abs=0.002)
    assert np.abs(np.diff(wave[240:-240])).max() < 0.001


def test_crossfades_within_one_source_show_its_handles(tmp_path: Path) -> None:
    footage = Footage()
    source = source_of(make_footage(tmp_path, footage))
    edit = cuts([(source, 10, 20), (source, 60, 20)])
    shots, remarks = add_crossfades(plan_shots(edit), edit, Fraction(8, 25))
    assert [(shot.shown.start, shot.shown.stop) for shot in shots] == [(0, 24), (16, 40)]
    assert remarks == []
    film = tmp_path / "film.mov"
    render(edit, film, RenderSettings(crossfade_seconds=Fraction(8, 25)))
    numbers = read_numbers(film)
    assert len(numbers) == 40
    assert numbers[:16] == list(range(10, 26))
    assert numbers[24:] == list(range(64, 80))


@pytest.mark.parametrize(
    ("pieces", "wanted", "words"),
    [
        # No footage before the second: the whole crossfade lies after the cut.
        ([(10, 20), (0, 20)], [(0, 30), (20, 40)], []),
        # None after the first: before it.
        ([(80, 20), (50, 20)], [(0, 20), (10, 40)], []),
        # Neither.
        (
            [(80, 20), (0, 20)],
            [(0, 20), (20, 40)],
            ["left out instead of 10: the sources have no more footage there"],
        ),
        ([(97, 3), (4, 4)], [(0, 3), (2, 7)], ["of 1 frames instead of 10: the sources have no"]),
        ([(40, 6), (60, 6)], [(0, 9), (3, 12)], ["of 6 frames instead of 10: the shots are too"]),
    ],
)
def test_crossfades_without_handles_shift_or_shrink_and_say_so(
    pieces: list[tuple[int, int]],
    wanted: list[tuple[int, int]],
    words: list[str],
    tmp_path: Path,
) -> None:
    source = source_of(make_video(tmp_path, rate=Fraction(25), num_frames=100))
    edit = cuts([(source, *piece) for piece in pieces])
    shots, remarks = add_crossfades(plan_shots(edit), edit, Fraction(10, 25))
    assert [(shot.shown.start, shot.shown.stop) for shot in shots] == wanted
    assert len(remarks) == len(words)
    assert all(word in remark for word, remark in zip(words, remarks, strict=True))


def test_a_chain_of_crossfades_keeps_every_length(tmp_path: Path) -> None:
    source = source_of(make_video(tmp_path, rate=Fraction(25), num_frames=100))
    edit = cuts([(source, 10 + 7 * n, 3 + n % 3) for n in range(9)], gap=0)
    film = tmp_path / "film.mp4"
    render(edit, film, RenderSettings(crossfade_seconds=Fraction(1, 5)))
    assert len(pictures(film)) == edit.num_frames


def walking(index: int, image: Image) -> None:
    """Paint a square that walks from left to right and back over 240 pixels in 80 frames."""
    place = 20 + 2 * (index if index < 80 else 160 - index)
    image[60:84, place : place + 24] = (240, 240, 240)


def test_the_vertical_crop_follows_the_action(tmp_path: Path) -> None:
    path = make_video(
        tmp_path, rate=Fraction(25), num_frames=160, width=256, height=144,
        paint=walking, counter=False,
    )  # fmt: skip
    edit = cuts([(source_of(path), 0, 160)])
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    for film in (first, second):
        render(edit, film, RenderSettings(vertical=True))
    images = pictures(first)
    assert images[0].shape == (144, 80, 3)
    assert first.read_bytes() == second.read_bytes()
    inside = 0
    for image in images:
        columns = np.flatnonzero((image[64:80] > 200).all(axis=(0, 2)))
        inside += len(columns) >= 22 and columns[0] > 0 and columns[-1] < 79
    # At its turning point the square is ahead of the smoothed path.
    assert inside >= 150


def moving_at(centres: np.ndarray, weights: np.ndarray, **seen: Any) -> Seen:
    """Return what is seen where one column of each picture changes."""
    change_NW = np.zeros((len(centres), 100))
    change_NW[np.arange(len(centres)), (np.asarray(centres) * 100).astype(int)] = weights
    return Seen(change_NW, **seen)


def test_the_crop_never_moves_faster_than_it_may() -> None:
    jumps = np.repeat([0.1, 0.9, 0.1, 0.9], 80)
    path = follow(moving_at(jumps, np.ones(320)), part=0.3, pictures_per_second=25.0)
    assert np.abs(np.diff(path)).max() <= FASTEST_WIDTHS_PER_SECOND / 25 + 1e-9
    assert path.max() > 0.7
    assert path.min() < 0.3


def test_the_crop_rests_where_nothing_moves() -> None:
    still = moving_at(np.full(50, 0.5), np.zeros(50))
    assert follow(still, part=0.3, pictures_per_second=25.0) == pytest.approx(np.full(50, 0.5))
    still_then_left = np.concatenate([np.full(100, 0.5), np.full(50, 0.2)])
    weights = np.concatenate([np.zeros(100), np.full(50, 9.0)])
    path = follow(moving_at(still_then_left, weights), part=0.3, pictures_per_second=25.0)
    # What moves is well inside, and the crop does not move at all.
    assert np.ptp(path) < 1e-9
    assert np.abs(path - 0.2).max() < 0.3 / 2 * 0.7


def test_small_movements_inside_the_crop_do_not_move_it() -> None:
    sway = 0.5 + 0.05 * np.sin(np.arange(200) / 10)
    path = follow(moving_at(sway, np.ones(200)), part=0.3, pictures_per_second=25.0)
    assert np.ptp(path) < 1e-9


def test_faces_come_before_what_moves_and_heads_are_whole() -> None:
    face = Face(left=0.7, top=0.2, right=0.8, bottom=0.4, score=0.99)
    faces = {number: [face] for number in range(9, 100, 19)}
    seen = moving_at(np.full(100, 0.1), np.ones(100), faces=faces)
    path = follow(seen, part=0.3, pictures_per_second=25.0)
    head = (0.7 - 0.035, 0.8 + 0.035)
    assert (path - 0.15 <= head[0]).all()
    assert (path + 0.15 >= head[1]).all()


def test_two_heads_that_fit_are_both_inside_and_of_two_that_do_not_one_is_whole() -> None:
    def path_of(*lefts: float) -> float:
        found = [Face(left, 0.2, left + 0.08, 0.4, 0.99) for left in lefts]
        seen = moving_at(np.full(50, 0.5), np.zeros(50), faces={10: found, 30: found})
        return float(follow(seen, part=0.3, pictures_per_second=25.0)[25])

    assert 0.5 - 0.15 <= 0.4 < 0.58 + 0.08 <= path_of(0.4, 0.58) + 0.16
    far = path_of(0.3, 0.62)
    shown = [min(far + 0.15, left + 0.08) - max(far - 0.15, left) for left in (0.3, 0.62)]
    assert max(shown) == pytest.approx(0.08)
    assert min(shown) < 0.005 or min(shown) == pytest.approx(0.08)


def test_the_crop_jumps_where_the_source_cuts_and_only_there() -> None:
    places = np.repeat([0.2, 0.8], 50)
    seen = moving_at(places, np.ones(100), cuts=(50,))
    path = follow(seen, part=0.3, pictures_per_second=25.0)
    assert np.ptp(path[:50]) < 1e-9
    assert np.ptp(path[50:]) < 1e-9
    assert path[50] - path[49] > 0.4


def test_black_bars_of_the_source_are_cropped_away(tmp_path: Path) -> None:
    path, film = tmp_path / "bars.mp4", tmp_path / "film.mp4"
    square = "geq=lum='if(between(X-mod(N,3),200,223)*between(Y,36,59),235,126)':cb=128:cr=128"
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=gray:size=256x96:rate=25", "-frames:v", 25,
        "-vf", f"{square},pad=256:144:0:24:black", "-pix_fmt", "yuv420p", path,
    )  # fmt: skip
    render(cuts([(source_of(path), 0, 25)]), film, RenderSettings(vertical=True))
    for image in pictures(film):
        assert image.shape == (144, 80, 3)
        assert image.min() > 90  # no black left at any edge
        assert (image > 220).all(axis=2).sum() > 1.3 * 24 * 24  # the square is there, and larger


def test_a_dark_edge_that_is_no_bar_is_kept(tmp_path: Path) -> None:
    path, film = tmp_path / "night.mp4", tmp_path / "film.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=black:size=256x144:rate=25", "-frames:v", 10,
        "-vf", "geq=lum='16+Y/3':cb=128:cr=128", "-pix_fmt", "yuv420p", path,
    )  # fmt: skip
    render(cuts([(source_of(path), 0, 10)]), film, RenderSettings(vertical=True))
    assert pictures(film)[5][0].max() < 12


@pytest.mark.shared
def test_faces_are_found_where_they_are_and_not_where_none_is(shared_dir: Path) -> None:
    clips = shared_dir / "data/clips"
    for name, second, wanted in (
        ("moviepy__audrey_5642b3.mp4", 3, (0.43, 0.40, 0.65, 0.95)),
        ("ucf101_subset_luke__v_ApplyLipstick_g19_c02_a57598.mp4", 1, (0.30, 0.10, 0.72, 0.90)),
        ("foleycrafter__1_b4b154.mp4", 1, None),
    ):
        info = probe(clips / name)
        [still] = read_stills(info, [int(second * info.frame_rate)], height=216)
        found = find_faces(still.rgb_HWC)
        if wanted is None:
            assert found == []
        else:
            assert found[0][:4] == pytest.approx(wanted, abs=0.08)


def test_no_face_in_a_picture_of_noise_or_in_none_at_all() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    assert find_faces(noise) == []
    assert find_faces(np.zeros((90, 160, 3), dtype=np.uint8)) == []
    assert find_faces(np.zeros((4, 4, 3), dtype=np.uint8)) == []


def test_size_scales_up_and_fits_in(tmp_path: Path) -> None:
    source = source_of(make_video(tmp_path, num_frames=4))
    film = tmp_path / "film.mp4"
    render(cuts([(source, 0, 4)]), film, RenderSettings(size=(320, 320)))
    image = pictures(film)[3]
    assert image.shape == (320, 320, 3)
    assert read_frame_number(image[64:256]) == 3
    assert max(image[:62].max(), image[258:].max()) < 24


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
def test_colours_and_their_labels_are_kept(tmp_path: Path, matrix: str) -> None:
    path = tmp_path / "source.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=0xC83C1E:size=160x96:rate=25", "-frames:v", 5,
        # Labels belong to the frames: newer programs pass over those given to the encoder.
        "-vf", f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p10le,"
        f"setparams=range=tv:colorspace={matrix}:color_primaries=bt2020:color_trc=smpte2084",
        "-c:v", "ffv1", path,
    )  # fmt: skip
    film = tmp_path / "film.mp4"
    report = render(cuts([(source_of(path), 0, 5)]), film)
    assert any("no tone mapping" in remark for remark in report.remarks)
    with av.open(str(path)) as before, av.open(str(film)) as after:
        old, new = next(before.decode(video=0)), next(after.decode(video=0))
        assert new.format.name == "yuv420p"
        assert (new.colorspace, new.color_primaries, new.color_trc) == (
            old.colorspace, old.color_primaries, old.color_trc,
        )  # fmt: skip
        assert new.color_range == 1
        wide = old.to_ndarray().astype(float)
        means = [wide[:96].mean() / 4, wide[96:120].mean() / 4, wide[120:].mean() / 4]
        narrow = new.to_ndarray().astype(float)
        assert [narrow[:96].mean(), narrow[96:120].mean(), narrow[120:].mean()] == pytest.approx(
            means, abs=1.5
        )


def test_sources_of_different_matrices_look_the_same(tmp_path: Path) -> None:
    sources = []
    for number, (matrix, full) in enumerate((("bt709", "tv"), ("smpte170m", "pc"))):
        path = tmp_path / f"{number}.mkv"
        ffmpeg(
            "-f", "lavfi", "-i", "color=c=0xC83C1E:size=160x96:rate=25", "-frames:v", 5,
            "-vf", f"scale=out_color_matrix={matrix}:out_range={full},format=yuv420p",
            "-c:v", "ffv1", "-colorspace", matrix, "-color_range", full, path,
        )  # fmt: skip
        sources.append(source_of(path))
    film = tmp_path / "film.mp4"
    render(cuts([(source, 0, 5) for source in sources]), film)
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray().astype(float) for frame in container.decode(video=0)]
    first, second = frames[2], frames[7]
    assert np.abs(first - second).max() <= 3


def test_encoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(make_video(tmp_path, num_frames=6))
    edit, film = cuts([(source, 0, 6)]), tmp_path / "film.mp4"
    assert render(edit, film, RenderSettings(encoder="libx265", quality=30)).encoder == "libx265"
    assert probe(film).video_codec == "hevc"
    with pytest.raises(UsageError, match=r"h264_nothing does not work in .*ffmpeg"):
        render(edit, film, RenderSettings(encoder="h264_nothing"))
    # A machine without any: the word says so, and the film is there.
    monkeypatch.setattr(encoders, "HARDWARE", ("h264_nothing",))
    report = render(edit, film, RenderSettings(encoder="hardware"))
    assert report.remarks == ["no hardware encoder works here, libx264 was used"]
    monkeypatch.setattr(encoders, "SOFTWARE", ())
    with pytest.raises(UsageError, match=r"has no H\.264 encoder that works"):
        encoders.choose_encoder(find_ffmpeg(), "auto", None)


def test_sound_alone_under_black(tmp_path: Path) -> None:
    footage = Footage()
    edit = cuts([(source_of(make_footage(tmp_path, footage)), 10, 20)])
    heard = Event(
        source=edit.events[0].source,
        frames=edit.events[0].frames,
        record=edit.events[0].record,
        video_track=None,
        sound=edit.events[0].sound,
    )
    film = tmp_path / "film.mov"
    render(EditList(name="x", frame_rate=Fraction(25), events=(heard,)), film)
    assert read_numbers(film) == [None] * 20
    assert np.abs(read_sound(film)).max() > 0.1
