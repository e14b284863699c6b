"""What a sandboxed child does: lock the files, import, lock the system calls, then call the target.

Run as a script (`python -I child.py ROOT`) with the job as JSON on standard input. Its answer, JSON, goes to a pipe of
its own. Nothing is pickled in either direction, and the parent believes nothing that comes back. One that is to wait
for its job (`child.py ROOT FD MODULE...`) imports the modules first, and then writes a byte to the pipe.

It may be run by the interpreter of another environment: it, and what it imports of this package before the target,
needs the standard library of CPython 3.10 alone (`docs/decisions/0007-other-interpreters.md`).
"""

import base64
import errno
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def _warm(fd: int, modules: list[str]) -> None:
    _import(modules)
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        os._exit(1)  # it could not be locked any more
    os.write(fd, b"+")


def _import(modules: list[str]) -> None:
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue  # an extra that is not installed; the target says so where it matters


def _read_job() -> dict[str, Any]:
    """Read the length, eight digits, then as many bytes: standard input goes on to serve a child that stays."""
    size = int(_read_exactly(8))
    job: dict[str, Any] = json.loads(_read_exactly(size))
    return job


def _read_exactly(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, size)
        if not part:
            os._exit(0)  # the parent is gone
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(fd: int, answer: dict[str, Any]) -> None:
    data = memoryview(json.dumps(answer).encode())
    while data:
        data = data[os.write(fd, data) :]


def _lock(job: dict[str, Any]) -> None:
    from modelyard.sandbox import layers, privileges
    from modelyard.sandbox.limits import Limits

    scratch = Path(job["scratch"])
    lasting = bool(job["lasting"])
    reads = [Path(text) for text in job["read"]]
    limits = Limits(**job["limits"])
    layers.lock_files([*reads, scratch], [] if lasting else [scratch], limits, lasting)
    privileges.die_with(job["parent"])
    _import(job["preload"])
    if job["seccomp"]:
        number, program = job["seccomp"]
        layers.lock_calls(number, base64.b64decode(program))


def _call(job: dict[str, Any]) -> dict[str, Any]:
    from modelyard.core.errors import ModelyardError

    module, _, name = job["target"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        given = {**job["arguments"], "answer_fd": job["answer_fd"]} if job["lasting"] else job["arguments"]
        return {"result": function(**given)}
    except ModelyardError as error:
        return {"error": {"code": error.code, "message": error.message, "details": error.details}}
    except MemoryError:
        return {"failed": "memory"}
    except OSError as error:
        if error.errno == errno.EFBIG:
            return {"failed": "size"}
        return {"failed": "exception", "message": f"{type(error).__name__}: {error}"[:2000]}
    except BaseException as error:  # whatever a model raises, SystemExit too, is told to the parent
        return {"failed": "exception", "message": f"{type(error).__name__}: {error}"[:2000]}


def main() -> None:
    """Do the one job and leave without running what anybody registered for the end."""
    root = sys.argv[1]
    sys.path.insert(0, root)  # first: another environment may have a package of this name
    importlib.import_module("modelyard")  # while its folder can be listed; its modules are found through it later
    sys.path.remove(root)
    if sys.argv[2:]:
        _warm(int(sys.argv[2]), sys.argv[3:])
    job = _read_job()
    os.environ.update(HOME=job["scratch"], TMPDIR=job["scratch"])
    os.chdir(job["scratch"])
    _lock(job)
    answer = _call(job)
    try:
        _write(job["answer_fd"], answer)
    except (TypeError, ValueError):
        _write(job["answer_fd"], {"failed": "answer"})
    os._exit(0)


if __name__ == "__main__":
    main()
