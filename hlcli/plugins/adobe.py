"""Premiere's package: packed here, installed by Adobe's own agent where there is one."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from hlcli.errors import EditorNotFoundError, OutputError
from hlcli.plugins.system import System

_AGENT = "UnifiedPluginInstallerAgent"
_DATE = (2020, 1, 1, 0, 0, 0)
"""Of every entry: the same files give the same bytes."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a .ccx: a zip with manifest.json at its root, the same bytes for the same files.

    Args:
        files: Content by path in the package, with "/" between folders.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # As made on Unix wherever it is made, readable by all.
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            package.writestr(entry, files[name])
    return buffer.getvalue()


def package_names(manifest: bytes) -> tuple[str, str]:
    """Return the file name of a package and the name that Adobe's agent knows it by.

    Args:
        manifest: Its manifest.json.

    Raises:
        OutputError: It is none.
    """
    try:
        fields = json.loads(manifest)
        return f"{fields['id']}_premierepro.ccx", str(fields["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"the panel's manifest.json is damaged: {error}") from error


def find_agent(system: System) -> Path | None:
    """Return Adobe's plugin installer; None where it is not installed."""
    if system.platform == "macos":
        components = system.root / "Library" / "Application Support" / "Adobe"
        inner = Path(f"{_AGENT}.app") / "Contents" / "MacOS" / _AGENT
    elif system.platform == "windows":
        components = system.program_files / "Common Files" / "Adobe"
        inner = Path(f"{_AGENT}.exe")
    else:
        return None
    folder = components / "Adobe Desktop Common" / "RemoteComponents" / "UPI" / _AGENT
    return folder / inner if (folder / inner).is_file() else None


def check_system(system: System) -> None:
    """Raise EditorNotFoundError where Premiere Pro does not exist."""
    if system.platform == "linux":
        raise EditorNotFoundError(
            "Premiere Pro does not run on Linux",
            hint="install the plugin on the machine with Premiere, or say --force to get the .ccx",
        )


def install_command(agent: Path, package: Path, system: System) -> list[str]:
    """Return the command that installs a package."""
    return [str(agent), "/install" if system.platform == "windows" else "--install", str(package)]


def remove_command(agent: Path, name: str, system: System) -> list[str]:
    """Return the command that removes a package, known by its name."""
    return [str(agent), "/remove" if system.platform == "windows" else "--remove", name]


def run(command: list[str]) -> None:
    """Run Adobe's agent.

    Raises:
        OutputError: It fails or does not end within five minutes.
    """
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutputError(
            f"Adobe's installer did not run: {error}", hint="double-click the .ccx file instead"
        ) from error
    if said.returncode != 0:
        words = " ".join((said.stdout + said.stderr).split()) or f"exit code {said.returncode}"
        raise OutputError(
            f"Adobe's installer refused: {words}",
            hint="double-click the .ccx file instead, or update Creative Cloud",
        )
