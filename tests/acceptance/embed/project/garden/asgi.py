import os

from django.core.asgi import get_asgi_application

from modelyard.embed.asgi import living

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "garden.settings")

plain = get_asgi_application()
application = living(plain)
