import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor


@pytest.fixture
def chain(admin: Actor) -> Tenant:
    """A tenant with ten entries; the first says that it was made."""
    for number in range(2, 11):
        services.record(actor=admin, verb="thing.do", subject=f"thing:{number}", details={"n": number})
    return admin.tenant


@pytest.mark.django_db
def test_an_untouched_log_is_whole(chain: Tenant, stranger: Tenant) -> None:
    numbers = list(AuditEntry.objects.of(chain).order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 11))
    assert services.verify_audit(chain) == []
    assert services.verify_audit(stranger) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"actor": "key:other"},
        {"verb": "thing.undo"},
        {"subject": "thing:other"},
        {"details": {"n": 0}},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"previous_hash": "0" * 64},
    ],
)
def test_a_changed_entry_is_found(chain: Tenant, change: dict[str, object]) -> None:
    AuditEntry.objects.of(chain).filter(number=4).update(**change)
    assert services.verify_audit(chain) == [4]


@pytest.mark.django_db
def test_a_changed_entry_with_a_fitting_hash_breaks_the_next_one(chain: Tenant) -> None:
    from modelyard.control.tenancy.audit import entry_hash

    entry = AuditEntry.objects.of(chain).get(number=4)
    entry.actor = "key:other"
    AuditEntry.objects.filter(pk=entry.pk).update(actor=entry.actor, hash=entry_hash(entry))
    assert services.verify_audit(chain) == [5]


@pytest.mark.django_db
@pytest.mark.parametrize("missing", [[1], [4], [4, 5], [10], [8, 9, 10], list(range(1, 11))])
def test_missing_entries_are_found_at_the_end_too(chain: Tenant, missing: list[int]) -> None:
    AuditEntry.objects.of(chain).filter(number__in=missing).delete()
    assert services.verify_audit(chain) == missing


@pytest.mark.django_db
def test_an_added_entry_is_found(chain: Tenant) -> None:
    last = AuditEntry.objects.of(chain).get(number=10)
    last.pk, last.number = None, 11
    last.save()
    assert services.verify_audit(chain) == [11]


@pytest.mark.django_db
def test_details_come_back_as_they_were_hashed(admin: Actor) -> None:
    details = {
        "float": 1e5,
        "small": 1e-7,
        "minus": -0.0,
        "text": "é\u2028\0 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "nested": [{"b": 1, "a": (1.5, None, True)}],
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "nan": float("nan"),
        3: {"x"},
    }
    services.record(actor=admin, verb="thing.do", subject="thing:1", details=details)
    assert services.verify_audit(admin.tenant) == []


@pytest.mark.django_db
def test_entries_of_one_second_stay_in_order(admin: Actor) -> None:
    entries = [services.record(actor=admin, verb="a", subject="b") for _ in range(3)]
    assert [entry.number for entry in entries] == [2, 3, 4]
    assert entries[1].previous_hash == entries[0].hash
    assert entries[2].at - entries[0].at < timedelta(seconds=5)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_chain(admin: Actor) -> None:
    faults: list[Exception] = []

    def write(name: int) -> None:
        try:
            for _ in range(10):
                services.record(actor=admin, verb="thing.do", subject=f"thread:{name}")
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert AuditEntry.objects.of(admin.tenant).count() == 61
    assert services.verify_audit(admin.tenant) == []
