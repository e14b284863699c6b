"""`modelyard keys`: makes, lists and revokes API keys, directly in a home's database; no server needs to run."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli import project
from modelyard.cli.home import address_of, settings_of
from modelyard.cli.options import Home, Json, with_home
from modelyard.cli.output import Done, print_json, print_table
from modelyard.cli.tenants import open_home, tenant_actor
from modelyard.cli.usage import NotUnderstood, choice, moment
from modelyard.core.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from modelyard.control.tenancy.models import ApiKey

app = typer.Typer(help="Make, list and revoke API keys on the server's own machine.", no_args_is_help=True)

TenantName = Annotated[
    str | None,
    typer.Option("--tenant", help="Whose key; else demo, or the one that a Django project names.", show_default=False),
]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Who uses it.", show_default=False)],
    tenant: TenantName = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="predict, read, write or admin; may be repeated. Or operator, alone.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="ISO 8601, as 2027-01-31 or with a time.", show_default=False)
    ] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make a key, which both planes know within a second. Its secret is shown this once only.

    One with the scope operator asks for work in every tenant. It belongs to a tenant of its own, `operator` where
    --tenant names no other, which is made with it.
    """
    expires_at = moment("--expires", expires) if expires else None
    if "operator" in (scope or []):
        key, secret = _operators(name, tenant, scope or [], expires_at, home)
    else:
        key, secret = _tenants(name, tenant, scope, expires_at, home)
    tenant = key.tenant.name
    undo = with_home(f"modelyard keys revoke {key.prefix} --tenant {tenant}", home)
    if json:
        print_json({"key": secret, **_facts(key), "tenant": tenant, "undo": undo})
        return
    more = {"scopes": f"{', '.join(key.scopes)}; running servers know the key within a second"}
    if project.current() is None:
        more["login"] = f"modelyard login {address_of(settings_of())}"
    Done(secret, undo=undo, more=more).show(False)


def _tenants(
    name: str, tenant: str | None, scope: list[str] | None, expires_at: "datetime | None", home: Home
) -> tuple["ApiKey", str]:
    actor = tenant_actor(home, tenant)
    from modelyard.control.tenancy import services
    from modelyard.control.tenancy.models import Scope

    scopes = [choice("--scope", one, Scope.values) for one in scope or [Scope.PREDICT]]
    return services.create_key(actor=actor, name=name, scopes=scopes, expires_at=expires_at)


def _operators(
    name: str, tenant: str | None, scope: list[str], expires_at: "datetime | None", home: Home
) -> tuple["ApiKey", str]:
    if scope != ["operator"]:
        raise NotUnderstood("--scope operator stands alone: a key of the operator's reads and writes its own jobs too")
    open_home(home)
    from modelyard.control.tenancy import services

    return services.create_operator_key(
        name=name, tenant_name=tenant or services.OPERATOR, created_by="system:command", expires_at=expires_at
    )


@app.command("list")
def list_keys(tenant: TenantName = None, home: Home = None, json: Json = False) -> None:
    """List a tenant's keys; secrets are not kept, so none is shown."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy.models import ApiKey

    found = [_facts(key) for key in ApiKey.objects.of(actor.tenant)]
    if json:
        print_json(found)
        return
    columns = ["prefix", "name", "scopes", "state", "expires_at", "created_by"]
    rows = [[_cell(row[name]) for name in columns] for row in found]
    print_table(f"Keys of {tenant}", columns, rows, empty="no keys yet: `modelyard keys create` makes one")


@app.command()
def revoke(
    key: Annotated[
        str, typer.Argument(help="Its prefix, as yard_ab12cd34 or ab12cd34, or its name.", show_default=False)
    ],
    tenant: TenantName = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a key open nothing any more; both planes know within a second."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy import services
    from modelyard.control.tenancy.models import ApiKey

    prefix = key.removeprefix("yard_").partition("_")[0]
    owned = ApiKey.objects.of(actor.tenant)
    found = owned.filter(prefix=prefix).first() or owned.filter(name=key, revoked_at=None).first()
    if found is None:
        raise NotFound(f"tenant {tenant} has no key {prefix!r}: `modelyard keys list` shows them")
    was_revoked = found.revoked_at is not None
    row = services.revoke_key(actor=actor, key=found)
    whole = [one for one in ("operator", "admin") if one in row.scopes]  # each brings the others that it may
    scopes = " ".join(f"--scope {one}" for one in whole or row.scopes)
    another = with_home(f"modelyard keys create --name {shlex.quote(row.name)} --tenant {tenant} {scopes}", home)
    Done(
        f"the key {row.name} ({row.prefix}) "
        + ("was already revoked; nothing changed" if was_revoked else "opens nothing any more"),
        result=_facts(row),
        undo=f"a revoked key stays revoked; `{another}` makes another",
    ).show(json)


def _facts(key: "ApiKey") -> dict[str, object]:
    state = "revoked" if key.revoked_at else "live" if key.is_live else "expired"
    times = {"expires_at": key.expires_at, "created_at": key.created_at}
    shown = {name: at.isoformat() if at else None for name, at in times.items()}
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": key.scopes,
        "state": state,
        "created_by": key.created_by,
        **shown,
    }


def _cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value
