"""How much a sandboxed child may use."""

from dataclasses import dataclass, replace

from modelyard.core.errors import ModelRefused
from modelyard.core.settings import MIB, Settings


class Overrun(ModelRefused):
    """A child used more than it may of one `limit`: "time", "memory" or "output"."""

    def __init__(self, message: str, *, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class Crashed(ModelRefused):
    """A child ended without an answer: it crashed, or was killed."""


class Raised(ModelRefused):
    """What a child ran raised an exception that is none of ours, which it `said`."""

    def __init__(self, said: str) -> None:
        super().__init__(f"opening the file failed: {said}")
        self.said = said


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one child; past any of them it is killed.

    Attributes:
        seconds: wall time of a run; of one call, for a child that stays.
        memory_bytes: resident memory.
        scratch_bytes: on disk, all files of the scratch folder together.
        scratch_files: entries of the scratch folder, at any depth.
        result_bytes: of the answer.
        threads: that numeric libraries use at once.
        unsafe_without_sandbox: run although a layer of the sandbox is missing.
    """

    seconds: float = 120.0
    memory_bytes: int = 2048 * MIB
    scratch_bytes: int = 2048 * MIB
    scratch_files: int = 256
    result_bytes: int = 8 * MIB
    threads: int = 1
    unsafe_without_sandbox: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the bounds in which an uploaded model is examined."""
        return cls(
            seconds=settings.register_timeout_seconds,
            memory_bytes=settings.sandbox_memory_bytes,
            unsafe_without_sandbox=settings.unsafe_without_sandbox,
        )

    def within(self, seconds: float) -> "Limits":
        """Return the same bounds with at most `seconds` of wall time."""
        return replace(self, seconds=max(0.1, min(self.seconds, seconds)))
