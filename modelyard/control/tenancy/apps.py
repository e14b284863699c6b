from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "modelyard.control.tenancy"
    label = "modelyard_tenancy"
    default_auto_field = "django.db.models.BigAutoField"
