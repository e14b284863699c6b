from django.contrib import admin

from people.models import Gardener

admin.site.register(Gardener)
