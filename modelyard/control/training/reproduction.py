"""The job that trains a version again: fits in the sandbox, compares, and registers nothing."""

import shutil
from typing import Any

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import completing
from modelyard.control.registry.finding import find_version
from modelyard.control.registry.locks import lock_version
from modelyard.control.registry.registration import new_scratch
from modelyard.control.tenancy.services import system_actor
from modelyard.control.training.comparing import Made, compare
from modelyard.control.training.models import Reproduction
from modelyard.control.training.reproducing import dataset_of, trainer_of
from modelyard.control.training.searching import searched
from modelyard.control.training.work import FITTED, fit
from modelyard.core.errors import ModelyardError


class Reproducing:
    """Does jobs of the kind "reproduction"; see `jobs.handlers.Handler`."""

    repeatable = True

    def run(self, job: Job, report: Report) -> dict[str, Any]:
        version = find_version(job.tenant, job.payload["model"], job.payload["number"])
        trainer_of(version)  # what was there when it was asked for may have gone since
        dataset = dataset_of(version)
        scores = searched(job, dataset)
        if scores is None:
            return {}
        scratch = new_scratch()
        try:
            fitted, files = fit(job, dataset, scratch, report, scores)
            report(FITTED, "comparing with the version", metrics=fitted.metrics)
            found = compare(job, version, Made(dataset, fitted, files[: len(fitted.files)]), scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        with completing(job, found):
            locked = lock_version(system_actor(job.tenant, "worker"), version)
            Reproduction.objects.create(
                tenant=job.tenant,
                version=locked,
                job=job,
                equal=found["equal"],
                report=found,
                created_by=job.created_by,
            )
        return {}

    def failed(self, job: Job, error: ModelyardError) -> None:
        """Nothing follows: nothing was made."""
