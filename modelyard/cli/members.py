"""`modelyard members`: lets people into a tenant, directly in a home's database; no server needs to run."""

import secrets
import shlex
from typing import Annotated

import typer

from modelyard.cli.options import Home, Json, with_home
from modelyard.cli.output import Done, print_json, print_table
from modelyard.cli.tenants import tenant_actor
from modelyard.cli.usage import choice
from modelyard.core.errors import InvalidInput, NotFound

app = typer.Typer(help="Let people into a tenant on the server's own machine.", no_args_is_help=True)

TenantName = Annotated[
    str | None,
    typer.Option(
        "--tenant", help="Whose member; else demo, or the one that a Django project names.", show_default=False
    ),
]
UserName = Annotated[str, typer.Argument(help="As they sign in.", show_default=False)]


@app.command()
def add(
    user: UserName,
    tenant: TenantName = None,
    role: Annotated[str, typer.Option(help="viewer, editor or admin.")] = "viewer",
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a person act for a tenant; an account is made, with a random password, where there is none."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from django.contrib.auth import get_user_model
    from django.core.exceptions import ValidationError
    from django.db import transaction

    from modelyard.control.tenancy import services
    from modelyard.control.tenancy.models import Role

    choice("--role", role, Role.values)
    password, User = None, get_user_model()  # noqa: N806
    with transaction.atomic():
        person = User._default_manager.filter(**{User.USERNAME_FIELD: user}).first()
        if person is None:
            password = secrets.token_urlsafe(18)
            person = User(**{User.USERNAME_FIELD: user})
            try:
                person.clean_fields(exclude=["password"])
            except ValidationError as error:
                raise InvalidInput(f"{user!r} cannot name a user: {' '.join(error.messages)}") from None
            person.set_password(password)
            person.save()
        member = services.add_member(actor=actor, user=person, role=role)
    facts = {"user": user, "tenant": tenant, "role": member.role}
    if json:
        print_json({**facts, **({"password": password} if password else {})})
        return
    more = {"password": f"{password}  (shown this once only)"} if password else {}
    Done(
        f"{user} is {member.role} of {tenant}",
        undo=with_home(f"modelyard members remove {shlex.quote(user)} --tenant {tenant}", home),
        more=more,
    ).show(False)


@app.command()
def remove(user: UserName, tenant: TenantName = None, home: Home = None, json: Json = False) -> None:
    """End a membership; the account stays."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy import services
    from modelyard.control.tenancy.models import Member
    from modelyard.control.tenancy.people import name_field

    member = Member.objects.of(actor.tenant).filter(**{f"user__{name_field()}": user}).first()
    if member is None:
        raise NotFound(f"tenant {tenant} has no member {user!r}: `modelyard members list --tenant {tenant}` shows them")
    role = member.role
    services.remove_member(actor=actor, member=member)
    Done(
        f"{user} is no member of {tenant} any more",
        result={"user": user, "tenant": tenant},
        undo=with_home(f"modelyard members add {shlex.quote(user)} --tenant {tenant} --role {role}", home),
    ).show(json)


@app.command("list")
def list_members(tenant: TenantName = None, home: Home = None, json: Json = False) -> None:
    """List a tenant's members."""
    actor = tenant_actor(home, tenant)
    tenant = actor.tenant.name
    from modelyard.control.tenancy.models import Member

    members = Member.objects.of(actor.tenant).select_related("user")
    found = [{"user": member.user.get_username(), "role": member.role} for member in members]
    if json:
        print_json(found)
        return
    rows = [[row["user"], row["role"]] for row in found]
    print_table(f"Members of {tenant}", ["user", "role"], rows, empty="nobody yet: `modelyard members add` lets one in")
