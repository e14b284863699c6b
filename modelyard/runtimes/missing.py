"""How a missing text goes into a converted graph, ONNX having no word for it."""

from typing import Any

MISSING_TEXT = "\0missing"
"""What stands for it. A request that sends just this text is answered as if it had sent none."""
MARKED = "modelyard.missing_texts"
"""The graph's own note that it takes missing texts so; other graphs take them as empty texts."""


def is_missing(value: Any) -> bool:
    """Tell whether it is None, NaN or `pandas.NA`."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"
