"""Two versions side by side."""

from django.http import HttpRequest, HttpResponse

from modelyard.control.console import reads
from modelyard.control.console.access import page
from modelyard.control.console.comparing import parts, title_of, usual_sides
from modelyard.control.console.rendering import show
from modelyard.control.registry.comparison import compare
from modelyard.control.registry.comparison_api import named_version
from modelyard.control.registry.models import HEAVY, Model
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor

MOST_CHOICES = 200


@page(Scope.READ)
def compare_versions(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Compare `?left=1&right=2`; what is not said is what serves and the newest."""
    model = reads.find_model(actor.tenant, name)
    rows = model.versions.defer(*HEAVY, "manifest").prefetch_related("aliases").order_by("-number")
    versions = list(rows[:MOST_CHOICES])
    serving = next((arm.number for arm in reads.arms_of(model) if arm.weight is not None), None)
    ready = [version.number for version in versions if version.state == "ready"]
    context: dict[str, object] = {
        "section": "models",
        "model": model,
        "choices": [(version.number, title_of(version, serving)) for version in versions],
    }
    sides = _sides(request, model, ready, serving)
    if sides is not None:
        found = compare(*sides)
        context |= {"found": found, "parts": parts(found), "left": sides[0], "right": sides[1]}
    return show(request, actor, "models/compare.html", context)


def _sides(request: HttpRequest, model: Model, ready: list[int], serving: int | None) -> tuple | None:
    asked = {side: request.GET.get(side, "").strip()[:64] for side in ("left", "right")}
    right = named_version(model, "right", asked["right"]) if asked["right"] else None
    if not asked["left"] or right is None:
        numbers = usual_sides(ready, serving, right.number if right else None)
        texts = [asked["left"] or str(numbers[0] or ""), asked["right"] or str(numbers[1] or "")]
        if not all(texts):
            return None
        return tuple(named_version(model, side, text) for side, text in zip(("left", "right"), texts, strict=True))
    return named_version(model, "left", asked["left"]), right
