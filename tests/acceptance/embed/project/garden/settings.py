"""A florist's site, with rules of its own for almost everything that Modelyard could be tempted to take for granted."""

import os
from pathlib import Path

import modelyard.embed

BASE_DIR = Path(__file__).resolve().parent.parent
PLACE = Path(os.environ["GARDEN_PLACE"])

SECRET_KEY = "tulips-and-daffodils-for-the-tests-of-this-project"
DEBUG = os.environ.get("GARDEN_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "garden.urls"
WSGI_APPLICATION = "garden.wsgi.application"
AUTH_USER_MODEL = "people.Gardener"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "people",
    "flowers",
]
INSTALLED_APPS += modelyard.embed.APPS

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": PLACE / "garden.sqlite3",
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        },
    }
}
if "GARDEN_DATABASE" in os.environ:
    import dj_database_url

    DATABASES = {"default": {**dj_database_url.parse(os.environ["GARDEN_DATABASE"]), "ATOMIC_REQUESTS": True}}

USE_TZ = True
TIME_ZONE = "Europe/Amsterdam"
USE_I18N = True
LANGUAGE_CODE = "nl"
LANGUAGES = [("nl", "Nederlands"), ("en", "English")]
STATIC_URL = "/assets/"
STATIC_ROOT = PLACE / "assets"
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "/hallo/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick: the tests make many people
SESSION_COOKIE_NAME = "garden"

# The florist's own API: nothing of it may reach Modelyard's.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "DEFAULT_PAGINATION_CLASS": None,
    "NON_FIELD_ERRORS_KEY": "algemeen",
    "ORDERING_PARAM": "volgorde",
}
SPECTACULAR_SETTINGS = {"TITLE": "The garden", "SCHEMA_PATH_PREFIX": "/garden"}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": PLACE / "cache"}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"garden": {"format": "GARDEN {levelname} {name} {message}", "style": "{"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": PLACE / "garden.log", "formatter": "garden"}},
    "root": {"handlers": ["file"], "level": "INFO"},
}

MODELYARD = {"HOME": PLACE / "modelyard", "TENANT": "garden", "REGISTER_TIMEOUT_SECONDS": 120}
