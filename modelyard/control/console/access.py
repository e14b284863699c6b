"""Who may see a page: signed in, a member of the tenant in the address, with the scope that the page needs."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import Resolver404, get_script_prefix, resolve, reverse
from django_htmx.http import HttpResponseClientRedirect

from modelyard.control.console import toasts
from modelyard.control.console.rendering import forbidden, is_htmx
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import Conflict, Forbidden, InvalidInput, ModelyardError, NotFound

View = Callable[..., HttpResponseBase]


def page(scope: Scope, *methods: str) -> Callable[[View], View]:
    """Guard a view of a tenant's page: it is called with the request, the actor, and what else the address holds.

    A stranger's tenant looks as if it were not there, and so does what a GET cannot be given as things are. Without
    the scope it is a 403 page. What a POST raises is shown as a toast on the page that it came from, since nothing was
    changed. Who asks for the address of a form, as after signing in anew or from the browser's history, is led to the
    page that has it.
    """
    allowed = methods or ("GET",)

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, tenant: str, **place: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return ask_to_sign_in(request)
            if request.method in ("GET", "HEAD") and "GET" not in allowed:
                return redirect(page_of(tenant, place))
            if request.method not in (*allowed, "HEAD"):
                return HttpResponseNotAllowed(allowed)
            try:
                actor = tenancy.actor_for(request.user, tenant)
                tenancy.require(actor, scope)
                return view(request, actor, **place)
            except (NotFound, InvalidInput, Conflict) as error:
                if isinstance(error, NotFound) or request.method != "POST":
                    raise Http404(error.message) from error
                return shown(request, tenant, place, error)
            except Forbidden as error:
                return forbidden(request, error.message)
            except ModelyardError as error:
                if request.method != "POST":
                    raise
                return shown(request, tenant, place, error)

        return guarded

    return guard


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send to the sign-in page; htmx cannot follow that by itself, so it is told to load the page anew."""
    if is_htmx(request):
        return HttpResponseClientRedirect(sign_in_address())
    following = request.get_full_path() if request.method == "GET" else reverse("console:home")
    return redirect_to_login(following, sign_in_address())


def lead_to_sign_in() -> HttpResponse:
    """Send who is not signed in to where one begins; a page of the project's is told to lead back to ours."""
    address = sign_in_address()
    if address == reverse("console:sign-in"):
        return redirect(address)
    return redirect_to_login(reverse("console:home"), address)


def sign_in_address() -> str:
    """Return where people sign in: where LOGIN_URL leads, which may be a page of the project's, else our own page."""
    address = resolve_url(settings.LOGIN_URL)
    parts = urlsplit(address)
    if not parts.netloc:
        try:
            resolve("/" + parts.path.removeprefix(get_script_prefix()))
        except Resolver404:
            return reverse("console:sign-in")
    return address


def shown(request: HttpRequest, tenant: str, place: Mapping[str, Any], error: ModelyardError) -> HttpResponse:
    """Say what was refused, on the page of the thing that it was about."""
    toasts.say(request, error.message, kind="bad")
    return go(request, page_of(tenant, place))


def page_of(tenant: str, place: Mapping[str, Any]) -> str:
    """Return the address of the thing, or of the list, that `place` (arguments of an address) names."""
    if "ref" in place:
        return reverse("console:dataset", kwargs={"tenant": tenant, "ref": place["ref"]})
    if "schedule" in place:
        return reverse("console:schedule", kwargs={"tenant": tenant, "schedule": place["schedule"]})
    if "number" in place:
        return reverse("console:version", kwargs={"tenant": tenant, "name": place["name"], "number": place["number"]})
    if "job" in place:
        return reverse("console:job", kwargs={"tenant": tenant, "job": place["job"]})
    if "name" in place:
        return reverse("console:model", kwargs={"tenant": tenant, "name": place["name"]})
    return reverse("console:models", kwargs={"tenant": tenant})


def go(request: HttpRequest, address: str) -> HttpResponse:
    """Lead on to `address` after a POST, for a browser and for htmx alike."""
    return HttpResponseClientRedirect(address) if is_htmx(request) else redirect(address)
