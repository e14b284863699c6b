"""The API description tells in a line what each operation does, which scope it needs and what errors look like."""

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


TAGS = {
    "models": "Named things to predict.",
    "versions": "Trained results of a model: upload, read, download.",
    "deployment": "What answers for a model: promote, roll back, deactivate, and what served when.",
    "aliases": "Movable names for a model's versions.",
    "precomputed": "Answers stored by entity, told by `GET /precomputed/{model}/{entity}`.",
    "charter": "Why a model exists, and how it is looked after.",
    "consumers": "Who depends on a model.",
    "datasets": "Immutable tables, to train on and to score.",
    "trainers": "Ways to make a version of a dataset.",
    "jobs": "Background work.",
    "schedules": "What is started again and again: at times, or when a dataset arrives.",
    "keys": "API keys.",
    "members": "The people who may act for the tenant.",
    "tenants": "The caller's own tenant.",
    "origins": "Web pages elsewhere that may call from a browser.",
    "audit": "Who did what, when.",
}
"""In the order in which they are shown."""

_DEPLOYMENT = ("deployment", "promote", "rollback", "deactivate", "history", "activate")


class Schema(AutoSchema):
    """Adds summary, scope and error answers to each operation.

    The summary is the first sentence of the action's own docstring, or, where the action is a mixin's, what the
    view's `summaries` say of it.
    """

    def get_summary(self) -> str:
        action = getattr(self.view, "action", None) or self.method.lower()
        own = getattr(getattr(self.view, action, None), "__doc__", None)
        said = getattr(self.view, "summaries", {}).get(action) or own or type(self.view).__doc__ or ""
        return _sentence(said)

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        scope = needed_scope(self.view, self.method)
        if operation is None or scope is None:
            return operation
        said = operation.get("description", "").strip()
        said = said if _sentence(said) != operation["summary"] else said.partition(".")[2].strip()
        operation["description"] = f"{said}\n\nScope: `{scope.value}`.".strip()
        for status, meaning in ERRORS.items():
            answer = {"description": meaning, "content": {"application/json": {"schema": BODY}}}
            operation["responses"].setdefault(status, answer)
        return operation

    def get_tags(self) -> list[str]:
        tokens = [token for token in self.path.split("/") if token and not token.startswith("{")]
        if len(tokens) < 3:
            return super().get_tags()
        if tokens[-1] in _DEPLOYMENT and not {"charter", "precomputed"} & set(tokens):
            return ["deployment"]
        return [tokens[3] if len(tokens) > 3 and tokens[3] in TAGS else tokens[2]]


def _sentence(text: str) -> str:
    """Return the first sentence, without its full stop."""
    return " ".join(text.strip().partition("\n\n")[0].split()).split(". ")[0].rstrip(".")
