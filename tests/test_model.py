"""The RASL network and scorer, windows, calibration, fusion and model files."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from synthetic_features import AUDIO, SPEC, VISUAL, World, features_of

from hlcli.errors import CheckpointError
from hlcli.model.activation import RaslHead
from hlcli.model.calibration import Squash, ranks
from hlcli.model.checkpoint import Checkpoint, read_tensors
from hlcli.model.config import FusionConfig, RaslConfig
from hlcli.model.detector import RaslNetwork, count_parameters
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.projection import fit_projections
from hlcli.model.rasl import RaslScorer, install_projections
from hlcli.model.windows import encode_in_windows, window_starts
from hlcli.plain_data import FieldError, fill

pytestmark = pytest.mark.usefixtures("one_thread")

ACTIVATIONS = ("dev", "edev", "head", "norm")


def make_config(**changes: object) -> RaslConfig:
    settings: dict[str, object] = {
        "visual_size": VISUAL,
        "audio_size": AUDIO,
        "input_projection": "none",
        "width": 32,
        "rasl_width": 16,
        "embedding_width": 16,
        "window_clips": 64,
    }
    return RaslConfig(**{**settings, **changes})  # type: ignore[arg-type]


def make_network(seed: int = 0, **changes: object) -> RaslNetwork:
    torch.manual_seed(seed)
    return RaslNetwork(make_config(**changes)).eval()


def make_scorer(calibrated: bool = True, **changes: object) -> RaslScorer:
    scorer = RaslScorer(make_network(**changes), spec_digest=SPEC.digest())
    if calibrated:
        scorer.calibrate([World().video([0, 1, 2, 3] * 5, seed=s) for s in range(3)])
    return scorer


def noise(num_clips: int, size: int = VISUAL, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num_clips, size)).astype(np.float32)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("position", ["attention", "input", "none"])
def test_padding_never_changes_a_valid_score(activation: str, position: str) -> None:
    network = make_network(activation=activation, position=position)
    short, long = torch.from_numpy(noise(9)), torch.from_numpy(noise(15, seed=1))
    alone = network.activations("visual", short[None], torch.ones(1, 9, dtype=torch.bool))
    batch = torch.full((2, 20, VISUAL), math.nan)
    batch[0, :9], batch[1, :15] = short, long
    mask = torch.arange(20) < torch.tensor([[9], [15]])
    together = network.activations("visual", batch, mask)
    torch.testing.assert_close(together[0, :9], alone[0], atol=2e-5, rtol=1e-4)
    assert torch.isneginf(together[~mask]).all()
    # Batch composition: the other row alone gives the same too.
    other = network.activations("visual", long[None], torch.ones(1, 15, dtype=torch.bool))
    torch.testing.assert_close(together[1, :15], other[0], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("num_clips", [1, 2, 40])
def test_constant_features_give_flat_finite_scores(activation: str, num_clips: int) -> None:
    network = make_network(activation=activation)
    with torch.no_grad():
        network.rasl.beta.fill_(0.25)
    features = torch.from_numpy(noise(1)).expand(1, num_clips, VISUAL)
    mask = torch.ones(1, num_clips, dtype=torch.bool)
    logits = network.activations("visual", features, mask).detach()
    assert torch.isfinite(logits).all()
    assert float(logits.max() - logits.min()) < 1e-4
    if activation != "head":
        torch.testing.assert_close(logits, torch.full_like(logits, 0.25), atol=1e-4, rtol=0)


def test_zero_features_are_finite_and_have_finite_gradients() -> None:
    network = make_network()
    mask = torch.ones(1, 6, dtype=torch.bool)
    logits = network.activations("visual", torch.zeros(1, 6, VISUAL), mask)
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    for parameter in network.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("activation", ["dev", "edev", "norm"])
def test_activation_is_the_written_formula(activation: str) -> None:
    torch.manual_seed(1)
    head = RaslHead(make_config(activation=activation))
    with torch.no_grad():
        head.beta.fill_(0.5)
    latent = torch.randn(1, 11, 32)
    logits = head(latent, torch.ones(1, 11, dtype=torch.bool))[0]
    g = head.map(head.norm(latent))[0] / 4.0
    centred = g - g.mean(0)
    if activation == "dev":
        energy = centred.norm(dim=1)
    elif activation == "edev":
        energy = (centred @ centred.T).square().mean(1) ** 0.25
    else:
        energy = g.norm(dim=1)
    ratio = (energy + 1e-3) / (energy.mean() + 1e-3)
    torch.testing.assert_close(logits, 4.0 * (ratio - 1) + 0.5, atol=1e-4, rtol=1e-3)


def test_echo_needs_memory_linear_in_the_length() -> None:
    # A T x T matrix of this length would take 160 GB.
    head = RaslHead(make_config())
    with torch.inference_mode():
        logits = head(torch.randn(1, 200_000, 32), torch.ones(1, 200_000, dtype=torch.bool))
    assert torch.isfinite(logits).all()


def test_the_rare_clips_stand_out_even_untrained() -> None:
    features = World().video([0] * 16 + [1] * 4 + [0] * 20, seed=3)
    raw = make_scorer().score(features, modality="v").raw_T
    assert set(np.argsort(raw)[-4:].tolist()) == {16, 17, 18, 19}


def test_picture_alone_needs_no_sound() -> None:
    scorer = make_scorer()
    features = World().video([0, 1, 0, 0, 2], seed=1)
    silent = scorer.score(features.without_audio(), modality="va")
    seen = scorer.score(features, modality="v")
    np.testing.assert_array_equal(silent.raw_T, seen.raw_T)
    assert silent.sound_T is None
    np.testing.assert_array_equal(silent.picture_T, seen.score_T)


def test_each_side_is_its_own_score() -> None:
    scorer = make_scorer()
    features = World().video([0, 1, 0, 0, 2, 0, 3], seed=1)
    both = scorer.score(features, modality="va")
    picture, sound = scorer.score(features, modality="v"), scorer.score(features, modality="a")
    np.testing.assert_array_equal(both.picture_T, picture.score_T)
    np.testing.assert_array_equal(both.sound_T, sound.score_T)
    assert sound.picture_T is None
    # Both: the mean of standardised activations.
    terms = scorer.compute_terms(features, ["picture_rasl", "sound_rasl"])
    expected = sum(scorer.statistics.terms[n].standardise(t) for n, t in terms.items()) / 2
    np.testing.assert_allclose(both.raw_T, expected, rtol=1e-5, atol=1e-6)


def test_other_features_are_refused() -> None:
    other = dataclasses.replace(World().video([0, 1], seed=0), spec_digest="f" * 64)
    with pytest.raises(CheckpointError, match="another specification"):
        make_scorer().score(other)


def test_window_starts_are_even_and_cover_everything() -> None:
    for num_clips in (1, 63, 64, 65, 96, 97, 500, 7203):
        starts = window_starts(num_clips, 64)
        assert starts[0] == 0
        assert starts[-1] == max(0, num_clips - 64)
        assert (np.diff(starts) <= 33).all()
        assert (np.diff(starts) >= 1).all()


def test_windows_of_a_local_encoder_change_nothing() -> None:
    rows = noise(333)
    joined = encode_in_windows(rows, lambda windows, _: windows * 2, window_clips=64)
    np.testing.assert_allclose(joined, rows * 2, rtol=1e-6)


def test_positions_do_not_depend_on_the_window() -> None:
    network = make_network()
    rows = torch.arange(200)
    table = network.position_table[rows % 64]
    shifted = network._positions(torch.zeros(1, 64, 32), torch.tensor([70]))
    torch.testing.assert_close(shifted[0], table[70:134])


@pytest.mark.parametrize("position", ["attention", "input"])
def test_long_stationary_video_shows_no_bump_at_window_borders(position: str) -> None:
    window, num_clips = 64, 64 + 32 * 20
    network = make_network(position=position)
    scorer = RaslScorer(network, spec_digest=SPEC.digest())
    starts = window_starts(num_clips, window)
    borders = np.unique(np.concatenate([starts, starts + window - 1]))[1:-1]
    at_border, elsewhere = [], []
    for seed in range(6):
        features = features_of(noise(num_clips, seed=seed))
        raw = scorer.compute_terms(features, ["picture_rasl"])["picture_rasl"]
        near = np.zeros(num_clips, bool)
        for border in borders:
            near[max(0, border - 1) : border + 2] = True
        at_border.append(raw[near])
        elsewhere.append(raw[~near])
    inside, outside = np.concatenate(at_border), np.concatenate(elsewhere)
    error = outside.std() / math.sqrt(len(inside))
    assert abs(inside.mean() - outside.mean()) < 4 * error
    assert 0.9 < inside.std() / outside.std() < 1.1


def test_still_long_video_is_flat() -> None:
    scorer = make_scorer(calibrated=False)
    features = features_of(np.repeat(noise(1), 500, axis=0))
    raw = scorer.compute_terms(features, ["picture_rasl"])["picture_rasl"]
    assert float(np.ptp(raw)) < 1e-4


def test_just_under_and_over_the_window_limit_score_alike() -> None:
    scorer = make_scorer(calibrated=False)
    rows = World().video([0] * 40 + [1] * 8 + [2] * 17, seed=2).visual_TV
    under = scorer.compute_terms(features_of(rows[:64]), ["picture_rasl"])["picture_rasl"]
    over = scorer.compute_terms(features_of(rows[:65]), ["picture_rasl"])["picture_rasl"]
    assert np.abs(under - over[:64]).max() < 0.1 * np.ptp(under)
    assert np.corrcoef(under, over[:64])[0, 1] > 0.995


def test_counts_of_parameters() -> None:
    network = RaslNetwork(RaslConfig(input_projection="pls"))
    assert count_parameters(network) == sum(p.numel() for p in network.parameters())
    assert count_parameters(network, vision_only=True) < count_parameters(network) / 2


def test_squash_is_rising_and_says_what_stands_out_of_its_own_video() -> None:
    videos = [
        np.random.default_rng(seed).gamma(2.0, size=400).astype(np.float32) + 10 * seed
        for seed in range(8)
    ]
    squash = Squash.fit(videos, least_centre=2.0)
    for raw in videos:
        scores = squash(raw)
        assert (np.diff(scores[np.argsort(raw)]) >= 0).all()
        # The median is ordinary, wherever the video lies; a tenth or so stands out.
        assert abs(np.median(scores) - 0.1) < 1e-3
        assert 0.02 < (scores > 0.5).mean() < 0.15
    far = squash(np.array([-1e9, 0, 0, 0, 1e9], np.float32))
    assert 0 <= far[0] < 1e-6
    assert 1 - 1e-6 < far[-1] <= 1


def test_nothing_stands_out_of_an_uneventful_video() -> None:
    random = np.random.default_rng(0)
    squash = Squash.fit(
        [random.normal(0, 1, 300).astype(np.float32) for _ in range(8)], least_centre=2.0
    )
    calm = random.normal(0, 0.05, 300).astype(np.float32)
    assert squash(calm).max() < 0.2
    eventful = calm.copy()
    eventful[100:110] = 5
    assert squash(eventful)[100:110].min() > 0.9
    still = Squash.fit([np.zeros(5, np.float32)], least_centre=2.0)(np.zeros(2, np.float32))
    np.testing.assert_allclose(still, [0.1, 0.1], rtol=1e-6)


def test_ranks_share_ties() -> None:
    assert ranks(np.float32([3, 1, 1, 9])).tolist() == [0.625, 0.25, 0.25, 0.875]
    assert ranks(np.float32([7])).tolist() == [0.5]
    assert ranks(np.float32([2, 2, 2])).tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights_v": {"sound_rasl": 1.0}}, "weights_v has no term 'sound_rasl'"),
        ({"weights_v": {"picture_rasl": 0.0}}, "at least one weight"),
        ({"weights_va": {"lodness": 1.0}}, "did you mean loudness"),
    ],
)
def test_bad_fusions_are_refused(changes: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FusionConfig(**changes)


def test_unknown_settings_get_a_suggestion() -> None:
    with pytest.raises(FieldError) as caught:
        fill(RaslConfig, {"widht": 64})
    assert caught.value.hint == "did you mean width?"
    with pytest.raises(FieldError, match="activation cannot be 'sigmoid'"):
        fill(RaslConfig, {"activation": "sigmoid"})
    with pytest.raises(FieldError, match="width is a int"):
        fill(RaslConfig, {"width": 12.5})


@pytest.fixture
def projected(tmp_path: Path) -> tuple[RaslScorer, Path]:
    world = World()
    corpus = [world.video([0, 1, 2, 3, 4, 5] * 5, seed=s) for s in range(4)]
    visual = np.concatenate([one.visual_TV for one in corpus])
    audio = np.concatenate([one.audio_TA for one in corpus if one.audio_TA is not None])
    maps = fit_projections(visual, audio, kind="pls", dim=4, visual_pca=20, audio_pca=20)
    network = make_network(input_projection="pls", input_dim=4)
    install_projections(network, maps)
    scorer = RaslScorer(network, spec_digest=SPEC.digest())
    scorer.calibrate(corpus)
    path = tmp_path / "model.safetensors"
    save_scorer(scorer, path, feature_spec=SPEC, recipe={"name": "x"})
    return scorer, path


def test_model_file_gives_the_same_scores_back(projected: tuple[RaslScorer, Path]) -> None:
    scorer, path = projected
    loaded = load_scorer(path, kind="rasl", feature_spec=SPEC)
    features = World().video([0] * 100 + [3] * 9, seed=9)
    before, after = scorer.score(features), loaded.score(features)
    np.testing.assert_array_equal(before.raw_T, after.raw_T)
    np.testing.assert_array_equal(before.score_T, after.score_T)
    again = path.with_name("again.safetensors")
    save_scorer(loaded, again, feature_spec=SPEC, recipe={"name": "x"})
    assert again.read_bytes() == path.read_bytes()
    assert Checkpoint.read(path).recipe == {"name": "x"}


def test_every_term_can_be_weighted_without_new_code(projected: tuple[RaslScorer, Path]) -> None:
    scorer, _ = projected
    features = World().video([0] * 20 + [3] * 4, seed=9)
    for term in scorer.available_terms():
        side = "weights_v" if term.startswith(("picture", "motion")) else "weights_a"
        fusion = FusionConfig(mode="rank", **{side: {term: 1.0}})  # type: ignore[arg-type]
        raw = scorer.with_fusion(fusion).score(features, modality=side[-1]).raw_T  # type: ignore[arg-type]
        values = scorer.compute_terms(features, [term])[term]
        np.testing.assert_array_equal(raw, ranks(values))


def rewrite(path: Path, change: object) -> None:
    tensors, metadata = read_tensors(path)
    header = json.loads(metadata["hl"])
    change(tensors, header)  # type: ignore[operator]
    path.write_bytes(safetensors.numpy.save(tensors, {"hl": json.dumps(header)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, h: t.pop("rasl.map.weight"), "missing rasl.map.weight"),
        (lambda t, h: t.update(extra=np.zeros(1)), "unexpected extra"),
        (
            lambda t, h: t.update({"rasl.map.weight": np.zeros((3, 3), np.float32)}),
            r"wrong shapes rasl.map.weight \(3, 3\) instead of \(16, 32\)",
        ),
        (lambda t, h: h["feature_spec"].update(picture_size=9), "another digest"),
        (lambda t, h: h["config"].update(widht=1), "unknown setting config.widht"),
        (lambda t, h: h.update(kind="tree"), "not 'rasl'"),
        (lambda t, h: h.pop("statistics"), "lacks or garbles 'statistics'"),
        (lambda t, h: h["statistics"]["squash"].pop("va"), "calibration is incomplete"),
        (lambda t, h: h.update(schema="hl.checkpoint/9"), "layout 'hl.checkpoint/9'"),
    ],
)
def test_strict_loading(projected: tuple[RaslScorer, Path], change: object, message: str) -> None:
    _, path = projected
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=message):
        load_scorer(path, kind="rasl")


def test_damaged_and_foreign_files(projected: tuple[RaslScorer, Path], tmp_path: Path) -> None:
    _, path = projected
    with pytest.raises(CheckpointError, match="no model file"):
        load_scorer(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_scorer(cut)
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(safetensors.numpy.save({"x": np.zeros(2)}))
    with pytest.raises(CheckpointError, match="not a model of hl"):
        load_scorer(foreign)
    other = dataclasses.replace(SPEC, visual_encoder="other-eye")
    with pytest.raises(CheckpointError, match="trained on other features: visual_encoder differ"):
        load_scorer(path, feature_spec=other)


def test_a_full_write_replaces_and_a_failed_one_leaves_the_old(
    projected: tuple[RaslScorer, Path], tmp_path: Path
) -> None:
    scorer, path = projected
    before = path.read_bytes()
    other = dataclasses.replace(SPEC, picture_size=16)
    with pytest.raises(CheckpointError):
        save_scorer(scorer, path, feature_spec=other, recipe={})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
