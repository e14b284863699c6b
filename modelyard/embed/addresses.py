"""All our addresses, for `include("modelyard.embed.urls")` beneath any prefix: console, API and predictions."""

from django.urls import re_path

from modelyard.config.urls import urlpatterns as own
from modelyard.control.rest.own import within
from modelyard.embed.views import data_plane, nothing, ours

urlpatterns = [
    re_path(r"^(?P<path>(?:predict|precomputed|v2)(?:/.*)?)\Z", data_plane, name="modelyard-data"),
    *(within(entry, ours) for entry in own),
    re_path(r"^api/(?P<rest>.*)\Z", ours(nothing)),
]
