"""The second factor of a person: the key of the app on their phone, and recovery codes for when it is not at hand."""

from base64 import b32decode, b32encode
from secrets import token_bytes

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from accounts.fields import EncryptedTextField

KEY_BYTES = 20  # as RFC 4226 recommends
TOLERANCE = 1  # steps of 30 s that the clock of a phone may be early or late
# After so many wrong codes in a row the pause between two of them, doubled by each, grows no more: 512 s. Whoever has
# the password and guesses from many addresses gets some 170 guesses a day, and three of a million codes are right.
MOST_DOUBLINGS = 10


def new_key() -> str:
    """Returns a random key in base32, as apps take it."""
    return b32encode(token_bytes(KEY_BYTES)).decode()


class SecondFactor(ThrottlingMixin, Device):  # type: ignore[misc]
    """An app that shows a new code of six digits every 30 seconds (TOTP, RFC 6238); it counts once it is confirmed."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="second_factor")
    name = None  # django-otp's devices have one; there is only one per person here
    confirmed = models.BooleanField(default=False)
    key = EncryptedTextField(default=new_key)
    last_step = models.BigIntegerField(default=-1)  # of the last code that was taken: no code is taken twice
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        default_permissions = ()  # pages and services decide by whose it is

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def verify_token(self, token: str) -> bool:
        """Returns True for a code of now, and uses it up. For a row that is locked until the transaction ends.

        Without a key (it was lost, and emptied by `rotate_keys --clear`) no code is right.
        """
        is_allowed, _facts = self.verify_is_allowed()
        if not is_allowed or not self.key:
            return False
        app = TOTP(b32decode(self.key))
        is_right = bool(app.verify(int(token), tolerance=TOLERANCE, min_t=self.last_step + 1))
        if is_right:
            self.last_step = app.t()
            self.throttle_reset(commit=False)
        else:
            self.throttle_increment(commit=False)
            self.throttling_failure_count: int = min(self.throttling_failure_count, MOST_DOUBLINGS)
        self.save(update_fields=["last_step", "throttling_failure_timestamp", "throttling_failure_count"])
        return is_right

    def get_throttle_factor(self) -> int:
        return 1  # seconds after the first wrong code


class RecoveryCode(models.Model):
    """A code that stands in for the app once: the row goes when it is used. Only its hash is stored."""

    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["factor", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
