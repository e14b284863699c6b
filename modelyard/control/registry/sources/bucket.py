"""Objects in S3 buckets that the operator has named (`dataset_buckets`); needs the extra `modelyard[s3]`.

Who may read them is told by the machine's own credentials, as boto3 finds them.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from modelyard.control.registry.facts import check_text
from modelyard.control.registry.sources.formats import taken_format
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import InvalidInput, Misconfigured, Unavailable

CHUNK_BYTES = 1 << 20
MAX_KEY = 500
_MISSING = {"NoSuchKey", "404", "NotFound", "NoSuchBucket"}


class BucketSource:
    """`file` is an object's key beneath the place's prefix."""

    kind = "bucket"
    field = "file"
    scope = Scope.WRITE

    def places(self) -> list[str]:
        return list(settings.MODELYARD.dataset_buckets)

    def check(self, given: dict[str, str]) -> str:
        key = check_text(given["file"], "source.file", MAX_KEY)
        if not key.isprintable() or any(part in ("", ".", "..") for part in key.split("/")) or "\\" in key:
            raise InvalidInput.at("source.file", f"{key[:80]!r} is no object's key: expected one as 2013/flights.csv")
        _boto3()
        return taken_format(key)

    def fetch(self, given: dict[str, Any], scratch: Path, max_bytes: int) -> Iterator[bytes]:
        boto3, config, errors = _boto3()
        address = settings.MODELYARD.dataset_buckets.get(given["place"])
        if address is None:
            raise InvalidInput(f"there is no bucket {given['place']!r} any more")
        parts = urlsplit(address)
        endpoint = parse_qs(parts.query).get("endpoint", [None])[0]
        prefix = parts.path.strip("/")
        key = f"{prefix}/{given['file']}" if prefix else given["file"]
        client = boto3.client(
            "s3", endpoint_url=endpoint, config=config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 3})
        )
        try:
            with closing(client), closing(client.get_object(Bucket=parts.netloc, Key=key)["Body"]) as body:
                yield from body.iter_chunks(CHUNK_BYTES)
        except errors.ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                text = f"{given['place']} has no object {given['file'][:80]!r}"
                raise InvalidInput.at("source.file", text) from None
            raise _silent(given) from error
        except (errors.BotoCoreError, errors.HTTPClientError) as error:
            raise _silent(given) from error


def _silent(given: dict[str, Any]) -> Unavailable:
    return Unavailable(f"the bucket {given['place']} does not give the object: an operator may see why in the log")


def _boto3() -> tuple[Any, Any, Any]:
    """Return boto3, its configuration's class, and its errors."""
    try:
        import boto3
        from botocore import exceptions
        from botocore.config import Config
    except ModuleNotFoundError:
        raise Misconfigured("buckets need the package boto3: pip install 'modelyard[s3]'") from None
    return boto3, Config, exceptions
