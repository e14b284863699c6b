from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "modelyard.control.schedules"
    label = "modelyard_schedules"
    default_auto_field = "django.db.models.BigAutoField"
