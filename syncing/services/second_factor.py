"""The second factor: set up by each person for themselves, used up code by code, and taken away.

A code, once right, is never right again: the row of the second factor is locked while a code is looked at.
"""

import re
from base64 import b32encode
from secrets import token_bytes

from axes.utils import reset as forget_failures
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.actors import Actor
from accounts.fields import WrongEncryptionKey
from accounts.refusals import Refusal
from syncing.models import AuditAction, RecoveryCode, SecondFactor, Trigger
from syncing.selectors.second_factor import second_factor_of
from syncing.services import audit
from syncing.services.keys import digest
from syncing.services.requirements import require_permission
from syncing.services.sessions import OF_OTHERS, end_other_sessions, end_sessions_of

CODES = 10
CODE_BYTES = 10  # 16 letters; 80 random bits, so that a hash without a salt gives nothing away
APP_CODE = re.compile(r"\s*\d{3}\s?\d{3}\s*", re.ASCII)


def is_app_code(text: str) -> bool:
    """Tells whether the text has the form of what an app shows: six digits."""
    return APP_CODE.fullmatch(text) is not None


# -- proving --


def obstacle(user: User, text: str) -> Refusal | None:
    """Returns why a code of the app cannot be looked at now. Recovery codes always can: nobody guesses those."""
    factor = second_factor_of(user)
    if factor is None or not is_app_code(text):
        return None
    if not _has_readable_key(factor):
        message = _("The server has lost the key of your app, so that it cannot check its codes.")
        remedy = _("Use a recovery code, or ask an administrator to reset your second factor.")
        return Refusal("no_key", message, remedy)
    is_allowed, facts = factor.verify_is_allowed()
    if is_allowed:
        return None
    seconds = max(1, round((facts["locked_until"] - timezone.now()).total_seconds()))
    message = ngettext(
        "Wrong codes were entered: the next one can be checked in %(n)d second.",
        "Wrong codes were entered: the next one can be checked in %(n)d seconds.",
        seconds,
    )
    return Refusal("too_soon", message % {"n": seconds}, _("Wait, or use a recovery code."))


def _has_readable_key(factor: SecondFactor) -> bool:
    try:
        return bool(factor.key)
    except WrongEncryptionKey:
        return False


def use_code(user: User, text: str) -> SecondFactor | None:
    """Uses up a code of the app, or a recovery code; returns whose it is, None for a wrong one."""
    with transaction.atomic():
        factor = _locked(user)
        if factor is None or not factor.confirmed:
            return None
        if is_app_code(text):
            return factor if factor.verify_token(re.sub(r"\s", "", text)) else None
        plain = re.sub(r"[\s-]", "", text).lower()
        if not factor.recovery_codes.filter(digest=digest(plain)).delete()[0]:
            return None
        left = factor.recovery_codes.count()
        audit.note(AuditAction.CODE_USED, by=Actor.of_user(user, Trigger.ADMIN), details={"left": left})
        return factor


def _locked(user: User) -> SecondFactor | None:
    """Returns the second factor of a person, confirmed or not, which nobody else changes in this transaction."""
    factor: SecondFactor | None = SecondFactor.objects.select_for_update().filter(user=user).first()
    return factor


# -- one's own --


def begin(user: User) -> SecondFactor:
    """Returns a second factor with a new key, which counts only after `confirm`. Raises Refusal if there is one."""
    with transaction.atomic():
        SecondFactor.objects.get_or_create(user=user)
        factor = _locked(user)
        if factor is None or factor.confirmed:
            message = _("You have a second factor already.")
            raise Refusal("exists_already", message, _("To use another phone, switch it off and set it up again."))
        fresh = SecondFactor(pk=factor.pk, user=user)
        fresh.save(force_update=True)
    return fresh


def confirm(code: str, *, by: Actor, own_session: str) -> list[str]:
    """Makes the second factor count, as its app shows the right code, and ends all sessions of the person but one.

    Returns the recovery codes, which cannot be shown again. Raises Refusal for a wrong code.
    """
    user = _person(by)
    if is_app_code(code):
        with transaction.atomic():
            factor = _locked(user)
            if factor is not None and not factor.confirmed and factor.verify_token(re.sub(r"\s", "", code)):
                end_other_sessions(own_session, by=by)  # nobody has proven anything in those
                factor.confirmed, factor.confirmed_at = True, timezone.now()
                factor.save(update_fields=["confirmed", "confirmed_at"])
                audit.note(AuditAction.FACTOR_ON, by=by)
                return _give_codes(factor)
    raise wrong_code()


def make_codes(*, by: Actor) -> list[str]:
    """Replaces the recovery codes of who asks; returns the new ones, which cannot be shown again. Raises Refusal."""
    with transaction.atomic():
        factor = _in_use(_person(by))
        audit.note(AuditAction.NEW_CODES, by=by)
        return _give_codes(factor)


def switch_off(*, by: Actor) -> None:
    """Takes away the second factor of who asks, with its recovery codes. Raises Refusal."""
    with transaction.atomic():
        _in_use(_person(by)).delete()
        audit.note(AuditAction.FACTOR_OFF, by=by, details={"user": by.name})


def wrong_code() -> Refusal:
    """Returns the refusal of a code; it does not say what was wrong with it."""
    message = _("This code is wrong, or was used already.")
    return Refusal("wrong_code", message, _("Wait for the next code of your app. The phone must show the right time."))


def _person(by: Actor) -> User:
    if by.user is None:
        raise Refusal("not_allowed", _("Only a person has a second factor."))
    return by.user


def _in_use(user: User) -> SecondFactor:
    factor = _locked(user)
    if factor is None or not factor.confirmed:
        raise Refusal("no_second_factor", _("You have no second factor."), _("Load the page again."))
    return factor


def _give_codes(factor: SecondFactor) -> list[str]:
    codes = [b32encode(token_bytes(CODE_BYTES)).decode().lower() for _number in range(CODES)]
    factor.recovery_codes.all().delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=digest(code)) for code in codes)
    return ["-".join(re.findall("....", code)) for code in codes]


# -- those of others --


def reset(user: User, *, by: Actor) -> None:
    """Takes away the second factor of a person who lost their phone, and ends all their sessions. Raises Refusal."""
    require_permission(by, OF_OTHERS)
    with transaction.atomic():
        factor = _locked(user)
        if factor is None or not factor.confirmed:
            message = _("%(user)s has no second factor.") % {"user": user.get_username()}
            raise Refusal("no_second_factor", message, _("Nothing was changed."))
        factor.delete()
        audit.note(AuditAction.FACTOR_OFF, by=by, details={"user": user.get_username()})
        end_sessions_of(user, by=by)


def end_lock_out(name: str) -> bool:
    """Forgets the wrong passwords and codes of a person; returns False if there were none."""
    waiting = SecondFactor.objects.filter(user__username=name, throttling_failure_count__gt=0)
    waited = waiting.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    return bool(forget_failures(username=name)) or bool(waited)
