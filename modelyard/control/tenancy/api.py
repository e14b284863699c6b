"""`/api/v1/tenants/`, `members/`, `keys/`, `origins/` and `audit/`."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from modelyard.control.rest import (
    Choice,
    ChoiceFilter,
    Given,
    MomentFilter,
    Several,
    TrueOrFalseFilter,
    actor_of,
    checked,
    either,
)
from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import (
    TENANT_SCOPES,
    AllowedOrigin,
    ApiKey,
    AuditEntry,
    Member,
    Role,
    Scope,
    Tenant,
)
from modelyard.control.tenancy.people import MAX_NAME, find_person
from modelyard.core.errors import InvalidInput


class TenantSerializer(ModelSerializer):
    class Meta:
        model = Tenant
        fields = ("name", "title", "runs_code", "created_at")
        read_only_fields = fields


class ChangedTenant(Given):
    title = serializers.CharField(max_length=200, required=False, allow_blank=True)
    runs_code = serializers.BooleanField(required=False)
    despite_consumers = serializers.BooleanField(required=False, help_text="true: the declared consumers were told")


class NewTenant(Given):
    name = serializers.CharField(max_length=64, help_text="as it stands in addresses")
    title = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class TenantFilter(filters.FilterSet):
    """`?own=true`: the caller's own alone."""

    name = filters.CharFilter()
    own = TrueOrFalseFilter(method="of_the_caller")

    def of_the_caller(self, tenants: QuerySet[Tenant], name: str, wanted: bool) -> QuerySet[Tenant]:
        own = actor_of(self.request).tenant.pk
        return tenants.filter(pk=own) if wanted else tenants.exclude(pk=own)


class Tenants(ReadOnlyModelViewSet):
    """The caller's own tenant, and no other; for a key of the operator's, every one, which it makes and deletes."""

    summaries = {"list": "List the caller's own tenant; for an operator, all", "retrieve": "Read the tenant"}
    scopes = {"GET": Scope.READ, "PATCH": Scope.ADMIN, "POST": Scope.OPERATOR, "DELETE": Scope.OPERATOR}
    http_method_names = ("get", "head", "post", "patch", "delete")
    serializer_class = TenantSerializer
    filterset_class = TenantFilter
    ordering_fields = ("name", "created_at")
    lookup_field = "name"
    queryset = Tenant.objects.none()

    def get_queryset(self) -> QuerySet[Tenant]:
        actor = actor_of(self.request)
        return Tenant.objects.all() if Scope.OPERATOR in actor.scopes else Tenant.objects.filter(pk=actor.tenant.pk)

    @extend_schema(request=NewTenant, responses={201: TenantSerializer})
    def create(self, request: Request) -> Response:
        """Make a tenant, with a key of the operator's; it has no member and no key yet."""
        tenant = services.add_tenant(actor=actor_of(request), **checked(NewTenant, request))
        return Response(TenantSerializer(tenant).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangedTenant, responses=TenantSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change the title, and whether files that carry code may be served; a name never changes."""
        self.get_object()
        tenant = services.change_tenant(actor=actor_of(request), **checked(ChangedTenant, request))
        return Response(TenantSerializer(tenant).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, name: str) -> Response:
        """Delete an empty tenant, with a key of the operator's; its members and keys go with it."""
        services.delete_tenant(actor=actor_of(request), tenant=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class MemberSerializer(ModelSerializer):
    username = serializers.CharField(source="user.get_username", read_only=True)
    is_active = serializers.BooleanField(source="user.is_active", read_only=True)

    class Meta:
        model = Member
        fields = ("id", "username", "role", "is_active", "created_at")
        read_only_fields = fields


class NewMember(Given):
    username = serializers.CharField(max_length=MAX_NAME)
    role = Choice(Role.choices, default=Role.VIEWER)


class ChangedMember(Given):
    role = Choice(Role.choices)


class MemberFilter(filters.FilterSet):
    """`?role=admin`."""

    role = ChoiceFilter(choices=Role.choices)


class Members(ReadOnlyModelViewSet):
    """The people who may act for the tenant."""

    summaries = {"list": "List the members", "retrieve": "Read a member"}
    scopes = {"GET": Scope.READ, "POST": Scope.ADMIN, "PATCH": Scope.ADMIN, "DELETE": Scope.ADMIN}
    http_method_names = ("get", "head", "post", "patch", "delete")
    serializer_class = MemberSerializer
    ordering_fields = ("created_at", "role")
    filterset_class = MemberFilter
    lookup_value_converter = "int"
    queryset = Member.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Member.objects.of(actor_of(self.request).tenant).select_related("user")

    @extend_schema(request=NewMember, responses={201: MemberSerializer})
    def create(self, request: Request) -> Response:
        """Make somebody a member, with a role."""
        given = checked(NewMember, request)
        name = given["username"]
        user = find_person(name)
        if user is None:
            raise InvalidInput.at("username", f"nobody signs in as {name!r}; an operator makes users by command")
        member = services.add_member(actor=actor_of(request), user=user, role=given["role"])
        return Response(MemberSerializer(member).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangedMember, responses=MemberSerializer)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Give a member another role."""
        member, given = self.get_object(), checked(ChangedMember, request)
        member = services.change_role(actor=actor_of(request), member=member, role=given["role"])
        return Response(MemberSerializer(member).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove a member; the user stays."""
        services.remove_member(actor=actor_of(request), member=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class KeySerializer(ModelSerializer):
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    is_live = serializers.BooleanField(read_only=True)

    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "scopes", "is_live", "expires_at", "revoked_at", "created_by", "created_at")
        read_only_fields = fields


class NewKey(Given):
    name = serializers.CharField(max_length=100)
    scopes = Several(child=Choice(TENANT_SCOPES), min_length=1, max_length=8)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class MadeKeySerializer(KeySerializer):
    key = serializers.CharField(help_text="the secret; it is shown this once and not kept")

    class Meta:
        model = ApiKey
        fields = (*KeySerializer.Meta.fields, "key")
        read_only_fields = fields


class KeyFilter(filters.FilterSet):
    """`?revoked=false`."""

    name = filters.CharFilter()
    revoked = TrueOrFalseFilter(field_name="revoked_at", lookup_expr="isnull", exclude=True)


class Keys(ReadOnlyModelViewSet):
    """API keys. A secret is shown once, when its key is made; to delete a key is to revoke it, and its row stays."""

    summaries = {"list": "List the keys, without their secrets", "retrieve": "Read a key, without its secret"}
    scopes = {"GET": Scope.ADMIN, "POST": Scope.ADMIN, "DELETE": Scope.ADMIN}
    http_method_names = ("get", "head", "post", "delete")
    serializer_class = KeySerializer
    filterset_class = KeyFilter
    ordering_fields = ("created_at", "name", "expires_at")
    lookup_value_converter = "int"
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return ApiKey.objects.of(actor_of(self.request).tenant)

    @extend_schema(request=NewKey, responses={201: MadeKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key. Its secret is shown this once."""
        key, secret = services.create_key(actor=actor_of(request), **checked(NewKey, request))
        answer = Response({**KeySerializer(key).data, "key": secret}, status=status.HTTP_201_CREATED)
        answer["Cache-Control"] = "no-store"
        return answer

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Revoke a key; its row stays."""
        services.revoke_key(actor=actor_of(request), key=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class OriginSerializer(ModelSerializer):
    class Meta:
        model = AllowedOrigin
        fields = ("id", "origin", "created_by", "created_at")
        read_only_fields = fields


class NewOrigin(Given):
    origin = serializers.CharField(help_text="`https://app.example`; http for this machine itself alone")


class Origins(ReadOnlyModelViewSet):
    """Origins whose pages may call from a browser, with a key of the tenant; at first there are none."""

    scopes = {"GET": Scope.READ, "POST": Scope.ADMIN, "DELETE": Scope.ADMIN}
    summaries = {"list": "List the allowed origins", "retrieve": "Read an allowed origin"}
    http_method_names = ("get", "head", "post", "delete")
    serializer_class = OriginSerializer
    ordering_fields = ("origin", "created_at")
    filterset_fields = ("origin",)
    lookup_value_converter = "int"
    queryset = AllowedOrigin.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return AllowedOrigin.objects.of(actor_of(self.request).tenant)

    @extend_schema(request=NewOrigin, responses={201: OriginSerializer})
    def create(self, request: Request) -> Response:
        """Allow an origin: its pages may call with a key of the tenant."""
        allowed = services.allow_origin(actor=actor_of(request), **checked(NewOrigin, request))
        return Response(OriginSerializer(allowed).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove an allowed origin; browsers keep answers from its pages again."""
        services.remove_origin(actor=actor_of(request), allowed=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class AuditSerializer(ModelSerializer):
    details = serializers.JSONField(read_only=True)

    class Meta:
        model = AuditEntry
        fields = ("number", "at", "actor", "verb", "subject", "details", "previous_hash", "hash")
        read_only_fields = fields


class AuditFilter(filters.FilterSet):
    """`?verb=key.create&actor=user:admin&since=...&until=...`."""

    verb = filters.CharFilter()
    actor = filters.CharFilter()
    subject = filters.CharFilter()
    since = MomentFilter(field_name="at", lookup_expr="gte")
    until = MomentFilter(field_name="at", lookup_expr="lt")


class Audit(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Who did what, when; newest first."""

    summaries = {"list": "List what was done, newest first", "retrieve": "Read one entry"}
    scopes = {"GET": Scope.ADMIN}
    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    ordering_fields = ("number",)
    lookup_field = "number"
    lookup_value_converter = "int"
    queryset = AuditEntry.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return AuditEntry.objects.of(actor_of(self.request).tenant)


router = SimpleRouter(use_regex_path=False)
router.register("tenants", Tenants, basename="tenant")
router.register("members", Members, basename="member")
router.register("keys", Keys, basename="key")
router.register("origins", Origins, basename="origin")
router.register("audit", Audit, basename="audit")
urlpatterns = either(router.urls)
app_name = "tenancy"
