"""The URLs of the project: the admin, and the doors of the two apps."""

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()

handler400 = "syncing.views.unavailable.bad_request"
handler500 = "syncing.views.unavailable.server_error"

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("syncing.urls")),
    path("", admin.site.urls),
]
