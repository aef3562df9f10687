"""Serves an installation with something of everything, by our own web server, until stdin is closed.

For a process of its own: it prints its port and an API key, and uses the database of its environment.
"""

import json
import sys
import threading

from django.core.wsgi import get_wsgi_application

from accounts.models import Account
from syncing.models import KeyScope
from syncing.services.keys import create_key
from syncing.tests.api.conftest import planned_run, something_of_everything
from syncing.web.server import Server, listen


def main() -> None:
    something_of_everything()
    for account in Account.objects.filter(role="slave"):
        planned_run(account)
    secret = create_key(name="bot", scopes=KeyScope.values)[1]
    server = Server(get_wsgi_application(), listen("127.0.0.1", 0), connections=100)
    print(json.dumps({"port": server.effective_port, "key": secret}), flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.stop()), daemon=True).start()
    server.run()
