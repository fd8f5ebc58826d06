"""Several processes that train one network together, started by `torchrun`.

Each takes its share of the rows of every batch through the network; what comes out is gathered,
so that each process sees the losses of the whole batch, contrast against all of its videos
included. On the way back each process has the whole gradient of everything gathered, calculates
that of its rows, and gathers those again; the sum over processes of the gradients of a parameter
is the gradient that one process would have had.

Axes: N rows of the whole batch, n rows of one process.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hlcli.errors import TrainingError

_LONGEST_WAIT = datetime.timedelta(days=7)
"""The first process may extract features for days while the others wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This process among those that train together."""

    rank: int = 0
    """Number of this process, from 0; the first one writes, logs and prints."""
    size: int = 1
    """How many processes there are, at least 1."""

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def bounds(self, num_rows: int) -> list[int]:
        """Where each process's rows begin, and the end: `size` + 1 numbers, from 0 to N.

        Example:
            >>> Ranks(size=3).bounds(7)
            [0, 2, 4, 7]
        """
        return [num_rows * rank // self.size for rank in range(self.size + 1)]

    def own_rows(self, whole: Tensor) -> Tensor:
        """The rows of this process, with gradient; the counterpart of `gather`.

        Args:
            whole: The same in all processes, shape `(N, ...)`.

        Returns:
            Shape `(n, ...)`.
        """
        bounds = self.bounds(len(whole))
        if not whole.requires_grad:
            return whole[bounds[self.rank] : bounds[self.rank + 1]]
        own: Tensor = _Split.apply(whole, bounds, self.rank)  # type: ignore[no-untyped-call]
        return own

    def gather(self, own: Tensor, num_rows: int) -> Tensor:
        """Put the rows of all processes together, with gradient.

        Args:
            own: What this process made of its rows, shape `(n, ...)`.
            num_rows: N, the same in all processes, as is the order of the calls.

        Returns:
            Shape `(N, ...)`, the same in all processes.

        Raises:
            TrainingError: Another process is gone.
        """
        gathered: Tensor = _Gather.apply(own, self.bounds(num_rows), self.rank)  # type: ignore[no-untyped-call]
        return gathered

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over all processes.

        A parameter that has no gradient in any process keeps none, as in a single process.

        Raises:
            TrainingError: Another process is gone.
        """
        every = list(parameters)
        has = torch.tensor([float(p.grad is not None) for p in every])
        parts = [p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in every]
        flat = torch.cat([has.to(parts[0]), *parts])
        with _lost_processes():
            dist.all_reduce(flat)
        has_any = flat[: len(every)].tolist()
        pieces = torch.split(flat[len(every) :], [p.numel() for p in every])
        for parameter, any_has, piece in zip(every, has_any, pieces, strict=True):
            parameter.grad = piece.view_as(parameter) if any_has else None

    def share_state(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""
        if self.size == 1:
            return
        with _lost_processes(), torch.no_grad():
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor.data, 0)

    def check_same(self, digest: str, what: str) -> None:
        """Refuse to go on when the processes do not agree.

        Args:
            digest: What must be the same in all.
            what: What it is the digest of, for the message.

        Raises:
            TrainingError: It is not, or another process is gone.
        """
        if self.size == 1:
            return
        found: list[Any] = [None] * self.size
        with _lost_processes():
            dist.all_gather_object(found, digest)
        if len(set(found)) > 1:
            raise TrainingError(
                f"the processes do not have the same {what}",
                hint="give all of them the same files, or train with one process",
            )

    @contextlib.contextmanager
    def first_alone(self) -> Iterator[None]:
        """Run the block in the first process, and only then in the others."""
        if self.size > 1 and not self.is_first:
            self._wait()
        yield
        if self.size > 1 and self.is_first:
            self._wait()

    def _wait(self) -> None:
        with _lost_processes():
            dist.all_reduce(torch.zeros(1, device=_device()))


ALONE = Ranks()
"""A single process."""


def ranks_of_environment() -> Ranks:
    """Read what `torchrun` says about this process; `ALONE` where it did not start it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return ALONE if size < 2 else Ranks(rank=int(os.environ["RANK"]), size=size)


@contextlib.contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Meet the other processes, NCCL between GPUs and Gloo between CPUs, and part at the end.

    Raises:
        TrainingError: They cannot be met.
    """
    if ranks.size == 1:
        yield
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _lost_processes():
        dist.init_process_group(backend, timeout=_LONGEST_WAIT)
    yield
    # After an error the others may be gone; then the end of the process closes the connections.
    dist.destroy_process_group()


def device_name(name: str) -> str:
    """The device of this process: "auto" and "cuda" mean one GPU for each on its machine."""
    if name not in ("auto", "cuda") or not torch.cuda.is_available():
        return name
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


class _Split(torch.autograd.Function):
    """Takes the rows of one process; their gradients are gathered from all."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor, bounds: list[int], rank: int) -> Tensor:
        ctx.bounds = bounds
        return whole[bounds[rank] : bounds[rank + 1]].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _all_rows(grads[0], ctx.bounds), None, None


class _Gather(torch.autograd.Function):
    """Gathers rows; each process keeps the gradient of its own.

    Every process goes on to calculate the same from all rows, so the gradient it finds for its
    own is the whole one, and nothing needs to be sent back.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, bounds: list[int], rank: int) -> Tensor:
        ctx.rows = slice(bounds[rank], bounds[rank + 1])
        return _all_rows(own, bounds)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0][ctx.rows], None, None


def _all_rows(own: Tensor, bounds: list[int]) -> Tensor:
    counts = [stop - start for start, stop in itertools.pairwise(bounds)]
    padded = own.new_zeros(max(counts), *own.shape[1:])
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in counts]
    with _lost_processes():
        dist.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


@contextlib.contextmanager
def _lost_processes() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the processes lost each other: {str(error).splitlines()[0]}",
            hint="look for the first error above; run the same command to go on",
        ) from error


def _device() -> torch.device:
    cuda = dist.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")
