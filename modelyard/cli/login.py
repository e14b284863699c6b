"""`modelyard login`: keeps the address of a server and a key for it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.connection import console_address
from modelyard.cli.options import Json
from modelyard.cli.output import Done
from modelyard.cli.profile import Profile, current, profile_path, save
from modelyard.core.errors import Forbidden, InvalidInput

if TYPE_CHECKING:
    from modelyard.client import Client


def login(
    url: Annotated[
        str | None, typer.Argument(help="The server's address.", show_default="MODELYARD_URL or this machine")
    ] = None,
    predict_url: Annotated[str | None, typer.Option(help="The data plane's address, where it has its own.")] = None,
    json: Json = False,
) -> None:
    """Keep a server's address and a key for it. The key is asked for, or read from standard input."""
    from modelyard.client import Client

    chosen = current(url)
    key = typer.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    key = key.strip() or (chosen.key or "")
    if not key:
        raise InvalidInput("no key was given: expected it on standard input, or in MODELYARD_KEY")
    with Client(chosen.url, key, predict_url=predict_url) as client:
        tenant = _tenant(client)
        kept = Profile(url=client.url, key=key, tenant=tenant, predict_url=predict_url)
    save(kept, profile_path())
    Done(
        f"signed in to tenant {tenant} at {kept.url}" if tenant else f"signed in at {kept.url}; the key may not read",
        result={"url": kept.url, "tenant": tenant},
        console=console_address(kept.url, tenant) if tenant else kept.url,
        undo=f"rm {profile_path()}",
    ).show(json)


def _tenant(client: "Client") -> str:
    """Return the tenant's name; empty for a live key that may do other things than read.

    Raises:
        Unauthenticated: when no live key was given.
    """
    try:
        return client.tenant()
    except Forbidden as error:
        if "scope" in error.details:
            return ""
        raise
