"""The fixtures of the control plane's tests hold here too."""

from tests.integration.control.conftest import admin, caller, operator, person, stranger, tenant

__all__ = ["admin", "caller", "operator", "person", "stranger", "tenant"]
