from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    name = "modelyard.control.deployments"
    label = "modelyard_deployments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.deployments import facts
        from modelyard.control.deployments.code import check_code
        from modelyard.control.tenancy.holdings import WITHOUT_CODE

        facts.register()
        WITHOUT_CODE.append(check_code)
