from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "modelyard.control.deployments"
    label = "modelyard_deployments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.deployments import facts

        facts.register()
