"""People, whichever model of users the project has (`AUTH_USER_MODEL`)."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser

if TYPE_CHECKING:
    # The stand-alone product's own model, so that the types of our foreign keys are known.
    from django.contrib.auth.models import User as Person
else:
    Person = AbstractBaseUser

__all__ = ["MAX_NAME", "Person", "find_person", "name_field"]

MAX_NAME = 254
"""Characters of the name by which somebody signs in: an e-mail address may be that long (RFC 5321)."""


def name_field() -> str:
    """Return the field by which people sign in: `username`, or `email` say."""
    return str(get_user_model().USERNAME_FIELD)


def find_person(name: str) -> Person | None:
    """Return who signs in by this name, if the account is there and active."""
    if not name or len(name) > MAX_NAME or "\x00" in name:
        return None
    person: Person | None = get_user_model()._default_manager.filter(**{name_field(): name}).first()
    return person if person is not None and person.is_active else None
