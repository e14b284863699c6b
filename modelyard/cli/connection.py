"""A client for the verbs that talk to a server, and the addresses that they tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from modelyard.cli import project
from modelyard.cli.profile import Profile, current, with_key

if TYPE_CHECKING:
    from modelyard.client import Client


@dataclass(frozen=True, slots=True)
class Connection:
    """A client and where it points."""

    client: "Client"
    profile: Profile

    def api(self, path: str) -> str:
        """Return the address of `path` beneath the API."""
        return f"{self.client.url}/api/v1/{path}"

    def console(self, model: str = "", number: int | None = None) -> str:
        """Return the address of a model's or a version's page."""
        tenant = self.profile.tenant or self.client.tenant()
        return console_address(self.client.url, tenant, model, number)

    def dataset(self, reference: str = "") -> str:
        """Return the address of a dataset's page, or of the list of them."""
        page = f"{self.console()}datasets/"
        return page + (f"{quote(reference, safe=':')}/" if reference else "")


def console_address(url: str, tenant: str, model: str = "", number: int | None = None) -> str:
    """Return the address of a page of the console: the tenant's, a model's or a version's."""
    page = f"{url}/t/{quote(tenant)}/"
    if model:
        page += f"models/{quote(model)}/"
    return page + (f"versions/{number}/" if number is not None else "")


@contextmanager
def connected(url: str | None = None) -> Iterator[Connection]:
    """Give a client for the server in force; in a project, unless an address is given, for the project itself.

    Raises:
        Unauthenticated: when no key is known for it.
    """
    within = project.current()
    if within is not None and url is None:
        tenant = within.tenant()
        with within.client(tenant) as client:
            yield Connection(client, Profile(url=client.url, tenant=tenant))
        return
    profile = with_key(current(url))
    from modelyard.client import Client

    with Client(profile.url, profile.key, predict_url=profile.predict_url) as client:
        yield Connection(client, profile)
