from django.apps import AppConfig


class EmbedConfig(AppConfig):
    name = "modelyard.embed"
    label = "modelyard_embed"
    verbose_name = "Modelyard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modelyard.embed import checks, logs, process, project

        project.adopt()
        logs.follow_the_project()
        process.answer_the_console()
        checks.register()
