"""A browser without JavaScript, as far as plain forms need one: it finds a form, fills it in and presses a button."""

import http.client
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit


@dataclass
class Button:
    text: str = ""
    name: str = ""
    value: str = ""
    action: str = ""


@dataclass
class PlainForm:
    method: str
    action: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)

    @property
    def actions(self) -> set[str]:
        return {button.action or self.action for button in self.buttons}


class Page(HTMLParser):
    """A page with its forms and its links, and every tag with its attributes."""

    def __init__(self, status: int, text: str, headers: dict[str, str]) -> None:
        super().__init__()
        self.status, self.text, self.headers = status, text, headers
        self.forms: list[PlainForm] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._select = ""
        self._button: Button | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in pairs}
        self.tags.append((tag, dict(pairs)))
        if tag == "a":
            self.links.append(attributes["href"])
        elif tag == "form":
            self.forms.append(PlainForm(attributes["method"], attributes["action"]))
        elif tag == "input":
            self.forms[-1].values[attributes["name"]] = attributes["value"]
        elif tag == "select":
            self._select = attributes["name"]
        elif tag == "option" and ("selected" in attributes or self._select not in self.forms[-1].values):
            self.forms[-1].values[self._select] = attributes["value"]
        elif tag == "button":
            named = {name: attributes.get(name, "") for name in ("name", "value")}
            self._button = Button(action=attributes.get("formaction", ""), **named)
            self.forms[-1].buttons.append(self._button)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._button is not None:
            self._button.text += data

    @property
    def said(self) -> str:
        """All that a reader sees, in one line."""
        return " ".join(" ".join(self.words).split())

    def form(self, action: str, **values: str) -> PlainForm:
        """The first form with such a button that has these values."""
        for form in self.forms:
            if f"/play/{action}" in form.actions and values.items() <= form.values.items():
                return form
        raise LookupError(f"no form for {action} with {values}")


class PlainBrowser:
    """Follows redirects of its own, and sends what browsers send: Host, and Origin with a form."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.address = ""

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Page:
        """One request; headers with an underscore for each hyphen."""
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body.encode() if method == "POST" else None, headers=sent)
        answer = connection.getresponse()
        page = Page(answer.status, answer.read().decode(), dict(answer.getheaders()))
        connection.close()
        return page

    def open(self, path: str = "/play") -> Page:
        self.address = path
        return self.ask("GET", path)

    def submit(self, form: PlainForm, button: str = "", **values: str) -> Page:
        """Presses the button with this text or value (else the first) and follows where it leads."""
        pressed = next(each for each in form.buttons if button in ("", each.text, each.value))
        sent = {**form.values, **values, **({pressed.name: pressed.value} if pressed.name else {})}
        page = self.ask("POST", pressed.action or form.action, urlencode(sent), Origin=self.base)
        if page.status == 303:
            return self.open(urljoin(self.base, page.headers["Location"]).removeprefix(self.base))
        return page
