"""Trains a RASL network: AdamW, warm-up and cosine, resumable, reproducible on the CPU."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

import torch
from torch import Tensor, nn

from hlcli.errors import TrainingError
from hlcli.model.detector import RaslNetwork
from hlcli.training.batches import batches_on
from hlcli.training.dataset import Batch, SequenceSampler
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.forward import TrainedNetwork
from hlcli.training.objective import compute_losses
from hlcli.training.recipe import ObjectiveConfig, TrainingConfig
from hlcli.training.scale import LossScale
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
    ranks: Ranks = ALONE,
    on_step: OnStep = ignore_step,
    nan_hint: str = "look at these videos, or lower training.learning_rate",
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
        ranks: The processes that train together; only the first writes. With dropout, how many
            there are changes what is dropped, and nothing else.
        on_step: Called after each step, in every process.
        nan_hint: What to do when a loss is no number.

    Raises:
        TrainingError: The loss or its gradient is no longer a number (the last good state is kept),
            or the state in `output` is damaged or of another run.
        OutputError: The state cannot be written.
    """
    network.to(device)
    ranks.share_state(network)
    optimiser = _make_optimiser(network, training)
    average = None
    if training.ema_decay:
        average = {name: p.detach().clone() for name, p in network.named_parameters()}
    scale = LossScale.first(training.precision)
    state_path, log_path = output / STATE_FILE, output / LOG_FILE

    def save(step: int) -> None:
        if ranks.is_first:
            save_state(
                state_path,
                step=step,
                run_digest=run_digest,
                network=network,
                optimiser=optimiser,
                average=average,
                scale=scale,
            )

    done = load_state(
        state_path,
        run_digest=run_digest,
        network=network,
        optimiser=optimiser,
        average=average,
        scale=scale,
    )
    ranks.check_same(f"{run_digest} {done}", "recipe, videos and state to go on from")
    if ranks.is_first:
        if done == 0:
            log_path.unlink(missing_ok=True)
        cut_log(log_path, steps=done)
    calls = TrainedNetwork(network, device=device, precision=training.precision, ranks=ranks)

    def draw(step: int) -> Batch:
        return sampler.batch(
            step,
            batch_size=training.batch_size,
            objective=objective,
            period_clips=network.config.window_clips,
        )

    devices = [device] if device.type == "cuda" else []
    network.train()
    with (
        # The caller's random state is his own, so it is put back.
        torch.random.fork_rng(devices=devices),
        _append_only(log_path if ranks.is_first else None) as log,
        batches_on(device, draw, last_step=training.steps) as batch_of,
    ):
        for step in range(done + 1, training.steps + 1):
            batch = batch_of(step)
            rate = learning_rate(step, training)
            for group in optimiser.param_groups:
                group["lr"] = rate
            try:
                report = _step(calls, optimiser, batch, objective, training, scale, step)
            except _NotANumber as error:
                save(step - 1)
                raise TrainingError(
                    f"{error} at step {step}; the batch was cut from {_some(batch)}",
                    hint=f"{nan_hint}; {STATE_FILE} keeps the {step - 1} good steps",
                ) from error
            if average is not None:
                _update_average(average, network, training.ema_decay)
            if log is not None:
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
    calls: TrainedNetwork,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    objective: ObjectiveConfig,
    training: TrainingConfig,
    scale: LossScale,
    step: int,
) -> StepReport:
    parameters = list(calls.network.parameters())
    while True:
        torch.manual_seed(training.seed * 1_000_003 + step)
        losses = compute_losses(calls, batch, objective)
        optimiser.zero_grad(set_to_none=True)
        # A batch may have nothing for the only loss, such as no sound for "scl".
        if losses["total"].requires_grad:
            (losses["total"] * scale.scale).backward()  # type: ignore[no-untyped-call]
        if calls.ranks.size > 1:
            calls.ranks.sum_gradients(parameters)
        if scale.scale != 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.div_(scale.scale)
        norm = nn.utils.clip_grad_norm_(parameters, training.grad_clip)
        # The only wait for a GPU in a step: all numbers come over at once.
        *values, grad_norm = torch.stack(
            [one.detach().float() for one in (*losses.values(), norm)]
        ).tolist()
        bad = [name for name, value in zip(losses, values, strict=True) if not math.isfinite(value)]
        if bad:
            raise _NotANumber(f"the loss is no longer a number ({', '.join(bad)})")
        if math.isfinite(grad_norm):
            break
        if not scale.overflowed():
            raise _NotANumber("the gradient is no longer a number")
    optimiser.step()
    scale.succeeded(training.precision)
    return StepReport(
        step=step,
        steps=training.steps,
        learning_rate=optimiser.param_groups[0]["lr"],
        losses=dict(zip(losses, values, strict=True)),
        grad_norm=grad_norm,
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


@contextlib.contextmanager
def _append_only(path: Path | None) -> Iterator[IO[str] | None]:
    """Open the log; a line that a kill cuts through is dropped on resume."""
    if path is None:
        yield None
        return
    with path.open("a", encoding="utf-8") as log:
        yield log


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
