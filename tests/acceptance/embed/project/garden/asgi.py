import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "garden.settings")
plain = get_asgi_application()

from modelyard.embed.asgi import living  # noqa: E402  it needs Django set up

application = living(plain)
