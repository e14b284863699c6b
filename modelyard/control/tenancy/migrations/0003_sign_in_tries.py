from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("modelyard_tenancy", "0002_allowed_origins"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignInTries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("ends_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "ordering": ["id"],
            },
        ),
    ]
