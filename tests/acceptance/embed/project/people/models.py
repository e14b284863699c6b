"""Gardeners sign in by e-mail; they have no `username`."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Gardeners(BaseUserManager):
    def create_user(self, email: str, password: str | None = None, **more: Any) -> "Gardener":
        gardener = self.model(email=self.normalize_email(email), **more)
        gardener.set_password(password)
        gardener.save()
        return gardener

    def create_superuser(self, email: str, password: str | None = None, **more: Any) -> "Gardener":
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **more})


class Gardener(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
    objects = Gardeners()

    def __str__(self) -> str:
        return self.email
