from django.apps import AppConfig


class ScoringConfig(AppConfig):
    name = "modelyard.control.scoring"
    label = "modelyard_scoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.control.jobs.handlers import register
        from modelyard.control.registry.models import ARTIFACT_USERS
        from modelyard.control.scoring.models import ScoredFile
        from modelyard.control.scoring.parts import ScoringPart
        from modelyard.control.scoring.services import KIND, PART_KIND
        from modelyard.control.scoring.work import Scoring
        from modelyard.control.tenancy.holdings import HELD

        register(KIND, Scoring())
        register(PART_KIND, ScoringPart())
        ARTIFACT_USERS["scored files"] = ScoredFile
        HELD["scored table"] = lambda tenant: ScoredFile.objects.of(tenant).order_by().values("job").distinct().count()
