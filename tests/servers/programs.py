"""Which programs the tests start, and the Debian package that each comes from.

`python -m tests.servers.programs` installs what is missing when root, and else says what to install.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "initdb": "postgresql",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "rabbitmq-server",
    "redis-server": "redis-server",
    "chromium": "chromium",
    "wrk": "wrk",
    "ab": "apache2-utils",
    "curl": "curl",
    "node": "nodejs",
    "faketime": "faketime",
}
OPTIONS = ["-y", "--no-install-recommends"]


def find(program: str) -> str:
    """Return the path of a program; Debian keeps PostgreSQL's off the PATH, in the release's own folder.

    Raises:
        RuntimeError: with the command that installs it; a missing server is a failure, never a skip.
    """
    found = _look(program)
    if not found:
        raise RuntimeError(f"{program} is missing: {install_command([PACKAGES[program]])}")
    return found


def _look(program: str) -> str | None:
    releases = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, releases)]))


def missing() -> list[str]:
    """Return the packages of the programs that are not there."""
    return sorted({package for program, package in PACKAGES.items() if not _look(program)})


def install_command(packages: list[str]) -> str:
    return " ".join(["apt-get install", *OPTIONS, *packages])


def main() -> int:
    packages = missing()
    if not packages:
        return 0
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"The tests need servers that are missing here. As root: {install_command(packages)}", file=sys.stderr)
        return 1
    print("Installing", *packages, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-qq", *OPTIONS, *packages], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
