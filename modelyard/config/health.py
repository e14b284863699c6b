"""Whether the control plane lives, and whether it can do its work."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from modelyard.control.rest.errors import json_answer
from modelyard.core.errors import Unavailable


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "live"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether the database answers, with its tables there."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM modelyard_tenancy_tenant LIMIT 1")
    except DatabaseError:
        return json_answer(request, Unavailable("the database does not answer, or has no tables yet"))
    return JsonResponse({"status": "ready"})
