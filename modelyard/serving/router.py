"""From a reference to the version that answers: by number, by alias, or by the plan's weights."""

import hashlib
import random
from itertools import islice

from modelyard.core.errors import Conflict, NotFound
from modelyard.core.plan import Plan
from modelyard.core.reference import Reference
from modelyard.serving.protocols.checking import COMPARED, nearest
from modelyard.serving.served import ServedModel, VersionView

_STEPS = float(1 << 64)
_NAMED = 10
"""How many aliases a message names."""

CHAMPION = "champion"


def representative(served: ServedModel, reference: Reference) -> VersionView:
    """Return the version by whose signature a request is read: the one named, or the plan's champion.

    Raises:
        NotFound: when the model has no such version or alias.
        Conflict: when the plan has no arm, or there is no version at all.
    """
    document = served.document
    number = reference.version
    if reference.alias is not None and reference.alias != CHAMPION:
        number = document.aliases.get(reference.alias)
        if number is None:
            raise NotFound(
                f"model `{reference.model}` has no alias `{reference.alias}`; {_known(served, reference.alias)}"
            )
    elif number is None:
        number = served.champion
        if number is None:
            if not served.views:
                raise Conflict(
                    f"model `{reference.model}` has no version that may answer: see why those that were pushed were "
                    "refused, and push another"
                )
            raise Conflict(f"model `{reference.model}` is not served: promote one of its versions")
    view = served.views.get(number)
    if view is None:
        raise NotFound(
            f"model `{reference.model}` has no version {number} that may answer: "
            f"`modelyard versions {reference.model}` tells whether it was refused, and why"
        )
    return view


def _known(served: ServedModel, alias: str) -> str:
    """Return which alias was probably meant, else those that there are."""
    champion = [] if served.champion is None else [CHAMPION]
    there = list(dict.fromkeys([*champion, *islice(served.document.aliases, COMPARED)]))
    near = nearest(alias, there)
    if near:
        return f"did you mean `{near}`?"
    return f"expected one of {', '.join(there[:_NAMED])}" if there else "it has none"


def point(plan: Plan, entity: str | int | None) -> float:
    """Return where in [0, 1) a request falls: by chance, or by its entity, the same each time.

    The first 64 bits of BLAKE2b (RFC 7693) over the plan's salt and the entity, as a fraction.
    """
    if entity is None:
        return random.random()  # noqa: S311 - shares traffic, guards nothing
    hashed = hashlib.blake2b(f"{plan.salt}\0{entity}".encode(), digest_size=8).digest()
    return int.from_bytes(hashed, "big") / _STEPS


def choose(served: ServedModel, entity: str | int | None) -> tuple[VersionView, float]:
    """Return the arm's version, and the probability with which it was chosen."""
    plan = served.document.plan
    arm = plan.arms[0] if len(plan.arms) == 1 else plan.choose(point(plan, entity))
    view = served.views.get(arm.version)
    if view is None:
        raise NotFound(f"model `{served.document.model}` has no version {arm.version} that may answer")
    return view, arm.weight
