"""Parts of a labelled collection that never share a group: train, dev, test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

PARTS = ("train", "dev", "test")
"""The parts, in the order in which groups are dealt."""
_SHARES = (0.4, 0.2, 0.4)


def assign_splits(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Assign every clip to a part: about 40 % train, 20 % dev, 40 % test of each label's groups.

    A group is all clips of one `source`, `label` and `group`; clips with no `group` form one
    group per source and label, since nothing says that they are independent. The groups of each
    label are ordered by the sha256 of their key, so adding clips to a group, or another label,
    moves nothing.

    Args:
        rows: The manifest; missing `source`, `label` or `group` count as None.

    Returns:
        One of `PARTS` for each row, in the same order.
    """
    keys = [(row.get("source"), row.get("label"), row.get("group")) for row in rows]
    groups_of: dict[object, set[tuple[object, object, object]]] = {}
    for key in keys:
        groups_of.setdefault(key[1], set()).add(key)
    part_of: dict[tuple[object, object, object], str] = {}
    for groups in groups_of.values():
        for position, key in enumerate(sorted(groups, key=_digest)):
            part_of[key] = _part((position + 0.5) / len(groups))
    return [part_of[key] for key in keys]


def _digest(key: tuple[object, object, object]) -> str:
    return hashlib.sha256("/".join(map(str, key)).encode()).hexdigest()


def _part(fraction: float) -> str:
    if fraction < _SHARES[0]:
        return PARTS[0]
    return PARTS[1] if fraction < _SHARES[0] + _SHARES[1] else PARTS[2]
