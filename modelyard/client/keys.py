"""The part of the client that speaks of keys, and of the tenants whose they are."""

from modelyard.client.connected import Connected
from modelyard.client.records import Key, Tenant
from modelyard.client.transport import API
from modelyard.core.reference import check_name


class Keys(Connected):
    """What `Client` inherits."""

    def keys(self) -> list[Key]:
        """Return the tenant's keys, without their secrets."""
        return list(self._list(f"{API}/keys/", Key))

    def create_key(self, name: str, scopes: list[str], *, expires_at: str | None = None) -> Key:
        """Make a key; `key` of the record is the secret, which is never shown again.

        Args:
            scopes: of `predict`, `read`, `write`, `admin`.
            expires_at: ISO 8601, with a time zone; None: never.
        """
        json = {"name": name, "scopes": scopes, "expires_at": expires_at}
        return self._send("POST", f"{API}/keys/", Key, json)

    def revoke_key(self, key: Key | int | str) -> None:
        """Let a key open nothing any more, within a second."""
        self._control.send("DELETE", f"{API}/keys/{key.id if isinstance(key, Key) else key}/")

    def tenant(self) -> str:
        """Return the name of the tenant that the key belongs to."""
        return str(next(self._control.pages(f"{API}/tenants/", {"own": "true"}))["name"])

    def tenants(self) -> list[Tenant]:
        """Return the tenant that the key belongs to; for a key of the operator's, all that there are."""
        return list(self._list(f"{API}/tenants/", Tenant))

    def create_tenant(self, name: str, title: str = "") -> Tenant:
        """Make a tenant, with a key of the operator's; it has no member and no key yet."""
        return self._send("POST", f"{API}/tenants/", Tenant, {"name": name, "title": title})

    def delete_tenant(self, name: str) -> None:
        """Delete a tenant with its members and keys, with a key of the operator's.

        Raises:
            InUse: while it holds models, datasets, open jobs, schedules or scored tables; `details["held"]` counts.
        """
        self._control.send("DELETE", f"{API}/tenants/{check_name(name, 'a tenant')}/")
