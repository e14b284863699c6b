import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from modelyard.control.deployments.services import activate
from modelyard.control.jobs.models import Job, Outbox
from modelyard.control.jobs.services import claim, fail
from modelyard.control.registry import services, uploads
from modelyard.control.registry.models import Alias, Artifact, DeletedVersion, Model, Version, VersionFile
from modelyard.control.registry.services import Upload
from modelyard.control.registry.storage import store
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, system_actor, verify_audit
from modelyard.core.errors import (
    Conflict,
    Forbidden,
    InUse,
    InvalidInput,
    ModelRefused,
    NotFound,
    TooLarge,
    Unavailable,
)
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Commits = Callable[..., Any]


def reader(tenant: Tenant) -> Actor:
    return Actor(tenant=tenant, name="key:reader", scopes=frozenset({"predict", "read"}))


def kept(tenant: Tenant) -> set[str]:
    return {stored.digest for stored in store().list(str(tenant.pk))}


class TestModels:
    def test_made_changed_and_told_to_the_audit_log(self, admin: Actor, tenant: Tenant, person: User) -> None:
        model = services.create_model(actor=admin, name="churn", owner=person)
        changed = services.change_model(actor=admin, model=model, problem="Who leaves?")
        assert (changed.problem, changed.owner) == ("Who leaves?", person)
        changed = services.change_model(actor=admin, model=model, owner=None)
        assert (changed.problem, changed.owner) == ("Who leaves?", None)
        assert services.change_model(actor=admin, model=model) == model
        verbs = AuditEntry.objects.of(tenant).filter(subject="model:churn").values_list("verb", flat=True)
        assert list(verbs) == ["model.change", "model.change", "model.create"]
        assert verify_audit(tenant) == []

    def test_names_are_unique_within_a_tenant(self, admin: Actor, model: Model, stranger: Tenant) -> None:
        with pytest.raises(Conflict, match="already"):
            services.create_model(actor=admin, name="iris")
        services.create_model(actor=system_actor(stranger, "test"), name="iris")

    @pytest.mark.parametrize("name", ["", "Iris", "-iris", "iris:1", "a@b", "../x", "x" * 65, "a\x00", "é"])
    def test_a_name_follows_the_rule(self, admin: Actor, name: str) -> None:
        with pytest.raises(InvalidInput):
            services.create_model(actor=admin, name=name)

    def test_an_owner_is_a_member(self, admin: Actor, model: Model) -> None:
        nobody = User.objects.create_user("nobody")
        with pytest.raises(InvalidInput, match="no member"):
            services.create_model(actor=admin, name="churn", owner=nobody)
        with pytest.raises(InvalidInput, match="no member"):
            services.change_model(actor=admin, model=model, owner=nobody)

    def test_a_reader_changes_nothing(self, admin: Actor, tenant: Tenant, model: Model) -> None:
        version = versions.ready(admin, model)
        services.move_alias(actor=admin, model=model, name="candidate", version=version)
        low = reader(tenant)
        upload = Upload("x", uploads.Stored("0" * 64, 1))
        for call in (
            lambda: services.create_model(actor=low, name="churn"),
            lambda: services.change_model(actor=low, model=model, problem="x"),
            lambda: services.delete_model(actor=low, model=model),
            lambda: services.keep_upload(actor=low, filename="x", chunks=[b"x"]),
            lambda: services.register_version(actor=low, model=model, files=[upload]),
            lambda: services.move_alias(actor=low, model=model, name="a", version=version),
            lambda: services.delete_alias(actor=low, model=model, name="candidate"),
            lambda: services.delete_version(actor=low, version=version),
        ):
            with pytest.raises(Forbidden):
                call()

    def test_a_stranger_finds_nothing_to_change(self, admin: Actor, model: Model, stranger: Tenant) -> None:
        version = versions.ready(admin, model)
        foreign = system_actor(stranger, "test")
        for call in (
            lambda: services.change_model(actor=foreign, model=model, problem="x"),
            lambda: services.delete_model(actor=foreign, model=model),
            lambda: versions.register(foreign, model),
            lambda: services.move_alias(actor=foreign, model=model, name="a", version=version),
            lambda: services.delete_version(actor=foreign, version=version),
            lambda: activate(actor=foreign, version=version),
        ):
            with pytest.raises(NotFound):
                call()

    def test_deleting_forgets_the_bytes_and_keeps_the_facts(
        self, admin: Actor, tenant: Tenant, model: Model, django_capture_on_commit_callbacks: Commits
    ) -> None:
        versions.ready(admin, model, b"one")
        versions.ready(admin, model, b"two")
        assert len(kept(tenant)) == 4
        with django_capture_on_commit_callbacks(execute=True):
            services.delete_model(actor=admin, model=model)
        assert kept(tenant) == set()
        assert not Artifact.objects.of(tenant).exists()
        assert [row.number for row in DeletedVersion.objects.of(tenant)] == [2, 1]
        again = services.create_model(actor=admin, name="iris")
        assert versions.register(admin, again).number == 3

    def test_deleting_is_refused_while_it_serves_or_checks(self, admin: Actor, model: Model) -> None:
        version = versions.ready(admin, model)
        services.move_alias(actor=admin, model=model, name="candidate", version=version)
        activate(actor=admin, version=version)
        with pytest.raises(InUse) as refused:
            services.delete_model(actor=admin, model=model)
        assert refused.value.details["users"] == ["the plan in force of iris"]
        other = services.create_model(actor=admin, name="other")
        versions.register(admin, other)
        with pytest.raises(InUse, match="still being checked"):
            services.delete_model(actor=admin, model=other)

    def test_aliases_alone_do_not_keep_a_model(self, admin: Actor, model: Model) -> None:
        services.move_alias(actor=admin, model=model, name="candidate", version=versions.ready(admin, model))
        services.delete_model(actor=admin, model=model)
        assert not Alias.objects.exists()


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
        assert kept(tenant) == set()
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
        assert kept(tenant) == set()

    def test_files_are_bounded(self, admin: Actor, tenant: Tenant, model: Model) -> None:
        with pytest.raises(InvalidInput, match="empty"):
            services.keep_upload(actor=admin, filename="a", chunks=[])
        with pytest.raises(TooLarge):
            services.keep_upload(actor=admin, filename="a", chunks=[b"x" * 1024] * 1025)
        assert kept(tenant) == set()
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
        assert kept(tenant) == {unlucky.files.get().artifact.digest}


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
        before = kept(tenant)
        with django_capture_on_commit_callbacks(execute=True):
            services.delete_version(actor=admin, version=first)
        assert kept(tenant) == before
        with django_capture_on_commit_callbacks(execute=True):
            services.delete_version(actor=admin, version=second)
        assert kept(tenant) == set()
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


def test_a_models_aliases_go_with_it(admin: Actor, model: Model) -> None:
    version = versions.ready(admin, model)
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    with pytest.raises(InUse, match="alias candidate"):
        services.delete_version(actor=admin, version=version)
    services.delete_model(actor=admin, model=model)
    assert not Alias.objects.exists()
    told = AuditEntry.objects.get(verb="model.delete")
    assert told.details == {"versions": [1], "aliases": {"candidate": 1}}


class TestAliases:
    def test_moved_and_deleted(self, admin: Actor, model: Model) -> None:
        first, second = versions.ready(admin, model), versions.ready(admin, model, b"two")
        for version in (first, second, second):
            services.move_alias(actor=admin, model=model, name="candidate", version=version)
        assert Alias.objects.get().version == second
        services.delete_alias(actor=admin, model=model, name="candidate")
        with pytest.raises(NotFound):
            services.delete_alias(actor=admin, model=model, name="candidate")
        model.refresh_from_db()
        assert model.revision == 6

    def test_only_of_a_ready_version_of_the_model(self, admin: Actor, model: Model) -> None:
        with pytest.raises(Conflict, match="checking"):
            services.move_alias(actor=admin, model=model, name="a", version=versions.register(admin, model))
        other = versions.ready(admin, services.create_model(actor=admin, name="other"))
        with pytest.raises(InvalidInput, match="another model"):
            services.move_alias(actor=admin, model=model, name="a", version=other)
        with pytest.raises(InvalidInput, match="promote"):
            services.move_alias(actor=admin, model=model, name="champion", version=other)
        with pytest.raises(InvalidInput):
            services.move_alias(actor=admin, model=model, name="A", version=other)
        with pytest.raises(InvalidInput, match="looks like a version's number"):
            services.move_alias(actor=admin, model=model, name="3", version=other)


class TestArtifacts:
    def test_bytes_deleted_in_between_are_asked_for_again(self, admin: Actor, tenant: Tenant, model: Model) -> None:
        upload = services.keep_upload(actor=admin, filename="a.pkl", chunks=[b"x"])
        assert uploads.release(tenant, [upload.stored.digest]) == 1
        with pytest.raises(Unavailable, match="send it again"):
            services.register_version(actor=admin, model=model, files=[upload])
        assert not VersionFile.objects.exists()

    def test_the_sweep_takes_what_nobody_used_for_a_day(self, admin: Actor, tenant: Tenant, model: Model) -> None:
        versions.ready(admin, model)
        services.keep_upload(actor=admin, filename="a", chunks=[b"abandoned"])
        assert len(kept(tenant)) == 3
        assert uploads.sweep() == 0
        assert uploads.sweep(older_than_seconds=0) == 1
        assert len(kept(tenant)) == 2


@pytest.mark.django_db(transaction=True)
def test_bytes_that_cannot_be_deleted_now_do_not_turn_a_deletion_into_a_failure(
    admin: Actor, tenant: Tenant, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = versions.ready(admin, model)

    def broken(*_: Any) -> None:
        raise OSError("the share is away")

    with monkeypatch.context() as patched:
        patched.setattr("modelyard.artifacts.filesystem.FilesystemStore.delete", broken)
        services.delete_version(actor=admin, version=version)
    assert not Version.objects.exists()
    assert len(kept(tenant)) == 2
    assert uploads.sweep(older_than_seconds=0) == 2
    assert kept(tenant) == set()


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_freed_while_it_is_taken_again_keeps_its_numbers(
    admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion commits after the creation began, before the row is made."""
    versions.ready(admin, model)
    create = Model.objects.create

    def freed(**values: Any) -> Any:
        services.delete_model(actor=admin, model=model)
        return create(**values)

    monkeypatch.setattr(Model.objects, "create", freed)
    assert services.create_model(actor=admin, name="iris").last_number == 1


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


@pytest.mark.django_db(transaction=True)
def test_uploading_and_deleting_the_same_bytes_at_once_never_leaves_a_version_without(
    admin: Actor, tenant: Tenant, model: Model
) -> None:
    stop, errors = threading.Event(), []

    def delete() -> None:
        try:
            while not stop.is_set():
                for version in Version.objects.filter(state="ready").select_related("model"):
                    services.delete_version(actor=admin, version=version)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        for _ in range(15):
            try:
                versions.ready(admin, model, b"same", serving=b"same")
            except (Unavailable, Version.DoesNotExist):
                continue
    finally:
        stop.set()
        thread.join()
    assert errors == []
    needed = set(
        Artifact.objects.of(tenant).filter(pk__in=VersionFile.objects.values("artifact")).values_list("digest")
    )
    assert {digest for (digest,) in needed} <= kept(tenant)
