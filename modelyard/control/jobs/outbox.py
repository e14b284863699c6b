"""Into the outbox: word that there is work on a job, in the transaction that makes it so."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from modelyard.control.jobs.models import Outbox

CHANNEL = "modelyard_outbox"
"""Where PostgreSQL tells whoever listens that a transaction with a message was committed."""


def announce(jobs: Iterable[UUID]) -> None:
    """Leave a message for each of the jobs, in the caller's transaction."""
    made = Outbox.objects.bulk_create(Outbox(job_id=job) for job in jobs)
    if made and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
