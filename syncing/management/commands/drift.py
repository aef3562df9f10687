"""`drift`: how far slaves are from their master; with --check looked at first; exceptions made and withdrawn."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from accounts.management.base import NOT_GOOD
from accounts.models import RELATED_SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.execution.stop_signs import StopOnSignal
from syncing.management.console.runcommand import RunCommand, named_accounts, named_group, named_user
from syncing.management.console.running import GOOD, to_the_end
from syncing.models import AcceptedDifference, Drift, RunMode
from syncing.presentation.drift import drift_report
from syncing.selectors.drift import drift_documents, exception_document
from syncing.services.actors import COMMAND
from syncing.services.drift_checks import check_now
from syncing.services.exceptions import accept, withdraw

Options = Mapping[str, Any]


class Command(RunCommand):
    help = "Shows the drift of slaves: exit 0 all in sync, 1 drift or not known, 2 usage. It never writes to Kommo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="only this sync group")
        parser.add_argument("--account", metavar="SUBDOMAIN", action="append", help="only this slave; may be repeated")
        parser.add_argument("--check", action="store_true", help="look first: a run that only reads")
        parser.add_argument("--accept", metavar="KIND:KEY[:ATTRIBUTE]", help="accept this difference of --account")
        parser.add_argument("--withdraw", metavar="ID", type=int, help="withdraw the exception of this number")
        parser.add_argument("--reason", metavar="TEXT", default="", help="why it is accepted; kept in the audit")
        parser.add_argument("--by", metavar="USERNAME", help="who accepts or withdraws; needs the permission to")
        super().add_arguments(parser)

    def facts(self, options: Options) -> dict[str, Any]:
        return {"mode": RunMode.PLAN}

    def handle(self, *args: Any, **options: Any) -> None:
        _check_combination(options)
        if options["accept"] is not None:
            self._accept(options)
        elif options["withdraw"] is not None:
            self._withdraw(options)
        else:
            self._tell(options)

    # -- drift --

    def _tell(self, options: Options) -> None:
        group = named_group(options["group"]) if options["group"] is not None else None
        accounts = _slaves(named_accounts(options["account"]), group)
        is_good = not options["check"] or self._check(group, accounts, options)
        found = drift_documents(group, accounts)
        if options["json"]:
            self._print({"accounts": found})
        else:
            self.stdout.write(drift_report(found))
        if not is_good or any(account["state"] != Drift.State.IN_SYNC for account in found):
            sys.exit(NOT_GOOD)

    def _check(self, group: SyncGroup | None, accounts: Sequence[Account] | None, options: Options) -> bool:
        """Looks; True when every account could be seen."""
        group = group or _group_of(accounts) or named_group(None)
        with StopOnSignal() as stop:
            asked = {"by": COMMAND, "accounts": accounts, "to_workers": options["queue"]}
            run = to_the_end(check_now(group, **asked).run, options, self.stderr, stop)
        if run.state in GOOD:
            return True
        error = run.error or {"message": "Not every account could be seen.", "remedy": "See the run in the admin."}
        self.stderr.write(f"Run {run.pk} is {run.state}: {error['message']} {error['remedy']}")
        return False

    # -- exceptions --

    def _accept(self, options: Options) -> None:
        kind, key, attribute = _address(options["accept"])
        account, by = _one_account(options["account"]), named_user(options["by"])
        what = {"kind": kind, "key": key, "attribute": attribute, "reason": options["reason"]}
        accepted = accept(account, **what, by=by)
        self._told(options, accepted, f"Accepted as exception {accepted.pk}: runs leave it alone in {account}.")

    def _withdraw(self, options: Options) -> None:
        exceptions = AcceptedDifference.objects.select_related("account__group").defer(*RELATED_SECRETS)
        accepted = exceptions.filter(pk=options["withdraw"]).first()
        if accepted is None:
            raise Refusal("no_such_exception", f"There is no exception {options['withdraw']}.", "See `drift`.")
        withdraw(accepted, by=named_user(options["by"]))
        self._told(options, accepted, f"Withdrawn: the next run looks at it again in {accepted.account}.")

    def _told(self, options: Options, accepted: AcceptedDifference, sentence: str) -> None:
        if options["json"]:
            self._print(exception_document(accepted))
        else:
            self.stdout.write(sentence)


def _check_combination(options: Options) -> None:
    deciding = options["accept"] is not None or options["withdraw"] is not None
    if sum([options["check"], options["accept"] is not None, options["withdraw"] is not None]) > 1:
        raise Refusal("usage", "--check, --accept and --withdraw are for one call each.")
    if deciding and not options["by"]:
        raise Refusal("usage", "Somebody has to answer for it.", "Name a user with --by USERNAME.")
    if options["by"] and not deciding:
        raise Refusal("usage", "--by is for --accept and --withdraw.")
    if options["reason"] and options["accept"] is None:
        raise Refusal("usage", "--reason is for --accept.")
    if options["queue"] and not options["check"]:
        raise Refusal("usage", "--queue is for --check.")
    if options["no_wait"]:
        raise Refusal("usage", "--no-wait would have nothing to show.", "Use `sync_all --plan --queue --no-wait`.")


def _address(text: str) -> tuple[str, str, str]:
    """KIND:KEY[:ATTRIBUTE]; a name inside of a key may hold colons, an attribute never does."""
    kind, _, rest = text.partition(":")
    key, _, attribute = rest.rpartition(":") if "=" not in rest and ":" in rest else (rest, "", "")
    if not kind or not key:
        raise Refusal("usage", f"{text!r} names no difference.", "Write it as `drift` shows it in brackets.")
    return kind, key, attribute


def _one_account(subdomains: Sequence[str] | None) -> Account:
    accounts = named_accounts(subdomains) or []
    if len(accounts) != 1:
        raise Refusal("usage", "--accept is for one account.", "Name it with --account SUBDOMAIN.")
    return accounts[0]


def _slaves(accounts: Sequence[Account] | None, group: SyncGroup | None) -> Sequence[Account] | None:
    """The named accounts; raises Refusal when one is a master, or of another group than was named."""
    wrong = [
        account.subdomain
        for account in accounts or ()
        if account.role != Account.Role.SLAVE or (group and account.group_id != group.pk)
    ]
    if wrong:
        where = f" of the group {group.name}" if group else ""
        raise Refusal("not_a_slave", f"Not a slave{where}: {', '.join(wrong)}.", "Only slaves differ from a master.")
    return accounts


def _group_of(accounts: Sequence[Account] | None) -> SyncGroup | None:
    """The one group of the accounts that were named."""
    groups = {account.group_id for account in accounts or ()}
    return SyncGroup.objects.get(pk=groups.pop()) if len(groups) == 1 else None
