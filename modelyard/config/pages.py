"""What is answered where no view could: in our error body beneath `/api/`, as a page elsewhere."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views import defaults
from django.views.csrf import csrf_failure

from modelyard.control.rest.errors import NOTHING_HERE, Internal, json_answer
from modelyard.core.errors import Forbidden, InvalidInput, ModelyardError, NotFound, TooLarge

JSON_PATHS = ("/api/", "/health/", "/predict/", "/precomputed/", "/v2/")


def is_json(request: HttpRequest) -> bool:
    """Tell whether a program rather than a browser asks."""
    return request.path_info.startswith(JSON_PATHS)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_json(request):
        error: ModelyardError = InvalidInput("the request was not understood")
        if isinstance(exception, RequestDataTooBig):
            error = TooLarge("the body is larger than what is taken here")
        return json_answer(request, error)
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_json(request):
        return json_answer(request, Forbidden("you may not do this"))
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_json(request):
        return json_answer(request, NotFound(NOTHING_HERE))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_json(request):
        return json_answer(
            request, Internal("something went wrong on our side: the log tells more under the request's id")
        )
    return defaults.server_error(request)


def csrf_failed(request: HttpRequest, reason: str = "", **kwargs: Any) -> HttpResponse:
    if is_json(request):
        return json_answer(request, Forbidden(f"the check against forged requests failed: {reason}"))
    return csrf_failure(request, reason, **kwargs)
