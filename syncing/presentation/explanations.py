"""Each reason and each state in words: a label, a sentence that says what it means, and what a person can do.

The codes are a promise to programs (docs/interface.md); people read this. An error of a run has a message and a remedy
of its own, with numbers and names: show them beside these sentences, not instead of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import conf
from accounts.models import Account
from syncing.models import AccountState, Drift, RunState

Text = str | Promise


@dataclass(frozen=True)
class Explanation:
    """A reason in words; `remedy`: what a person does about it, where the error does not say so."""

    label: Text
    sentence: Text
    remedy: Text


REASONS: Mapping[str, Explanation] = {
    "unauthorised": Explanation(
        _("Token refused"),
        _("Kommo does not accept the token of this account, so nothing was read or written."),
        _("Connect the account again, or store a new token."),
    ),
    "token_expired": Explanation(
        _("Token expired"),
        _("The token of this account has passed its end date, so nothing was read or written."),
        _("Connect the account again, or store a new token."),
    ),
    "token_revoked": Explanation(
        _("Token revoked"),
        _("Somebody has withdrawn our access in Kommo, so nothing was read or written."),
        _("Connect the account again, or store a new token."),
    ),
    "wrong_account": Explanation(
        _("Wrong account"),
        _("Another Kommo account answered than the one that is stored here, so nothing was written to it."),
        _("Check the subdomain and the token of the account."),
    ),
    "not_found": Explanation(
        _("Not found"),
        _("What was asked for is not there: the account in Kommo, or something the run needs."),
        _("Check the subdomain of the account, then run again."),
    ),
    "unreachable": Explanation(
        _("Kommo not reached"),
        _("No answer came from Kommo: the network, or the address, did not work."),
        _("Check the network and the subdomain, then retry."),
    ),
    "unpaid": Explanation(
        _("Not paid in Kommo"),
        _("The paid or trial period of this account in Kommo has ended, and Kommo lets nobody in."),
        _("Renew the account in Kommo, then retry."),
    ),
    "forbidden": Explanation(
        _("No administrator rights"),
        _("The person whose token we use is no administrator of this account."),
        _(
            "Make that person an administrator in Kommo, or connect the account as one of its administrators, or store "
            "a token that one of them made."
        ),
    ),
    "ip_blocked": Explanation(
        _("Our address is blocked"),
        _("Kommo blocks the internet address of KommoSync for all accounts, so everything has stopped."),
        _("Ask Kommo's support to lift the block, then retry."),
    ),
    "ip_not_allowed": Explanation(
        _("Our address is not on its whitelist"),
        _("This account lets in certain internet addresses only, and ours is not among them."),
        _("Ask an administrator of the account to add our address to its whitelist, then retry."),
    ),
    "rate_limited": Explanation(
        _("Kommo asks for a pause"),
        _("Kommo had too many requests for this account and asks for a longer pause."),
        _("Retry later."),
    ),
    "server_error": Explanation(
        _("Kommo had an error"),
        _("Kommo itself failed several times, so we gave up on this account for now."),
        _("Retry later; if it stays, give Kommo's support the request id from the log."),
    ),
    "bad_answer": Explanation(
        _("Unexpected answer"),
        _("Kommo's answer was incomplete or not what it should be, so we do not rely on it."),
        _("Retry; if it stays, give Kommo's support the request id from the log."),
    ),
    "validation": Explanation(
        _("Kommo refused an item"),
        _("Kommo did not take a value of an item; the other items were done."),
        _("Correct what the message names, in the master or in the account, then retry."),
    ),
    "conflict": Explanation(
        _("Conflict"),
        _("Two items cannot be told apart, or have types that cannot be changed, so they were left as they are."),
        _("Rename, merge or change one of the items that the message names, then retry."),
    ),
    "limit_reached": Explanation(
        _("No room in the account"),
        _("The account would have more pipelines or stages than Kommo allows, so nothing was written."),
        _("Delete or merge some that only this account has, then retry."),
    ),
    "guard": Explanation(
        _("Stopped by a limit"),
        _("A limit of the group stopped it: more would have changed, or has failed, than the group allows."),
        _("Look at the numbers; if the change is meant, run again with a reason."),
    ),
    "stale_plan": Explanation(
        _("Changed since its approval"),
        _("The account has changed since its plan was approved, so nothing was written."),
        _("Review again: look at the new plan and approve it."),
    ),
    "needs_review": Explanation(
        _("Needs a review"),
        _("Something would be deleted, and a run that nobody attends to deletes nothing."),
        _("Look at the plan and approve it, or run this account by hand."),
    ),
    "frozen": Explanation(
        _("Writing is frozen"),
        _("A window of the group forbids writing now."),
        _("Wait for the end of the freeze, or start a run with a reason."),
    ),
    "paused": Explanation(
        _("Account paused"),
        _("The account or its group is paused, so it was left out."),
        _("End the pause, then retry."),
    ),
    "cancelled": Explanation(
        _("Stopped by somebody"),
        _("The run was stopped before it came to the end of this account; what was written stays."),
        _("Retry to continue."),
    ),
    "internal": Explanation(
        _("Error in KommoSync"),
        _("KommoSync itself made an error here; the other accounts are not concerned."),
        _("Retry; if it stays, report it with the output of the worker."),
    ),
}

Health = Account.Health
STATES: Mapping[str, Text] = {
    RunState.QUEUED: _("It waits until a worker takes it."),
    RunState.RUNNING: _("It is being worked on now."),
    RunState.PLANNED: _("The plan is made; nothing was written."),
    RunState.SUCCEEDED: _("Every account equals the master now, checked by reading it again."),
    RunState.PARTIAL: _("Some of it was done, some was not; the reasons are shown."),
    RunState.FAILED: _("It could not be done; the reason is shown."),
    RunState.REFUSED: _("KommoSync did not do it, because a rule or a limit forbids it; nothing was written."),
    RunState.CANCELLED: _("Somebody stopped it before its end; what was written until then stays."),
    AccountState.IN_SYNC: _("It equals the master; there was nothing to change."),
    AccountState.CHANGED: _("It was changed, and then read again: it equals the master now."),
    AccountState.SKIPPED: _("It was left out of the run; the reason is shown."),
    Drift.State.DRIFTED: _("It differs from the master."),
    Drift.State.CONFLICT: _("It differs from the master in something that a sync cannot settle."),
    "never": _("Nobody has looked at it yet."),
    Health.UNKNOWN: _("Nobody has tried the connection yet."),
    Health.CONNECTED: _("Kommo let us in at the last contact."),
    Health.NO_TOKEN: _("There is no token yet, so we cannot get in."),
    Health.RECONNECT: _("Kommo renews the token no more; somebody has to connect the account again."),
    Health.DISCONNECTED: _("The integration was removed in Kommo; somebody has to connect the account again."),
    Health.NOT_ADMIN: REASONS["forbidden"].sentence,
    Health.ERROR: _("The last contact ended in an error; the reason is shown."),
}
ABOUT_OUR_ADDRESS = ("ip_not_allowed", "ip_blocked")
# Why nobody knows whether an account that was in sync still is (`selectors/standing.py`).
NOT_KNOWN: Mapping[str, Text] = {
    "long_ago": _("That is more than a week ago. Check it to know how it is now."),
    "master_moved": _("The master has changed since. The next sync or check tells how it is now."),
    "worked_since": _("A run has worked on it since without reading it to the end. Check it to know how it is now."),
    "not_connected": _("KommoSync cannot read it now."),
}
CONNECT = _("Open the account and press Connect, or store a new token.")
# What a person does about a connection, where no reason of runs has the same name.
REMEDIES: Mapping[str, Text] = {
    Health.NO_TOKEN: CONNECT,
    Health.RECONNECT: CONNECT,
    Health.DISCONNECTED: CONNECT,
    Health.NOT_ADMIN: REASONS["forbidden"].remedy,
    Health.ERROR: _("Check the connection again: the error may be over."),
}


def reason_label(code: str) -> str:
    """Returns a reason in a few words; a code that is not known as it is."""
    return str(REASONS[code].label) if code in REASONS else code


def run_reason(code: str, reasons: int) -> str:
    """Returns why a run ended as it did, in a few words: if its accounts have several `reasons`, their number."""
    if reasons < 2 or code == "ip_blocked":  # that stops all accounts, whatever else happened to some
        return reason_label(code)
    return ngettext("%(n)d reason", "%(n)d reasons", reasons) % {"n": reasons}


def reason_with_code(code: str) -> str:
    """Returns a reason in a few words, with the code that the documentation lists it by."""
    return f"{REASONS[code].label} ({code})" if code in REASONS else code


def reason_sentence(code: str) -> str:
    """Returns what a reason means; "" for a code that is not known."""
    return str(REASONS[code].sentence) if code in REASONS else ""


def reason_remedy(code: str) -> str:
    """Returns what a person does about a reason; "" for a code that is not known."""
    remedy = str(REASONS[code].remedy) if code in REASONS else ""
    return f"{remedy} {our_address()}" if code in ABOUT_OUR_ADDRESS else remedy


def our_address() -> str:
    """Says under which address Kommo sees us, or how somebody finds it out."""
    if address := conf.outgoing_address():
        return gettext("Our address is %(address)s.") % {"address": address}
    return gettext(
        "To find our address, run `curl https://api.ipify.org` on the machine that KommoSync runs on. Once it is "
        "stored as OUTGOING_ADDRESS in the file .env, it is shown here."
    )


def standing_sentence(why: str) -> str:
    """Returns the reason why nobody knows how an account stands now; "" where it is known."""
    return str(NOT_KNOWN[why]) if why in NOT_KNOWN else ""


def state_sentence(state: str) -> str:
    """Returns what a state means, of a run, an account in it, its drift or its connection; "" if it is not known."""
    return str(STATES[state]) if state in STATES else reason_sentence(state)


def health_remedy(health: str) -> str:
    """Returns what a person does about a connection in this state; "" where there is nothing to do."""
    return str(REMEDIES[health]) if health in REMEDIES else reason_remedy(health)
