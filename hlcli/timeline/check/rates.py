"""Which rates programs have, and whether a float means one."""

from __future__ import annotations

from fractions import Fraction

from hlcli.media.rates import NTSC
from hlcli.timeline.check.findings import Findings
from hlcli.timeline.formats.rates import EDITOR_RATES, nearest_rate
from hlcli.timeline.read.exact import exact_rate

PROGRAM_RATES: dict[str, tuple[Fraction, ...]] = {
    "resolve": (
        *(Fraction(n) for n in (16, 18, 24, 25, 30, 48, 50, 60, 72, 95, 96, 100, 119, 120)),
        *(n * NTSC for n in (24, 30, 48, 60, 96, 120)),
    ),
    "premiere": (
        *(Fraction(n) for n in (10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120)),
        Fraction(25, 2),
        *(n * NTSC for n in (24, 30, 60, 120)),
    ),
    "finalcut": EDITOR_RATES,
}
"""Rates a timeline can have, in frames per second, by the program's value of --for."""


def is_exact(rate: float) -> bool:
    """Return whether a float is a rate with all its digits: 29.97 is not, 30000/1001 is."""
    return float(exact_rate(rate)) == rate


def check_timeline_rate(rate: Fraction, where: str, findings: Findings) -> None:
    """Check that the program offers timelines of a rate."""
    rates = PROGRAM_RATES.get(findings.target)
    if rates is not None and rate not in rates:
        findings.add(
            "rate-unsupported",
            where,
            f"{rate} frames per second",
            hint=f"the nearest it has is --frame-rate {nearest_rate(rate, rates)}",
        )
