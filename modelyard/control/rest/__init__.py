"""What every REST endpoint of the control plane shares. Nothing here knows what a model is.

A view says which scope each method needs, and is closed where it says nothing::

    class Things(mixins.ListModelMixin, GenericViewSet):
        scopes = {"GET": Scope.READ, "POST": Scope.WRITE}       # by method, or by a viewset's action
        asks = {"retrieve": ("wait",)}  # by action, what it reads from the query beyond a list's filters
        takes_uploads = True            # bodies up to `max_upload_bytes`, or the setting that it names; else 2 MiB

        def get_queryset(self):
            return Thing.objects.of(actor_of(self.request).tenant)
"""

from modelyard.control.rest.addresses import either
from modelyard.control.rest.authentication import actor_of
from modelyard.control.rest.choices import Choice, ChoiceFilter
from modelyard.control.rest.filtering import MomentFilter, TrueOrFalseFilter
from modelyard.control.rest.given import Given, Several, checked
from modelyard.control.rest.pagination import Pages
from modelyard.control.rest.permissions import Anonymous, HasScope
from modelyard.control.rest.streaming import ChunksResponse

__all__ = [
    "Anonymous",
    "Choice",
    "ChoiceFilter",
    "ChunksResponse",
    "Given",
    "HasScope",
    "MomentFilter",
    "Pages",
    "Several",
    "TrueOrFalseFilter",
    "actor_of",
    "checked",
    "either",
]
