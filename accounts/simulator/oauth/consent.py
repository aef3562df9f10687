"""The consent page at the root of the server and what it answers to Allow and Deny (docs/kommo.md 1.2)."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from accounts.simulator.account import SimAccount
from accounts.simulator.messages import SimAnswer, SimRequest, plain
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.world import World

HTML = "text/html; charset=utf-8"
# popup: the redirect happens in the main window, post_message: in the opened one. Without script there is one window.
MODES = ("", "popup", "post_message")
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,"></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
FORM = """<p>{name} asks for access to your account.</p>
<form method="post">
<p><label for="account">Account</label> <select id="account" name="account">{options}</select></p>
<p><button id="allow" name="decision" value="allow"{disabled}>Allow</button>
<button id="deny" name="decision" value="deny">Deny</button></p>
</form>"""


def consent(world: World, request: SimRequest) -> SimAnswer:
    """Answers the consent page: GET shows it; POST comes from it, to the same URL, and leads to the integration."""
    asked = dict(parse_qsl(request.query, keep_blank_values=True))
    integration = world.integrations.get(asked.get("client_id", ""))
    if integration is None:
        return _error("There is no integration with this client_id.")
    if asked.get("mode", "") not in MODES:
        return _error("The mode is popup or post_message.")
    # The accounts where the user is an administrator; of a private integration only its own.
    accounts = {
        each.subdomain: each
        for each in list(world.accounts.values())
        if each.admin and integration.serves(each.subdomain)
    }
    if request.method == "GET":
        options = "".join(
            f'<option value="{escape(subdomain)}">{escape(each.name)} ({escape(subdomain)})</option>'
            for subdomain, each in accounts.items()
        )
        name = escape(integration.name)
        form = FORM.format(name=name, options=options, disabled="" if accounts else " disabled")
        return _page(200, f"Allow access for {name}?", form)
    if request.method == "POST":
        return _decide(world, request, integration, accounts, asked.get("state"))
    return plain(405, "405 Method Not Allowed")


def _decide(
    world: World,
    request: SimRequest,
    integration: SimIntegration,
    accounts: dict[str, SimAccount],
    state: str | None,
) -> SimAnswer:
    """Redirects to the integration with what was decided on the page."""
    form = parse_qs(request.body.decode("utf-8", "replace"))
    decision, subdomain = (form.get(name, [""])[0] for name in ("decision", "account"))
    with_state = {} if state is None else {"state": state}
    if decision == "allow":
        account = accounts.get(subdomain)
        if account is None:
            return _error("This account can not be given access to.")
        address = request.address.of(subdomain)
        # Without a scheme in one source, with one in another (docs/kommo.md 1.2).
        referer = f"{request.address.scheme}://{address}" if world.variants.referer_scheme else address
        code = account.grants.issue_code(integration.client_id)
        facts = {"code": code, **with_state, "referer": referer, "client_id": integration.client_id}
        world.mark_changed()
    elif decision == "deny":
        facts = {"error": "access_denied", "client_id": integration.client_id, **with_state}
    else:
        return _error("Allow or Deny?")
    parts = urlsplit(integration.redirect_uri)
    query = "&".join(filter(None, (parts.query, urlencode(facts))))
    return SimAnswer(302, b"", HTML, headers=(("Location", urlunsplit(parts._replace(query=query))),))


def _error(sentence: str) -> SimAnswer:
    return _page(400, "This can not be done", f'<p id="error">{escape(sentence)}</p>')


def _page(status: int, title: str, body: str) -> SimAnswer:
    return SimAnswer(status, PAGE.format(title=title, body=body).encode(), HTML)
