"""Mixed precision: it trains, stays near float32, resumes, and recovers from overflow."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import Stop, losses, make_corpus, make_recipe, stop_at

from hlcli.errors import TrainingError
from hlcli.model.checkpoint import read_tensors
from hlcli.model.detector import RaslNetwork
from hlcli.training import scale as scale_module
from hlcli.training.forward import TrainedNetwork
from hlcli.training.recipe import TrainingConfig
from hlcli.training.run import train_on
from hlcli.training.scale import LossScale


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_trains_and_stays_near_float32(tmp_path: Path, precision: str) -> None:
    corpus = make_corpus()
    train_on(corpus, make_recipe(tmp_path / "full"))
    low = train_on(corpus, make_recipe(tmp_path / "low", precision=precision))
    full_rows, low_rows = losses(tmp_path / "full"), losses(tmp_path / "low")
    assert len(low_rows) == 12
    for full, other in zip(full_rows[:3], low_rows[:3], strict=True):
        for name, value in full.items():
            if name != "grad_norm":
                assert other[name] == pytest.approx(value, rel=0.05, abs=1e-3), name
    assert [row["total"] for row in low_rows] != [row["total"] for row in full_rows]
    assert low_rows[-1]["total"] < low_rows[0]["total"]
    # The weights, and with them the model, stay in float32.
    tensors, _ = read_tensors(low)
    assert {array.dtype for array in tensors.values()} == {np.dtype(np.float32)}
    assert all(np.isfinite(array).all() for array in tensors.values())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_resumes_bit_for_bit(tmp_path: Path, precision: str) -> None:
    corpus = make_corpus()
    whole = train_on(corpus, make_recipe(tmp_path / "whole", precision=precision, ema_decay=0.5))
    broken = make_recipe(tmp_path / "broken", precision=precision, ema_decay=0.5)
    with pytest.raises(Stop):
        train_on(corpus, broken, on_step=stop_at(7))
    assert train_on(corpus, broken).read_bytes() == whole.read_bytes()
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")


def test_a_step_that_overflows_is_done_again_with_half_the_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale_module, "_FIRST_SCALE", 2.0**36)  # more than float16 holds
    monkeypatch.setattr(scale_module, "_STEPS_TO_GROW", 3)
    monkeypatch.setattr(scale_module, "_LARGEST_SCALE", 2.0**8)
    corpus = make_corpus()
    recipe = make_recipe(tmp_path / "run", precision="float16", steps=4, save_every=2)
    with pytest.raises(Stop):
        train_on(corpus, recipe, on_step=stop_at(3))

    def header() -> dict[str, float]:
        _, metadata = read_tensors(tmp_path / "run" / "state.safetensors")
        found: dict[str, float] = json.loads(metadata["hl"])
        return found

    first = header()
    assert first["step"] == 2
    assert 1 <= first["scale"] < 2.0**36
    assert first["good_steps"] == 2
    train_on(corpus, recipe)
    # Doubled after three good steps, but no higher than allowed; the count began in the state.
    assert header()["scale"] == min(2 * first["scale"], 2.0**8)
    assert header()["good_steps"] == 1
    rows = losses(tmp_path / "run")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert all(np.isfinite(list(row.values())).all() for row in rows)


def test_the_scale_gives_up_at_one() -> None:
    scale = LossScale(4.0, 7)
    assert scale.overflowed()
    assert (scale.scale, scale.good_steps) == (2.0, 0)
    assert scale.overflowed()
    assert not scale.overflowed()
    assert scale.scale == 1.0
    # Only float16 needs one.
    full = LossScale.first("float32")
    for _ in range(5000):
        full.succeeded("float32")
    assert full.scale == 1.0
    assert LossScale.first("bfloat16").scale == 1.0


def test_a_loss_that_is_no_number_is_no_overflow(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "run", precision="float16", learning_rate=1e30)
    recipe = dataclasses.replace(
        recipe, training=dataclasses.replace(recipe.training, warmup_share=0.0)
    )
    with pytest.raises(TrainingError, match="no longer a number"):
        train_on(make_corpus(), recipe)


def test_only_encoders_and_decoders_are_lowered() -> None:
    torch.manual_seed(0)
    recipe = make_recipe(Path("unused"))
    network = RaslNetwork(recipe.model).eval()
    low = TrainedNetwork(network, device=torch.device("cpu"), precision="bfloat16")
    inputs, mask = torch.randn(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)
    latent = network.encode("visual", inputs, mask)
    lowered = low.encode("visual", inputs, mask)
    assert lowered.dtype == torch.float32
    assert not torch.equal(lowered, latent)
    torch.testing.assert_close(lowered, latent, atol=0.05, rtol=0.05)
    assert torch.equal(low.embed("visual", latent), network.embed("visual", latent))
    assert torch.equal(
        low.activate("visual", inputs, latent, mask),
        network.activate("visual", inputs, latent, mask),
    )


def test_float32_is_the_default() -> None:
    assert TrainingConfig().precision == "float32"
