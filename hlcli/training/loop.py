"""Trains a RASL network: AdamW, warm-up and cosine, resumable, reproducible on the CPU."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

import torch
from torch import Tensor, nn

from hlcli.errors import TrainingError
from hlcli.model.detector import RaslNetwork
from hlcli.training.dataset import Batch, SequenceSampler
from hlcli.training.objective import compute_losses
from hlcli.training.recipe import ObjectiveConfig, TrainingConfig
from hlcli.training.state import cut_log, load_state, save_state

STATE_FILE = "state.safetensors"
"""What a stopped run goes on from."""
LOG_FILE = "losses.jsonl"
"""One JSON object a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step did."""

    step: int
    """Steps done, from 1."""
    steps: int
    """Steps in all."""
    learning_rate: float
    """Learning rate of this step."""
    losses: dict[str, float]
    """Unweighted losses by name, and "total"."""
    grad_norm: float
    """Length of the gradient before clipping."""


OnStep: TypeAlias = Callable[[StepReport], None]


def ignore_step(report: StepReport) -> None:
    """Show nothing; the default where an `OnStep` is taken."""


def train_network(
    network: RaslNetwork,
    sampler: SequenceSampler,
    *,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    output: Path,
    run_digest: str,
    device: torch.device,
    on_step: OnStep = ignore_step,
) -> None:
    """Train in place, going on from the state in `output` where there is one.

    Ctrl-C may stop it anywhere: only whole steps are ever saved.

    Args:
        network: The network, with its fixed input maps filled; ends with the trained weights, or
            with their moving average where the recipe says so.
        sampler: Draws the batches.
        objective: Losses.
        training: Optimiser.
        output: Folder of the state and the log; it exists.
        run_digest: Names the recipe and the data; a state of another run is refused.
        device: Where to train.
        on_step: Called after each step.

    Raises:
        TrainingError: The loss or its gradient is no longer a number (the last good state is kept),
            or the state in `output` is damaged or of another run.
        OutputError: The state cannot be written.
    """
    network.to(device)
    optimiser = _make_optimiser(network, training)
    average = None
    if training.ema_decay:
        average = {name: p.detach().clone() for name, p in network.named_parameters()}
    state_path, log_path = output / STATE_FILE, output / LOG_FILE

    def save(step: int) -> None:
        save_state(
            state_path,
            step=step,
            run_digest=run_digest,
            network=network,
            optimiser=optimiser,
            average=average,
        )

    done = load_state(
        state_path, run_digest=run_digest, network=network, optimiser=optimiser, average=average
    )
    if done == 0:
        log_path.unlink(missing_ok=True)
    cut_log(log_path, steps=done)
    devices = [device] if device.type == "cuda" else []
    network.train()
    # An append-only log: a line cut by a kill is dropped on resume. The caller's random state is
    # his own, so it is put back.
    with torch.random.fork_rng(devices=devices), log_path.open("a", encoding="utf-8") as log:
        for step in range(done + 1, training.steps + 1):
            torch.manual_seed(training.seed * 1_000_003 + step)
            batch = sampler.batch(
                step,
                batch_size=training.batch_size,
                objective=objective,
                period_clips=network.config.window_clips,
            )
            rate = learning_rate(step, training)
            for group in optimiser.param_groups:
                group["lr"] = rate
            try:
                report = _step(network, optimiser, batch.to(device), objective, training, step)
            except _NotANumber as error:
                save(step - 1)
                raise TrainingError(
                    f"{error} at step {step}; the batch was cut from {_some(batch)}",
                    hint=f"look at these videos, or lower training.learning_rate; "
                    f"{STATE_FILE} keeps the {step - 1} good steps",
                ) from error
            if average is not None:
                _update_average(average, network, training.ema_decay)
            _log(log, report)
            if step % training.save_every == 0 or step == training.steps:
                save(step)
            on_step(report)
    if average is not None:
        network.load_state_dict(average, strict=False)
    network.eval()


def learning_rate(step: int, training: TrainingConfig) -> float:
    """Learning rate of a step, from 1: a straight warm-up, then a cosine towards 0."""
    warmup = round(training.warmup_share * training.steps)
    if step <= warmup:
        return training.learning_rate * step / warmup
    progress = (step - 1 - warmup) / max(1, training.steps - warmup)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


class _NotANumber(Exception):
    pass


def _step(
    network: RaslNetwork,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    step: int,
) -> StepReport:
    losses = compute_losses(network, batch, objective)
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise _NotANumber(f"the loss is no longer a number ({', '.join(bad)})")
    optimiser.zero_grad(set_to_none=True)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    norm = float(nn.utils.clip_grad_norm_(network.parameters(), training.grad_clip))
    if not math.isfinite(norm):
        raise _NotANumber("the gradient is no longer a number")
    optimiser.step()
    return StepReport(
        step=step,
        steps=training.steps,
        learning_rate=optimiser.param_groups[0]["lr"],
        losses=values,
        grad_norm=norm,
    )


def _make_optimiser(network: RaslNetwork, training: TrainingConfig) -> torch.optim.AdamW:
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": training.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=training.learning_rate,
    )


def _update_average(average: dict[str, Tensor], network: RaslNetwork, decay: float) -> None:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            average[name].lerp_(parameter, 1 - decay)


def _log(log: IO[str], report: StepReport) -> None:
    row = {
        "step": report.step,
        "learning_rate": report.learning_rate,
        "grad_norm": report.grad_norm,
        **report.losses,
    }
    log.write(json.dumps(row) + "\n")
    log.flush()


def _some(batch: Batch) -> str:
    shown = ", ".join(batch.names[:8])
    return shown if len(batch.names) <= 8 else f"{shown} and {len(batch.names) - 8} more"
