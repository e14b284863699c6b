from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("modelyard_registry", "0001_initial")]

    operations = [
        migrations.AddField(model_name="version", name="measured", field=models.JSONField(default=dict)),
    ]
