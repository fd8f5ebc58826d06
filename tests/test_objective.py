"""The losses: what has a gradient, what does not, and worked values."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from synthetic_features import AUDIO, VISUAL, make_corpus

from hlcli.model.config import RaslConfig
from hlcli.model.detector import RaslNetwork
from hlcli.training.dataset import Batch, SequenceSampler, hide_spans
from hlcli.training.objective import (
    compute_losses,
    info_nce,
    k_point_pool,
    pair_ranking,
    squared_error,
    step_nce,
)
from hlcli.training.recipe import LOSS_NAMES, DataConfig, ObjectiveConfig

pytestmark = pytest.mark.usefixtures("one_thread")

OFF = {name: 0.0 for name in LOSS_NAMES}


def only(name: str, **changes: object) -> ObjectiveConfig:
    return ObjectiveConfig(**{**OFF, name: 1.0, **changes})  # type: ignore[arg-type]


def make_network(**changes: object) -> RaslNetwork:
    torch.manual_seed(0)
    settings: dict[str, object] = {
        "visual_size": VISUAL,
        "audio_size": AUDIO,
        "input_projection": "none",
        "width": 32,
        "rasl_width": 16,
        "embedding_width": 16,
    }
    return RaslNetwork(RaslConfig(**{**settings, **changes}))  # type: ignore[arg-type]


def make_batch(config: ObjectiveConfig | None = None, *, batch_size: int = 4) -> Batch:
    data = DataConfig(sequence_clips=16, pseudo_categories=6)
    sampler = SequenceSampler(make_corpus(), data, seed=0)
    objective = config or ObjectiveConfig()
    return sampler.batch(1, batch_size=batch_size, objective=objective, period_clips=256)


def gradients(network: RaslNetwork, batch: Batch, config: ObjectiveConfig) -> dict[str, float]:
    network.zero_grad(set_to_none=True)
    compute_losses(network, batch, config)["total"].backward()
    return {
        name: 0.0 if p.grad is None else float(p.grad.abs().sum())
        for name, p in network.named_parameters()
    }


@pytest.mark.parametrize("activation", ["dev", "edev", "head", "norm"])
@pytest.mark.parametrize("loss", ["reconstruction", "kpoint", "budget", "planted"])
def test_gradient_reaches_the_activation_map_from_each_loss_alone(
    activation: str, loss: str
) -> None:
    found = gradients(make_network(activation=activation), make_batch(), only(loss))
    assert found["rasl.map.weight"] > 0
    assert all(math.isfinite(value) for value in found.values())


@pytest.mark.parametrize("loss", ["masked", "scl"])
def test_the_other_losses_leave_the_activation_map_alone(loss: str) -> None:
    found = gradients(make_network(), make_batch(), only(loss))
    assert found["rasl.map.weight"] == 0
    assert found["branches.visual.embed.weight"] > 0
    assert found["branches.audio.embed.weight"] > 0


def test_masked_loss_has_no_gradient_on_clips_that_are_not_hidden() -> None:
    got = torch.randn(3, 16, VISUAL, requires_grad=True)
    hidden = make_batch(batch_size=3).hidden_visual_BT
    squared_error(got, torch.randn(3, 16, VISUAL), hidden).backward()
    assert got.grad is not None
    assert float(got.grad[~hidden].abs().sum()) == 0
    assert (got.grad[hidden].abs().sum(-1) > 0).all()


def test_masked_loss_does_not_see_what_is_hidden() -> None:
    # The content of hidden clips may only matter as the target, never as an input.
    network = make_network().eval()
    inputs = torch.randn(2, 16, VISUAL, requires_grad=True)
    mask = torch.ones(2, 16, dtype=torch.bool)
    hidden = make_batch(batch_size=2).hidden_visual_BT
    latent = network.encode("visual", inputs, mask, hidden_BT=hidden)
    network.decode("visual", latent, mask).square().sum().backward()
    assert inputs.grad is not None
    assert float(inputs.grad[hidden].abs().sum()) == 0
    assert (inputs.grad[~hidden].abs().sum(-1) > 0).all()


def test_padding_changes_no_loss() -> None:
    network = make_network(dropout=0.0)
    batch = make_batch()
    losses = compute_losses(network, batch, ObjectiveConfig())

    def pad(x: torch.Tensor, value: float) -> torch.Tensor:
        shape = (x.shape[0], 5, *x.shape[2:])
        return torch.cat([x, torch.full(shape, value).to(x.dtype)], dim=1)

    padded = dataclasses.replace(
        batch,
        visual_BTV=pad(batch.visual_BTV, math.nan),
        audio_BTA=pad(batch.audio_BTA, math.nan),
        mask_BT=pad(batch.mask_BT, 0),
        hidden_visual_BT=pad(batch.hidden_visual_BT, 1),
        hidden_audio_BT=pad(batch.hidden_audio_BT, 1),
        planted_BT=pad(batch.planted_BT, 1),
    )
    again = compute_losses(network, padded, ObjectiveConfig())
    for name, loss in losses.items():
        torch.testing.assert_close(again[name], loss, atol=1e-4, rtol=1e-4, msg=name)


def test_each_weight_of_zero_leaves_its_loss_out_and_total_is_the_weighted_sum() -> None:
    network, batch = make_network(dropout=0.0), make_batch()
    config = ObjectiveConfig(scl=0.25, planted=2.0)
    losses = compute_losses(network, batch, config)
    expected = sum(getattr(config, name) * losses[name] for name in LOSS_NAMES)
    torch.testing.assert_close(losses["total"], expected)
    for name in LOSS_NAMES:
        without = compute_losses(network, batch, dataclasses.replace(config, **{name: 0.0}))
        assert name not in without
        torch.testing.assert_close(
            without["total"], losses["total"] - getattr(config, name) * losses[name]
        )


def test_k_is_a_share_rounded_up_and_at_least_one() -> None:
    for num_clips, share, k in ((1, 0.2, 1), (4, 0.2, 1), (15, 0.2, 3), (16, 0.2, 4), (6, 1.0, 6)):
        logits = torch.randn(1, num_clips + 3, requires_grad=True)
        latent = torch.eye(num_clips + 3)[None]
        mask = torch.arange(num_clips + 3)[None] < num_clips
        pooled = k_point_pool(latent, logits, mask, share=share)[0].detach()
        assert int((pooled > 0).sum()) == k
        assert abs(float(pooled.sum()) - 1) < 1e-6
        order = logits.detach()[0, :num_clips].argsort(descending=True)
        assert set(pooled.nonzero()[:, 0].tolist()) == set(order[:k].tolist())


def test_info_nce_worked_values() -> None:
    eye = torch.eye(2)
    assert float(info_nce(eye, eye, None, temperature=1.0)) == pytest.approx(
        math.log(1 + math.exp(-1))
    )
    # One shared negative that equals the first anchor.
    shared = info_nce(eye, eye, eye[:1], temperature=1.0)
    first, second = math.log(2 + math.exp(-1)), math.log(1 + 2 * math.exp(-1))
    assert float(shared) == pytest.approx((first + second) / 2)
    # Each row's own negative equals its anchor.
    own = info_nce(eye, eye, eye[:, None], temperature=1.0)
    assert float(own) == pytest.approx(math.log(2 + math.exp(-1)))


def test_kpoint_negatives_switch() -> None:
    network, batch = make_network(dropout=0.0).requires_grad_(False), make_batch()
    values = {
        name: float(compute_losses(network, batch, only("kpoint", kpoint_negatives=name))["kpoint"])
        for name in ("videos", "+own_bottomk", "+all_bottomk")
    }
    # Each step adds negatives, and each negative adds to the loss.
    assert values["videos"] < values["+own_bottomk"] < values["+all_bottomk"]


def test_scl_levels() -> None:
    network, batch = make_network(dropout=0.0).requires_grad_(False), make_batch()
    values = {
        level: float(compute_losses(network, batch, only("scl", scl_level=level))["scl"])
        for level in ("global", "local", "both")
    }
    assert values["both"] == pytest.approx((values["global"] + values["local"]) / 2, rel=1e-5)
    assert values["global"] != pytest.approx(values["local"])


def test_step_contrast_leaves_neighbours_out() -> None:
    eye = torch.eye(4)[None]
    mask = torch.ones(1, 4, dtype=torch.bool)
    # Ends have two negatives, inner clips one.
    end, inner = math.log(1 + 2 * math.exp(-1)), math.log(1 + math.exp(-1))
    expected = (2 * end + 2 * inner) / 4
    assert float(step_nce(eye, eye, mask, temperature=1.0)) == pytest.approx(expected)
    one = step_nce(eye[:, :1], eye[:, :1], mask[:, :1], temperature=1.0)
    assert float(one) == 0


def test_pair_ranking_worked_value_and_sign() -> None:
    logits = torch.tensor([[2.0, 0.0, 1.0], [5.0, 5.0, 5.0]], requires_grad=True)
    planted = torch.tensor([[True, False, False], [False, False, False]])
    loss = pair_ranking(logits, planted, torch.ones(2, 3, dtype=torch.bool))
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert float(loss.detach()) == pytest.approx(expected)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0
    assert (logits.grad[0, 1:] > 0).all()
    assert float(logits.grad[1].abs().sum()) == 0


def test_sequences_without_sound_take_no_part_in_losses_of_sound() -> None:
    network, batch = make_network(dropout=0.0), make_batch()
    mute = dataclasses.replace(
        batch,
        has_audio_B=torch.tensor([True, False, True, False]),
        audio_BTA=batch.audio_BTA.clone(),
    )
    losses = compute_losses(network, mute, ObjectiveConfig())
    mute.audio_BTA[1] = 1e3
    again = compute_losses(network, mute, ObjectiveConfig())
    for name, loss in losses.items():
        assert float(again[name].detach()) == float(loss.detach()), name
    silent = dataclasses.replace(batch, has_audio_B=torch.zeros(4, dtype=torch.bool))
    found = gradients(network, silent, ObjectiveConfig())
    assert found["branches.audio.embed.weight"] == 0
    assert found["branches.visual.embed.weight"] > 0


def test_hidden_spans() -> None:
    rng = np.random.default_rng(0)
    for num_clips in (2, 3, 10, 48):
        for _ in range(20):
            hidden = hide_spans(rng, num_clips, 0.4, 5)
            assert int(hidden.sum()) == min(max(1, round(0.4 * num_clips)), num_clips - 1)
    assert int(hide_spans(rng, 1, 0.4, 5).sum()) == 0
