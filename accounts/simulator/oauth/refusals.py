"""The refusals of the token endpoint: hints, statuses and words of the table in docs/kommo.md 1.3."""

from __future__ import annotations

from typing import Any

TYPE = "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"

# The Russian words were seen; which ones Kommo says in English is unknown, these are translations.
REQUEST = {
    "ru": ("Некорректный запрос", "В запросе отсутствует ряд параметров или параметры невалидны"),
    "en": ("Incorrect request", "A number of parameters are missing from the request or the parameters are invalid"),
}
CLIENT = {
    "ru": ("Некорректный клиент", "Авторизация клиента не прошла"),
    "en": ("Incorrect client", "Client authorization failed"),
}


class OAuthRefusal(Exception):
    """A refused token call; without a hint it is the client that was refused."""

    def __init__(self, status: int, hint: str | None = None) -> None:
        super().__init__(hint or "client")
        self.status = status
        self.hint = hint

    def body(self, language: str) -> dict[str, Any]:
        title, detail = (REQUEST if self.hint else CLIENT)[language]
        problem = {"title": title, "type": TYPE, "status": self.status, "detail": detail}
        return {"hint": self.hint, **problem} if self.hint else problem


def bad_parameter(name: str) -> OAuthRefusal:
    """Returns the refusal of one parameter: seen for client_id, the other names are the same sentence by analogy."""
    return OAuthRefusal(400, f"Check the `{name}` parameter")


def bad_client() -> OAuthRefusal:
    return OAuthRefusal(401)


def bad_code(hint: str) -> OAuthRefusal:
    return OAuthRefusal(400, hint)


def bad_refresh() -> OAuthRefusal:
    return OAuthRefusal(400, "Invalid refresh token")


def revoked_refresh() -> OAuthRefusal:
    return OAuthRefusal(401, "Token has been revoked")
