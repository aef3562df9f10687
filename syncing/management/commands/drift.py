"""`drift`: how far slaves are from their master; with --check looked at first; exceptions made and withdrawn."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from accounts.management.base import NOT_GOOD
from accounts.models import RELATED_SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.execution.stop_signs import StopOnSignal
from syncing.management.console.runcommand import RunCommand, group_if_named, named_accounts, named_group, named_user
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
        parser.add_argument("--check", action="store_true", help="check first: a run that only reads")
        parser.add_argument("--accept", metavar="KIND:KEY[:ATTRIBUTE]", help="accept this difference of --account")
        parser.add_argument("--withdraw", metavar="ID", type=int, help="withdraw the exception of this number")
        parser.add_argument("--reason", metavar="TEXT", default="", help="the reason, stored in the audit")
        parser.add_argument("--by", metavar="USERNAME", help="the user who accepts or withdraws; needs the permission")
        super().add_arguments(parser)

    def facts(self, options: Options) -> dict[str, Any]:
        return {"mode": RunMode.PLAN}

    def handle(self, *args: Any, **options: Any) -> None:
        deciding = options["accept"] is not None or options["withdraw"] is not None
        if sum([options["check"], options["accept"] is not None, options["withdraw"] is not None]) > 1:
            raise Refusal("usage", "Use only one of --check, --accept and --withdraw.")
        if deciding and not options["by"]:
            raise Refusal("usage", "A user has to be responsible for it.", "Name a user with --by USERNAME.")
        if options["by"] and not deciding:
            raise Refusal("usage", "--by is for --accept and --withdraw.")
        if options["reason"] and options["accept"] is None:
            raise Refusal("usage", "--reason is for --accept.")
        if options["queue"] and not options["check"]:
            raise Refusal("usage", "--queue is for --check.")
        if options["no_wait"]:
            raise Refusal("usage", "--no-wait would have nothing to show.", "Use `sync_all --plan --queue --no-wait`.")
        if options["accept"] is not None:
            self._accept(options)
        elif options["withdraw"] is not None:
            self._withdraw(options)
        else:
            self._show(options)

    # -- drift --

    def _show(self, options: Options) -> None:
        """Shows the drift of the named slaves; raises Refusal for a master, or one of another group."""
        group = group_if_named(options["group"])
        accounts = named_accounts(options["account"])
        wrong = [
            account.subdomain
            for account in accounts or ()
            if account.role != Account.Role.SLAVE or (group and account.group_id != group.pk)
        ]
        if wrong:
            message = f"Not a slave{f' of the group {group.name}' if group else ''}: {', '.join(wrong)}."
            raise Refusal("not_a_slave", message, "Only slaves differ from a master.")
        is_good = not options["check"] or self._check(group, accounts, options)
        documents = drift_documents(group, accounts)
        if options["json"]:
            self._print({"accounts": documents})
        else:
            self.stdout.write(drift_report(documents))
        if not is_good or any(account["state"] != Drift.State.IN_SYNC for account in documents):
            sys.exit(NOT_GOOD)

    def _check(self, group: SyncGroup | None, accounts: Sequence[Account] | None, options: Options) -> bool:
        """Checks the accounts now; True when every one could be seen. Without a group, it is that of the accounts."""
        groups = {account.group_id for account in accounts or ()}
        if group is None:
            group = SyncGroup.objects.get(pk=groups.pop()) if len(groups) == 1 else named_group(None)
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
        """Accepts the difference that --accept names in the one account of --account; raises Refusal."""
        address = options["accept"]
        # KIND:KEY[:ATTRIBUTE]; a name inside of a key may hold colons, an attribute never does.
        kind, _, rest = address.partition(":")
        key, _, attribute = rest.rpartition(":") if "=" not in rest and ":" in rest else (rest, "", "")
        if not kind or not key:
            raise Refusal("usage", f"{address!r} names no difference.", "Write it as `drift` shows it in brackets.")
        accounts = named_accounts(options["account"]) or []
        if len(accounts) != 1:
            raise Refusal("usage", "--accept is for one account.", "Name it with --account SUBDOMAIN.")
        account, by = accounts[0], named_user(options["by"])
        accepted = accept(account, kind=kind, key=key, attribute=attribute, reason=options["reason"], by=by)
        sentence = f"Accepted as exception {accepted.pk}: runs leave it alone in {account}."
        self._print_exception(accepted, sentence, as_json=options["json"])

    def _withdraw(self, options: Options) -> None:
        exceptions = AcceptedDifference.objects.select_related("account__group").defer(*RELATED_SECRETS)
        accepted = exceptions.filter(pk=options["withdraw"]).first()
        if accepted is None:
            raise Refusal("no_such_exception", f"There is no exception {options['withdraw']}.", "See `drift`.")
        withdraw(accepted, by=named_user(options["by"]))
        sentence = f"Withdrawn: the next run looks at it again in {accepted.account}."
        self._print_exception(accepted, sentence, as_json=options["json"])

    def _print_exception(self, accepted: AcceptedDifference, sentence: str, *, as_json: bool) -> None:
        if as_json:
            self._print(exception_document(accepted))
        else:
            self.stdout.write(sentence)
