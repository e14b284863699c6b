"""How Django REST Framework and its description behave for our views, whatever the project around them has set.

No Django here: `config.settings` reads these tables while Django's own settings are being made.
"""

from typing import Any

from modelyard import __version__

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "modelyard.control.rest.authentication.KeyAuthentication",
        "modelyard.control.rest.authentication.HandedIn",
        "modelyard.control.rest.authentication.MemberAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["modelyard.control.rest.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "modelyard.control.rest.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "modelyard.control.rest.filtering.Filters",
        "modelyard.control.rest.ordering.Ordering",
    ],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "modelyard.control.rest.schema.Schema",
    "EXCEPTION_HANDLER": "modelyard.control.rest.errors.answer",
    "NON_FIELD_ERRORS_KEY": "body",
    "ORDERING_PARAM": "ordering",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR: dict[str, Any] = {
    "TITLE": "Modelyard",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["modelyard.control.rest.permissions.Anonymous"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": True,
    "ENUM_NAME_OVERRIDES": {"MemberRoleEnum": "modelyard.control.tenancy.models.Role"},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
}
