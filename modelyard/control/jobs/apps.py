from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "modelyard.control.jobs"
    label = "modelyard_jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.jobs.models import OPEN, Job
        from modelyard.control.tenancy.holdings import HELD

        HELD["open job"] = lambda tenant: Job.objects.of(tenant).filter(state__in=OPEN).count()
