import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("modelyard_jobs", "0003_progress_parts_and_cancel"),
        ("modelyard_registry", "0007_trained"),
        ("modelyard_tenancy", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScoredFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(choices=[("result", "Result"), ("failed", "Failed")], max_length=8)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "artifact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="modelyard_registry.artifact",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scored_files",
                        to="modelyard_jobs.job",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="modelyard_tenancy.tenant",
                    ),
                ),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.AddConstraint(
            model_name="scoredfile",
            constraint=models.UniqueConstraint(fields=("job", "role"), name="one_scored_file_per_role"),
        ),
    ]
