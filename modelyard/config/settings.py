"""Django's settings, all made from Modelyard's own table (`modelyard.core.settings`).

Reading them makes nothing on disk: what starts calls `modelyard.config.folders.lay_out` first.
"""

import os
from urllib.parse import urlsplit

from modelyard.config import folders, logs
from modelyard.config.database import database
from modelyard.config.secret import secret_key
from modelyard.control import framework
from modelyard.core.settings import MIB, Settings

MODELYARD = Settings.read(os.environ)

_public = urlsplit(MODELYARD.public_url)
_secure = _public.scheme == "https"

SECRET_KEY = secret_key(MODELYARD, os.environ)
DEBUG = False
ALLOWED_HOSTS = [*MODELYARD.allowed_hosts, *([_public.hostname] if _public.hostname else [])]
ROOT_URLCONF = "modelyard.config.urls"
WSGI_APPLICATION = "modelyard.config.wsgi.application"
ASGI_APPLICATION = "modelyard.config.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": database(MODELYARD)}

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "modelyard.control.tenancy",
    "modelyard.control.jobs",
    "modelyard.control.registry",
    "modelyard.control.precomputed",
    "modelyard.control.training",
    "modelyard.control.scoring",
    "modelyard.control.schedules",
    "modelyard.control.deployments",
    "modelyard.control.console",
]

MIDDLEWARE = [
    "modelyard.config.middleware.RequestId",
    "modelyard.config.middleware.SecureHeaders",
    "modelyard.config.origins.Origins",
    "django.middleware.security.SecurityMiddleware",
    "modelyard.config.middleware.Static",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "modelyard.config.middleware.Slashes",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],  # noqa: PTH118, PTH120
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600
WHITENOISE_ALLOW_ALL_ORIGINS = False

# Sessions, for people; programs bring a key.
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
SESSION_COOKIE_NAME = "modelyard_session"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _secure
CSRF_COOKIE_NAME = "modelyard_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _secure
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
CSRF_FAILURE_VIEW = "modelyard.config.pages.csrf_failed"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if _secure else 0
X_FRAME_OPTIONS = "DENY"

# Bounds. Bodies are counted while they arrive (`modelyard.config.bounds`); these hold for what is parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * MIB
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
DATA_UPLOAD_MAX_NUMBER_FILES = 20
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 * MIB
FILE_UPLOAD_TEMP_DIR = str(MODELYARD.home / folders.UPLOADS)

REST_FRAMEWORK = framework.REST_FRAMEWORK
SPECTACULAR_SETTINGS = framework.SPECTACULAR

DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
LOGGING = logs.LOGGING
logs.configure()
