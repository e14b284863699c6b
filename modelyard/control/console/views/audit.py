"""The audit log."""

from django.http import HttpRequest, HttpResponse

from modelyard.control.console import reads
from modelyard.control.console.access import page
from modelyard.control.console.rendering import show
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import AuditEntry, Scope
from modelyard.control.tenancy.services import Actor


@page(Scope.ADMIN)
def entries(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List who did what, newest first; on request, check that no entry was changed or removed."""
    found = AuditEntry.objects.of(actor.tenant).order_by("-number")
    verb = request.GET.get("verb", "").replace("\x00", "").strip()[:64]
    if verb:
        found = found.filter(verb__startswith=verb)
    context = {
        "section": "audit",
        "verb": verb,
        "page": reads.page_of(found, request.GET.get("page"), 50),
        "checked": "check" in request.GET,
        "broken": tenancy.verify_audit(actor.tenant) if "check" in request.GET else [],
    }
    return show(request, actor, "audit.html", context)
