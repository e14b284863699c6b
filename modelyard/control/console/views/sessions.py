"""Signing in and out, choosing a tenant, and one's own account."""

from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from modelyard.control.console import toasts
from modelyard.control.console.access import ask_to_sign_in, lead_to_sign_in, sign_in_address
from modelyard.control.console.forms import PasswordForm, SignInForm
from modelyard.control.tenancy import sign_ins
from modelyard.control.tenancy.models import Member


def safe_next(request: HttpRequest) -> str:
    """Return where to go after signing in: an address of this site, or the home page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("console:home")


@sensitive_post_parameters("password")
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password."""
    target = safe_next(request)
    if request.user.is_authenticated:
        return redirect(target)
    if sign_in_address() != reverse("console:sign-in"):
        return redirect_to_login(target, sign_in_address())
    tried = {"name": request.POST.get("username", ""), "address": request.META.get("REMOTE_ADDR", "")}
    closed = request.method == "POST" and not sign_ins.admit_try(**tried)
    # A form that has data looks at the password as soon as the page asks it for errors.
    data = request.POST if request.method == "POST" and not closed else None
    form = SignInForm(request, data=data, initial={"username": tried["name"]})
    if form.is_bound and form.is_valid():
        sign_ins.forget_tries(**tried)
        login(request, form.get_user())
        return redirect(target)
    context = {"form": form, "next": target, "closed": closed}
    status = 429 if closed else 422 if form.is_bound else 200
    response = render(request, "console/sign_in.html", context, status=status)
    if closed:
        response["Retry-After"] = str(sign_ins.WINDOW_SECONDS)
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return lead_to_sign_in()


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Lead to the only tenant, or let choose among several."""
    if not request.user.is_authenticated:
        return lead_to_sign_in()
    user = request.user
    memberships = list(Member.objects.filter(user=user).select_related("tenant").order_by("tenant__name"))
    if len(memberships) == 1:
        return redirect("console:models", tenant=memberships[0].tenant.name)
    return render(request, "console/home.html", {"memberships": memberships, "toasts": toasts.take(request)})


@sensitive_post_parameters()
def account(request: HttpRequest) -> HttpResponse:
    """Show who one is, and change the password."""
    if not request.user.is_authenticated:
        return ask_to_sign_in(request)
    user = request.user
    form = PasswordForm(user, data=request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        form.save()
        update_session_auth_hash(request, user)
        toasts.say(request, "Your password is changed. Other browsers are signed out.")
        return redirect("console:account")
    memberships = Member.objects.filter(user=user).select_related("tenant").order_by("tenant__name")
    context = {"form": form, "memberships": memberships, "toasts": toasts.take(request)}
    return render(request, "console/account.html", context, status=422 if form.is_bound else 200)
