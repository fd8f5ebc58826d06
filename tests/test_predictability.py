"""The activation "predictability": how badly the rest of a video predicts each clip."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic_features import AUDIO, SPEC, VISUAL, World, features_of
from test_training import DATA, make_corpus, make_recipe

from hlcli.model.config import RaslConfig
from hlcli.model.detector import RaslNetwork, count_parameters
from hlcli.model.load import load_scorer
from hlcli.model.rasl import RaslScorer
from hlcli.training.dataset import SequenceSampler
from hlcli.training.objective import compute_losses
from hlcli.training.recipe import LOSS_NAMES, ObjectiveConfig
from hlcli.training.run import train_on


def make_network(**changes: object) -> RaslNetwork:
    torch.manual_seed(0)
    settings: dict[str, object] = {
        "visual_size": VISUAL,
        "audio_size": AUDIO,
        "input_projection": "none",
        "width": 32,
        "rasl_width": 16,
        "embedding_width": 16,
        "activation": "predictability",
        "window_clips": 32,
    }
    return RaslNetwork(RaslConfig(**{**settings, **changes})).eval()  # type: ignore[arg-type]


def valid(*lengths: int) -> torch.Tensor:
    return torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]


def test_the_error_is_that_of_hiding_each_group_in_turn() -> None:
    network = make_network()
    inputs, mask = torch.randn(1, 21, VISUAL), valid(21)
    errors = network.prediction_errors("visual", inputs, mask)
    # 21 clips, 4 groups, runs of 4: clips 0 to 3 and 16 to 19 are hidden together.
    for group, clips in ((0, [0, 1, 2, 3, 16, 17, 18, 19]), (1, [4, 5, 6, 7, 20])):
        hidden = torch.zeros(1, 21, dtype=torch.bool)
        hidden[0, clips] = True
        latent = network.encode("visual", inputs, mask, hidden_BT=hidden)
        found = network.decode("visual", latent, mask)
        expected = (found - inputs).square().mean(-1).sqrt()[0, clips]
        torch.testing.assert_close(errors[0, clips], expected, msg=str(group))
    logits = network.activations("visual", inputs, mask)
    prepared = network.branch("visual").prepare(inputs, mask)
    errors = network.prediction_errors("visual", prepared, mask)
    ratio = (errors + 1e-3) / (errors.mean() + 1e-3)
    torch.testing.assert_close(logits, 4.0 * (ratio - 1))


def test_what_is_hidden_never_reaches_its_own_prediction() -> None:
    network = make_network()
    inputs, mask = torch.randn(1, 12, VISUAL), valid(12)
    inputs.requires_grad_()
    hidden = torch.arange(12)[None] // 3 % 4 == 2
    assert hidden.sum() == 3
    latent = network.encode("visual", inputs, mask, hidden_BT=hidden)
    network.decode("visual", latent, mask)[hidden].square().sum().backward()
    assert inputs.grad is not None
    assert float(inputs.grad[hidden].abs().sum()) == 0
    assert (inputs.grad[~hidden].abs().sum(-1) > 0).all()


@pytest.mark.parametrize("num_clips", [1, 2, 3, 5, 17])
def test_any_length_and_constant_features_give_numbers(num_clips: int) -> None:
    network = make_network()
    mask = valid(num_clips)
    for features in (
        torch.randn(1, num_clips, VISUAL),
        torch.ones(1, num_clips, VISUAL),
        torch.zeros(1, num_clips, VISUAL),
    ):
        logits = network.activations("visual", features, mask)
        assert logits.isfinite().all()
    if num_clips == 1:
        # Nothing to compare with: exactly beta.
        assert logits.tolist() == [[0.0]]


def test_padding_and_other_videos_change_no_score() -> None:
    network = make_network()
    torch.manual_seed(1)
    features = torch.randn(3, 19, VISUAL)
    lengths = (19, 7, 12)
    mask = valid(*lengths)
    together = network.activations("visual", features, mask)
    for row, length in enumerate(lengths):
        alone = network.activations("visual", features[row : row + 1, :length], valid(length))
        torch.testing.assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-4)
        assert (together[row, length:] == -math.inf).all()
    spoilt = features.masked_fill(~mask[..., None], math.nan)
    torch.testing.assert_close(network.activations("visual", spoilt, mask), together)


def test_long_videos_have_no_seam_and_short_ones_are_scored_whole() -> None:
    network = make_network(width=16)
    scorer = RaslScorer(network, spec_digest=SPEC.digest())
    rng = np.random.default_rng(0)
    short = features_of(rng.normal(size=(32, VISUAL)).astype(np.float32))
    (found,) = scorer.compute_terms(short, ["picture_rasl"]).values()
    whole = network.activations("visual", torch.from_numpy(short.visual_TV)[None], valid(32))
    np.testing.assert_allclose(found, whole.detach().numpy()[0], atol=1e-5)
    long = features_of(np.tile(short.visual_TV, (5, 1)))
    (found,) = scorer.compute_terms(long, ["picture_rasl"]).values()
    assert found.shape == (160,)
    assert np.isfinite(found).all()
    # The video repeats with the period of the positions and of the groups: so do the scores.
    inner = found[32:128].reshape(3, 32)
    np.testing.assert_allclose(inner[0], inner[1], atol=0.15)
    assert np.corrcoef(inner[0], inner[2])[0, 1] > 0.99
    silent = scorer.compute_terms(features_of(np.ones((90, VISUAL), np.float32)), ["picture_rasl"])
    assert np.isfinite(silent["picture_rasl"]).all()


def test_only_masked_reconstruction_teaches_it() -> None:
    network = make_network(input_projection="none").train()
    sampler = SequenceSampler(make_corpus(), DATA, seed=0)
    off = dict.fromkeys(LOSS_NAMES, 0.0)
    for loss in ("budget", "planted", "kpoint", "masked"):
        objective = ObjectiveConfig(**{**off, loss: 1.0})
        batch = sampler.batch(1, batch_size=4, objective=objective, period_clips=32)
        network.zero_grad(set_to_none=True)
        compute_losses(network, batch, objective)["total"].backward()
        decoder = network.branch("visual").reconstruct[1].weight.grad
        token = network.branch("visual").hidden_token.grad
        if loss == "masked":
            assert decoder is not None
            assert token is not None
            assert float(decoder.abs().sum()) > 0
            assert float(token.abs().sum()) > 0
        else:
            assert decoder is None
            assert token is None
        if loss == "budget":
            assert network.rasl.beta.grad is not None
            assert float(network.rasl.beta.grad) != 0


def test_it_trains_saves_and_finds_what_does_not_belong(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "run", steps=80, batch_size=8, save_every=1000)
    recipe = dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, activation="predictability")
    )
    path = train_on(make_corpus(48), recipe)
    scorer = load_scorer(path, kind="rasl", feature_spec=SPEC)
    # Two single clips of another type are what the rest does not foretell.
    hits = 0
    for seed in range(10):
        types = [seed % 6] * 30
        types[7] = types[20] = (seed + 1) % 6
        raw = scorer.score(World().video(types, seed=900 + seed), modality="v").raw_T
        hits += len(set(np.argsort(raw)[-2:].tolist()) & {7, 20})
    assert hits >= 18


def test_parameters_that_vision_needs() -> None:
    network = make_network()
    branch = network.branch("visual")
    unused = [*branch.embedding.parameters(), *network.branch("audio").parameters()]
    expected = count_parameters(network) - sum(p.numel() for p in unused)
    assert count_parameters(network, vision_only=True) == expected
