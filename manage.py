#!/usr/bin/env python
"""Django's command line; a wrong setting ends in one sentence instead of a traceback."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

USAGE_OR_CONFIGURATION = 2


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kommosync.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018  (loads the settings)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Configuration error: {error}\n")
        sys.exit(USAGE_OR_CONFIGURATION)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
