"""A job's own code in a sandboxed child, within the job's limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from modelyard.control.jobs.models import Job
from modelyard.core.errors import ChildFailed, LimitExceeded, ModelRefused
from modelyard.core.settings import MIB
from modelyard.sandbox.limits import Crashed, Limits, Overrun, Raised
from modelyard.sandbox.run import run

MAX_FILES = 4096


def run_in_child(
    job: Job,
    target: str,
    arguments: dict[str, Any],
    *,
    read: Sequence[Path],
    scratch: Path,
    preload: Sequence[str] = (),
    doing: str = "the work",
) -> dict[str, Any]:
    """Call `target` as `sandbox.run` does, with as much time, memory and disk as the job may use.

    `doing` is what the child does, in the words of a message.

    Raises:
        LimitExceeded, ChildFailed: it used more, or crashed; these count as attempts of the job.
        ModelRefused: it raised an exception of its own, whose last words are told.
        ModelyardError: see `sandbox.run`.
    """
    limits = Limits(
        seconds=job.limits.seconds,
        memory_bytes=job.limits.memory_bytes,
        scratch_bytes=job.limits.output_bytes,
        scratch_files=MAX_FILES,
        unsafe_without_sandbox=settings.MODELYARD.unsafe_without_sandbox,
    )
    try:
        return run(target, arguments, read=read, scratch=scratch, limits=limits, preload=preload)
    except Overrun as error:
        raise LimitExceeded(_exceeded(error.limit, job), limit=error.limit) from None
    except (Crashed, ChildFailed) as error:
        raise ChildFailed(error.message.replace("the file", doing)) from None
    except Raised as error:
        raise ModelRefused(f"{doing} failed: {error.said}") from None


def _exceeded(limit: str, job: Job) -> str:
    if limit == "time":
        return f"it took longer than {job.limits.seconds:g} s"
    if limit == "memory":
        return f"it needed more than {job.limits.memory_bytes // MIB} MiB of memory"
    return f"it wrote more than {job.limits.output_bytes // MIB} MiB, or more than {MAX_FILES} files"
