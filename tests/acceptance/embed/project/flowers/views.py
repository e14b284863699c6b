import json
import os
from typing import Any

from django.contrib.auth import authenticate, login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt

import modelyard
from flowers.models import Flower
from modelyard.core.errors import ModelyardError


def _answer(rows: Any) -> JsonResponse:
    try:
        found = modelyard.predict("iris", rows)
    except ModelyardError as error:
        return JsonResponse({"code": error.code, "message": error.message}, status=400)
    return JsonResponse({"predictions": found.predictions, "ids": found.prediction_ids, "pid": os.getpid()})


@csrf_exempt
def by_rows(request: HttpRequest) -> JsonResponse:
    return _answer(json.loads(request.body))


def by_queryset(request: HttpRequest) -> JsonResponse:
    return _answer(Flower.objects.order_by("pk"))


def by_instances(request: HttpRequest) -> JsonResponse:
    return _answer(list(Flower.objects.order_by("pk")))


@csrf_exempt
@transaction.non_atomic_requests
async def in_the_loop(request: HttpRequest) -> JsonResponse:
    """Ask twice: held up here, and beside the loop."""
    rows = json.loads(request.body)
    first = modelyard.predict("iris", rows)
    second = await modelyard.apredict("iris", rows)
    return JsonResponse({"predictions": [first.predictions, second.predictions], "pid": os.getpid()})


def sign_in(request: HttpRequest) -> HttpResponse:
    """The florist's own sign-in page."""
    if request.method == "POST":
        person = authenticate(request, username=request.POST["email"], password=request.POST["password"])
        if person is not None:
            login(request, person)
            return redirect(request.POST.get("next") or "/")
    token = request.META.get("CSRF_COOKIE") or ""
    from django.middleware.csrf import get_token

    token = get_token(request)
    return HttpResponse(
        f"<h1>Hallo</h1><form method=post><input type=hidden name=csrfmiddlewaretoken value='{token}'>"
        f"<label>E-mail <input name=email></label><label>Password <input name=password type=password></label>"
        f"<input type=hidden name=next value='{request.GET.get('next', '')}'><button>In</button></form>"
    )
