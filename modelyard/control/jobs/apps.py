from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "modelyard.control.jobs"
    label = "modelyard_jobs"
    default_auto_field = "django.db.models.BigAutoField"
