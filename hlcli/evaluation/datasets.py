"""Which datasets `hl eval` knows: the seam for further ones.

A dataset is a name and a function from its settings to a `Report`; the command line shows every
report the same way. TVSum, SumMe, YouTube Highlights and QVHighlights come with the next issue.
"""

from __future__ import annotations

from hlcli.errors import UsageError

PLANNED = ("tvsum", "summe", "youtube-highlights", "qvhighlights")
"""Names that are settled but cannot be evaluated yet."""
AVAILABLE = ("composite",)
"""Names that `hl eval` takes."""


def check_dataset(name: str) -> None:
    """Do nothing when `hl eval` can run the dataset.

    Raises:
        UsageError: It cannot.
    """
    if name in AVAILABLE:
        return
    known = ", ".join(AVAILABLE)
    if name in PLANNED:
        raise UsageError(f"{name} cannot be evaluated yet", hint=f"available now: {known}")
    raise UsageError(f"unknown dataset {name!r}", hint=f"available now: {known}")
