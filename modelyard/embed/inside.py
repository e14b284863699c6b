"""The project asked from within: a client whose requests go to our addresses in this very process.

So `manage.py modelyard push` is the command's own code, and passes through the same API as everybody's push, with no
server running. The project's middleware is left out: it is for what comes from outside.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, get_script_name
from django.urls import set_script_prefix

from modelyard.client import Client
from modelyard.control.rest.authentication import HANDED_IN
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import NotFound
from modelyard.exchange import passes

LONGEST_SECONDS = 600.0
DATA = ("predict", "precomputed", "v2")
RUNSERVER_PORT = ":8000"


class Bare(WSGIHandler):
    """The project's addresses and views without its middleware, and within the caller's own database connection.

    Django closes connections where a request begins and ends; here none does: the caller may be in a transaction.
    """

    def __call__(self, environ: Any, start_response: Any) -> Any:
        set_script_prefix(get_script_name(environ))
        response = self.get_response(self.request_class(environ))
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return _whole(response)

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = _untold(convert_exception_to_response(self._get_response))  # type: ignore[attr-defined]


def _untold(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Keep Django from logging what is refused: the client raises it. What broke was logged where it did."""

    def answered(request: Any) -> Any:
        response = answer(request)
        response._has_been_logged = True  # as django.utils.log.log_response leaves it
        return response

    return answered


def _whole(response: Any) -> Iterator[bytes]:
    """Give a response's body, and let go of its files when it is at its end."""
    try:
        yield from response
    finally:
        for close in response._resource_closers:
            close()


class Inside:
    """A WSGI application that answers in an actor's name."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._bare = Bare()

    def __call__(self, environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        below = environment["PATH_INFO"].removeprefix(root()).partition("/")[0]
        if below in DATA:
            tenant = self._actor.tenant
            environment["HTTP_AUTHORIZATION"] = f"Bearer {passes.issue(str(tenant.pk), tenant.mac_key, time.time())}"
        else:
            environment[HANDED_IN] = self._actor
        found: Iterable[bytes] = self._bare(environment, start_response)
        return found


def client_for(tenant: str) -> Client:
    """Return a client that may do everything for a tenant: whoever runs a command of the project can anyway.

    Raises:
        NotFound: when there is no such tenant.
    """
    found = Tenant.objects.filter(name=tenant).first()
    if found is None:
        raise NotFound(f"there is no tenant {tenant!r}: `modelyard tenants create {tenant}` makes it")
    actor = system_actor(found, "command")
    return Client(address(), through=httpx2.WSGITransport(Inside(actor)), timeout_seconds=LONGEST_SECONDS)


def tenant_name() -> str:
    """Return the tenant that the settings name, else the only one.

    Raises:
        NotFound: when that leaves none, or several.
    """
    if settings.MODELYARD.tenant:
        return str(settings.MODELYARD.tenant)
    names = list(Tenant.objects.values_list("name", flat=True)[:10])
    if len(names) == 1:
        return names[0]
    if not names:
        raise NotFound("there is no tenant yet: `modelyard tenants create NAME` makes one")
    raise NotFound(f"there are several tenants ({', '.join(names)}): MODELYARD['TENANT'] says which one is meant")


def address() -> str:
    """Return where users find us; where no setting says it, a host that the project answers to.

    While it is developed (`DEBUG`), that is where `runserver` listens unless it is told another port.
    """
    public = str(settings.MODELYARD.public_url)
    if public:
        parts = urlsplit(public)
        return f"{parts.scheme}://{parts.netloc}{root().rstrip('/')}"
    named = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if "*" not in host]
    port = RUNSERVER_PORT if settings.DEBUG else ""
    return f"http://{named[0] if named else 'localhost'}{port}{root().rstrip('/')}"
