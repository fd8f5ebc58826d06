"""Run the command line: `hl`, or `python -m hlcli`."""

from __future__ import annotations

import os
import sys

from hlcli.errors import is_out_of_memory
from hlcli.stopping import EXIT_INTERRUPTED, heed_signals, work_is_over


def main() -> None:
    """Entry point of the `hl` program; even loading it can be stopped without a traceback."""
    heed_signals()
    try:
        from hlcli.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit:
        raise
    except BaseException as error:
        # What the commands turn into words never comes here. Without memory, loading them fails
        # in many ways, and libraries raise what is no `Exception`.
        if os.environ.get("HL_DEBUG") or not (_is_panic(error) or is_out_of_memory(error)):
            raise
        sys.stderr.write("error: out of memory\nhint: close other programs and try again\n")
        sys.exit(1)
    finally:
        work_is_over()


def _is_panic(error: BaseException) -> bool:
    # Of libraries in Rust, which end so where memory runs out; its type can be named nowhere.
    return type(error).__name__ == "PanicException"


if __name__ == "__main__":
    main()
