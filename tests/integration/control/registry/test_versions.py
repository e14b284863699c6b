"""Versions: registered, made ready or refused once, and deleted when nobody needs them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from modelyard.control.deployments.services import activate
from modelyard.control.jobs.models import Job, Outbox
from modelyard.control.jobs.services import claim, fail
from modelyard.control.registry import services
from modelyard.control.registry.models import Artifact, DeletedVersion, Model, Version
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor, verify_audit
from modelyard.core.errors import InUse, InvalidInput, ModelRefused, NotFound, TooLarge, Unavailable
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Commits = Callable[..., Any]


class TestVersions:
    def test_registering_makes_a_version_a_job_and_its_message(self, admin: Actor, model: Model) -> None:
        version = versions.register(admin, model, metrics={"accuracy": 0.9}, description="first")
        assert (version.number, version.state, str(version)) == (1, "checking", "iris:1")
        assert Outbox.objects.filter(job=version.job).count() == 1
        assert version.job is not None
        assert version.job.payload == {"model": "iris", "number": 1}
        second = versions.register(admin, model, parent=version)
        assert (second.number, second.parent) == (2, version)

    def test_the_same_bytes_may_come_again(self, admin: Actor, tenant: Tenant, model: Model) -> None:
        first, second = (versions.register(admin, model, b"same") for _ in range(2))
        assert (first.number, second.number) == (1, 2)
        assert Artifact.objects.of(tenant).count() == 1

    @pytest.mark.parametrize(
        ("said", "place"),
        [
            ({"metrics": {"a": float("nan")}}, "metrics.a"),
            ({"metrics": {"a": float("inf")}}, "metrics.a"),
            ({"metrics": {"a": "0.9"}}, "metrics.a"),
            ({"metrics": {"a": True}}, "metrics.a"),
            ({"metrics": {"a": 10**400}}, "metrics.a"),
            ({"metrics": {"": 1}}, "metrics"),
            ({"metrics": {"a\x00": 1}}, "metrics"),
            ({"metrics": [1]}, "metrics"),
            ({"metrics": {f"m{i}": i for i in range(257)}}, "metrics"),
            ({"manifest": {"sed": 1}}, "`seed`"),
            ({"manifest": {"seed": "1"}}, "manifest"),
            ({"manifest": {"data_digest": "md5:1"}}, "manifest.data_digest"),
            ({"manifest": {"parameters": {"a": "\x00"}}}, "manifest.parameters.a"),
            ({"manifest": {"parameters": {"a": "x" * 300_000}}}, "manifest"),
            ({"signature": {"columns": []}}, "signature"),
            ({"signature": {"columns": [], "outputs": []}}, "signature: 0 inputs"),
            ({"signature": "x"}, "signature"),
            ({"description": "x" * 20_001}, "description"),
            ({"description": "\ud800"}, "description"),
        ],
    )  # fmt: skip
    def test_what_is_said_of_it_must_fit_and_nothing_stays(
        self, admin: Actor, tenant: Tenant, model: Model, said: dict[str, Any], place: str
    ) -> None:
        with pytest.raises(InvalidInput, match=place):
            versions.register(admin, model, **said)
        assert versions.kept(tenant) == set()
        assert not Artifact.objects.exists()
        assert not Job.objects.exists()
        assert versions.register(admin, model).number == 1

    def test_a_parent_is_of_the_same_model(self, admin: Actor, model: Model) -> None:
        other = versions.register(admin, services.create_model(actor=admin, name="other"))
        with pytest.raises(InvalidInput, match="another model"):
            versions.register(admin, model, parent=other)

    @pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\x00", "a\nb", "x" * 256, "\ud800"])
    def test_a_file_name_is_no_path(self, admin: Actor, tenant: Tenant, name: str) -> None:
        with pytest.raises(InvalidInput):
            services.keep_upload(actor=admin, filename=name, chunks=[b"x"])
        assert versions.kept(tenant) == set()

    def test_files_are_bounded(self, admin: Actor, tenant: Tenant, model: Model) -> None:
        with pytest.raises(InvalidInput, match="empty"):
            services.keep_upload(actor=admin, filename="a", chunks=[])
        with pytest.raises(TooLarge):
            services.keep_upload(actor=admin, filename="a", chunks=[b"x" * 1024] * 1025)
        assert versions.kept(tenant) == set()
        large = [services.keep_upload(actor=admin, filename="a.pkl", chunks=[bytes([n]) * 600_000]) for n in range(2)]
        with pytest.raises(TooLarge, match="together"):
            services.register_version(actor=admin, model=model, files=large)
        small = services.keep_upload(actor=admin, filename="a.pkl", chunks=[b"x"])
        for files in ([], [small] * 9):
            with pytest.raises(InvalidInput, match="expected 1 to 8"):
                services.register_version(actor=admin, model=model, files=files)

    def test_ready_once_and_never_changed(self, admin: Actor, model: Model, tenant: Tenant) -> None:
        before = Tenant.objects.get(pk=tenant.pk).wanted_revision
        version = versions.ready(admin, model, manifest={"packages": {"scikit-learn": "1.6.0"}, "seed": 7})
        assert version.state == "ready"
        assert version.checked_at is not None
        assert version.manifest["packages"] == {"scikit-learn": "1.6.0"}
        assert version.manifest["seed"] == 7
        assert version.job is not None
        assert version.job.state == "succeeded"
        model.refresh_from_db()
        assert model.revision == 1
        assert Tenant.objects.get(pk=tenant.pk).wanted_revision == before + 1

    def test_a_fault_of_the_file_drops_it_and_another_keeps_it(
        self, admin: Actor, tenant: Tenant, model: Model, django_capture_on_commit_callbacks: Commits
    ) -> None:
        bad, unlucky = versions.register(admin, model, b"bad"), versions.register(admin, model, b"unlucky")
        with django_capture_on_commit_callbacks(execute=True):
            for version, error in (
                (bad, ModelRefused("no model", step="open", value=float("nan"))),
                (unlucky, Unavailable("no room")),
            ):
                Job.objects.filter(pk=version.job_id).update(attempts=2)
                job = claim(version.job_id, "test")
                assert job is not None
                fail(job, error)
        bad.refresh_from_db()
        unlucky.refresh_from_db()
        assert (bad.state, unlucky.state) == ("refused", "refused")
        assert bad.refusal["code"] == "model_refused"
        assert bad.refusal["details"] == {"step": "open", "value": "nan"}
        assert bad.refusal["files"][0]["size_bytes"] == 3
        assert (bad.files.count(), unlucky.files.count()) == (0, 1)
        assert versions.kept(tenant) == {unlucky.files.get().artifact.digest}


class TestDeletingVersions:
    def test_refused_while_needed_naming_who(self, admin: Actor, model: Model) -> None:
        version = versions.ready(admin, model)
        services.move_alias(actor=admin, model=model, name="candidate", version=version)
        with pytest.raises(InUse) as refused:
            services.delete_version(actor=admin, version=version)
        assert refused.value.details["users"] == ["the alias candidate"]
        services.delete_alias(actor=admin, model=model, name="candidate")
        activate(actor=admin, version=version)
        with pytest.raises(InUse, match="the plan in force of iris"):
            services.delete_version(actor=admin, version=version)
        activate(actor=admin, version=versions.ready(admin, model, b"two"))
        services.delete_version(actor=admin, version=version)
        assert not Version.objects.filter(number=1).exists()

    def test_refused_while_checked(self, admin: Actor, model: Model) -> None:
        with pytest.raises(InUse, match="still being checked"):
            services.delete_version(actor=admin, version=versions.register(admin, model))

    def test_bytes_stay_while_another_version_has_them(
        self, admin: Actor, tenant: Tenant, model: Model, django_capture_on_commit_callbacks: Commits
    ) -> None:
        first = versions.ready(admin, model, b"same", metrics={"accuracy": 0.9})
        second = versions.ready(admin, model, b"same")
        before = versions.kept(tenant)
        with django_capture_on_commit_callbacks(execute=True):
            services.delete_version(actor=admin, version=first)
        assert versions.kept(tenant) == before
        with django_capture_on_commit_callbacks(execute=True):
            services.delete_version(actor=admin, version=second)
        assert versions.kept(tenant) == set()
        facts = DeletedVersion.objects.of(tenant).get(number=1).facts
        assert facts["metrics"] == {"accuracy": 0.9}
        assert facts["files"][0]["filename"] == "model.pkl"
        assert versions.register(admin, model).number == 3

    def test_children_outlive_their_parent(self, admin: Actor, model: Model) -> None:
        parent = versions.ready(admin, model)
        child = versions.ready(admin, model, b"child", parent=parent)
        services.delete_version(actor=admin, version=parent)
        child.refresh_from_db()
        assert child.parent is None

    def test_twice_is_not_found(self, admin: Actor, model: Model) -> None:
        version = versions.ready(admin, model)
        again = Version.objects.select_related("model").get(pk=version.pk)
        services.delete_version(actor=admin, version=version)
        with pytest.raises(NotFound):
            services.delete_version(actor=admin, version=again)


@pytest.mark.django_db(transaction=True)
def test_numbers_are_counted_up_by_many_at_once(admin: Actor, tenant: Tenant, model: Model) -> None:
    together, errors = threading.Barrier(6), []

    def push(content: int) -> None:
        try:
            together.wait()
            for turn in range(3):
                versions.register(admin, model, f"{content % 2} {turn}".encode())
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=push, args=(content,)) for content in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(Version.objects.values_list("number", flat=True)) == list(range(1, 19))
    assert verify_audit(tenant) == []
