"""The machine: interpreter, packages, sandbox, SQLite, user, and the kept login."""

import os
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata

from modelyard.cli.checks.finding import Finding, bad, ok, warning
from modelyard.cli.profile import profile_path
from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings

PYTHON = (3, 11)
SQLITE = (3, 37, 0)
NAME = re.compile(r"[A-Za-z0-9._-]+")
EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def python() -> Iterator[Finding]:
    """The interpreter's release and kind."""
    text = f"{sys.implementation.name} {sys.version.split()[0]}"
    if sys.implementation.name != "cpython" or sys.version_info < PYTHON:
        yield bad(
            "python", f"{text}: expected CPython 3.11 or newer", "make clean; make run PYTHON=/path/to/python3.12"
        )
    else:
        yield ok("python", text)


def packages() -> Iterator[Finding]:
    """What the package says that it needs: present, and new enough."""
    try:
        needed = metadata.requires("modelyard") or []
    except metadata.PackageNotFoundError:
        yield warning(
            "packages", "modelyard itself is not installed, only found on the path", "pip install --editable ."
        )
        return
    lacking: dict[str, list[str]] = {}
    for line in needed:
        extra = EXTRA.search(line)
        if problem := _problem(line):
            lacking.setdefault(extra.group(1) if extra else "", []).append(problem)
    if "" in lacking:
        yield bad(
            "packages",
            ", ".join(lacking.pop("")),
            "make run installs the lock; elsewhere: pip install --upgrade modelyard",
        )
    else:
        yield ok("packages", f"{sum(not EXTRA.search(line) for line in needed)} needed, all there")
    for name, problems in sorted(lacking.items()):
        yield warning("packages", f"extra {name}: {', '.join(problems)}", f"pip install 'modelyard[{name}]'")


def _problem(line: str) -> str | None:
    """Return what is wrong with a requirement (PEP 508), None when it is met or for another system."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    extra = EXTRA.search(line)
    if requirement.marker and not requirement.marker.evaluate({"extra": extra.group(1) if extra else ""}):
        return None
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    return (
        None
        if requirement.specifier.contains(found, prereleases=True)
        else f"{requirement.name} {found} is not {requirement.specifier}"
    )


def sandbox(settings: Settings) -> Iterator[Finding]:
    """The layers in which files that carry code are opened."""
    from modelyard.sandbox.layers import missing

    lacking = missing()
    if not lacking:
        yield ok("sandbox", "whole: files that carry code may be opened")
    for layer in lacking:
        text, _, mend = layer.partition("; ")
        if settings.unsafe_without_sandbox:
            yield bad(
                "sandbox",
                f"{text}; files that carry code run nevertheless",
                "unset MODELYARD_UNSAFE_WITHOUT_SANDBOX; " + mend,
            )
        else:
            yield warning("sandbox", f"{text}; files that carry code are refused", mend)


def environments(settings: Settings) -> Iterator[Finding]:
    """Each other Python environment: there, new enough, and able to compute in the sandbox."""
    from modelyard.sandbox.environments import look, try_sandbox
    from modelyard.sandbox.layers import missing
    from modelyard.sandbox.limits import Limits

    for name, path in settings.environments.items():
        folder = shlex.quote(str(path.parent.parent))
        mend = (
            f"mend {name}= in MODELYARD_ENVIRONMENTS, or make it again: python3 -m venv {folder} && "
            f"{folder}/bin/pip install scikit-learn==RELEASE, the one that wrote its pickles"
        )
        try:
            found = look(name, path)
        except Misconfigured as error:
            yield bad("environment", f"{error.message.partition('; have the operator')[0]} ({path})", mend)
            continue
        problem = None if missing() and not settings.unsafe_without_sandbox else try_sandbox(path, Limits.of(settings))
        packages = ", ".join(f"{package} {release}" for package, release in sorted(found.packages.items()))
        text = f"{name}: Python {found.python}, {packages}"
        if problem:
            yield bad("environment", f"{text}; its sandbox does not work: {problem}", mend)
        elif found.sklearn is None:
            yield warning("environment", f"{text}; no scikit-learn", f"{path} -m pip install scikit-learn")
        else:
            yield ok("environment", f"{text}; its sandbox works")


def sqlite() -> Iterator[Finding]:
    """SQLite's release: strict upserts and RETURNING need 3.37."""
    if sqlite3.sqlite_version_info < SQLITE:
        yield bad(
            "sqlite", f"SQLite {sqlite3.sqlite_version}: expected 3.37 or newer", "a newer Python brings a newer SQLite"
        )
    else:
        yield ok("sqlite", f"SQLite {sqlite3.sqlite_version}")


def user() -> Iterator[Finding]:
    """Who runs the servers."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        yield warning("user", "running as root", "start the servers as a user of their own: useradd --system modelyard")
    else:
        yield ok("user", "not root")


def login() -> Iterator[Finding]:
    """The kept key: for its owner's eyes only."""
    path = profile_path()
    if path.exists() and path.stat().st_mode & 0o077:
        yield bad("login", f"{path} can be read by others", f"chmod 600 {path}; then revoke the key and make another")
    else:
        yield ok("login", "kept safely" if path.exists() else "none is kept")
