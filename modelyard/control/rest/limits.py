"""The bound of an upload, said alike wherever it is found to be passed."""

from django.conf import settings

from modelyard.core.errors import TooLarge


def upload_too_large() -> TooLarge:
    """Return the refusal of files that are too large, all together."""
    bound = int(settings.MODELYARD.max_upload_bytes)
    return TooLarge(
        f"the files are larger than the {bound} bytes that an upload may have, all together; "
        "whoever runs the server allows more by the setting MODELYARD_MAX_UPLOAD_BYTES",
        max_bytes=bound,
        setting="MODELYARD_MAX_UPLOAD_BYTES",
    )
