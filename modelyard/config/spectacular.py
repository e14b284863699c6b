"""How the control plane's OpenAPI description is made."""

from typing import Any

from modelyard import __version__

SPECTACULAR: dict[str, Any] = {
    "TITLE": "Modelyard",
    "DESCRIPTION": "The control plane: models, versions, aliases, deployments, keys, members, jobs and the audit log.",
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
