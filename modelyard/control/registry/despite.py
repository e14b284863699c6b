"""`?despite_consumers=true`: how a DELETE, which has no body, says that those whom it hurts were told."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from modelyard.core.errors import InvalidInput

DESPITE = OpenApiParameter("despite_consumers", OpenApiTypes.BOOL, description="true: the declared consumers were told")


def despite_consumers(request: Request) -> bool:
    """Return what the query says.

    Raises:
        InvalidInput: when it is neither true nor false.
    """
    text = request.query_params.get(DESPITE.name, "false")
    if text not in ("true", "false"):
        raise InvalidInput.at(DESPITE.name, f"got {text[:40]!r}, expected true or false")
    return text == "true"
