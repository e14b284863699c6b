from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("modelyard_tenancy", "0003_sign_in_tries")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="operates",
            field=models.BooleanField(default=False, editable=False, help_text="it is the operator's own"),
        ),
    ]
