"""A registration that nobody wants any more: its version is refused, with the code `cancelled`."""

import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from modelyard.control.jobs import services
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Version
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.control.registry.test_end_to_end import push

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]


class Hanging:
    """A pickle that never opens."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import time\nwhile True: time.sleep(1)",)


def test_one_that_waits_is_refused_at_once(caller: Caller, tenant: Tenant, admin: Actor) -> None:
    client = caller(tenant, "write")
    client.post("/api/v1/models/", {"name": "iris"})
    job = push(client, ("iris.pkl", pickle.dumps(1))).json()["job"]
    services.cancel(Job.objects.get(pk=job), admin)
    body = client.get("/api/v1/models/iris/versions/1/").json()
    assert (body["state"], body["refusal"]["code"]) == ("refused", "cancelled")
    assert body["refusal"]["message"] == "system:test cancelled it"
    assert client.delete("/api/v1/models/iris/versions/1/").status_code == 204


def test_one_that_runs_ends_within_a_second(caller: Caller, tenant: Tenant, admin: Actor) -> None:
    client = caller(tenant, "write")
    client.post("/api/v1/models/", {"name": "iris"})
    job = Job.objects.get(pk=push(client, ("iris.pkl", pickle.dumps(Hanging(), protocol=4))).json()["job"])

    def work() -> None:
        try:
            perform(job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    while "sandbox" not in Job.objects.get().message:
        time.sleep(0.05)
    time.sleep(0.5)
    began = time.monotonic()
    services.cancel(job, admin)
    thread.join(60)
    assert time.monotonic() - began < 1.5
    version = Version.objects.get()
    assert (version.state, (version.refusal or {})["code"]) == ("refused", "cancelled")
    assert Job.objects.get().state == State.CANCELLED
