from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "modelyard.control.schedules"
    label = "modelyard_schedules"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.schedules.models import Schedule
        from modelyard.control.tenancy.holdings import HELD

        HELD["schedule"] = lambda tenant: Schedule.objects.of(tenant).count()
