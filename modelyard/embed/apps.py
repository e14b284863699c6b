from django.apps import AppConfig
from django.core.checks import register


class EmbedConfig(AppConfig):
    name = "modelyard.embed"
    label = "modelyard_embed"
    verbose_name = "Modelyard"
    default_auto_field = "django.db.models.BigAutoField"

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
        register(checks.check_cache, "modelyard", deploy=True)
