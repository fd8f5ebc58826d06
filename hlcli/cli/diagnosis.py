"""What `hl doctor` looks at, one function per subject; nothing here prints."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hlcli import __version__
from hlcli.cli.console import printable
from hlcli.cores import num_cores
from hlcli.errors import HlError, size_text
from hlcli.paths import cache_dir, own_models_dir
from hlcli.zoo.folders import own_names
from hlcli.zoo.manifest import SPEECH_DETECTOR, default_model_name, find_model, known_names
from hlcli.zoo.weights import is_offline, local_path, location, verify

_PACKAGES = ("torch", "av", "numpy", "opentimelineio")
_LOW_DISK_BYTES = 1 << 30
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|KEY", re.IGNORECASE)
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)?.*@", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One line of the report."""

    subject: str
    """What was looked at, such as "torch" or "cache folder"."""
    status: Literal["ok", "none", "warning", "problem"]
    """A problem makes scoring impossible; a warning makes it slower or poorer; "none" is not there,
    and scoring does without."""
    detail: str
    """What was found."""
    hint: str = ""
    """What to do about it; empty when all is well."""


def examine() -> Iterator[Diagnosis]:
    """Yield the findings in the order of the report; one that fails becomes a problem itself."""
    for check in (
        _versions,
        _machine,
        _devices,
        _decoders,
        _ffmpeg,
        _cache,
        _models,
        _environment,
        _plugins,
    ):
        yield from _guarded(check)


def masked(name: str, value: str) -> str:
    """Return a variable's value without user names, passwords and tokens.

    Example:
        >>> masked("HTTPS_PROXY", "http://ann:p@ss/w@proxy.example:3128")
        'http://***@proxy.example:3128'
    """
    if _SECRET_NAME.search(name):
        return "***"
    # Up to the last @: an unescaped password may hold @ and / itself.
    return printable(_CREDENTIALS.sub(lambda found: f"{found['scheme'] or ''}***@", value))


def _guarded(check: Callable[[], Iterator[Diagnosis]]) -> Iterator[Diagnosis]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - the doctor must survive what it examines
        yield Diagnosis(
            subject=check.__name__.strip("_"),
            status="problem",
            detail=f"{type(error).__name__}: {error}",
            hint="install hl again in a fresh environment",
        )


def _versions() -> Iterator[Diagnosis]:
    yield Diagnosis(subject="hl", status="ok", detail=__version__)
    yield Diagnosis(
        subject="Python", status="ok", detail=f"{platform.python_version()} ({sys.executable})"
    )
    for package in _PACKAGES:
        try:
            detail = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield Diagnosis(
                subject=package,
                status="problem",
                detail="not installed",
                hint=f"run `pip install {package}` in this environment",
            )
            continue
        yield Diagnosis(subject=package, status="ok", detail=detail)


def _machine() -> Iterator[Diagnosis]:
    yield Diagnosis(
        subject="platform", status="ok", detail=f"{platform.platform()} {platform.machine()}"
    )
    present = os.cpu_count() or 1
    # A container or a batch system may lend us fewer.
    detail = f"{num_cores()} of {present}" if num_cores() < present else str(present)
    yield Diagnosis(subject="CPUs", status="ok", detail=detail)
    memory_bytes = _memory_bytes()
    detail = size_text(memory_bytes) if memory_bytes else "unknown"
    yield Diagnosis(subject="memory", status="ok", detail=detail)


def _memory_bytes() -> int:
    """Return the size of the memory, 0 when the system does not say."""
    if sys.platform == "win32":
        import ctypes

        # MEMORYSTATUSEX: its own size and the load in 32 bits each, then seven 64-bit sizes.
        status = (ctypes.c_uint64 * 8)()
        status[0] = ctypes.sizeof(status)
        is_known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status[1]) if is_known else 0
    else:
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError):
            return 0


def _devices() -> Iterator[Diagnosis]:
    import torch

    yield Diagnosis(subject="device cpu", status="ok", detail=f"{torch.get_num_threads()} threads")
    for index in range(torch.cuda.device_count()):
        known = torch.cuda.get_device_properties(index)
        yield Diagnosis(
            subject=f"device cuda:{index}",
            status="ok",
            detail=f"{known.name}, {size_text(known.total_memory)}",
        )
    if torch.cuda.device_count() == 0:
        why = "no GPU found" if torch.version.cuda else "this torch is built without CUDA"
        yield Diagnosis(subject="device cuda", status="none", detail=why)
    if torch.backends.mps.is_available():
        yield Diagnosis(subject="device mps", status="ok", detail="present")
    else:
        yield Diagnosis(subject="device mps", status="none", detail="no Apple GPU")


def _decoders() -> Iterator[Diagnosis]:
    from hlcli.media.codecs import decoders_present, library_versions

    versions = ", ".join(f"{name} {version}" for name, version in library_versions().items())
    yield Diagnosis(subject="FFmpeg libraries", status="ok", detail=versions)
    present = decoders_present()
    missing = [name for name, is_present in present.items() if not is_present]
    yield Diagnosis(
        subject="decoders",
        status="problem" if "h264" in missing else "warning" if missing else "ok",
        detail=", ".join(f"{name} {'missing' if name in missing else 'ok'}" for name in present),
        hint="reinstall the av package from its wheel" if missing else "",
    )


def _ffmpeg() -> Iterator[Diagnosis]:
    from hlcli.media.ffmpeg import find_ffmpeg

    try:
        program = find_ffmpeg()
    except HlError as error:
        # Scoring decodes through the libraries; only thumbnails and excerpts need the program.
        yield Diagnosis(
            subject="ffmpeg program", status="warning", detail=error.message, hint=error.hint
        )
        return
    yield Diagnosis(
        subject="ffmpeg program",
        status="ok",
        detail=printable(f"{program.version} from {program.source}: {program.path}"),
    )


def _cache() -> Iterator[Diagnosis]:
    folder = cache_dir().absolute()
    shown = printable(str(folder))
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        yield Diagnosis(
            subject="cache folder",
            status="warning",
            detail=f"{shown} cannot be written",
            hint="set HL_CACHE_DIR to a folder you may write to, or score with --no-cache",
        )
        return
    yield Diagnosis(
        subject="cache folder", status="ok", detail=f"{shown}, {size_text(_folder_bytes(folder))}"
    )
    free_bytes = shutil.disk_usage(existing).free
    is_low = free_bytes < _LOW_DISK_BYTES
    yield Diagnosis(
        subject="free disk",
        status="warning" if is_low else "ok",
        detail=size_text(free_bytes),
        hint="free some space, or set HL_CACHE_DIR to another disk" if is_low else "",
    )


def _folder_bytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118
            except OSError:
                # Another process cleans up at the same time.
                continue
    return total


def _models() -> Iterator[Diagnosis]:
    where, names = printable(str(own_models_dir().absolute())), own_names()
    yield Diagnosis(
        subject="own models",
        status="ok" if names else "none",
        detail=f"{where}: {', '.join(names)}" if names else f"{where} has none",
    )
    needed = {SPEECH_DETECTOR}
    try:
        default = default_model_name()
        spec = find_model(default).feature_spec or {}
        needed |= {default, str(spec["visual_encoder"]), str(spec["audio_encoder"])}
        yield Diagnosis(subject="default model", status="ok", detail=default)
    except HlError as error:
        yield Diagnosis(
            subject="default model", status="problem", detail=error.message, hint=error.hint
        )
    for name in sorted(needed | set(known_names())):
        yield _model(name, is_needed=name in needed)


def _model(name: str, *, is_needed: bool) -> Diagnosis:
    subject = f"model {name}"
    try:
        manifest = find_model(name)
        if manifest.file is None and not local_path(manifest).is_file() and not is_needed:
            detail = "not downloaded" if manifest.url is not None else "not converted"
            return Diagnosis(subject=subject, status="none", detail=detail)
        verify(manifest)
    except (HlError, OSError) as error:
        return Diagnosis(
            subject=subject,
            status="problem" if is_needed else "warning",
            detail=printable(str(error)),
            hint=error.hint if isinstance(error, HlError) else "check the rights of the file",
        )
    return Diagnosis(
        subject=subject,
        status="ok",
        detail=f"{location(manifest)}, verified, {size_text(local_path(manifest).stat().st_size)}",
    )


def _environment() -> Iterator[Diagnosis]:
    names = sorted(
        name for name in os.environ if name.startswith("HL_") or name.lower() in _PROXIES
    )
    for name in names:
        yield Diagnosis(subject=name, status="ok", detail=masked(name, os.environ[name]))
    if is_offline():
        yield Diagnosis(
            subject="downloads",
            status="warning",
            detail="forbidden by HL_OFFLINE",
            hint="unset HL_OFFLINE to download models",
        )


def _plugins() -> Iterator[Diagnosis]:
    from hlcli.plugins.manifest import list_plugins
    from hlcli.plugins.state import state_of
    from hlcli.plugins.system import System, program_path

    try:
        program, system = program_path(), System.current()
        states = [state_of(plugin, system, program=program) for plugin in list_plugins()]
    except HlError as error:
        # Scoring needs none of them.
        yield Diagnosis(subject="plugins", status="warning", detail=error.message, hint=error.hint)
        return
    for state in states:
        name = state.plugin.name
        where = ", ".join(sorted({str(Path(file.path).parent) for file, _ in state.files}))
        hint = ""
        if state.receipt is not None and not state.is_current:
            hint = f"run `hl plugins install {name}` again"
        elif state.new_places:
            editions = ", ".join(state.new_places)
            hint = f"run `hl plugins install {name}` for {editions} too"
        yield Diagnosis(
            subject=f"plugin {name}",
            status="warning" if hint else "none" if state.receipt is None else "ok",
            detail=printable(f"{state.words}: {where}" if where else state.words),
            hint=hint,
        )
