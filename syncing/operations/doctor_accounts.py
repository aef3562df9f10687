"""The checks of `doctor` on groups, accounts, mail and channels."""

import shlex

from django.db.models import Count, Q
from django.utils import timezone

from accounts import conf, expiry
from accounts.models import HAS_CREDENTIAL, HEALTH_FINE, NEEDS_CONNECTING, Account, SyncGroup
from accounts.services.upkeep.emails import administrators
from syncing.models import Channel
from syncing.operations.findings import FAIL, OK, WARN, Finding, Findings


def groups() -> Findings:
    counted = SyncGroup.objects.annotate(
        masters=Count("accounts", filter=Q(accounts__role=Account.Role.MASTER)),
        slaves=Count("accounts", filter=Q(accounts__role=Account.Role.SLAVE)),
    )
    if not counted:
        yield Finding(WARN, "groups", "none yet", "python manage.py import_accounts FILE.csv")
    for group in counted:
        if not group.masters:
            yield Finding(FAIL, "groups", f"{group} has no master", "Give one of its accounts the role master.")
        elif not group.slaves:
            yield Finding(WARN, "groups", f"{group} has no slaves", "Import or add them.")
        else:
            yield Finding(OK, "groups", f"{group}: 1 master, {group.slaves} slaves")


def accounts() -> Findings:
    """Yields the accounts without a token, those to connect again and those that will end soon, then all by health."""
    without = Account.objects.exclude(HAS_CREDENTIAL)
    lost = Account.objects.filter(NEEDS_CONNECTING).exclude(pk__in=without.values("pk"))
    soon = Account.objects.filter(expiry.expiring(timezone.now()))
    remedy = "Connect them (admin: Connect, or invite links), or store a long-lived token."
    for rows, what in ((without, "without a token"), (lost, "need connecting"), (soon, "expire within 30 days")):
        names = list(rows.values_list("subdomain", flat=True))
        if names:
            yield Finding(WARN, "accounts", f"{len(names)} {what}: {', '.join(names[:5])}", remedy)
    for row in Account.objects.order_by("health").values("health").annotate(number=Count("pk")):
        label = Account.Health(row["health"]).label
        level = OK if row["health"] in HEALTH_FINE else WARN
        yield Finding(level, "accounts", f"{row['number']} {label}", "Open the account in the admin; it says why.")


def mail() -> Findings:
    if conf.sends_mail() and not administrators():
        remedy = "Enter the e-mail address of a superuser (admin, Users)."
        yield Finding(WARN, "mail", "no superuser has an e-mail address: nobody is warned", remedy)
    elif conf.sends_mail():
        yield Finding(OK, "mail", "warnings and invite links can be sent")
    else:
        remedy = "Set EMAIL_URL to a mail server; until then the dashboard tells, and invite links are a CSV."
        yield Finding(WARN, "mail", "EMAIL_URL only prints mails: nobody gets one", remedy)


def channels() -> Findings:
    """Finds the channels whose last message failed."""
    enabled = Channel.objects.filter(enabled=True).defer("address")
    for channel in enabled.exclude(failure=""):
        remedy = f"When it is mended: python manage.py channel test {shlex.quote(channel.name)}"
        yield Finding(WARN, "channels", f"{channel.name} fails: {channel.failure}", remedy)
    if working := enabled.filter(failure="").count():
        yield Finding(OK, "channels", f"{working} without a failure")
