"""How many passwords may be tried, in all processes together."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from django.db import connection
from django.utils import timezone

from modelyard.control.tenancy import sign_ins
from modelyard.control.tenancy.models import SignInTries
from modelyard.control.tenancy.sign_ins import MAX_TRIES, admit_try, forget_tries

ROOT = Path(__file__).parents[4]
TRIES = """
import sys
from django.conf import settings
import django
from modelyard.config import settings as ours
if sys.argv[1]:
    ours.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from modelyard.control.tenancy.sign_ins import admit_try
print(sum(admit_try(name="ada", address="192.0.2.1") for _ in range(100)))
"""


def count_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Start a process that tries a hundred times on the test's database, and prints how often it was admitted."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    told = connection.settings_dict
    environment = {
        "MODELYARD_HOME": str(folder),
        "MODELYARD_SECRET_KEY": "0123456789abcdef" * 4,
        "DJANGO_SETTINGS_MODULE": "modelyard.config.settings",
    }
    if connection.vendor == "postgresql":
        login = f"{told['USER']}:{told['PASSWORD'] or ''}@{told['HOST'] or '127.0.0.1'}:{told['PORT']}"
        environment["MODELYARD_DATABASE_URL"] = f"postgres://{login}/{told['NAME']}"
    file = str(told["NAME"]) if connection.vendor == "sqlite" else ""
    command = [sys.executable, "-c", TRIES, file]
    return subprocess.Popen(command, env={**kept, **environment}, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_several_processes_admit_no_more_than_one_would(transactional_db: None, tmp_path: Path) -> None:
    running = [count_elsewhere(tmp_path) for _ in range(2)]
    admitted = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sum(admitted) == MAX_TRIES


def test_several_threads_admit_no_more_than_one_would(transactional_db: None) -> None:
    def tried(_: int) -> bool:
        try:
            return admit_try(name="ada", address="192.0.2.1")
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        admitted = list(pool.map(tried, range(50)))
    assert admitted.count(True) == MAX_TRIES


def test_names_and_addresses_are_counted_apart(db: None) -> None:
    assert [admit_try(name="ada", address="192.0.2.1") for _ in range(MAX_TRIES + 1)] == [*[True] * MAX_TRIES, False]
    assert admit_try(name="eve", address="192.0.2.1")
    assert admit_try(name="ada", address="192.0.2.2")
    assert not admit_try(name=" \uff21da ", address="192.0.2.1")


def test_a_window_that_is_over_is_counted_anew_and_swept(db: None) -> None:
    for _ in range(MAX_TRIES + 1):
        admit_try(name="ada", address="192.0.2.1")
    admit_try(name="eve", address="192.0.2.1")
    SignInTries.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert admit_try(name="ada", address="192.0.2.1")
    assert SignInTries.objects.count() == 2
    assert sign_ins.sweep() == 1
    assert SignInTries.objects.get().tries == 1


def test_the_right_password_forgets_the_wrong_ones(db: None) -> None:
    for _ in range(MAX_TRIES):
        admit_try(name="ada", address="192.0.2.1")
    forget_tries(name="ADA", address="192.0.2.1")
    assert admit_try(name="ada", address="192.0.2.1")


def test_nothing_of_a_name_is_kept(db: None) -> None:
    admit_try(name="ada", address="192.0.2.1")
    kept = SignInTries.objects.values().get()
    assert len(kept["digest"]) == 64
    assert not any(word in str(kept) for word in ("ada", "192.0.2.1"))
