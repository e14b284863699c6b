from django.contrib import admin
from django.urls import include, path
from flowers import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("hallo/", views.sign_in, name="hallo"),
    path("flowers/rows/", views.by_rows),
    path("flowers/queryset/", views.by_queryset),
    path("flowers/instances/", views.by_instances),
    path("flowers/async/", views.in_the_loop),
    path("ml/", include("modelyard.embed.urls")),
]
