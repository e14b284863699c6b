from django.apps import AppConfig


class PrecomputedConfig(AppConfig):
    name = "modelyard.control.precomputed"
    label = "modelyard_precomputed"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.jobs.handlers import register
        from modelyard.control.precomputed.models import Precomputation
        from modelyard.control.precomputed.services import KIND
        from modelyard.control.precomputed.work import Precomputing
        from modelyard.control.registry.models import ARTIFACT_USERS

        register(KIND, Precomputing())
        ARTIFACT_USERS["precomputed answers"] = Precomputation
