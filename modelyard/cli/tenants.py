"""`modelyard tenants`: makes, lists and deletes tenants, directly in a home's database; no server needs to run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli import project
from modelyard.cli.home import TENANT, expect_home, make_home, set_up_django, settings_of
from modelyard.cli.options import Home, Json, Yes, with_home
from modelyard.cli.output import Done, print_json, print_table
from modelyard.cli.usage import tenant_name
from modelyard.core.errors import NotFound

if TYPE_CHECKING:
    from modelyard.control.tenancy.models import Tenant
    from modelyard.control.tenancy.services import Actor

app = typer.Typer(help="Make, list and delete tenants on the server's own machine.", no_args_is_help=True)


def open_home(home: Path | None) -> None:
    """Make Django ready for the home's database.

    Raises:
        Misconfigured: when there is no such home.
    """
    settings = settings_of(home)
    if project.current() is not None:
        return
    expect_home(settings)
    make_home(settings)
    set_up_django()


def tenant_actor(home: Path | None, tenant: str | None) -> "Actor":
    """Return who may do everything for a tenant of the home: whoever can read its database can anyway.

    Where no tenant is said, it is the first one, or the project's.

    Raises:
        Misconfigured: when there is no such home.
        NotFound: when there is no such tenant.
    """
    open_home(home)
    from modelyard.control.tenancy import services

    if tenant is None:
        within = project.current()
        tenant = TENANT if within is None else within.tenant()
    return services.system_actor(named(tenant), "command")


def named(name: str) -> "Tenant":
    """Return the tenant of that name, of an open home.

    Raises:
        NotFound: when there is none.
    """
    from modelyard.control.tenancy.models import Tenant

    found = Tenant.objects.filter(name=name).first()
    if found is None:
        names = ", ".join(Tenant.objects.values_list("name", flat=True)[:10])
        raise NotFound(f"there is no tenant {name!r}: expected one of {names}; `modelyard tenants create` makes one")
    return found


Name = Annotated[
    str, typer.Argument(help="As it stands in addresses, like acme.", show_default=False, callback=tenant_name)
]


@app.command()
def create(
    name: Name,
    title: Annotated[str, typer.Option(help="As people write it.")] = "",
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a tenant; it has no member and no key yet."""
    open_home(home)
    from modelyard.control.tenancy import services

    tenant = services.create_tenant(name=name, title=title, created_by="system:command")
    Done(
        f"made the tenant {tenant.name}",
        result={"name": tenant.name, "title": tenant.title},
        more={
            "key": with_home(f"modelyard keys create --tenant {tenant.name} --name first --scope admin", home),
            "member": with_home(f"modelyard members add admin --tenant {tenant.name} --role admin", home),
        },
        undo=with_home(f"modelyard tenants delete {tenant.name}", home),
    ).show(json)


@app.command()
def delete(name: Name, yes: Yes = False, home: Home = None, json: Json = False) -> None:
    """Delete a tenant that holds nothing any more: no model, dataset, open job, schedule or scored table.

    Its members and keys, its ended jobs and its log go with it.
    """
    open_home(home)
    from django.db import transaction

    from modelyard.control.tenancy import services

    tenant = named(name)
    if not yes and not json:
        typer.confirm(f"Delete {name}, with its members, its keys and its log?", abort=True, err=True)
    with transaction.atomic():
        services.delete_tenant(actor=services.operator_actor("command"), tenant=tenant)
    another = with_home(f"modelyard tenants create {name}", home)
    Done(
        f"{name} is deleted",
        result={"deleted": name},
        undo=f"`{another}` makes an empty one; what went with it stays gone",
    ).show(json)


@app.command("list")
def list_tenants(home: Home = None, json: Json = False) -> None:
    """List the tenants, with their numbers of members and of keys that open."""
    open_home(home)
    from modelyard.control.tenancy.models import ApiKey, Member, Tenant

    found = [
        {
            "name": tenant.name,
            "title": tenant.title,
            "members": Member.objects.of(tenant).count(),
            "keys": sum(key.is_live for key in ApiKey.objects.of(tenant)),
            "created_at": tenant.created_at.isoformat(),
        }
        for tenant in Tenant.objects.all()
    ]
    if json:
        print_json(found)
        return
    columns = ["name", "title", "members", "keys", "created_at"]
    rows = [[row[column] for column in columns] for row in found]
    print_table("Tenants", columns, rows, empty="no tenants yet: `modelyard tenants create` makes one")
