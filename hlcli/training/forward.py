"""The network as the losses call it: in the precision of the recipe, and shared among processes.

Everything with weights goes through here; the losses themselves are calculated in float32, from
the rows of the whole batch.

Axes: B batch, T clips, V feature size, I input size, D model width, E embedding size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from hlcli.errors import RecipeError
from hlcli.model.detector import Branch, RaslNetwork, Side
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.recipe import Precision

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Forward(Protocol):
    """What the losses need of a network; `RaslNetwork` has it, `TrainedNetwork` too."""

    @property
    def activates_latents(self) -> bool:
        """See `RaslNetwork.activates_latents`."""

    def branch(self, side: Side) -> Branch:
        """See `RaslNetwork.branch`; only its fixed input map may be used directly."""

    def encode(
        self,
        side: Side,
        input_BTI: Tensor,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        hidden_BT: Tensor | None = None,
    ) -> Tensor:
        """See `RaslNetwork.encode`."""

    def decode(
        self, side: Side, latent_BTD: Tensor, mask_BT: Tensor, *, offset_B: Tensor | None = None
    ) -> Tensor:
        """See `RaslNetwork.decode`."""

    def embed(self, side: Side, latent: Tensor) -> Tensor:
        """See `RaslNetwork.embed`."""

    def activate(
        self,
        side: Side,
        input_BTI: Tensor,
        latent_BTD: Tensor | None,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        signal_BT: Tensor | None = None,
    ) -> Tensor:
        """See `RaslNetwork.activate`."""


class TrainedNetwork:
    """Calls a network in mixed precision, each process for its own rows of the batch.

    Encoders and decoders run in the lower precision where the recipe asks for one; activations
    and embeddings, whose small differences matter, in float32, as do all losses.

    Args:
        network: The network.
        device: Where it is.
        precision: "float32" leaves every number as it is without this class.
        ranks: The processes; with several, every method gathers what all of them calculated.
    """

    def __init__(
        self,
        network: RaslNetwork,
        *,
        device: torch.device,
        precision: Precision = "float32",
        ranks: Ranks = ALONE,
    ) -> None:
        self.network = network
        self.device = device
        self.precision = precision
        self.ranks = ranks

    @property
    def activates_latents(self) -> bool:
        """See `RaslNetwork.activates_latents`."""
        return self.network.activates_latents

    def branch(self, side: Side) -> Branch:
        """See `RaslNetwork.branch`."""
        return self.network.branch(side)

    def encode(
        self,
        side: Side,
        input_BTI: Tensor,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        hidden_BT: Tensor | None = None,
    ) -> Tensor:
        """See `RaslNetwork.encode`."""

        def call(x: Tensor | None, m: Tensor | None, o: Tensor | None, h: Tensor | None) -> Tensor:
            assert x is not None
            assert m is not None
            with self._autocast():
                return self.network.encode(side, x, m, offset_B=o, hidden_BT=h)

        return self._by_rows(call, input_BTI, mask_BT, offset_B, hidden_BT)

    def decode(
        self, side: Side, latent_BTD: Tensor, mask_BT: Tensor, *, offset_B: Tensor | None = None
    ) -> Tensor:
        """See `RaslNetwork.decode`."""

        def call(x: Tensor | None, m: Tensor | None, o: Tensor | None) -> Tensor:
            assert x is not None
            assert m is not None
            with self._autocast():
                return self.network.decode(side, x, m, offset_B=o)

        return self._by_rows(call, latent_BTD, mask_BT, offset_B)

    def embed(self, side: Side, latent: Tensor) -> Tensor:
        """See `RaslNetwork.embed`."""

        def call(x: Tensor | None) -> Tensor:
            assert x is not None
            return self.network.embed(side, x)

        return self._by_rows(call, latent)

    def activate(
        self,
        side: Side,
        input_BTI: Tensor,
        latent_BTD: Tensor | None,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        signal_BT: Tensor | None = None,
    ) -> Tensor:
        """See `RaslNetwork.activate`."""

        def call(
            x: Tensor | None,
            h: Tensor | None,
            m: Tensor | None,
            o: Tensor | None,
            s: Tensor | None,
        ) -> Tensor:
            assert x is not None
            assert m is not None
            return self.network.activate(side, x, h, m, offset_B=o, signal_BT=s)

        return self._by_rows(call, input_BTI, latent_BTD, mask_BT, offset_B, signal_BT)

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        try:
            return torch.autocast(self.device.type, dtype=_DTYPES[self.precision])
        except RuntimeError as error:
            raise RecipeError(
                f"{self.device.type} cannot calculate in {self.precision}: {error}",
                hint='set training.precision = "float32"',
            ) from error

    def _by_rows(self, call: Callable[..., Tensor], *rows: Tensor | None) -> Tensor:
        if self.ranks.size == 1:
            return call(*rows).float()
        first = rows[0]
        assert first is not None
        own = [None if row is None else self.ranks.own_rows(row) for row in rows]
        assert own[0] is not None
        count = len(own[0])
        if not count:
            # A process without rows of its own still has to know the shape of the others'.
            own = [
                None if mine is None or row is None else torch.cat([mine, row[:1].detach()])
                for mine, row in zip(own, rows, strict=True)
            ]
        # What is dropped differs between processes; what the losses draw afterwards does not.
        seed = int(torch.randint(2**31, ()).item()) + self.ranks.rank
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            made = call(*own).float()
        return self.ranks.gather(made[:count], len(first))
