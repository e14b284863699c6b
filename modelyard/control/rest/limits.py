"""The bounds of uploads, said alike wherever one is found to be passed.

A view that takes files says `takes_uploads = True`, or names the setting that bounds them.
"""

from typing import Any

from django.conf import settings

from modelyard.core.errors import TooLarge
from modelyard.core.settings import PREFIX

UPLOAD = "max_upload_bytes"
"""The setting that bounds an upload of files that are to become a version."""
DATASET = "max_dataset_bytes"
SMALL_BYTES = 2 << 20
"""Of a body without files."""
OVERHEAD_BYTES = 1 << 20
"""What multipart boundaries and the text fields beside the files may add."""


def bound_by(view: Any) -> str | None:
    """Return the setting that bounds the bodies that a view takes; None where it takes no files."""
    owner = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
    said = getattr(owner, "takes_uploads", False)
    return said if isinstance(said, str) else UPLOAD if said else None


def most_bytes(setting: str) -> int:
    """Return how many bytes the files may have, all together."""
    return int(getattr(settings.MODELYARD, setting))


def upload_too_large(setting: str = UPLOAD) -> TooLarge:
    """Return the refusal of files that are too large, all together."""
    bound, variable = most_bytes(setting), f"{PREFIX}{setting.upper()}"
    what = "a dataset" if setting == DATASET else "an upload"
    return TooLarge(
        f"the files are larger than the {bound} bytes that {what} may have, all together; "
        f"whoever runs the server allows more by the setting {variable}",
        max_bytes=bound,
        setting=variable,
    )
