"""The documentation as a site: every page is there, in the navigation, and asks for nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser_pages import visit

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_site_and_in_its_navigation(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'<a href="([^"#]+\.html)" class="md-nav__link', index))
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    wanted = {path.with_suffix(".html").as_posix() for path in pages} - {"README.html"}
    assert wanted <= linked
    for name in (*linked, "model_zoo/rarity.html", "plugins/PROTOCOL.html"):
        assert (site / name).is_file(), name


def test_pages_ask_nothing_of_the_network_and_lists_are_lists(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(?:https?:)?//", text)
        body = re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
        assert not re.search(r"^(?:\* |\d+\. |\| ---)", body, re.MULTILINE), page


def test_a_browser_opens_it_from_the_disk(site: Path) -> None:
    (seen,) = visit((site / "guides/report.html").as_uri(), widths=(1440,))
    assert seen["console"] == []
    assert [one for one in seen["requests"] if not one.startswith("file:")] == []
    assert (seen["broken"], seen["overflow"]) == (0, 0)
