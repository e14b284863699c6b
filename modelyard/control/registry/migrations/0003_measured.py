from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("modelyard_registry", "0002_payloads")]

    operations = [
        migrations.AddField(model_name="version", name="measured", field=models.JSONField(default=dict)),
    ]
