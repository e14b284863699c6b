"""The web process under ASGI; `modelyard.config.web` says what it is."""

import os

from django.core.asgi import get_asgi_application

from modelyard.config.folders import lay_out

lay_out(os.environ)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")
django = get_asgi_application()

from django.conf import settings  # noqa: E402  what follows needs Django set up

from modelyard.config.web import AsgiWeb, embedded_core  # noqa: E402

application = AsgiWeb(django, embedded_core(settings.MODELYARD))
