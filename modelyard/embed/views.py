"""What stands between the project's Django and our views: each brings along what our own middleware does elsewhere.

The project's MIDDLEWARE need not know of us, and what is done here is done to our addresses alone.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.handlers.wsgi import LimitedStream
from django.db import transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django_htmx.middleware import HtmxMiddleware

from modelyard.config.bounds import Bound, CountedInput
from modelyard.config.middleware import HEADERS, POLICY, RequestId
from modelyard.control.rest.errors import NOTHING_HERE, json_answer, translate
from modelyard.control.rest.limits import bound_by
from modelyard.control.rest.own import View, own_view
from modelyard.control.rest.public import asked_at, root
from modelyard.core.errors import ModelyardError, NotFound
from modelyard.embed.process import core
from modelyard.serving.doors.wsgi import WsgiDoor

Next = Callable[[HttpRequest], HttpResponseBase]


def ours(view: View) -> View:
    """Return a view of ours as it stands in a project.

    Around it: a request id, our headers, htmx, the bound of the body, the check against forged requests, English
    (what the API says is read by programs), and no transaction of the project's (a request may wait for a job, which
    would not see what it waits for).
    """
    inner = own_view(view, described=False)
    checked = inner if getattr(inner, "csrf_exempt", False) else csrf_protect(inner)

    @wraps(inner)
    def stand(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def answer(request: HttpRequest) -> HttpResponseBase:
            error = _refusal(request, inner)
            if error is not None:
                return json_answer(request, error)
            _take_whole(request)
            with translation.override("en"), asked_at(request.build_absolute_uri(root())):
                try:
                    return _rendered(checked(request, *args, **kwargs))
                except UnreadablePostError as broken:
                    return json_answer(request, translate(broken))

        chain: Next = RequestId(_secured(HtmxMiddleware(answer)))
        return chain(request)

    # Whoever's LoginRequiredMiddleware there is: our views say themselves who may see them.
    stand.login_required = False  # type: ignore[attr-defined]
    return transaction.non_atomic_requests(stand)


def _rendered(response: Any) -> HttpResponseBase:
    """Render what renders late while it is still ours."""
    if hasattr(response, "render") and not getattr(response, "is_rendered", True):
        response.render()
    found: HttpResponseBase = response
    return found


def _refusal(request: HttpRequest, view: View) -> ModelyardError | None:
    """Return why the body is not taken; its size is told, or known where the server has received it already."""
    bound = Bound(bound_by(view))
    told = str(request.META.get("CONTENT_LENGTH") or "")
    size = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else 0
    body = getattr(request, "_stream", None)
    if not told and body is not None and hasattr(body, "seek") and body.seekable():
        size = body.seek(0, 2)
        body.seek(0)
    return bound.passed() if size > bound.max_bytes else None


def _take_whole(request: Any) -> None:
    """Let a body that breaks off fail where it is read; WSGI servers hand on what came before."""
    stream = getattr(request, "_stream", None)
    if isinstance(stream, LimitedStream) and not request._read_started:
        counted: Any = CountedInput(request.META["wsgi.input"], stream.limit, stream.limit)
        request._stream = LimitedStream(counted, stream.limit)


def _secured(get_response: Any) -> Next:
    def secure(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        for name, value in {**HEADERS, "Content-Security-Policy": policy(settings.STATIC_URL or "")}.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        patch_vary_headers(response, ["Cookie"])
        return response

    return secure


def policy(static_url: str) -> str:
    """Return our content policy, which lets static files come from where the project has them."""
    parts = urlsplit(static_url)
    if not parts.netloc:
        return POLICY
    origin = f"{parts.scheme or 'https'}://{parts.netloc}"
    return "; ".join(
        f"{rule} {origin}" if rule.startswith(("script-src", "style-src", "img-src", "font-src")) else rule
        for rule in POLICY.split("; ")
    )


@csrf_exempt
@transaction.non_atomic_requests
def data_plane(request: HttpRequest, path: str) -> HttpResponse:
    """Answer an address of the data plane by this process's core, as its WSGI door does; callers bring a key."""
    told: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        told.update(status=int(status.partition(" ")[0]), headers=headers)

    environment = {
        **request.META,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/{path}".encode().decode("latin-1"),
        "wsgi.input": request,
        "wsgi.input_terminated": True,
    }
    body = b"".join(WsgiDoor(core())(environment, start))
    response = HttpResponse(body, status=told["status"])
    for name, value in told["headers"]:
        response.headers[name] = value
    return response


data_plane.login_required = False  # type: ignore[attr-defined]


@csrf_exempt
def nothing(request: HttpRequest, **place: Any) -> HttpResponse:
    """Answer an address of the API that is none, as the API answers."""
    return json_answer(request, NotFound(NOTHING_HERE))
