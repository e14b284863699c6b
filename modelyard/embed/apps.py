from django.apps import AppConfig
from django.core.checks import Tags, register
from django.core.exceptions import ImproperlyConfigured


class EmbedConfig(AppConfig):
    name = "modelyard.embed"
    label = "modelyard_embed"
    verbose_name = "Modelyard"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Say what lacks while Django reads the models: those of our apps need each other, and fail less plainly."""
        from modelyard.embed.lacking import check_apps, lacking_apps

        if any(name.startswith("modelyard.") for name in lacking_apps()):
            raise ImproperlyConfigured("; ".join(f"{found.id}: {found.msg} ({found.hint})" for found in check_apps()))
        super().import_models()

    def ready(self) -> None:
        from modelyard.embed.lacking import check_apps, lacking_apps

        register(check_apps, "modelyard")
        if lacking_apps():
            return
        from modelyard.embed import checks, logs, process, project

        project.adopt()
        logs.follow_the_project()
        process.answer_the_console()
        for check in checks.ALL:
            register(check, "modelyard")
        register(checks.check_tenant, Tags.database)
