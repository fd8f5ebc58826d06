"""Puts the plugins into the wheel: what each plugin.toml lists, not their tests and tools.

Hatch calls it; pyproject.toml names it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class PluginFiles(BuildHookInterface[Any]):
    """Adds `hlcli/_plugins`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell hatch which files to add; an editable install reads the checkout instead."""
        if version == "editable":
            return
        folder = Path(self.root) / "plugins"
        for manifest in sorted(folder.glob("*/plugin.toml")):
            listed = tomllib.loads(manifest.read_text(encoding="utf-8"))["files"]
            paths = {manifest, *(manifest.parent / entry["source"] for entry in listed)}
            for entry in listed:
                if "parts" in entry:
                    paths.update((manifest.parent / entry["parts"]).glob("*.lua"))
            for path in sorted(paths):
                target = Path("hlcli/_plugins") / path.relative_to(folder)
                build_data["force_include"][str(path)] = target.as_posix()
