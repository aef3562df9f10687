"""The WSGI entry point (`manage.py web`)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kommosync.settings")
application = get_wsgi_application()
