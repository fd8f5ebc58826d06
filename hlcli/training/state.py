"""The whole state of a training run in one file, so that a killed run goes on bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import torch
from torch import Tensor, nn

from hlcli.atomic import write_bytes, write_text
from hlcli.errors import CheckpointError, TrainingError
from hlcli.model.checkpoint import check_tensors, read_tensors
from hlcli.training.scale import LossScale

SCHEMA = "hl.training-state/2"
"""Name and version of the file's layout."""

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save_state(
    path: Path,
    *,
    step: int,
    run_digest: str,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
    scale: LossScale,
) -> None:
    """Write weights, optimiser moments, moving average and loss scale, atomically.

    No random state is stored: everything random follows from the seed and the step.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {
        f"model.{name}": _array(tensor) for name, tensor in network.state_dict().items()
    }
    for name, parameter in network.named_parameters():
        moments = optimiser.state.get(parameter, {})
        arrays |= {f"adam.{one}.{name}": _array(moments[one]) for one in _MOMENTS if one in moments}
    for name, tensor in (average or {}).items():
        arrays[f"average.{name}"] = _array(tensor)
    header = {"schema": SCHEMA, "step": step, "run": run_digest}
    header |= {"scale": scale.scale, "good_steps": scale.good_steps}
    write_bytes(path, safetensors.numpy.save(arrays, {"hl": json.dumps(header, sort_keys=True)}))


def load_state(
    path: Path,
    *,
    run_digest: str,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
    scale: LossScale,
) -> int:
    """Read what `save_state` wrote into the network, the optimiser and the rest.

    Returns:
        Steps done; 0 when there is no such file.

    Raises:
        TrainingError: The state is damaged, or of another recipe or other data.
    """
    if not path.exists():
        return 0
    fresh = f"remove {path.name} to start over, or choose another output folder"
    try:
        arrays, metadata = read_tensors(path)
        header = json.loads(metadata["hl"])
        if header["schema"] != SCHEMA:
            raise ValueError(f"layout {header['schema']!r}")
        if header["run"] != run_digest:
            raise TrainingError(
                f"{path.parent} holds a run of another recipe or of other videos", hint=fresh
            )
        parameters = dict(network.named_parameters())
        expected = {f"model.{k}": tuple(v.shape) for k, v in network.state_dict().items()}
        expected |= {f"average.{k}": tuple(v.shape) for k, v in (average or {}).items()}
        for name, parameter in parameters.items():
            # A parameter that no loss has reached yet has no moments.
            if f"adam.step.{name}" in arrays:
                shape = tuple(parameter.shape)
                expected |= {f"adam.exp_avg.{name}": shape, f"adam.exp_avg_sq.{name}": shape}
                expected[f"adam.step.{name}"] = (1,)
        check_tensors(arrays, expected)
        step = int(header["step"])
        scale.scale, scale.good_steps = float(header["scale"]), int(header["good_steps"])
    except (CheckpointError, KeyError, ValueError, TypeError) as error:
        raise TrainingError(f"the training state {path} is damaged: {error}", hint=fresh) from error
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    network.load_state_dict({n: tensors[f"model.{n}"] for n in network.state_dict()})
    for name, parameter in parameters.items():
        if f"adam.step.{name}" in tensors:
            optimiser.state[parameter] = {
                "step": tensors[f"adam.step.{name}"][0],
                "exp_avg": tensors[f"adam.exp_avg.{name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"adam.exp_avg_sq.{name}"].to(parameter.device),
            }
    for name, tensor in (average or {}).items():
        tensor.copy_(tensors[f"average.{name}"])
    return step


def cut_log(path: Path, *, steps: int) -> None:
    """Drop what the log says after `steps` steps: those are done again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= steps:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            break  # the line the kill cut through
    write_text(path, "".join(kept))


def _array(tensor: Tensor) -> npt.NDArray[np.generic]:
    array: npt.NDArray[np.generic] = np.atleast_1d(tensor.detach().cpu().numpy())
    return np.ascontiguousarray(array)
