"""`python -m modelyard.cli` is the command too, where it is not on the PATH."""

from modelyard.cli.main import main

main()
