"""Installing a plugin: first a plan, which a dry run prints, then all of it or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hlcli import __version__
from hlcli.plugins import adobe
from hlcli.plugins.manifest import Plugin
from hlcli.plugins.receipt import (
    InstalledFile,
    Receipt,
    read_receipt,
    receipt_path,
    sha256_of,
    write_receipt,
)
from hlcli.plugins.system import System
from hlcli.plugins.undo import Changes, all_or_nothing
from hlcli.plugins.wanted import WantedFile, wanted_files

Action = Literal["write", "update", "replace", "keep", "drop", "run"]
"""New file, ours made new, somebody else's moved aside, nothing to do, ours no longer needed, and
a command of Adobe's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that installing does."""

    action: Action
    """What."""
    path: Path
    """The file, or for "run" the package."""
    edition: str
    """The program, with its edition or version."""
    backup: Path | None = None
    """For "replace", where what is there now goes; for "drop", what comes back."""
    content: bytes = b""
    """What is written."""
    command: tuple[str, ...] = ()
    """For "run"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """What installing a plugin would do now."""

    plugin: Plugin
    """The plugin."""
    program: Path
    """Path of `hl` that is baked in."""
    all_users: bool
    """Into the folders for all users."""
    steps: tuple[Step, ...]
    """In order."""
    receipt: Receipt | None
    """What was installed before."""
    by_hand: Path | None
    """A package that must be double-clicked, since Adobe's installer is not here."""

    @property
    def changes_nothing(self) -> bool:
        """Whether all is installed as it should be."""
        return all(step.action == "keep" for step in self.steps)


def plan_install(
    plugin: Plugin, system: System, *, program: Path, all_users: bool = False, force: bool = False
) -> InstallPlan:
    """Find out what installing would do; writes nothing.

    Args:
        plugin: What to install.
        system: The machine.
        program: Absolute path of `hl`.
        all_users: Into the folders for all users.
        force: Also where the program is not found.

    Raises:
        EditorNotFoundError: The program is not found.
        UsageError: There is no folder for all users.
        OutputError: A file or the receipt cannot be read.
    """
    wanted = wanted_files(plugin, system, program=program, all_users=all_users, force=force)
    receipt = read_receipt(plugin.name)
    ours = {file.path: file for file in receipt.files} if receipt else {}
    steps = [_step(file, ours.get(str(file.path))) for file in wanted]
    steps += _no_longer_wanted(ours, wanted, all_users)
    by_hand = None
    if plugin.place == "premiere-ccx":
        package, is_new = wanted[0].path, steps[0].action != "keep"
        agent = adobe.find_agent(system)
        if agent is None:
            by_hand = package
        elif is_new or receipt is None or not receipt.agent:
            command = tuple(adobe.install_command(agent, package, system))
            steps.append(
                Step(action="run", path=package, edition=wanted[0].edition, command=command)
            )
    return InstallPlan(
        plugin=plugin,
        program=program,
        all_users=all_users,
        steps=tuple(steps),
        receipt=receipt,
        by_hand=by_hand,
    )


def install(plan: InstallPlan) -> None:
    """Do what a plan says, or nothing when any of it fails.

    Raises:
        OutputError: A file cannot be written, or Adobe's installer refuses.
    """
    with all_or_nothing() as changes:
        folders: list[str] = list(plan.receipt.folders) if plan.receipt else []
        changes.make_folders(receipt_path(plan.plugin.name).parent)
        changes.watch(receipt_path(plan.plugin.name))
        # Before and after: whatever ends this in between, `remove` knows what may be there.
        write_receipt(_receipt(plan, folders, is_done=False))
        for step in plan.steps:
            _do(step, changes, folders)
        write_receipt(_receipt(plan, folders, is_done=True))


def _step(file: WantedFile, ours: InstalledFile | None) -> Step:
    step = Step(action="write", path=file.path, edition=file.edition, content=file.content)
    found = sha256_of(file.path)
    if found is None:
        return step
    if found == hashlib.sha256(file.content).hexdigest():
        return replace(step, action="keep")
    if ours is not None and found == ours.sha256:
        return replace(step, action="update")
    return replace(step, action="replace", backup=_free_name(file.path))


def _free_name(path: Path) -> Path:
    number = 1
    while (backup := path.with_name(f"{path.name}.backup-{number}")).exists():
        number += 1
    return backup


def _no_longer_wanted(
    ours: dict[str, InstalledFile], wanted: list[WantedFile], all_users: bool
) -> Iterator[Step]:
    """Yield files of another version of the plugin, in the folders that are looked at."""
    paths = {str(file.path) for file in wanted}
    editions = {file.edition for file in wanted}
    for path, file in ours.items():
        if path in paths or file.all_users != all_users or file.edition not in editions:
            continue
        if sha256_of(Path(path)) == file.sha256:
            backup = Path(file.backup) if file.backup is not None else None
            yield Step(action="drop", path=Path(path), edition=file.edition, backup=backup)


def _do(step: Step, changes: Changes, folders: list[str]) -> None:
    if step.action == "keep":
        return
    if step.action == "run":
        adobe.run(list(step.command))
        return
    if step.action == "drop":
        changes.delete(step.path)
        if step.backup is not None and step.backup.is_file():
            changes.move(step.backup, step.path)
        return
    folders += [str(path) for path in changes.make_folders(step.path.parent)]
    if step.backup is not None:
        changes.move(step.path, step.backup)
    changes.write(step.path, step.content)


def _receipt(plan: InstallPlan, folders: list[str], *, is_done: bool) -> Receipt:
    before = {file.path: file for file in plan.receipt.files} if plan.receipt else {}
    files = dict(before)
    has_run = plan.receipt is not None and plan.receipt.agent
    for step in plan.steps:
        if step.action == "run":
            has_run = has_run or is_done
        elif step.action == "drop":
            if is_done:
                del files[str(step.path)]
        else:
            known = before.get(str(step.path))
            # The first backup is what was there before hl; later ones are the user's to keep.
            first = known.backup if known is not None else None
            files[str(step.path)] = InstalledFile(
                path=str(step.path),
                sha256=hashlib.sha256(step.content).hexdigest(),
                backup=first or (str(step.backup) if step.backup else None),
                edition=step.edition,
                all_users=plan.all_users,
            )
    return Receipt(
        plugin=plan.plugin.name,
        version=__version__,
        program=str(plan.program),
        files=tuple(files.values()),
        folders=tuple(dict.fromkeys(folders)),
        agent=has_run,
    )
