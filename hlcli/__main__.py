"""Run the command line: `hl`, or `python -m hlcli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `hl` program; even loading it can be stopped without a traceback."""
    try:
        from hlcli.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
