"""Two versions side by side."""

from django.http import HttpRequest, HttpResponse

from modelyard.control.console import reads
from modelyard.control.console.access import page
from modelyard.control.console.comparing import parts, title_of, usual_sides
from modelyard.control.console.rendering import show
from modelyard.control.registry.comparison import compare
from modelyard.control.registry.comparison_api import named_versions
from modelyard.control.registry.models import HEAVY, Model, Version
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.reference import NAME, VERSION

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


def _sides(request: HttpRequest, model: Model, ready: list[int], serving: int | None) -> list[Version] | None:
    asked = {side: request.GET.get(side, "").strip()[:64] for side in ("left", "right")}
    if not all(asked.values()):
        usual = usual_sides(ready, serving, _number(model, asked["right"]))
        asked = {side: text or str(number or "") for (side, text), number in zip(asked.items(), usual, strict=True)}
    return named_versions(model, asked) if all(asked.values()) else None


def _number(model: Model, text: str) -> int | None:
    if not text:
        return None
    if VERSION.match(text):
        return int(text)
    return (
        model.aliases.filter(name=text).values_list("version__number", flat=True).first() if NAME.match(text) else None
    )
