"""The section of a model's page that tells, and tries, what is stored by entity."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from modelyard.artifacts.store import Stored
from modelyard.control.jobs.models import Job
from modelyard.control.precomputed.services import current_of, publish
from modelyard.control.registry.consumers import declare_consumer
from modelyard.control.registry.models import Version
from modelyard.control.registry.uploads import lock
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import NotFound
from tests.integration.control.console.reading import HOSTILE, HTMX, text_of

MODEL = "/t/yard/models/iris/"


@pytest.fixture
def stored(admin: Actor, version: Version) -> Version:
    """Two publications, of files that are not looked at here."""
    for number in (1, 2):
        said = Stored(uuid.uuid4().hex * 2, number)
        store_bytes(admin, said)
        job = Job.objects.create(tenant=admin.tenant, kind="precomputing", created_by="ada")
        with transaction.atomic():
            artifact = lock(admin.tenant, [said], make=True)[said.digest]
            publish(
                actor=admin, model=version.model, artifact=artifact, job=job, version=version, version_number=1,
                entity="flower", n_rows=150 * number, dataset="flowers:1",
            )  # fmt: skip
    return version


def store_bytes(actor: Actor, stored: Stored) -> None:
    from modelyard.control.registry.storage import store

    path = store()._path(str(actor.tenant.pk), stored.digest)  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_what_is_told_and_going_back(viewer: Client, editor: Client, admin: Actor, stored: Version) -> None:
    page = text_of(viewer.get(MODEL))
    assert "Precomputed answers" in page
    assert ">300<" in page
    assert "/precomputed/iris/ENTITY" in page
    assert "Tell these again" not in page
    assert "Tell these again" in text_of(editor.get(MODEL))
    assert editor.post(f"{MODEL}precomputed/1/activate/")["Location"] == MODEL
    assert current_of(stored.model).number == 1  # type: ignore[union-attr]
    declare_consumer(actor=admin, model=stored.model, name="checkout", contact="a@example.com")
    asked = editor.post(f"{MODEL}precomputed/withdraw/")
    assert asked.status_code == 422
    assert "iris has declared consumers: checkout (a@example.com)" in text_of(asked)
    assert current_of(stored.model) is not None
    editor.post(f"{MODEL}precomputed/withdraw/", {"despite_consumers": "true"})
    page = text_of(editor.get(MODEL))
    assert current_of(stored.model) is None
    assert "not told" in page
    assert f'action="{MODEL}precomputed/1/activate/"' in page
    Version.objects.filter(pk=stored.pk).delete()
    page = text_of(editor.get(MODEL))
    assert "version 1, which was deleted" in page
    assert f'action="{MODEL}precomputed/1/activate/"' not in page


def test_an_entity_is_tried(viewer: Client, stored: Version, answering: Any) -> None:
    answer = {"model": "iris", "version": 1, "predictions": [2], "prediction_ids": ["x.0"]}
    plane = answering(answer, NotFound("nothing is precomputed for the entity 'x'"), answer)
    page = text_of(viewer.post(f"{MODEL}precomputed/try/", {"entity": HOSTILE}, headers=HTMX))
    assert plane.asked == [("yard", "iris", HOSTILE)]
    assert '<div class="answer-value">2</div>' in page
    assert HOSTILE not in page
    refused = viewer.post(f"{MODEL}precomputed/try/", {"entity": "x"})
    assert (refused.status_code, "nothing is precomputed for the entity" in text_of(refused)) == (422, True)
    empty = viewer.post(f"{MODEL}precomputed/try/", {"entity": " "}, headers=HTMX)
    assert (empty.status_code, "expected the id of an entity" in text_of(empty)) == (422, True)
    assert len(plane.asked) == 2
