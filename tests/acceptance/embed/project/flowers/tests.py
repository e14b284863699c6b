"""What the florist's own test suite says of Modelyard, run by `manage.py test`."""

import io
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.cache import KEY_PREFIX
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import TestCase, override_settings
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, reverse

from modelyard.control.deployments import models as deployments
from modelyard.control.jobs.models import Job, Outbox
from modelyard.control.registry import models as registry
from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import ApiKey, AuditEntry, Tenant
from modelyard.core.errors import Misconfigured
from modelyard.embed import addresses
from modelyard.embed import admin as ours

PASSWORD = "hyacinthus-orientalis"


class InTheGarden(TestCase):
    """A tenant, a gardener who administers it, and a superuser."""

    def setUp(self) -> None:
        self.tenant = services.create_tenant(name="garden", created_by="system:test")
        self.actor = services.system_actor(self.tenant, "test")
        people = get_user_model().objects
        self.root = people.create_superuser("root@garden.nl", PASSWORD)
        self.lee = people.create_user("lee@garden.nl", PASSWORD)
        services.add_member(actor=self.actor, user=self.lee, role="admin")
        self.key, self.secret = services.create_key(actor=self.actor, name="ci", scopes=["admin"])
        self.bearer = {"Authorization": f"Bearer {self.secret}"}


class Addresses(InTheGarden):
    def test_all_lies_beneath_the_prefix(self) -> None:
        self.assertEqual(reverse("modelyard-live"), "/ml/health/live")
        self.assertEqual(self.client.get("/ml/health/ready").json(), {"status": "ready"})
        self.assertEqual(self.client.get("/health/ready").status_code, 404)
        self.assertEqual(self.client.get("/ml/v2/health/live").json(), {"live": True})

    def test_who_is_not_signed_in_is_sent_to_the_projects_own_page(self) -> None:
        self.assertRedirects(self.client.get("/ml/t/garden/"), "/hallo/?next=/ml/t/garden/")
        self.assertRedirects(self.client.get("/ml/"), "/hallo/?next=/ml/")
        self.assertRedirects(self.client.get("/ml/sign-in/?next=/ml/account/"), "/hallo/?next=/ml/account/")
        self.client.force_login(self.lee)
        self.assertRedirects(self.client.post("/ml/sign-out/"), "/hallo/?next=/ml/")

    @override_settings(LOGIN_URL="/nowhere/")
    def test_our_own_page_serves_where_the_project_has_none(self) -> None:
        self.assertRedirects(self.client.get("/ml/t/garden/"), "/ml/sign-in/?next=/ml/t/garden/")
        told = self.client.post("/ml/sign-in/", {"username": "lee@garden.nl", "password": PASSWORD, "next": ""})
        self.assertRedirects(told, "/ml/", target_status_code=302)

    @override_settings(LOGIN_URL="/nowhere/", SESSION_ENGINE="django.contrib.sessions.backends.cache")
    def test_a_sign_in_lives_where_the_project_keeps_sessions(self) -> None:
        self.client.post("/ml/sign-in/", {"username": "lee@garden.nl", "password": PASSWORD, "next": ""})
        key = KEY_PREFIX + self.client.cookies["garden"].value
        self.assertEqual(caches["default"].get(key)["_auth_user_id"], str(self.lee.pk))
        self.assertFalse(Session.objects.exists())
        self.assertEqual(self.client.get("/ml/t/garden/").status_code, 200)
        caches["default"].delete(key)
        self.assertRedirects(self.client.get("/ml/t/garden/"), "/ml/sign-in/?next=/ml/t/garden/")

    def test_pages_link_beneath_the_prefix_alone(self) -> None:
        self.client.force_login(self.lee)
        for path in ("", "new/", "keys/", "members/", "audit/"):
            page = self.client.get(f"/ml/t/garden/{path}")
            self.assertEqual(page.status_code, 200, path)
            for kind in ("href", "action", "src", "hx-get", "hx-post"):
                for part in page.content.decode().split(f' {kind}="')[1:]:
                    address = part.partition('"')[0]
                    if address.startswith("/"):
                        self.assertTrue(address.startswith(("/ml/", "/assets/")), f"{path}: {address}")

    def test_our_pages_are_english_and_ours_alone_carry_our_policy(self) -> None:
        self.client.force_login(self.lee)
        page = self.client.get("/ml/t/garden/", headers={"Accept-Language": "nl"})
        self.assertContains(page, "Models")
        self.assertIn("script-src 'self'", page["Content-Security-Policy"])
        self.assertIn("X-Request-ID", page)
        self.assertNotIn("Content-Security-Policy", self.client.get("/hallo/"))

    def test_errors_of_the_project_look_as_it_wants(self) -> None:
        self.assertNotContains(self.client.get("/nothing/"), "Modelyard", status_code=404)


OPEN = {"health/live", "health/ready", "api/schema/", "api/docs/"}


class Shut(InTheGarden):
    def test_every_address_of_ours_is_shut_to_nobody_but_the_open_ones(self) -> None:
        count = 0
        for route in routes(addresses.urlpatterns):
            if route in OPEN or route.startswith("^"):
                continue
            path = "/ml/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: EXAMPLES.get(found[1], "iris"), route)
            for method in ("get", "post", "put", "patch", "delete"):
                answer = getattr(self.client, method)(path)
                sent_away = answer.status_code == 302 and answer["Location"].startswith("/hallo/")
                self.assertTrue(
                    sent_away or answer.status_code in (401, 403, 405), f"{method} {path}: {answer.status_code}"
                )
                count += 1
        self.assertGreater(count, 200)
        for path in ("predict/iris", "v2/models/iris", "v2/"):
            self.assertEqual(self.client.get(f"/ml/{path}").status_code, 401, path)


EXAMPLES = {"int": "1", "uuid": "6d1d1c40-0000-4000-8000-000000000000"}


def routes(entries: Any, before: str = "") -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, before + str(entry.pattern))
        else:
            yield before + str(entry.pattern)


class Rules(InTheGarden):
    """REST_FRAMEWORK of this project opens everything, and reads and writes other formats."""

    def test_the_api_is_closed_to_nobody_known(self) -> None:
        for path in ("models/", "keys/", "members/", "audit/", "jobs/", "tenants/"):
            answer = self.client.get(f"/ml/api/v1/{path}")
            self.assertEqual(answer.status_code, 401, path)
            self.assertEqual(answer.json()["error"]["code"], "unauthenticated")

    def test_the_api_speaks_our_json(self) -> None:
        made = self.client.post(
            "/ml/api/v1/models/", {"name": "tulip"}, content_type="application/json", headers=self.bearer
        )
        self.assertEqual(made.status_code, 201, made.content)
        listed = self.client.get("/ml/api/v1/models/?ordering=-name&page_size=1", headers=self.bearer).json()
        self.assertEqual([row["name"] for row in listed["results"]], ["tulip"])
        wrong = self.client.post("/ml/api/v1/models/", "[]", content_type="application/json", headers=self.bearer)
        self.assertEqual(wrong.json()["error"]["details"]["places"][0]["place"], "body")
        nothing = self.client.get("/ml/api/v1/nothing/", headers=self.bearer)
        self.assertEqual(nothing.json()["error"]["code"], "not_found")

    def test_people_are_named_by_what_they_sign_in_with(self) -> None:
        url = "/ml/api/v1/members/"
        people = self.client.get(url, headers=self.bearer).json()["results"]
        self.assertEqual([row["username"] for row in people], ["lee@garden.nl"])
        body = {"username": "root@garden.nl", "role": "viewer"}
        self.assertEqual(
            self.client.post(url, body, content_type="application/json", headers=self.bearer).status_code, 201
        )
        made = {"name": "rose", "owner": "root@garden.nl"}
        models = "/ml/api/v1/models/"
        self.client.post(models, made, content_type="application/json", headers=self.bearer)
        owned = self.client.get(f"{models}?owner=root@garden.nl", headers=self.bearer).json()
        self.assertEqual([row["owner"] for row in owned["results"]], ["root@garden.nl"])
        self.client.force_login(self.lee)
        self.assertContains(self.client.get("/ml/t/garden/?q=root@"), "rose")
        self.assertContains(self.client.get("/ml/t/garden/members/"), "root@garden.nl")

    def test_the_description_is_ours(self) -> None:
        told = self.client.get("/ml/api/schema/").json()
        self.assertEqual(told["info"]["title"], "Modelyard")
        self.assertEqual(told["servers"], [{"url": "/ml"}])
        self.assertEqual(told["paths"]["/api/v1/keys/"]["get"]["operationId"], "keys_list")
        self.assertNotIn("/flowers/rows/", told["paths"])
        self.assertContains(self.client.get("/ml/api/docs/?script="), "/ml/api/schema/")

    def test_a_form_from_elsewhere_is_refused(self) -> None:
        strict = self.client_class(enforce_csrf_checks=True)
        strict.force_login(self.lee)
        self.assertEqual(strict.post("/ml/t/garden/new/", {"name": "forged"}).status_code, 403)

    def test_what_came_of_a_form_before_its_connection_broke_makes_no_version(self) -> None:
        """gunicorn, say, hands on what there is, and Django takes it for all of it."""
        self.client.force_login(self.lee)
        self.client.post("/ml/t/garden/new/", {"name": "rose"})
        names = ("scaler.pkl", "classifier.pkl")
        form = {"file": [SimpleUploadedFile(name, bytes(range(256)) * 400) for name in names]}
        whole = encode_multipart(BOUNDARY, form)
        told: dict[str, Any] = {"content_type": MULTIPART_CONTENT, "CONTENT_LENGTH": str(len(whole))}
        for left in (50_000, 105_000, 3):
            broken = {**told, "wsgi.input": io.BytesIO(whole[:-left])}
            answer = self.client.generic("POST", "/ml/t/garden/models/rose/push/", whole, **broken)
            self.assertContains(answer, "ended before all of it had come", status_code=400)
        self.assertEqual(registry.Version.objects.count(), 0)
        self.client.generic("POST", "/ml/t/garden/models/rose/push/", whole, **told)
        self.assertEqual(registry.Version.objects.get().files.count(), 2)
        told["wsgi.input"] = io.BytesIO(whole[:-50_000])
        answer = self.client.generic("POST", "/ml/api/v1/models/rose/versions/", whole, headers=self.bearer, **told)
        self.assertContains(answer, "ended before all of it had come", status_code=400)


class Admin(InTheGarden):
    def setUp(self) -> None:
        super().setUp()
        self.client.force_login(self.root)

    def test_every_table_is_there_and_is_only_looked_at(self) -> None:
        tables = [m for app in apps.get_app_configs() if app.name.startswith("modelyard.") for m in app.get_models()]
        self.assertGreater(len(tables), 12)
        for table in tables:
            page = f"/admin/{table._meta.app_label}/{table._meta.model_name}/"
            self.assertEqual(self.client.get(page).status_code, 200, page)
            self.assertEqual(self.client.get(f"{page}?q=x").status_code, 200, page)
            self.assertEqual(self.client.get(f"{page}add/").status_code, 403, page)

    def test_a_row_is_shown_with_a_link_and_without_secrets(self) -> None:
        for row, hidden in ((self.tenant, self.tenant.mac_key), (self.key, self.key.sha256)):
            page = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
            for path in (page, f"{page}{row.pk}/change/"):
                shown = self.client.get(path)
                self.assertContains(shown, str(row))
                self.assertNotContains(shown, hidden)
        self.assertContains(
            self.client.get(f"/admin/modelyard_tenancy/tenant/{self.tenant.pk}/change/"), "/ml/t/garden/"
        )

    def test_nothing_is_changed_or_deleted(self) -> None:
        page = f"/admin/modelyard_tenancy/apikey/{self.key.pk}/"
        self.assertEqual(self.client.post(f"{page}change/", {"name": "mine"}).status_code, 403)
        self.assertEqual(self.client.post(f"{page}delete/", {"post": "yes"}).status_code, 403)
        self.assertEqual(self.client.get("/admin/modelyard_tenancy/apikey/").content.count(b"delete_selected"), 0)
        self.assertEqual(ApiKey.objects.get().name, "ci")

    def test_lists_read_nothing_large(self) -> None:
        lookers = [admin.site._registry[table] for table in ours.tables()]
        request = type("Request", (), {"user": self.root, "GET": {}})()
        for looker in lookers:
            sql = str(looker.get_queryset(request).query)
            for field in looker.model._meta.concrete_fields:
                if isinstance(field, ours.LARGE):
                    self.assertNotIn(f'"{looker.model._meta.db_table}"."{field.column}"', sql.partition(" FROM ")[0])

    def test_lists_cost_as_many_queries_for_many_rows_as_for_few(self) -> None:
        counts = []
        for names in (["rose", "tulip"], ["aster", "iris", "lily", "poppy", "violet"]):
            for name in names:
                grow(self.tenant, name)
            told = {}
            for table in ours.tables():
                page = f"/admin/{table._meta.app_label}/{table._meta.model_name}/"
                with CaptureQueriesContext(connection) as queries:
                    self.assertEqual(self.client.get(page).status_code, 200, page)
                told[table._meta.label] = len(queries)
            counts.append(told)
        self.assertEqual(*counts)


def grow(tenant: Tenant, name: str) -> None:
    """Make a row of every table that has to do with a model."""
    owned = {"tenant": tenant}
    model = registry.Model.objects.create(name=name, created_by="x", **owned)
    artifact = registry.Artifact.objects.create(digest=name, size_bytes=1, **owned)
    version = registry.Version.objects.create(model=model, number=1, serving=artifact, created_by="x", **owned)
    registry.VersionFile.objects.create(version=version, artifact=artifact, filename="a.pkl", **owned)
    registry.Alias.objects.create(model=model, version=version, name="candidate", moved_by="x", **owned)
    registry.CharterRecord.objects.create(model=model, number=1, charter={}, actor="x", **owned)
    registry.Consumer.objects.create(model=model, name="shop", declared_by="x", **owned)
    payload = registry.Payload.objects.create(digest=name, size_bytes=1, **owned)
    registry.PayloadChunk.objects.create(payload=payload, position=0, data=b"x", **owned)
    deployment = deployments.Deployment.objects.create(model=model, **owned)
    deployments.Arm.objects.create(deployment=deployment, version=version, weight=1, **owned)
    plan = {"deployment": deployment, "number": 1, "plan": {}, "verb": "activate", "actor": "x"}
    deployments.PlanRecord.objects.create(**plan, **owned)
    deployments.Published.objects.create(model=model, revision=1, digest="x", **owned)
    job = Job.objects.create(kind="registration", created_by="x", **owned)
    Outbox.objects.create(job=job)


class Settings(InTheGarden):
    def test_a_test_may_override_them(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with override_settings(MODELYARD={"HOME": folder, "MAX_ROWS": 7}):
                self.assertEqual(settings.MODELYARD.max_rows, 7)
                self.assertEqual(settings.MODELYARD.home, Path(folder))
            self.assertEqual(settings.MODELYARD.max_rows, 10_000)

    @override_settings(MODELYARD={"HOME": "/tmp", "MAX_ROW": 7})
    def test_an_unknown_name_fails_with_the_nearest(self) -> None:
        with self.assertRaisesRegex(Misconfigured, "MAX_ROW is no setting; did you mean MAX_ROWS?"):
            _ = settings.MODELYARD.home


class Command(InTheGarden):
    def test_verbs_may_be_called_from_code(self) -> None:
        call_command("modelyard", "tenants", "create", "meadow")
        self.assertTrue(Tenant.objects.filter(name="meadow").exists())
        self.assertEqual(AuditEntry.objects.get(tenant__name="meadow").actor, "system:command")
        call_command("modelyard", "members", "add", "root@garden.nl", "--role", "viewer", "--json")

    def test_the_client_of_the_command_asks_in_process(self) -> None:
        call_command("modelyard", "models", "--json")
        with self.assertRaisesRegex(CommandError, "no model|nothing here|there is no model"):
            call_command("modelyard", "versions", "nothing")

    def test_what_a_project_does_itself_is_refused(self) -> None:
        with self.assertRaisesRegex(CommandError, "the project's own server answers"):
            call_command("modelyard", "up")
        with self.assertRaisesRegex(CommandError, "MODELYARD\\['HOME'\\]"):
            call_command("modelyard", "tenants", "list", "--home", "/tmp")

    def test_no_header_makes_an_operator(self) -> None:
        for name in ("modelyard.actor", "Modelyard-Actor", "modelyard_actor"):
            answer = self.client.get("/ml/api/v1/keys/", headers={name: "system:command"})
            self.assertEqual(answer.status_code, 401)
        answer = self.client.get("/ml/api/v1/keys/", **{"modelyard.actor": json.dumps({"scopes": ["admin"]})})
        self.assertEqual(answer.status_code, 401)
