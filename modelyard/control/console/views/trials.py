"""Trying a version: the form's row goes to the data plane, as any program's would."""

import time

from django.http import HttpRequest, HttpResponse

from modelyard.control.console import predictor, reads, tryit
from modelyard.control.console.access import page
from modelyard.control.console.rendering import is_htmx, show
from modelyard.control.console.views.versions import version_context
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, ModelyardError, NotFound

SETTLE_SECONDS = 3.0


@page(Scope.PREDICT, "POST")
def ask(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Predict one row, or the rows of the JSON text, and show the answer above the form."""
    version = reads.find_version(actor.tenant, name, number)
    signature = reads.signature_of(version)
    if signature is None or version.state != "ready":
        raise Conflict(f"{version} is {version.state}: only a version that is ready can be tried")
    posted = tryit.read(signature, request.POST)
    answer = None
    took = 0.0
    if posted.rows and not posted.errors:
        try:
            begun = time.perf_counter()
            answer = predict(actor, str(version), posted.rows)
            took = 1000 * (time.perf_counter() - begun)
        except ModelyardError as error:
            tryit.place_error(signature, posted, error)
    context = version_context(version, posted)
    if answer is not None:
        lines = tryit.lines_of(signature, answer)
        context |= {"answer": answer, "lines": lines, "took": took, "one": lines[0] if len(lines) == 1 else None}
    status = 422 if posted.errors else 200
    template = "versions/_try.html" if is_htmx(request) else "versions/version.html"
    return show(request, actor, template, context, status=status)


def predict(actor: Actor, reference: str, rows: list[dict[str, object]]) -> dict[str, object]:
    """Ask the data plane; a version that has just become ready may need a moment to get there."""
    last = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            return predictor.current().predict(actor.tenant, reference, rows)
        except NotFound:
            if time.monotonic() > last:
                raise
            time.sleep(0.15)
