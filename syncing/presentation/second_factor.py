"""How an app on a phone is given the key of a second factor: as an address, as a QR code of it, and as text."""

import re
from urllib.parse import quote, urlencode

import segno
from django.utils.safestring import SafeString, mark_safe

from syncing.models import SecondFactor

ISSUER = "KommoSync"


def app_address(factor: SecondFactor, host: str) -> str:
    """Returns the otpauth:// address that apps understand; `host` tells two installations apart."""
    label = f"{ISSUER}:{factor.user.get_username()}@{host.partition(':')[0]}"
    return f"otpauth://totp/{quote(label)}?{urlencode({'secret': factor.key, 'issuer': ISSUER})}"


def qr_code(address: str) -> SafeString:
    """Returns an SVG that has no inline style, which our policy forbids: the colours are attributes."""
    drawn = segno.make(address, error="m", micro=False)
    svg = drawn.svg_inline(omitsize=True, dark="#000", light="#fff", svgclass="ks-qr", lineclass=None)
    return mark_safe(svg)  # noqa: S308  (nothing of the address is in it but squares)


def in_fours(key: str) -> list[str]:
    """Returns the key in pieces of four letters, for who types it."""
    return re.findall(".{1,4}", key)
