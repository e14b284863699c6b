from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "modelyard.control.console"
    label = "modelyard_console"
    default_auto_field = "django.db.models.BigAutoField"
