from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("modelyard_jobs", "0004_retry_after_a_pause"),
        ("modelyard_registry", "0007_trained"),
        ("modelyard_scoring", "0001_initial"),
        ("modelyard_tenancy", "0004_operator"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="scoredfile",
            options={"ordering": ["place"]},
        ),
        migrations.RemoveConstraint(
            model_name="scoredfile",
            name="one_scored_file_per_role",
        ),
        migrations.AddField(
            model_name="scoredfile",
            name="place",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="scoredfile",
            name="tail",
            field=models.BinaryField(default=b""),
        ),
        migrations.AddConstraint(
            model_name="scoredfile",
            constraint=models.UniqueConstraint(fields=("job", "role", "place"), name="one_scored_piece_per_place"),
        ),
    ]
