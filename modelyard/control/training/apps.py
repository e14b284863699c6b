from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "modelyard.control.training"
    label = "modelyard_training"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.jobs.handlers import register
        from modelyard.control.training import reproducing, searching, tenants
        from modelyard.control.training.reproduction import Reproducing
        from modelyard.control.training.services import KIND
        from modelyard.control.training.work import Training

        register(KIND, Training())
        register(searching.KIND, searching.SearchPart())
        register(tenants.KIND, tenants.TenantsTraining())
        register(reproducing.KIND, Reproducing())
