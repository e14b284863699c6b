"""The core's life in a project under an ASGI server."""

import subprocess
import sys

from tests.servers.modelyard import environment


def test_the_line_of_asgi_may_stand_before_django_is_set_up() -> None:
    """A project's `asgi.py` has its imports first, and Django's set-up after them."""
    code = "import modelyard.embed.asgi as asgi; print(asgi.living(print).__name__)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("live\n", "")
