"""The activation "standing": what a clip's row says, and the head that reads it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic_features import AUDIO, SPEC, VISUAL, World, features_of
from test_training import DATA, make_corpus, make_recipe
from torch.utils._python_dispatch import TorchDispatchMode

from hlcli.model import relational as relational
from hlcli.model.config import RaslConfig
from hlcli.model.detector import RaslNetwork, count_parameters
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.projection import fit_projections
from hlcli.model.rasl import RaslScorer, install_projections
from hlcli.model.readouts import dmean, pc1, shared_deviation
from hlcli.model.relational import (
    MAX_REFERENCES,
    num_relational_features,
    relational_features,
    relative_signal,
)
from hlcli.model.subspace import quieten_empty
from hlcli.training.dataset import Batch, SequenceSampler
from hlcli.training.objective import compute_losses
from hlcli.training.recipe import LOSS_NAMES, ObjectiveConfig
from hlcli.training.run import train_on

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE, QUANTILES = 6, 5
OFF = dict.fromkeys(LOSS_NAMES, 0.0)
PLANTED_ONLY = ObjectiveConfig(**{**OFF, "planted": 1.0})


def inputs(num_clips: int, *, seed: int = 0, size: int = SIZE) -> torch.Tensor:
    """One video; skewed along each axis and uneven, so that its main direction has a sign."""
    random = np.random.default_rng(seed)
    skewed = random.gamma(1.0, size=(num_clips, size)) * (1 + np.arange(size)[::-1]) / size
    return torch.from_numpy(skewed.astype(np.float32))[None]


def valid(*lengths: int) -> torch.Tensor:
    return torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]


def rows_of(x_1TI: torch.Tensor, num_quantiles: int = QUANTILES) -> torch.Tensor:
    return relational_features(x_1TI, valid(x_1TI.shape[1]), num_quantiles=num_quantiles)


def make_config(**changes: object) -> RaslConfig:
    settings: dict[str, object] = {
        "visual_size": VISUAL,
        "audio_size": AUDIO,
        "input_projection": "pls",
        "input_dim": 4,
        "width": 32,
        "rasl_width": 16,
        "embedding_width": 16,
        "activation": "standing",
        "standing_quantiles": QUANTILES,
        "emptiness_power": 2.0,
        "window_clips": 32,
    }
    return RaslConfig(**{**settings, **changes})  # type: ignore[arg-type]


def make_network(**changes: object) -> RaslNetwork:
    torch.manual_seed(0)
    network = RaslNetwork(make_config(**changes)).eval()
    if not network.branch("visual").has_projection:
        return network
    corpus = [World().video([0, 1, 2, 3, 4, 5] * 5, seed=seed) for seed in range(4)]
    visual = np.concatenate([one.visual_TV for one in corpus])
    audio = np.concatenate([one.audio_TA for one in corpus if one.audio_TA is not None])
    maps = fit_projections(visual, audio, kind="pls", dim=4, visual_pca=20, audio_pca=20)
    install_projections(network, maps)
    return network


def make_scorer(**changes: object) -> RaslScorer:
    scorer = RaslScorer(make_network(**changes), spec_digest=SPEC.digest())
    scorer.calibrate([World().video([0, 1, 2, 3] * 5, seed=seed) for seed in range(3)])
    return scorer


@pytest.mark.parametrize("num_clips", [1, 2, 9])
def test_rows_are_numbers_for_any_video(num_clips: int) -> None:
    for x in (
        inputs(num_clips),
        torch.ones(1, num_clips, SIZE),
        torch.zeros(1, num_clips, SIZE),
        1e4 * inputs(num_clips),
    ):
        rows = rows_of(x)
        assert rows.shape == (1, num_clips, num_relational_features(QUANTILES))
        assert rows.isfinite().all()
    # Equal clips stand alike: at distance 0 from each other and from the mean.
    flat = rows_of(torch.full((1, num_clips, SIZE), 3.7))
    torch.testing.assert_close(flat, flat[:, :1].expand_as(flat), atol=1e-5, rtol=0)
    near = math.log(0.1)
    assert flat[0, 0, -3].item() == pytest.approx(near)
    assert flat[0, 0, -2].item() == pytest.approx(near)
    assert abs(flat[0, 0, -1].item()) < 1e-3
    # A clip alone has nobody to be far from: it stands as one among equals.
    assert flat[0, 0, :QUANTILES].tolist() == pytest.approx([near] * QUANTILES, abs=1e-5)
    assert flat[0, 0, QUANTILES:-3].tolist() == pytest.approx([0] * QUANTILES, abs=1e-5)


def test_padding_and_other_videos_change_no_row() -> None:
    lengths = (13, 2, 7, 1)
    x = torch.cat([inputs(13, seed=seed) for seed in range(4)])
    mask = valid(*lengths)
    together = relational_features(x, mask, num_quantiles=QUANTILES)
    assert float(together[~mask].abs().sum()) == 0
    for row, length in enumerate(lengths):
        alone = rows_of(x[row : row + 1, :length])
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-5)
    spoilt = x.masked_fill(~mask[..., None], math.nan)
    assert torch.equal(relational_features(spoilt, mask, num_quantiles=QUANTILES), together)


def test_padding_and_other_videos_change_no_score() -> None:
    network = make_network()
    torch.manual_seed(1)
    features, motion = torch.randn(3, 19, VISUAL), torch.rand(3, 19)
    lengths = (19, 7, 12)
    mask = valid(*lengths)
    together = network.activations("visual", features, mask, signal_BT=motion)
    for row, length in enumerate(lengths):
        one = slice(row, row + 1)
        alone = network.activations(
            "visual", features[one, :length], valid(length), signal_BT=motion[one, :length]
        )
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-4)
        assert (together[row, length:] == -math.inf).all()
    spoilt = features.masked_fill(~mask[..., None], math.nan)
    unheard = motion.masked_fill(~mask, math.nan)
    again = network.activations("visual", spoilt, mask, signal_BT=unheard)
    torch.testing.assert_close(again, together)


def test_turning_the_inputs_changes_nothing() -> None:
    x = inputs(20)
    torch.manual_seed(3)
    turn, _ = torch.linalg.qr(torch.randn(SIZE, SIZE))
    torch.testing.assert_close(rows_of(x @ turn), rows_of(x), atol=1e-4, rtol=1e-4)
    # Nor does moving all of them; stretching them does.
    torch.testing.assert_close(rows_of(x + 5), rows_of(x), atol=1e-3, rtol=1e-3)
    assert float((rows_of(2 * x) - rows_of(x)).abs().max()) > 0.3


def test_the_order_of_the_clips_plays_no_part() -> None:
    x, order = inputs(20), torch.from_numpy(np.random.default_rng(0).permutation(20))
    torch.testing.assert_close(rows_of(x[:, order]), rows_of(x)[:, order], atol=1e-5, rtol=1e-5)
    network = make_network()
    features, motion, mask = torch.randn(1, 20, VISUAL), torch.rand(1, 20), valid(20)
    logits = network.activations("visual", features, mask, signal_BT=motion).detach()
    mixed = network.activations("visual", features[:, order], mask, signal_BT=motion[:, order])
    torch.testing.assert_close(mixed.detach(), logits[:, order], atol=1e-5, rtol=1e-4)
    assert float(logits.max() - logits.min()) > 1e-2


def test_the_last_three_numbers_are_the_read_outs() -> None:
    for seed in range(5):
        x = inputs(40, seed=seed)
        rows, plain = rows_of(x)[0].numpy(), x[0].numpy()
        np.testing.assert_allclose(
            rows[:, -3], np.log(dmean(plain) ** 2 / SIZE + 0.1**2) / 2, atol=1e-4
        )
        np.testing.assert_allclose(
            rows[:, -2], np.log((shared_deviation(plain) / SIZE) ** 2 + 0.1**4) / 4, atol=1e-4
        )
        along = pc1(plain)
        np.testing.assert_allclose(rows[:, -1], along / along.std(), atol=1e-3)


def test_quantiles_are_those_of_the_other_clips() -> None:
    x = inputs(8)
    rows, plain = rows_of(x)[0].numpy(), x[0].numpy().astype(np.float64)
    centred = (plain - plain.mean(axis=0)) / math.sqrt(SIZE)
    # Seven others, five quantiles: the nearest, and so on to the farthest.
    places = [0, 2, 3, 4, 6]
    for clip in range(8):
        others = [other for other in range(8) if other != clip]
        distances = np.sort([np.linalg.norm(centred[clip] - centred[o]) for o in others])[places]
        products = np.sort([centred[clip] @ centred[o] for o in others])[places]
        np.testing.assert_allclose(rows[clip, :QUANTILES], np.log(distances + 0.1), atol=1e-4)
        expected = np.sign(products) * np.log1p(4 * np.abs(products))
        np.testing.assert_allclose(rows[clip, QUANTILES : 2 * QUANTILES], expected, atol=1e-4)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = inputs(23)
    whole = rows_of(x)
    monkeypatch.setattr(relational, "_AT_ONCE", 4)
    torch.testing.assert_close(rows_of(x), whole, atol=1e-5, rtol=1e-5)


class LargestTensor(TorchDispatchMode):
    """Notes the size of the largest tensor that anything computes."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.numel())
        return made


def test_a_long_video_is_compared_with_samples_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    num_clips = 2 * MAX_REFERENCES + 100
    x = inputs(num_clips)
    with LargestTensor() as largest:
        sampled = rows_of(x)
    # All pairs would be over four million.
    assert largest.numbers <= 1024 * MAX_REFERENCES
    monkeypatch.setattr(relational, "MAX_REFERENCES", num_clips)
    exact = rows_of(x)
    assert torch.equal(sampled[..., -3:], exact[..., -3:])
    assert not torch.equal(sampled, exact)
    middle = [1, 2, 3, QUANTILES + 1, QUANTILES + 2, QUANTILES + 3]
    away = (sampled - exact).abs()
    assert float(away[..., middle].mean()) < 0.02
    # The nearest and the farthest of half of the clips are the ones that differ.
    assert float(away.mean()) < 0.1
    monkeypatch.setattr(relational, "MAX_REFERENCES", num_clips + 1)
    assert torch.equal(rows_of(x), exact)


def test_signals_are_bounded_and_measured_against_their_own_video() -> None:
    random = torch.Generator().manual_seed(0)
    signal = torch.randn(2, 30, generator=random)
    mask = valid(30, 11)
    stood = relative_signal(signal, mask, least_spread=0.25)
    assert float(stood[~mask].abs().sum()) == 0
    spoilt = signal.masked_fill(~mask, math.nan)
    torch.testing.assert_close(relative_signal(spoilt, mask, least_spread=0.25), stood)
    z = (signal[0] - signal[0].mean()) / signal[0].std(correction=0)
    torch.testing.assert_close(stood[0], 3 * torch.tanh(z / 3), atol=1e-5, rtol=1e-5)
    # Louder throughout, or more contrast, is the same standing.
    torch.testing.assert_close(
        relative_signal(7 * signal + 3, mask, least_spread=0.25), stood, atol=1e-5, rtol=1e-4
    )
    # What hardly varies is not blown up.
    quiet = relative_signal(1e-3 * signal, mask, least_spread=0.25)
    assert 0 < float(quiet.abs().max()) < 0.02
    extreme = torch.zeros(1, 1000)
    extreme[0, 3], extreme[0, 4] = 1e6, -1e6
    bounded = relative_signal(extreme, valid(1000), least_spread=0.25)
    assert 2.9 < float(bounded[0, 3]) <= 3
    assert -3 <= float(bounded[0, 4]) < -2.9
    flat = relative_signal(torch.full((1, 5), -60.0), valid(5), least_spread=2.0)
    assert float(flat.abs().max()) < 1e-5


def test_motion_and_loudness_matter_to_their_own_side_only() -> None:
    network, mask = make_network(), valid(12)
    visual = torch.randn(1, 12, VISUAL)
    without = network.activations("visual", visual, mask).detach()
    # No signal and a signal that never varies are the same.
    still = network.activations("visual", visual, mask, signal_BT=torch.full((1, 12), 0.3))
    torch.testing.assert_close(still.detach(), without, atol=1e-4, rtol=0)
    moving = network.activations("visual", visual, mask, signal_BT=torch.rand(1, 12))
    assert float((moving.detach() - without).abs().max()) > 1e-3
    features = World().video([0] * 9 + [1] * 3, seed=1)
    other = dataclasses.replace(features, motion_T=features.motion_T[::-1].copy())
    scorer, names = make_scorer(), ["picture_rasl", "sound_rasl"]
    before, after = scorer.compute_terms(features, names), scorer.compute_terms(other, names)
    assert not np.allclose(before["picture_rasl"], after["picture_rasl"], atol=1e-4)
    np.testing.assert_array_equal(before["sound_rasl"], after["sound_rasl"])


def make_batch(objective: ObjectiveConfig = PLANTED_ONLY) -> Batch:
    sampler = SequenceSampler(make_corpus(), DATA, seed=0)
    return sampler.batch(1, batch_size=4, objective=objective, period_clips=32)


def test_planted_highlights_teach_the_head_and_nothing_else() -> None:
    network = make_network().train()
    compute_losses(network, make_batch(), PLANTED_ONLY)["total"].backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("standing."):
            assert parameter.grad is None, name
        elif name.endswith("weight"):
            assert parameter.grad is not None, name
            assert float(parameter.grad.abs().sum()) > 0, name
    # Both sides teach the same weights.
    assert count_parameters(network, vision_only=True) == sum(
        p.numel() for p in network.standing.parameters()
    )


def test_training_is_told_of_motion_and_loudness() -> None:
    network, batch = make_network().requires_grad_(False), make_batch()
    batch = dataclasses.replace(batch, has_audio_B=torch.tensor([True, True, False, True]))

    def planted(**changes: torch.Tensor) -> float:
        changed = dataclasses.replace(batch, **changes)  # type: ignore[arg-type]
        return float(compute_losses(network, changed, PLANTED_ONLY)["planted"])

    before = planted()
    assert abs(planted(motion_BT=batch.motion_BT.flip(1)) - before) > 1e-5
    louder = batch.loudness_BT.clone()
    louder[2, :8] += 20
    # The third sequence has no sound.
    assert planted(loudness_BT=louder) == before
    louder[1, :8] += 20
    assert abs(planted(loudness_BT=louder) - before) > 1e-5


def test_without_other_losses_nothing_is_encoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = []
    encode = RaslNetwork.encode

    def spy(self: RaslNetwork, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(args[0])
        return encode(self, *args, **kwargs)

    monkeypatch.setattr(RaslNetwork, "encode", spy)
    network, batch = make_network(), make_batch()
    compute_losses(network, batch, PLANTED_ONLY)
    compute_losses(network, batch, ObjectiveConfig(**{**OFF, "planted": 1.0, "budget": 1.0}))
    assert not calls
    for loss, encoded in (("reconstruction", 2), ("masked", 2), ("scl", 2), ("kpoint", 3)):
        calls.clear()
        compute_losses(network, batch, ObjectiveConfig(**{**OFF, loss: 1.0}))
        assert len(calls) == encoded, loss
    calls.clear()
    recipe = make_recipe(tmp_path / "run", steps=3)
    recipe = dataclasses.replace(
        recipe,
        objective=PLANTED_ONLY,
        model=dataclasses.replace(recipe.model, activation="standing"),
    )
    encoded_by_step = []
    # Afterwards calibration looks at all terms, those read from latents among them.
    train_on(make_corpus(), recipe, on_step=lambda _: encoded_by_step.append(len(calls)))
    assert encoded_by_step == [0, 0, 0]


def test_the_network_quietens_what_the_closed_form_quietens() -> None:
    network = make_network()
    branch = network.branch("visual")
    plain = make_network(emptiness_power=0.0).branch("visual")
    features = torch.randn(3, 10, VISUAL) * torch.rand(3, 10, 1)
    features[1, 4] = 0
    lengths = (10, 7, 1)
    mask = valid(*lengths)
    quietened = branch.prepare(features, mask)
    projected = plain.prepare(features, mask)
    assert not torch.allclose(quietened, projected, atol=1e-2)
    for row, length in enumerate(lengths):
        expected = quieten_empty(
            projected[row, :length].numpy(), features[row, :length].numpy(), power=2.0
        )
        np.testing.assert_allclose(quietened[row, :length].numpy(), expected, atol=1e-5)
        assert float(quietened[row, length:].abs().sum()) == 0
    # Sound is not quietened: silence has its own signal.
    sound = torch.randn(1, 10, AUDIO) * torch.rand(1, 10, 1)
    heard = [n.branch("audio").prepare(sound, valid(10)) for n in (network, make_network())]
    assert network.branch("audio").emptiness_power == 0  # type: ignore[comparison-overlap]
    assert torch.equal(*heard)


@pytest.mark.parametrize("projection", ["pls", "none"])
def test_what_is_empty_is_measured_over_the_whole_video(projection: str) -> None:
    # Half of a long video is dark: in a window of its own, darkness would be what is usual.
    features = World().video([0] * 300, seed=1)
    features.visual_TV[:140] *= 0.3
    spread = {}
    for size in (300, 32):
        changes = {"activation": "edev", "window_clips": size, "position": "none"}
        network = make_network(**changes, input_projection=projection)
        scorer = RaslScorer(network, spec_digest=SPEC.digest())
        latents = scorer.latents(features, "visual")
        spread[size] = [
            latents[part].std(axis=0).mean() for part in (slice(0, 100), slice(200, 300))
        ]
    for dark, bright in spread.values():
        assert dark < 0.4 * bright


def test_the_scorer_scores_as_the_network() -> None:
    scorer = make_scorer(window_clips=64)
    features = World().video([0] * 40 + [1] * 8 + [2] * 16, seed=2)
    features.visual_TV[5] *= 0.1
    terms = scorer.compute_terms(features, ["picture_rasl", "sound_rasl"])
    sides = {
        "picture_rasl": ("visual", features.visual_TV, features.motion_T),
        "sound_rasl": ("audio", features.audio_TA, features.loudness_T),
    }
    for name, (side, rows, signal) in sides.items():
        logits = scorer.network.activations(
            side,  # type: ignore[arg-type]
            torch.from_numpy(rows)[None],
            valid(64),
            signal_BT=torch.from_numpy(signal)[None],
        )
        np.testing.assert_allclose(terms[name], logits.detach().numpy()[0], atol=2e-4)
        assert np.ptp(terms[name]) > 0.05


def test_windows_of_any_size_agree_where_attention_sees_the_same() -> None:
    # Windows that hold whole periods see every kind of clip equally often, so attention finds
    # the same in all of them, and how clips stand is measured over the whole video anyway.
    period = World().video([0, 0, 0, 1, 0, 2, 0], seed=4)
    assert period.audio_TA is not None
    long = features_of(
        np.tile(period.visual_TV, (100, 1)),
        np.tile(period.audio_TA, (100, 1)),
        motion_T=np.tile(period.motion_T, 100),
    )
    for side in ("picture_rasl", "sound_rasl"):
        found = [
            make_scorer(window_clips=size).compute_terms(long, [side])[side]
            for size in (700, 28, 70, 140)
        ]
        assert np.ptp(found[0]) > 0.05
        for other in found[1:]:
            np.testing.assert_allclose(other, found[0], atol=1e-4)
    # Windows of other sizes hold a little more of one kind than of another.
    uneven = make_scorer(window_clips=256).compute_terms(long, ["sound_rasl"])["sound_rasl"]
    np.testing.assert_allclose(uneven, found[0], atol=0.05 * float(np.ptp(found[0])))


def test_rows_are_measured_over_the_whole_video_whatever_the_window() -> None:
    # Without attention the head is the same for every clip: windows then change nothing at all.
    types = np.random.default_rng(0).integers(6, size=700).tolist()
    features = World().video(types, seed=5)
    found = []
    for size in (700, 32, 256):
        scorer = make_scorer(window_clips=size)
        with torch.no_grad():
            for layer in scorer.network.standing.members[0].layers:
                layer.merge.weight.zero_()  # type: ignore[union-attr, operator]
        found.append(scorer.compute_terms(features, ["picture_rasl"])["picture_rasl"])
    assert np.ptp(found[0]) > 0.1
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    np.testing.assert_allclose(found[2], found[0], atol=1e-4)
    # A change at one end of the video is felt at the other.
    changed = dataclasses.replace(features, visual_TV=features.visual_TV.copy())
    changed.visual_TV[600:] = changed.visual_TV[600]
    other = scorer.compute_terms(changed, ["picture_rasl"])["picture_rasl"]
    assert np.abs(other - found[2])[:32].max() > 1e-3


def test_picture_alone_needs_no_sound() -> None:
    scorer = make_scorer()
    features = World().video([0, 1, 0, 0, 2, 0, 0], seed=1)
    silent = scorer.score(features.without_audio(), modality="va")
    np.testing.assert_array_equal(silent.raw_T, scorer.score(features, modality="v").raw_T)
    assert silent.sound_T is None
    assert np.isfinite(scorer.score(features_of(np.ones((1, VISUAL), np.float32))).raw_T).all()


def test_settings_it_cannot_work_with_are_refused() -> None:
    with pytest.raises(ValueError, match='"standing" needs an input_projection'):
        RaslConfig(activation="standing", input_projection="none")
    with pytest.raises(ValueError, match="standing_quantiles >= 2"):
        RaslConfig(standing_quantiles=1)
    with pytest.raises(ValueError, match="emptiness_power >= 0"):
        RaslConfig(emptiness_power=-0.5)


def test_it_trains_saves_and_finds_what_does_not_belong(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "run", steps=60, batch_size=8, save_every=1000)
    model = dataclasses.replace(recipe.model, activation="standing", emptiness_power=2.0)
    recipe = dataclasses.replace(recipe, objective=PLANTED_ONLY, model=model)
    path = train_on(make_corpus(48), recipe)
    scorer = load_scorer(path, kind="rasl", feature_spec=SPEC)
    # Known event types, and types that were in no training video: what it learned is no content.
    # The four directions of the inputs lose some of how those differ; by chance it were 8 of 50.
    for world, least in ((World(), 45), (World(seed=9), 30)):
        hits = 0
        for seed in range(10):
            features = world.video([seed % 6] * 25 + [(seed + 1) % 6] * 5, seed=500 + seed)
            raw = scorer.score(features, modality="v").raw_T
            hits += int(np.isin(np.argsort(raw)[-5:], np.arange(25, 30)).sum())
        assert hits >= least
    again = tmp_path / "again.safetensors"
    save_scorer(scorer, again, feature_spec=SPEC, recipe={"name": "x"})
    loaded = load_scorer(again, kind="rasl", feature_spec=SPEC)
    before, after = scorer.score(features), loaded.score(features)
    np.testing.assert_array_equal(before.raw_T, after.raw_T)
    np.testing.assert_array_equal(before.score_T, after.score_T)
