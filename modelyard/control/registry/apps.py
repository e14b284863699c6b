from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "modelyard.control.registry"
    label = "modelyard_registry"
    default_auto_field = "django.db.models.BigAutoField"
