"""How training sequences with planted highlights are composed."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict

import numpy as np
import pytest
from synthetic_features import SPEC, VISUAL, features_of

from hlcli.errors import RecipeError
from hlcli.features.types import VideoFeatures
from hlcli.training.corpus import Corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.planting import Planter, Sequence
from hlcli.training.recipe import DataConfig, ObjectiveConfig, parse_recipe
from hlcli.training.segments import Segment, SegmentPool

CLIPS, EACH = 7, 4
PLAIN = DataConfig(mixed_share=0.0, alike_share=0.0, distractor_probability=0.0)


def make_corpus(num_categories: int = 8, *, each: int = EACH, noise: float = 0.05) -> Corpus:
    """Videos of one category each; looks turn, and motion grows, from category to category."""
    rng = np.random.default_rng(0)
    videos, names = [], []
    for category in range(num_categories):
        # The angle grows faster and faster, so that no two are equally far from a third.
        angle = 0.15 * category**1.3
        looks = np.zeros(VISUAL)
        looks[:2] = np.cos(angle), np.sin(angle)
        for number in range(each):
            visual = looks + noise / np.sqrt(VISUAL) * rng.normal(size=(CLIPS, VISUAL))
            motion = np.full(CLIPS, 0.01 * 1.5**category, np.float32)
            videos.append(features_of(visual, rng.normal(size=(CLIPS, 40)), motion_T=motion))
            names.append(f"{category}-{number}")
    return Corpus(spec=SPEC, names=tuple(names), videos=tuple(videos))


def make_planter(
    data: DataConfig, *, num_categories: int = 8, each: int = EACH
) -> tuple[Planter, SegmentPool]:
    segments = [Segment(video, 0, CLIPS, video // each) for video in range(num_categories * each)]
    pool = SegmentPool(segments)
    return Planter(make_corpus(num_categories, each=each), pool, data), pool


def draw(
    data: DataConfig, count: int, num_clips: int, *, num_categories: int = 8
) -> list[Sequence]:
    planter, pool = make_planter(data, num_categories=num_categories)
    rng = np.random.default_rng(5)
    return [planter.plant(rng, pool, num_clips) for _ in range(count)]


def pieces_by_category(sequence: Sequence) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Lengths of the planted pieces of each category, and of the others."""
    planted: dict[int, list[int]] = defaultdict(list)
    rest: dict[int, list[int]] = defaultdict(list)
    position = 0
    for video, start, stop in sequence.pieces:
        flags = sequence.planted_T[position : position + stop - start]
        assert flags.all() == flags.any()
        (planted if flags.all() else rest)[video // EACH].append(stop - start)
        position += stop - start
    assert position == len(sequence.planted_T)
    return planted, rest


@pytest.mark.parametrize("num_clips", [2, 3, 8, 48, 97])
def test_lengths_are_exact_and_so_is_the_planted_share(num_clips: int) -> None:
    data = DataConfig(distractor_probability=1.0, distractor_max=0.9)
    least = max(1, round(data.planted_min * num_clips))
    most = min(round(data.planted_max * num_clips), num_clips - 1)
    seen = set()
    for sequence in draw(data, 100, num_clips):
        assert sum(stop - start for _, start, stop in sequence.pieces) == num_clips
        assert sequence.planted_T.shape == (num_clips,)
        assert sequence.planted_T.dtype == bool
        count = int(sequence.planted_T.sum())
        assert least <= count <= max(most, 1)
        seen.add(count)
        planted, rest = pieces_by_category(sequence)
        assert len(planted) == 1
        assert not planted.keys() & rest.keys()
        assert rest
    if num_clips >= 48:
        assert min(seen) <= least + 1
        assert max(seen) >= most - 1


def test_the_planted_share_is_a_setting() -> None:
    data = dataclasses.replace(PLAIN, planted_min=0.5, planted_max=0.5)
    assert {int(one.planted_T.sum()) for one in draw(data, 20, 40)} == {20}


def test_the_background_is_one_category_unless_asked() -> None:
    found = Counter()
    for sequence in draw(PLAIN, 300, 48):
        (planted,), rest = pieces_by_category(sequence)
        assert len(rest) == 1
        found[planted] += 1
    # Every category is planted about as often.
    assert set(found) == set(range(8))
    assert min(found.values()) > 20


def test_a_mixed_background_is_of_all_others() -> None:
    data = dataclasses.replace(PLAIN, mixed_share=1.0, distractor_probability=1.0)
    for sequence in draw(data, 30, 400):
        (planted,), rest = pieces_by_category(sequence)
        assert set(rest) == set(range(8)) - {planted}
        # None of them is a one-off: all segments come, and most come again.
        assert min(map(len, rest.values())) >= EACH


def test_an_alike_background_is_of_the_nearest() -> None:
    data = dataclasses.replace(PLAIN, alike_share=1.0)
    place = [0.15 * category**1.3 for category in range(8)]
    sizes = set()
    for sequence in draw(data, 200, 240):
        (planted,), rest = pieces_by_category(sequence)
        explained = []
        for first in rest:
            others = [c for c in range(8) if c not in (planted, first)]
            others.sort(key=lambda other: abs(place[other] - place[first]))
            explained.append(set(rest) == {first, *others[: len(rest) - 1]})
        assert any(explained), (planted, sorted(rest))
        sizes.add(len(rest))
    assert sizes == {2, 3, 4}


def test_kinds_of_backgrounds_come_as_often_as_set() -> None:
    data = dataclasses.replace(PLAIN, mixed_share=0.25, alike_share=0.5)
    sizes = Counter(len(pieces_by_category(one)[1]) for one in draw(data, 400, 400))
    assert set(sizes) == {1, 2, 3, 4, 7}
    assert 75 <= sizes[1] <= 125
    assert 75 <= sizes[7] <= 125


def test_one_offs_come_once_and_are_few() -> None:
    data = dataclasses.replace(PLAIN, distractor_probability=1.0, distractor_max=0.2)
    taken = []
    for sequence in draw(data, 200, 97):
        (planted,), rest = pieces_by_category(sequence)
        background = max(rest, key=lambda category: sum(rest[category]))
        one_offs = {c: lengths for c, lengths in rest.items() if c != background}
        assert planted not in one_offs
        assert all(len(lengths) == 1 for lengths in one_offs.values())
        # Only what is left for the last one can be less than a piece.
        assert sum(lengths[0] < data.min_piece_clips for lengths in one_offs.values()) <= 1
        taken.append(sum(sum(lengths) for lengths in one_offs.values()))
    assert max(taken) <= round(0.2 * 97)
    assert max(taken) >= round(0.2 * 97) - 2
    assert min(taken) <= 2
    never = dataclasses.replace(data, distractor_probability=0.0)
    assert all(len(pieces_by_category(one)[1]) == 1 for one in draw(never, 50, 97))
    half = dataclasses.replace(data, distractor_probability=0.5)
    with_some = sum(len(pieces_by_category(one)[1]) > 1 for one in draw(half, 400, 97))
    # Some of those that should get some are too small for a single clip.
    assert 150 <= with_some <= 230


@pytest.mark.parametrize("kind", [{}, {"alike_share": 1.0}])
@pytest.mark.parametrize("num_clips", [12, 60])
def test_one_offs_are_of_what_is_left(
    kind: dict[str, float], num_clips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataclasses.replace(PLAIN, distractor_probability=1.0, distractor_max=0.9, **kind)
    planter, pool = make_planter(data)
    asked: list[list[int]] = []
    fill = Planter.fill

    def spy(
        self: Planter, rng: np.random.Generator, of: SegmentPool, num_clips: int
    ) -> list[tuple[int, int, int]]:
        assert num_clips >= 1
        asked.append(of.categories)
        return fill(self, rng, of, num_clips)

    monkeypatch.setattr(Planter, "fill", spy)
    rng, counts = np.random.default_rng(1), set()
    for _ in range(100):
        asked.clear()
        planter.plant(rng, pool, num_clips)
        planted, *one_offs, background = asked
        assert len(planted) == 1
        assert all(len(one) == 1 for one in one_offs)
        cast = [*planted, *(one[0] for one in one_offs), *background]
        assert len(set(cast)) == len(cast)
        counts.add(len(one_offs))
    assert counts >= {0, 1, 2}


def test_no_segment_comes_again_before_all_have_come() -> None:
    planter, pool = make_planter(PLAIN)
    num_segments = len(pool)
    pieces = planter.fill(np.random.default_rng(0), pool, 1000)
    assert sum(stop - start for _, start, stop in pieces) == 1000
    for first in range(0, len(pieces), num_segments):
        deck = [video for video, _, _ in pieces[first : first + num_segments]]
        assert len(set(deck)) == len(deck)
    assert len(pieces) > 3 * num_segments
    # Another order each time.
    orders = [tuple(v for v, _, _ in pieces[i * 32 : i * 32 + 32]) for i in range(3)]
    assert len(set(orders)) == 3
    lengths = {stop - start for _, start, stop in pieces[:-1]}
    assert lengths == {4, 5, 6, 7}
    assert all(0 <= start < stop <= CLIPS for _, start, stop in pieces)
    assert {start for _, start, stop in pieces if stop - start == 4} == {0, 1, 2, 3}


def activity(category: int) -> int:
    """Motion grows with the category."""
    return category


def livelier_planted(active_share: float) -> int:
    found = 0
    for sequence in draw(dataclasses.replace(PLAIN, active_share=active_share), 400, 40):
        (planted,), rest = pieces_by_category(sequence)
        (background,) = rest
        found += activity(planted) > activity(background)
    return found


def test_active_share_prefers_the_livelier() -> None:
    assert livelier_planted(1.0) == 400
    assert livelier_planted(0.0) == 0
    assert 170 <= livelier_planted(0.5) <= 230
    assert 290 <= livelier_planted(0.8) <= 350


def test_equal_seeds_give_equal_sequences() -> None:
    data = DataConfig()
    one, two = draw(data, 20, 60), draw(data, 20, 60)
    assert [a.pieces for a in one] == [b.pieces for b in two]
    assert all((a.planted_T == b.planted_T).all() for a, b in zip(one, two, strict=True))
    assert len({a.pieces for a in one}) == 20


@pytest.mark.parametrize(
    "changes", [{}, {"mixed_share": 1.0}, {"alike_share": 1.0}, {"distractor_probability": 1.0}]
)
def test_two_categories_are_enough(changes: dict[str, float]) -> None:
    data = dataclasses.replace(PLAIN, **changes)
    planted_categories = set()
    for sequence in draw(data, 40, 30, num_categories=2):
        (planted,), rest = pieces_by_category(sequence)
        assert set(rest) == {1 - planted}
        planted_categories.add(planted)
    assert planted_categories == {0, 1}


def test_one_look_is_never_planted_in_itself() -> None:
    corpus = make_corpus(1, noise=0.0)
    sampler = SequenceSampler(corpus, dataclasses.replace(PLAIN, crop_share=0.0), seed=0)
    rng = np.random.default_rng(0)
    for _ in range(5):
        drawn = sampler.draw(rng, 30)
        assert len(drawn.planted_T) == 30
        assert not drawn.planted_T.any()


class Counting:
    """A corpus that counts what is read of it."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.spans: list[tuple[int, int, int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.corpus, name)

    def read(self, video: int, start: int, stop: int) -> VideoFeatures:
        self.spans.append((video, start, stop))
        return self.corpus.read(video, start, stop)


def test_a_large_category_is_known_from_some_of_its_segments() -> None:
    corpus = Counting(make_corpus(2, each=90))
    segments = [Segment(video, 0, CLIPS, video // 90) for video in range(180)]
    Planter(corpus, SegmentPool(segments), PLAIN)  # type: ignore[arg-type]
    seen = Counter(video // 90 for video, _, _ in corpus.spans)
    assert seen == {0: 64, 1: 64}
    assert len(set(corpus.spans)) == 128
    videos = sorted(video for video, _, _ in corpus.spans if video < 90)
    # Spread over all of them.
    assert videos[0] == 0
    assert videos[-1] == 89


def test_batches_carry_the_signals_of_their_clips() -> None:
    corpus = make_corpus()
    videos = tuple(
        dataclasses.replace(video, loudness_T=np.full(CLIPS, -10 - index, np.float32))
        for index, video in enumerate(corpus.videos)
    )
    corpus = dataclasses.replace(corpus, videos=videos)
    data = DataConfig(sequence_clips=24, pseudo_categories=8, crop_share=0.0)
    sampler = SequenceSampler(corpus, data, seed=0)
    batch = sampler.batch(3, batch_size=5, objective=ObjectiveConfig(), period_clips=64)
    assert batch.motion_BT.shape == batch.loudness_BT.shape == (5, 24)
    rng = np.random.default_rng([0, 2, 3])
    for row in range(5):
        drawn = sampler.draw(rng, 24)
        of_clip = [video for video, start, stop in drawn.pieces for _ in range(start, stop)]
        assert batch.loudness_BT[row].tolist() == [-10 - video for video in of_clip]
        np.testing.assert_allclose(
            batch.motion_BT[row], [0.01 * 1.5 ** (video // EACH) for video in of_clip], rtol=1e-5
        )
        assert batch.planted_BT[row].tolist() == drawn.planted_T.tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixed_share": 0.7, "alike_share": 0.4}, "mixed_share and alike_share are at most 1"),
        ({"mixed_share": -0.1}, r"mixed_share lies in \[0, 1\], got -0.1"),
        ({"alike_share": -0.5, "mixed_share": 0.2}, r"alike_share lies in \[0, 1\]"),
        ({"active_share": 1.5}, r"active_share lies in \[0, 1\], got 1.5"),
        ({"distractor_probability": 2.0}, r"distractor_probability lies in \[0, 1\]"),
        ({"distractor_max": 1.0}, r"distractor_max lies in \[0, 1\), got 1.0"),
        ({"planted_min": 0.0}, "0 < planted_min <= planted_max < 1"),
        ({"planted_min": 0.5, "planted_max": 0.4}, "0 < planted_min <= planted_max < 1"),
        ({"pseudo_categories": 1}, "pseudo_categories is at least 2"),
        ({"active_shar": 0.5}, "active_shar"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe({"kind": "rasl", "data": changes})
