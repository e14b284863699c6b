"""`modelyard tenants origins`: which pages elsewhere may call, in a home's database; no server needs to run."""

from typing import Annotated

import typer

from modelyard.cli import usage
from modelyard.cli.options import Home, Json, with_home
from modelyard.cli.output import Done, print_json, print_table
from modelyard.cli.tenants import tenant_actor
from modelyard.core.errors import NotFound
from modelyard.core.origins import read_origin

app = typer.Typer(help="Let web pages elsewhere call from a browser, with a key of the tenant.", no_args_is_help=True)

TenantName = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        help="Whose keys the pages bring; else demo, or the one that a Django project names.",
        show_default=False,
    ),
]
OriginText = Annotated[
    str,
    typer.Argument(
        help="As the page's address begins, like https://app.example; http for this machine itself alone.",
        show_default=False,
        callback=usage.origin,
    ),
]


@app.command()
def add(origin: OriginText, tenant: TenantName = None, home: Home = None, json: Json = False) -> None:
    """Let pages of an origin call the API and the endpoints; running servers follow within a second."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy import services

    allowed = services.allow_origin(actor=actor, origin=origin)
    Done(
        f"pages of {allowed.origin} may call with keys of {tenant}",
        result={"origin": allowed.origin, "tenant": tenant},
        undo=with_home(f"modelyard tenants origins remove {allowed.origin} --tenant {tenant}", home),
        more={
            "key": with_home(f"modelyard keys create --tenant {tenant} --name front-end --scope predict", home),
        },
    ).show(json)


@app.command()
def remove(origin: OriginText, tenant: TenantName = None, home: Home = None, json: Json = False) -> None:
    """Let pages of an origin read no answer any more; the keys that they have go on working elsewhere."""
    read = read_origin(origin)
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy import services
    from modelyard.control.tenancy.models import AllowedOrigin

    allowed = AllowedOrigin.objects.of(actor.tenant).filter(origin=read).first()
    if allowed is None:
        raise NotFound(
            f"tenant {tenant} does not allow {read}; `modelyard tenants origins list --tenant {tenant}` shows what is"
        )
    services.remove_origin(actor=actor, allowed=allowed)
    Done(
        f"pages of {read} can read no answer any more",
        result={"origin": read, "tenant": tenant},
        undo=with_home(f"modelyard tenants origins add {read} --tenant {tenant}", home),
    ).show(json)


@app.command("list")
def list_origins(tenant: TenantName = None, home: Home = None, json: Json = False) -> None:
    """List the origins that a tenant allows."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy.models import AllowedOrigin

    found = [
        {"origin": allowed.origin, "created_by": allowed.created_by, "created_at": allowed.created_at.isoformat()}
        for allowed in AllowedOrigin.objects.of(actor.tenant)
    ]
    if json:
        print_json(found)
        return
    columns = ["origin", "created_by", "created_at"]
    rows = [[row[column] for column in columns] for row in found]
    print_table(f"Front ends of {tenant}", columns, rows, empty="none: `modelyard tenants origins add` allows one")
