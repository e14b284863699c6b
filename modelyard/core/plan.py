"""How a model is served now: the versions that answer, with their weights, and those that only watch."""

import math

import msgspec

from modelyard.core.errors import InvalidInput

MAX_ARMS = 16


class Arm(msgspec.Struct, frozen=True):
    """A version that answers with probability `weight`, in (0, 1]."""

    version: int
    weight: float


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """Weighted arms and shadows. No arms: the model is not served.

    Attributes:
        arms: weights sum to 1.
        shadows: versions that get copies of requests, whose answers nobody receives.
        salt: goes into the hash that keeps an entity with its arm; a new one shuffles the entities.
    """

    arms: tuple[Arm, ...] = ()
    shadows: tuple[int, ...] = ()
    salt: str = ""

    def __post_init__(self) -> None:
        versions = [arm.version for arm in self.arms]
        if len(versions) + len(self.shadows) > MAX_ARMS:
            raise InvalidInput(f"{len(versions) + len(self.shadows)} arms and shadows: expected at most {MAX_ARMS}")
        if len(set(versions) | set(self.shadows)) < len(versions) + len(self.shadows):
            raise InvalidInput("a version is named twice: expected each version as one arm or one shadow")
        if any(not 0 < arm.weight <= 1 for arm in self.arms):
            raise InvalidInput("the weight of an arm: expected a number above 0 and at most 1")
        if self.arms and not math.isclose(math.fsum(arm.weight for arm in self.arms), 1, abs_tol=1e-9):
            raise InvalidInput("the weights of the arms: expected a sum of 1")

    @property
    def champion(self) -> int | None:
        """Return the version that answers most; of equals, the first named."""
        return max(self.arms, key=lambda arm: arm.weight).version if self.arms else None

    @property
    def versions(self) -> tuple[int, ...]:
        """Return every version that must be loaded."""
        return (*(arm.version for arm in self.arms), *self.shadows)

    def choose(self, point: float) -> Arm:
        """Return the arm whose stretch of [0, 1) holds `point`: inverse transform sampling.

        Raises:
            InvalidInput: when the plan has no arm.
        """
        if not self.arms:
            raise InvalidInput("the model is not served: its plan has no arm")
        reached = 0.0
        for arm in self.arms:
            reached += arm.weight
            if point < reached:
                return arm
        return self.arms[-1]
