"""An integration that speaks to the simulated Kommo as its makers would: browser, token calls, look-ups."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.wsgi import Simulator, call
from accounts.tests.simulator.conftest import Reply

REDIRECT = "https://sync.example/oauth/callback"


class Integrator:
    """Speaks for one integration; `host` stands in every URL, accounts are named by the path unless it says else."""

    def __init__(self, app: Simulator, integration: SimIntegration) -> None:
        self.app = app
        self.integration = integration

    def ask(self, method: str, url: str, body: bytes = b"", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Reply(*call(self.app, method, url, body=body, headers=named))

    # -- the consent page --

    def page(self, root: str = "http://sim", **asked: str) -> Reply:
        return self.ask("GET", self._url(root, asked))

    def decide(self, decision: str, account: str = "north", root: str = "http://sim", **asked: str) -> Reply:
        body = urlencode({"account": account, "decision": decision}).encode()
        return self.ask("POST", self._url(root, asked), body, Content_Type="application/x-www-form-urlencoded")

    def allowed(self, account: str = "north", **more: str) -> dict[str, str]:
        """What the redirect of Allow brought."""
        return came_back(self.decide("allow", account, **more))

    def _url(self, root: str, asked: dict[str, str]) -> str:
        return f"{root}/oauth?" + urlencode({"client_id": self.integration.client_id, **asked})

    # -- the token endpoint --

    def parameters(self, grant: str, credential: str) -> dict[str, Any]:
        return {
            "client_id": self.integration.client_id,
            "client_secret": self.integration.client_secret,
            "grant_type": grant,
            "code" if grant == "authorization_code" else "refresh_token": credential,
            "redirect_uri": self.integration.redirect_uri,
        }

    def send(self, parameters: Any, account: str = "north", method: str = "POST", **headers: str) -> Reply:
        raw = parameters if isinstance(parameters, bytes) else json.dumps(parameters).encode()
        headers = {"Content_Type": "application/json", **headers}
        return self.ask(method, f"http://sim/{account}/oauth2/access_token", raw, **headers)

    def redeem(self, code: str, account: str = "north") -> Reply:
        return self.send(self.parameters("authorization_code", code), account)

    def refresh(self, token: str, account: str = "north") -> Reply:
        return self.send(self.parameters("refresh_token", token), account)

    def connect(self, account: str = "north") -> dict[str, Any]:
        """A pair by the whole way."""
        return self.redeem(self.allowed(account)["code"], account).body

    # -- what a pair is good for --

    def status(self, pair: dict[str, Any], account: str = "north") -> int:
        """The status of an API call with the access token."""
        url = f"http://sim/{account}/api/v4/account"
        return self.ask("GET", url, Authorization=f"Bearer {pair['access_token']}").status


def came_back(reply: Reply) -> dict[str, str]:
    """The parameters of the URL that an answer redirects to."""
    assert reply.status == 302
    return dict(parse_qsl(urlsplit(reply.headers["Location"]).query, keep_blank_values=True))


def hinted(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.body["hint"]
