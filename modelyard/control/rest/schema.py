"""The API description tells which scope each operation needs and what errors look like."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from modelyard.control.rest.permissions import needed_scope

ERRORS = {
    "400": "something that was sent does not fit",
    "401": "no key, or one that is unknown, expired or revoked",
    "403": "the key's scope, or the member's role, is too small",
    "404": "nothing is there, or nothing that the caller may see",
}
BODY: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": {"type": "string", "description": "stable, for programs"},
                "message": {
                    "type": "string",
                    "description": "what was wrong, where, what was expected, and the likely mend",
                },
                "details": {"type": "object", "additionalProperties": True},
                "request_id": {"type": "string"},
            },
        }
    },
}


class Schema(AutoSchema):
    """Adds the scope and the error answers to each operation."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        scope = needed_scope(self.view, self.method)
        if operation is None or scope is None:
            return operation
        said = operation.get("description", "")
        operation["description"] = f"{said}\n\nScope: `{scope.value}`.".strip()
        for status, meaning in ERRORS.items():
            answer = {"description": meaning, "content": {"application/json": {"schema": BODY}}}
            operation["responses"].setdefault(status, answer)
        return operation

    def get_tags(self) -> list[str]:
        tokens = [token for token in self.path.split("/") if token and not token.startswith("{")]
        return [tokens[2]] if len(tokens) > 2 else super().get_tags()
