"""What a version takes and gives, as JSON Schema (draft 2020-12), and its endpoint as OpenAPI 3.1."""

from typing import Any

from modelyard.core.signature import Column, DataType, Output, Role, Signature

_EXAMPLE_FLOAT = 0.5


def rows_schema(signature: Signature) -> dict[str, Any]:
    """Return the schema of one row: an object, column name to value."""
    return {
        "type": "object",
        "properties": {column.name: column_schema(column) for column in signature.columns},
        "required": [column.name for column in signature.columns if not column.optional],
        "additionalProperties": False,
    }


def column_schema(column: Column) -> dict[str, Any]:
    """Return the schema of one column's value. Observed ranges and categories inform; they bound nothing."""
    schema = _nested(_scalar(column.type), column.shape)
    if column.optional:
        schema = {"anyOf": [schema, {"type": "null"}]}
    said = []
    if column.categories is not None:
        schema["examples"] = list(column.categories[:20])
        said.append("usually one of " + ", ".join(str(one) for one in column.categories[:20]))
    if column.minimum is not None and column.maximum is not None:
        said.append(f"usually {column.minimum:g} to {column.maximum:g}")
    if said:
        schema["description"] = "; ".join(said)
    return schema


def answer_schema(signature: Signature) -> dict[str, Any]:
    """Return the schema of the answer of `/predict`."""
    properties: dict[str, Any] = {
        "model": {"type": "string"},
        "version": {"type": "integer", "minimum": 1},
        "predictions": {"type": "array", "items": output_schema(signature.prediction)},
        "prediction_ids": {
            "type": "array",
            "items": {"type": "string"},
            "description": "one for each row; feedback names them",
        },
    }
    required = list(properties)
    if signature.probabilities is not None:
        properties["probabilities"] = {"type": "array", "items": _probabilities(signature)}
    others = [output for output in signature.outputs if output.role is Role.OTHER]
    if others:
        properties["outputs"] = {
            "type": "object",
            "properties": {output.name: {"type": "array", "items": output_schema(output)} for output in others},
        }
    return {"type": "object", "properties": properties, "required": required}


def output_schema(output: Output) -> dict[str, Any]:
    """Return the schema of one row's value of an output; a number that JSON does not have is null."""
    scalar = _scalar(output.type, bounded=False)
    if output.type.is_floating:
        scalar = {"type": ["number", "null"]}
    if output.classes is not None and output.role is not Role.PROBABILITIES:
        scalar["enum"] = list(output.classes)
    return _nested(scalar, output.shape)


def example_row(signature: Signature) -> dict[str, Any]:
    """Return a row that fits the signature: a category, or the middle of the range, that is usual."""
    return {column.name: _example(column) for column in signature.columns}


def openapi(reference: str, signature: Signature, url: str) -> dict[str, Any]:
    """Return the OpenAPI document of one model's endpoint; `url` is the data plane's address."""
    row = rows_schema(signature)
    table: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "array"}}
    common: dict[str, Any] = {
        "entity_ids": {"type": "array", "items": {"type": ["string", "integer"]}, "description": "one for each row"},
        "options": _options(signature),
    }
    request = {
        "oneOf": [
            _object({"rows": {"type": "array", "minItems": 1, "items": row}, **common}, ["rows"]),
            _object(
                {
                    "columns": {"type": "array", "items": {"type": "string", "enum": list(signature.names)}},
                    "data": table,
                    **common,
                },
                ["data"],
            ),
        ]
    }
    operation = {
        "operationId": "predict",
        "summary": f"Predict with {reference}",
        "security": [{"key": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": request, "example": {"rows": [example_row(signature)]}}},
        },
        "responses": {
            "200": _json("the predictions", answer_schema(signature)),
            "default": _json("what was wrong", _error_schema()),
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": reference, "version": "1"},
        "servers": [{"url": url}],
        "paths": {f"/predict/{reference}": {"post": operation}},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _scalar(type_: DataType, *, bounded: bool = True) -> dict[str, Any]:
    if type_ is DataType.STRING:
        return {"type": "string"}
    if type_ is DataType.BOOL:
        return {"type": "boolean"}
    if not type_.is_integer:
        return {"type": "number", "format": "double" if type_ is DataType.FLOAT64 else "float"}
    schema: dict[str, Any] = {"type": "integer"}
    if bounded:
        bits = int(type_.value.lstrip("uint"))
        signed = type_.value.startswith("int")
        schema["minimum"] = -(1 << (bits - 1)) if signed else 0
        schema["maximum"] = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    return schema


def _nested(schema: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    for size in reversed(shape):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _probabilities(signature: Signature) -> dict[str, Any]:
    output = signature.probabilities
    classes = (output.classes if output is not None else None) or signature.prediction.classes
    number = {"type": ["number", "null"]}
    if not classes:
        return {"type": "array", "items": number}
    names = [("true" if one else "false") if isinstance(one, bool) else str(one) for one in classes]
    return {"type": "object", "properties": dict.fromkeys(names, number), "description": "class to probability"}


def _options(signature: Signature) -> dict[str, Any]:
    names = [output.name for output in signature.outputs]
    return _object(
        {
            "probabilities": {"type": "boolean", "default": True},
            "outputs": {
                "type": "array",
                "items": {"type": "string", "enum": names},
                "description": "further outputs to give",
            },
        },
        [],
    )


def _error_schema() -> dict[str, Any]:
    error = {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "details": {"type": "object"},
        "request_id": {"type": "string"},
    }
    inner = {"type": "object", "properties": error, "required": ["code", "message", "request_id"]}
    return {"type": "object", "properties": {"error": inner}, "required": ["error"]}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _example(column: Column) -> Any:
    value: Any
    if column.categories:
        value = column.categories[0]
    elif column.type is DataType.STRING:
        value = "text"
    elif column.type is DataType.BOOL:
        value = True
    else:
        low, high = column.minimum, column.maximum
        middle = (low + high) / 2 if low is not None and high is not None else _EXAMPLE_FLOAT
        value = round(middle) if column.type.is_integer else float(f"{middle:.4g}")
    for size in reversed(column.shape):
        value = [value] * (size if size >= 0 else 1)
    return value
