"""The Premiere Pro panel: manifest, package, types, its tests on Node, and itself in a browser."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_pages import missing_packages, run_script
from media_factory import AudioTrack, click_track, make_video, shots
from PIL import Image

from hlcli.plugins.manifest import find_plugin
from hlcli.plugins.wanted import panel_package

REPOSITORY = Path(__file__).resolve().parents[1]
PLUGIN = REPOSITORY / "plugins" / "premiere"
PANEL = PLUGIN / "panel"
TICKS_PER_SECOND = 254_016_000_000


def manifest() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((PANEL / "manifest.json").read_text())
    return fields


def panel_scripts() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(PANEL.glob("*.js"))}


def test_the_manifest_says_what_premiere_asks_for() -> None:
    fields = manifest()
    assert fields["manifestVersion"] == 5
    assert re.fullmatch(r"[a-z0-9]+(\.[a-z0-9]+)+", fields["id"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"])
    # One object: Adobe packages no list.
    assert fields["host"] == {"app": "premierepro", "minVersion": "25.6.0"}
    assert (PANEL / fields["main"]).is_file()
    (panel,) = fields["entrypoints"]
    assert (panel["type"], panel["label"]) == ("panel", {"default": fields["name"]})
    for smaller, larger in (
        ("minimumSize", "preferredDockedSize"),
        ("preferredDockedSize", "maximumSize"),
        ("preferredFloatingSize", "maximumSize"),
    ):
        for side in ("width", "height"):
            assert panel[smaller][side] <= panel[larger][side]


def test_the_panel_may_do_no_more_than_it_needs() -> None:
    permissions = manifest()["requiredPermissions"]
    assert set(permissions) == {"localFileSystem", "network"}
    # A dialog for each file, not the whole disk.
    assert permissions["localFileSystem"] == "request"
    ports = re.search(r"const PORTS = (\[[^]]*\])", (PANEL / "app.js").read_text())
    assert ports is not None
    # A whole list of exact origins: "all" or a bare host in it is denied without a word.
    assert permissions["network"] == {
        "domains": [f"http://127.0.0.1:{port}" for port in json.loads(ports[1])]
    }


def test_icons_have_the_sizes_they_are_declared_with() -> None:
    fields = manifest()
    icons = [*fields["icons"], *fields["entrypoints"][0]["icons"]]
    assert len(icons) == 3
    for icon in icons:
        for scale in icon["scale"]:
            name = icon["path"].replace(".png", f"@{scale}x.png" if scale > 1 else ".png")
            with Image.open(PANEL / name) as image:
                assert image.size == (icon["width"] * scale, icon["height"] * scale)


def test_the_package_has_every_file_of_the_panel_and_no_other() -> None:
    plugin = find_plugin("premiere", PLUGIN.parent)
    first = panel_package(plugin, program=Path("/opt/hl/bin/hl"))
    assert first.path.name == "hl.highlights.premiere_premierepro.ccx"
    assert first.content == panel_package(plugin, program=Path("/opt/hl/bin/hl")).content
    with zipfile.ZipFile(io.BytesIO(first.content)) as package:
        assert package.testzip() is None
        names = package.namelist()
        for name in names:
            assert package.read(name) == (PANEL / name).read_bytes()
    assert names == sorted(path.name for path in PANEL.iterdir())


def test_scripts_ask_only_for_files_of_the_package() -> None:
    scripts = panel_scripts()
    page = (PANEL / "index.html").read_text()
    assert re.findall(r'<script src="([^"]*)">', page) == ["main.js"]
    asked = {
        name for text in scripts.values() for name in re.findall(r'require\("([^"]*)"\)', text)
    }
    # UXP wants the whole relative path, with its ending.
    assert asked - {"uxp", "premierepro"} == {f"./{name}" for name in scripts} - {"./main.js"}


@pytest.mark.parametrize(
    "missing",
    [
        r"EventSource|ReadableStream|TextDecoder|TextEncoder|createObjectURL|innerHTML|\.dataset",
        r"^\s*(import|export)\s",
        r"createWithSeconds|createWithFrameAndFrameRate",
        r"window\.event|getElementsByClassName|localStorage|eval\(|new Function",
    ],
)
def test_scripts_use_nothing_that_uxp_lacks_or_that_is_inexact(missing: str) -> None:
    for name, text in panel_scripts().items():
        code = re.sub(r"(^|\s)//.*|/\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL)
        assert re.search(missing, code, re.MULTILINE) is None, name


def test_the_page_uses_nothing_that_uxp_lacks() -> None:
    style = re.sub(r"/\*.*?\*/", "", (PANEL / "style.css").read_text(), flags=re.DOTALL)
    assert re.search(r"grid|[^-]gap:|float:|@font-face|:has\(|color-mix", style) is None
    page = (PANEL / "index.html").read_text()
    assert re.search(r"<(ul|ol|li|iframe|svg|form|select)\b|data-|onclick|https?:", page) is None


def test_every_text_of_the_panel_can_be_read_on_both_themes() -> None:
    style = (PANEL / "style.css").read_text()
    for theme in ("theme-dark", "theme-light", "theme-darkest"):
        colors: dict[str, str] = {}
        for selector, block in re.findall(r"([^{}]*)\{([^}]*)\}", style):
            if f".{theme}" in re.split(r"[,\s]+", selector):
                colors |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for text, ground in (
            ("text", "background"),
            ("text", "layer"),
            ("text", "field"),
            ("secondary", "background"),
            ("secondary", "layer"),
        ):
            # 4.5 is what WCAG 2 asks of text of this size.
            assert contrast(colors[text], colors[ground]) >= 4.5, (theme, text, ground)


def contrast(first: str, second: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((PLUGIN / "package-lock.json").read_text())
    wanted = json.loads((PLUGIN / "package.json").read_text())["devDependencies"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for name, entry in lock["packages"].items():
        assert "resolved" not in entry
        assert not name or entry["integrity"].startswith("sha512-")


@functools.cache
def checks_folder() -> Path | str:
    """Return a copy of the plugin with its development packages, or why there is none.

    A copy under build/, so that no node_modules lies in what is shipped; it is kept for later runs.
    """
    folder = REPOSITORY / "build" / "premiere-checks"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("panel", "test"):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(PLUGIN / name, folder / name)
    for name in (
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "tsconfig.uxp.json",
        "host.d.ts",
        "uxp_check.ts",
    ):
        shutil.copyfile(PLUGIN / name, folder / name)
    return missing_packages(folder) or folder


@pytest.fixture
def checks() -> Path:
    folder = checks_folder()
    if isinstance(folder, str):
        pytest.skip(folder)
    return folder


def run_node(checks: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("node") or "node", *arguments],
        cwd=checks,
        env={**os.environ, "HL_REPOSITORY": str(REPOSITORY)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=400,
    )


def type_errors(checks: Path, project: str = "tsconfig.json") -> list[str]:
    done = run_node(checks, "node_modules/typescript/bin/tsc", "-p", project)
    assert done.returncode == 0 or "error TS" in done.stdout, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "error TS" in line]


def test_the_panel_fits_adobes_types(checks: Path) -> None:
    assert type_errors(checks) == []


def test_what_is_declared_of_uxp_is_in_adobes_types(checks: Path) -> None:
    assert type_errors(checks, "tsconfig.uxp.json") == []


def test_a_wrong_call_of_premieres_api_is_found(checks: Path) -> None:
    markers = checks / "panel" / "markers.js"
    text = markers.read_text()
    try:
        markers.write_text(text.replace("createAddMarkerAction", "createAddMarkersAction"))
        (error,) = type_errors(checks)
    finally:
        markers.write_text(text)
    assert "panel/markers.js" in error
    assert "TS2551" in error


def test_the_panels_own_tests(checks: Path) -> None:
    files = sorted(str(path) for path in (checks / "test").glob("*.test.js"))
    done = run_node(checks, "--test", "--test-reporter=tap", *files)
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"^# fail 0$", done.stdout, re.MULTILINE)
    # Written once: a file that is not found must not pass as no test.
    written = sum(
        len(re.findall(r"^\s*test\(", Path(file).read_text(), re.MULTILINE)) for file in files
    )
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= written > 20


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A 20 s video with cuts and six loud seconds."""
    folder = tmp_path / "footage"
    folder.mkdir()
    wave = click_track(20.02, (3.0,))
    noise = np.random.default_rng(0).standard_normal((2, 6 * 48000)).astype(np.float32)
    wave[:, 10 * 48000 : 16 * 48000] = 0.5 * noise
    return make_video(
        folder,
        name="match day.mp4",
        rate=Fraction(30000, 1001),
        num_frames=600,
        paint=shots(150, 300, 480),
        audio=(AudioTrack(wave),),
    )


def panel_port() -> str:
    """Return a port that the panel may use and nobody has."""
    for origin in manifest()["requiredPermissions"]["network"]["domains"]:
        port = origin.rpartition(":")[2]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) != 0:
                return str(port)
    pytest.skip("other programs have every port that the panel may use")


@pytest.fixture
def service(footage: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Run `hl serve` over the footage; gives its port and the pairing code."""
    pytest.importorskip("fastapi", reason="the extra [serve] is not installed")
    port, log = panel_port(), tmp_path / "serve.log"
    # The footage is one kind of scene among others, which is what this detector finds.
    chosen = [sys.executable, "-m", "hlcli", "models", "default", "rasl"]
    subprocess.run(chosen, check=True, capture_output=True)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "hlcli", "serve", "--port", port, "--root", str(footage.parent)],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        try:
            code = None
            while code is None:
                assert process.poll() is None, log.read_text()
                code = re.search(r"pairing code: (\d{6})", log.read_text())
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            yield port, code[1]
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(30)


def otio_cuts(path: str) -> list[list[str]]:
    """Start, end and in point of each clip of the first picture track, in Premiere's ticks."""
    timeline = json.loads(Path(path).read_text())
    video = next(track for track in timeline["tracks"]["children"] if track["kind"] == "Video")
    frame = TICKS_PER_SECOND * 1001 // 30000
    at, cuts = 0, []
    for clip in video["children"]:
        start, length = (
            int(clip["source_range"][key]["value"]) for key in ("start_time", "duration")
        )
        cuts.append([str(ticks * frame) for ticks in (at, at + length, start)])
        at += length
    return cuts


@pytest.mark.slow
@pytest.mark.parametrize(("otio", "theme"), [("whole", "dark"), ("nothing", "light")])
def test_the_panel_in_a_browser_against_the_service(
    service: tuple[str, str],
    footage: Path,
    tmp_path: Path,
    otio: str,
    theme: str,
) -> None:
    port, code = service
    settings = {
        "plugin": str(PLUGIN),
        "port": port,
        "code": code,
        "theme": theme,
        "shots": os.environ.get("HL_PANEL_SHOTS"),
        "count": 2,
        "otio": otio,
        # Once with a browser's elements, once with Adobe's widgets in their place.
        "spectrum": otio == "nothing",
        "clips": [{"name": "a", "path": str(footage), "rate": [30000, 1001], "seconds": 20.02}],
    }  # fmt: skip
    seen = run_script("panel.js", settings)

    assert seen["errors"] == []
    assert (seen["widgets"], seen["plainWidgets"]) == ((13, 0) if otio == "nothing" else (0, 13))
    steps = {step["name"]: step for step in seen["steps"]}
    assert steps["pairing"]["connection"].endswith("found, not paired yet")
    assert steps["wrong-code"]["message"] == "That is not the code."
    assert steps["clips"]["connection"].startswith("Connected to hl ")
    assert steps["clips"]["message"] == ""
    assert seen["ticked"] is True
    # Words of the service, and then what it found.
    assert any("match day.mp4" in stage for stage in seen["stages"])
    assert seen["automatic"]["thumbnails"] >= 1
    assert seen["curve"] > 0.02
    assert seen["counted"]["amount"] == "2 moments"
    assert seen["counted"]["summary"].startswith("2 moments, ")
    assert steps["sequence"]["message"].endswith("with 2 clips and 2 markers.")

    premiere = seen["premiere"]
    written = premiere["log"]["imports"][0]
    assert Path(written).name == "match day-highlights.otio"
    (sequence,) = premiere["sequences"]
    cuts = [[item["start"], item["end"], item["inPoint"]] for item in sequence["video"][0]]
    assert cuts == otio_cuts(written)
    assert len(cuts) == 2
    assert [marker["name"][:3] for marker in sequence["markers"]] in (
        ["H01", "H02"],
        ["H02", "H01"],
    )
    for marker, (start, end, _) in zip(sequence["markers"], cuts, strict=True):
        assert int(start) <= int(marker["start"]) < int(end)
        # The best second, and why: in words, or which side stands out.
        assert re.fullmatch(r"score 0\.\d\d, [a-z].{5,}", marker["comments"])
    assert premiere["log"]["opened"] == [sequence["name"]]
    assert seen["lightBackground"] == "rgb(245, 245, 245)"
    if otio == "whole":
        assert len(premiere["log"]["imports"]) == 1
        assert steps["sequence"]["hint"] == ""
        # The same file without the service, through the dialog: a second sequence.
        assert len(seen["sequencesAfterImport"]) == 2
    else:
        # The next way brought it, and the user is told why.
        assert steps["sequence"]["hint"] == "Premiere imported nothing from the .otio file."
        xml = premiere["log"]["imports"][1]
        assert xml == written.replace(".otio", ".xml").replace(
            Path(written).parts[-3], Path(xml).parts[-3]
        )
        assert steps["imported"]["message"].startswith("Premiere imported nothing")
