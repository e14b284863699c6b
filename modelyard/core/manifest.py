"""What is needed to make a version again."""

from typing import Any

import msgspec


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every field may be unknown: an uploaded file does not say where it comes from.

    Attributes:
        code: what trained it: a repository and commit, or a dotted path.
        data_digest: `sha256:<hex>` of the training data.
        parameters: of the estimator, as JSON values.
        seed: of the random numbers.
        packages: distribution name to version.
        python: version, as `3.11.7`.
        environment: name of the Python environment that it needs here; empty or None: the server's own.
        platform: as `platform.platform()` gives it.
        time_zone: IANA name.
        locale: as `de_DE.UTF-8`.
        region: where the training ran.
    """

    code: str | None = None
    data_digest: str | None = None
    parameters: dict[str, Any] = {}
    seed: int | None = None
    packages: dict[str, str] = {}
    python: str | None = None
    environment: str | None = None
    platform: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    region: str | None = None
