"""`modelyard doctor`."""

from modelyard.cli.options import Home, Json


def doctor(home: Home = None, json: Json = False) -> None:
    """Look for what is missing or unsafe on this machine, and say what mends it."""
