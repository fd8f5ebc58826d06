"""What is installed of each plugin, and whether it is what this `hl` would install."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hlcli import __version__
from hlcli.errors import HlError
from hlcli.plugins.install import plan_install
from hlcli.plugins.manifest import Plugin
from hlcli.plugins.receipt import InstalledFile, Receipt, read_receipt, sha256_of
from hlcli.plugins.system import System

FileState = Literal["current", "outdated", "changed", "missing"]
"""As this `hl` would write it; as another `hl` wrote it; changed by somebody; not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginState:
    """What is installed of one plugin."""

    plugin: Plugin
    """The plugin."""
    receipt: Receipt | None
    """What was installed; None for nothing."""
    files: tuple[tuple[InstalledFile, FileState], ...]
    """Every installed file."""
    new_places: tuple[str, ...]
    """Editions that are on this machine and got no plugin yet, though others did."""

    @property
    def is_current(self) -> bool:
        """Whether it is installed, whole, and what this `hl` would install."""
        return self.receipt is not None and all(state == "current" for _, state in self.files)

    @property
    def words(self) -> str:
        """Say it in a few words."""
        if self.receipt is None:
            return "not installed"
        if not Path(self.receipt.program).is_file():
            return f"installed, but the hl it starts is gone: {self.receipt.program}"
        for state, words in (
            ("missing", "installed, but files are missing"),
            ("changed", "installed, but files were changed since"),
            ("outdated", f"installed by hl {self.receipt.version}, not as this one would"),
        ):
            if any(found == state for _, found in self.files):
                return words
        return f"installed, matches hl {__version__}"


def state_of(plugin: Plugin, system: System, *, program: Path) -> PluginState:
    """Compare what is installed with what would be; changes nothing.

    Args:
        plugin: Which.
        system: The machine.
        program: Absolute path of the `hl` that would be baked in.

    Raises:
        OutputError: The receipt or a file cannot be read.
    """
    receipt = read_receipt(plugin.name)
    if receipt is None:
        return PluginState(plugin=plugin, receipt=None, files=(), new_places=())
    current: set[str] = set()
    new_places: dict[str, None] = {}
    known = {file.path for file in receipt.files}
    for all_users in sorted({file.all_users for file in receipt.files}):
        try:
            plan = plan_install(plugin, system, program=program, all_users=all_users, force=True)
        except HlError:
            # The program is gone: then nothing of it is as it would be installed.
            continue
        for step in plan.steps:
            if step.action == "keep":
                current.add(str(step.path))
            elif step.action == "write" and str(step.path) not in known:
                new_places[step.edition] = None
    files = tuple((file, _file_state(file, current)) for file in receipt.files)
    return PluginState(plugin=plugin, receipt=receipt, files=files, new_places=tuple(new_places))


def _file_state(file: InstalledFile, current: set[str]) -> FileState:
    if file.path in current:
        return "current"
    found = sha256_of(Path(file.path))
    if found is None:
        return "missing"
    return "outdated" if found == file.sha256 else "changed"
