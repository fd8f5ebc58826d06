"""Run the command line as `python -m hlcli`."""

from hlcli.cli import main

if __name__ == "__main__":
    main()
