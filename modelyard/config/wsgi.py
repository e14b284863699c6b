"""The web process under WSGI; `modelyard.config.web` says what it is."""

import os

from django.core.wsgi import get_wsgi_application

from modelyard.config.folders import lay_out

lay_out(os.environ)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")
django = get_wsgi_application()

from django.conf import settings  # noqa: E402  what follows needs Django set up

from modelyard.config.web import WsgiWeb, embedded_core  # noqa: E402

application = WsgiWeb(django, embedded_core(settings.MODELYARD))
