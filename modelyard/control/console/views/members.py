"""Who may act for the tenant."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from modelyard.control.console import reads, toasts
from modelyard.control.console.access import page
from modelyard.control.console.forms import MemberForm, RoleForm
from modelyard.control.console.rendering import show
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import Member, Role, Scope
from modelyard.control.tenancy.people import find_person, name_field
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import ModelyardError, NotFound

UNKNOWN = "Nobody by that name has an account here. An operator makes accounts."


@page(Scope.ADMIN, "GET", "POST")
def members(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the members, and add one who has an account."""
    form = MemberForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        user = find_person(form.cleaned_data["username"])
        try:
            if user is None:
                form.add_error("username", UNKNOWN)
            else:
                tenancy.add_member(actor=actor, user=user, role=form.cleaned_data["role"])
                toasts.say(request, f"{user.get_username()} may act for {actor.tenant.name} now.")
                return redirect("console:members", tenant=actor.tenant.name)
        except ModelyardError as error:
            form.add_error("username", error.message)
    found = Member.objects.of(actor.tenant).select_related("user").order_by(f"user__{name_field()}")
    context = {
        "section": "members",
        "form": form,
        "roles": Role.choices,
        "page": reads.page_of(found, request.GET.get("page")),
    }
    return show(request, actor, "members.html", context, status=422 if form.is_bound else 200)


def find_member(actor: Actor, pk: int) -> Member:
    """Return a member of the actor's tenant."""
    member = Member.objects.of(actor.tenant).filter(pk=pk).select_related("user").first() if pk < 2**63 else None
    if member is None:
        raise NotFound("no such member")
    return member


@page(Scope.ADMIN, "POST")
def change(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Give a member another role."""
    member = find_member(actor, pk)
    form = RoleForm(request.POST)
    try:
        role = form.cleaned_data["role"] if form.is_valid() else ""
        tenancy.change_role(actor=actor, member=member, role=role)
        toasts.say(request, f"{member.user.get_username()} is {role} now.")
    except ModelyardError as error:
        toasts.say(request, error.message, kind="bad")
    return after_change(actor, member)


@page(Scope.ADMIN, "GET", "POST")
def remove(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """End a membership."""
    member = find_member(actor, pk)
    if request.method != "POST":
        context = {"section": "members", "member": member, "confirm": "_remove_member.html", "back": "../../"}
        return show(request, actor, "confirm.html", context)
    try:
        tenancy.remove_member(actor=actor, member=member)
        toasts.say(request, f"{member.user.get_username()} is no member any more.")
    except ModelyardError as error:
        toasts.say(request, error.message, kind="bad")
    return after_change(actor, member)


def after_change(actor: Actor, member: Member) -> HttpResponse:
    """Lead back to the members, or to what is left to see for somebody who changed their own membership."""
    if member.user == actor.user:
        own = Member.objects.of(actor.tenant).filter(user=member.user).first()
        if own is None:
            return redirect("console:home")
        if Scope.ADMIN not in Role(own.role).scopes:
            return redirect("console:models", tenant=actor.tenant.name)
    return redirect("console:members", tenant=actor.tenant.name)
