from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "modelyard.control.registry"
    label = "modelyard_registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.jobs.handlers import register
        from modelyard.control.registry import datasets
        from modelyard.control.registry.dataset_examination import Examination
        from modelyard.control.registry.models import Dataset, Model
        from modelyard.control.registry.registration import Registration
        from modelyard.control.registry.services import KIND
        from modelyard.control.registry.uploads import forget
        from modelyard.control.tenancy.holdings import AFTERWARDS, HELD

        register(KIND, Registration())
        register(datasets.KIND, Examination())
        HELD["model"] = lambda tenant: Model.objects.of(tenant).count()
        HELD["dataset"] = lambda tenant: Dataset.objects.of(tenant).count()
        AFTERWARDS.append(forget)
