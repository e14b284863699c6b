"""Running one function in a sandboxed child: the one place where model code that we did not write is opened."""

import json
import math
import os
import re
import select
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard.core.errors import InvalidInput, ModelRefused, ModelyardError, TooLarge, UnsupportedFormat
from modelyard.sandbox.interruption import check_interruption
from modelyard.sandbox.limits import Limits, Overrun, Raised
from modelyard.sandbox.process import SandboxProcess, deadline_after, ended_badly

_TICK_SECONDS = 0.02
_SCRATCH_TICK_SECONDS = 0.1
_MESSAGE_CHARACTERS = 2000
_LOOKED_AT_CHARACTERS = 4 * _MESSAGE_CHARACTERS
_MAX_DEPTH = 32
_QUOTED_PATH = re.compile(r"""(?<=['"`])/[^'"`]{1,4096}""")
_PATH = re.compile(r"""(?<![\w/:])/[^\s'"`<>:;,()\[\]{}|]+|(?<=:)/(?!/)[^\s'"`<>:;,()\[\]{}|]+""")
"""An absolute path; a quoted one may hold blanks. An address (`https://host/a`) is none."""

_ERRORS: dict[str, type[ModelyardError]] = {
    error.code: error for error in (ModelRefused, InvalidInput, TooLarge, UnsupportedFormat)
}
"""What a child may say; whatever else it says is a refusal."""


def run(
    target: str,
    arguments: dict[str, Any],
    *,
    read: Sequence[Path],
    scratch: Path,
    limits: Limits,
    preload: Sequence[str] = (),
    python: Path | None = None,
) -> dict[str, Any]:
    """Call `target` ("module:function") with JSON `arguments` in a locked-down child; return its JSON object.

    The child reads the interpreter, the installed packages and `read`, writes `scratch` (its working, home and
    temporary folder) and nothing else. `preload` modules are imported before its system calls are locked; `python`
    is another environment's interpreter, not our own. The answer is untrusted: check every value of it. What
    interrupts the work (`interruption.interrupted_by`) ends the child.

    Raises:
        ModelRefused: it asked for what it may not do, or said so; `Overrun` when it used too much, `Crashed` when it
            ended without an answer, `Raised` when it raised an exception of its own.
        ChildFailed: it was killed.
        InvalidInput, TooLarge, UnsupportedFormat: it said so.
        Misconfigured: the sandbox is not whole on this machine.
        Unavailable: no child could be started.
    """
    child = SandboxProcess(target, arguments, read=read, scratch=scratch, limits=limits, preload=preload, python=python)
    try:
        data = _await_answer(child, limits)
    finally:
        status = child.end()
    if not data:
        raise ended_badly(status)
    return _parse(data)


def _await_answer(child: SandboxProcess, limits: Limits) -> bytes:
    deadline = deadline_after(limits.seconds)
    received = bytearray()
    poller = select.poll()
    poller.register(child.answers, select.POLLIN)
    looked_at_scratch = 0.0
    while True:
        check_interruption()
        now = time.monotonic()
        if now > deadline:
            raise Overrun(f"opening the file took longer than {limits.seconds:g} s", limit="time")
        if poller.poll(_TICK_SECONDS * 1000):
            part = os.read(child.answers, 1 << 16)
            if not part:
                _check(child)
                return bytes(received)
            received += part
            if len(received) > limits.result_bytes:
                raise Overrun(f"the file answered with more than {limits.result_bytes} bytes", limit="output")
        if child.resident_bytes() > limits.memory_bytes or now - looked_at_scratch > _SCRATCH_TICK_SECONDS:
            looked_at_scratch = now
            _check(child)


def _check(child: SandboxProcess) -> None:
    excess = child.excess()
    if excess:
        raise Overrun(f"the file {excess}", limit="memory" if "memory" in excess else "output")


def _parse(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data, parse_constant=_no_number)
        bounded(answer)
    except (ValueError, RecursionError) as error:
        said = plain_text(error)[:200]
        raise ModelRefused(f"the file garbled the answer of the process that opened it ({said})") from None
    if not isinstance(answer, dict):
        raise ModelRefused("the file garbled the answer of the process that opened it")
    if isinstance(answer.get("error"), dict):
        raise _error(answer["error"])
    if answer.get("failed") == "memory":
        raise Overrun("opening the file needed more memory than it may use", limit="memory")
    if answer.get("failed") == "size":
        raise Overrun("opening the file wrote more to disk than it may", limit="output")
    if answer.get("failed") == "exception":
        raise Raised(plain_text(answer.get("message")))
    result = answer.get("result")
    if not isinstance(result, dict):
        raise ModelRefused("the file garbled the answer of the process that opened it")
    return result


def _error(said: dict[str, Any]) -> ModelyardError:
    kind = _ERRORS.get(str(said.get("code")), ModelRefused)
    details = said.get("details")
    release = details.get("written_by") if isinstance(details, dict) else None
    return kind(
        plain_text(said.get("message")), **({} if release is None else {"written_by": plain_text(release)[:32]})
    )


def plain_text(text: object) -> str:
    """Return the text bounded, without control characters and without folders: it is a stranger's, and shown."""
    cut = str(text)[:_LOOKED_AT_CHARACTERS]
    shown = "".join(character if character.isprintable() else " " for character in cut)
    return _PATH.sub(_last_part, _QUOTED_PATH.sub(_last_part, shown))[:_MESSAGE_CHARACTERS]


def _last_part(path: "re.Match[str]") -> str:
    """Return a path's last part: where this program and its files lie is nobody's business."""
    parts = [part for part in path[0].split("/") if part]
    return parts[-1] if len(parts) > 1 else path[0]


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def bounded(value: Any, depth: int = _MAX_DEPTH) -> None:
    """Check that a JSON value is nested at most `depth` deep, and holds only what a database takes: no infinity, no
    text with a zero character or half of a surrogate pair.

    Raises:
        ValueError: when it is not.
    """
    if depth == 0:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError("a zero character")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number without end")
    elif isinstance(value, dict):
        for name, item in value.items():
            bounded(name, depth - 1)
            bounded(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            bounded(item, depth - 1)
