"""What each command does, without printing, HTTP or a parser: for every caller, Python too."""
