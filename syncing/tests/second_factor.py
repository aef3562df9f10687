"""People with a second factor, the app on their phone, and browsers in which they log in."""

from base64 import b32decode
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from accounts.actors import ADMIN, Actor
from syncing.models import SecondFactor
from syncing.services import second_factor

PASSWORD = "correct horse battery"
HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"
LOGIN, CODE, PAGE = reverse("admin:login"), reverse("syncing:login_code"), reverse("syncing:second_factor")


def app_code(factor: SecondFactor, *, steps: int = 0) -> str:
    """What the app shows now; or `steps` times 30 seconds later."""
    return f"{TOTP(b32decode(factor.key), drift=steps).token():06}"


def person(name: str = "anna", *codenames: str) -> User:
    made = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    made.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return made


@dataclass
class Phone:
    """The app and the recovery codes of somebody whose second factor is on."""

    user: User
    recovery_codes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, user: User) -> "Phone":
        factor = second_factor.begin(user)
        # With the code of the step before, so that the one of now is still good.
        by, code = Actor.of_user(user, ADMIN), app_code(factor, steps=-1)
        return cls(user, second_factor.confirm(code, by=by, own_session=""))

    @property
    def factor(self) -> SecondFactor:
        return SecondFactor.objects.get(user=self.user)

    def code(self, *, steps: int = 0) -> str:
        return app_code(self.factor, steps=steps)

    def next_code(self) -> str:
        """The first code that was not used; two of them are good at any time."""
        return self.code(steps=self.factor.last_step + 1 - TOTP(b"").t())

    def wrong_code(self) -> str:
        good = {self.code(steps=each) for each in (-1, 0, 1)}
        return next(code for code in ("111111", "222222", "333333", "444444") if code not in good)


def browser(address: str = HERE, **headers: str) -> Client:
    return Client(REMOTE_ADDR=address, headers=headers)


def give_password(client: Client, name: str = "anna", password: str = PASSWORD, next_page: str = "") -> HttpResponse:
    return client.post(LOGIN, {"username": name, "password": password, "next": next_page})


def give_code(client: Client, code: str, **more: Any) -> HttpResponse:
    return client.post(CODE, {"code": code, **more})


def logged_in(phone: Phone, address: str = HERE) -> Client:
    client = browser(address)
    give_password(client, phone.user.username)
    assert give_code(client, phone.next_code()).status_code == 302
    return client


def is_let_in(client: Client) -> bool:
    return client.get("/").status_code == 200
