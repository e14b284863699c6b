"""What a job's child may do instead of its work: Python that the sandbox is made to run."""

from typing import Any

HANG = "import time\nwhile True: time.sleep(1)"
CRASH = "import ctypes; ctypes.string_at(0)"
DEVOUR = "import time; kept = []\nwhile True: kept.append(bytearray(16 << 20)); time.sleep(0.01)"
SCRIBBLE = "import time; file = open('left', 'wb')\nwhile True: file.write(bytes(8 << 20)); time.sleep(0.01)"


def target(poison: str) -> tuple[str, dict[str, Any]]:
    """Return a target of the sandbox, and its arguments, that do it."""
    return "timeit:timeit", {"stmt": poison, "number": 1}
