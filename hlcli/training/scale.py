"""Keeps small gradients from vanishing in float16: the loss is scaled up, they are scaled back.

It is torch's `GradScaler` in what it does, but on every device, with a step that overflows done
again instead of left out, and without a wait for the GPU of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from hlcli.training.recipe import Precision

_FIRST_SCALE = 2.0**16
_LARGEST_SCALE = 2.0**24
_SMALLEST_SCALE = 1.0
_STEPS_TO_GROW = 2000


@dataclass(slots=True)
class LossScale:
    """The factor on the loss, adapted as training goes."""

    scale: float = 1.0
    """Factor, a power of two, so that it changes no bit but the exponent."""
    good_steps: int = 0
    """Steps without overflow since the factor last changed."""

    @classmethod
    def first(cls, precision: Precision) -> LossScale:
        """The scale a run begins with: 1, which changes nothing, unless in float16."""
        return cls(_FIRST_SCALE if precision == "float16" else 1.0)

    def overflowed(self) -> bool:
        """Halve the scale after a gradient that is no number; False when it is 1 already."""
        if self.scale <= _SMALLEST_SCALE:
            return False
        self.scale, self.good_steps = self.scale / 2, 0
        return True

    def succeeded(self, precision: Precision) -> None:
        """Count a good step; after many the scale is doubled."""
        self.good_steps += 1
        if precision == "float16" and self.good_steps >= _STEPS_TO_GROW:
            self.scale, self.good_steps = min(2 * self.scale, _LARGEST_SCALE), 0
