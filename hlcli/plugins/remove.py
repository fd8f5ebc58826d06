"""Taking a plugin back: only what `hl` installed, and what it replaced comes back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hlcli.plugins import adobe
from hlcli.plugins.manifest import Plugin
from hlcli.plugins.receipt import InstalledFile, Receipt, read_receipt, sha256_of, write_receipt
from hlcli.plugins.system import System
from hlcli.plugins.undo import all_or_nothing
from hlcli.plugins.wanted import panel_name

Fate = Literal["delete", "restore", "changed", "gone", "run"]
"""Deleted; deleted and what was there before put back; kept since the user changed it; no longer
there; and a command of Adobe's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One thing that removing does."""

    fate: Fate
    """What."""
    path: Path
    """The file."""
    backup: Path | None = None
    """What comes back, or is left where it is when the file was changed."""
    command: tuple[str, ...] = ()
    """For "run"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPlan:
    """What removing a plugin would do now."""

    steps: tuple[Removal, ...]
    """In order; none when it is not installed."""
    receipt: Receipt | None
    """What is installed."""
    kept: tuple[InstalledFile, ...]
    """Files of the other kind, for this user or for all, that stay installed."""
    by_hand: str | None
    """Name of a panel that must be removed in Creative Cloud."""


def plan_removal(plugin: Plugin, system: System, *, all_users: bool = False) -> RemovalPlan:
    """Find out what removing would do; changes nothing.

    Args:
        plugin: What to remove.
        system: The machine.
        all_users: What was installed for all users, instead of what was for this one.

    Raises:
        OutputError: A file or the receipt cannot be read.
    """
    receipt = read_receipt(plugin.name)
    if receipt is None:
        return RemovalPlan(steps=(), receipt=None, kept=(), by_hand=None)
    chosen = [file for file in receipt.files if file.all_users == all_users]
    steps = [_removal(file) for file in chosen]
    by_hand = None
    if plugin.place == "premiere-ccx":
        name, agent = panel_name(plugin), adobe.find_agent(system)
        if agent is None or not receipt.agent:
            by_hand = name
        else:
            command = tuple(adobe.remove_command(agent, name, system))
            steps.insert(0, Removal(fate="run", path=Path(chosen[0].path), command=command))
    return RemovalPlan(
        steps=tuple(steps),
        receipt=receipt,
        kept=tuple(file for file in receipt.files if file.all_users != all_users),
        by_hand=by_hand,
    )


def remove(plan: RemovalPlan) -> None:
    """Do what a plan says, or nothing when any of it fails.

    Folders that were made for the plugin go too, when nothing else is in them.

    Raises:
        OutputError: A file cannot be deleted, or Adobe's installer refuses.
    """
    if plan.receipt is None:
        return
    with all_or_nothing() as changes:
        for step in plan.steps:
            if step.fate == "run":
                adobe.run(list(step.command))
            if step.fate in ("delete", "restore") and step.path.exists():
                changes.delete(step.path)
            if step.fate == "restore" and step.backup is not None:
                changes.move(step.backup, step.path)
        write_receipt(replace(plan.receipt, files=plan.kept))
    for folder in reversed(plan.receipt.folders):
        # Not empty, or gone already.
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _removal(file: InstalledFile) -> Removal:
    path = Path(file.path)
    backup = Path(file.backup) if file.backup is not None else None
    if backup is not None and not backup.is_file():
        backup = None
    found = sha256_of(path)
    if found is None:
        return Removal(fate="restore" if backup else "gone", path=path, backup=backup)
    if found != file.sha256:
        return Removal(fate="changed", path=path, backup=backup)
    return Removal(fate="restore" if backup else "delete", path=path, backup=backup)
