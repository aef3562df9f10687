"""`rollback RUN`: brings accounts to what they were before a run, here or by the workers."""

from argparse import ArgumentParser
from typing import Any

from syncing.management.console.runcommand import RunCommand, named_accounts, named_run
from syncing.models import RunMode
from syncing.selectors.rollback import forecasts_of
from syncing.services import rollback
from syncing.services.actors import COMMAND
from syncing.services.runs.create import Started


class Command(RunCommand):
    help = "Rolls back a run. The rollback is a run itself: it can be planned, approved and rolled back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="the number of the run to roll back")
        parser.add_argument(
            "--account", metavar="SUBDOMAIN", action="append", help="only this account; may be repeated"
        )
        parser.add_argument("--plan", action="store_true", help="show what would change, write nothing")
        parser.add_argument("--reason", metavar="TEXT", default="", help="the reason, stored in the audit")
        super().add_arguments(parser)

    def start(self, options: dict[str, Any]) -> Started:
        run, accounts = named_run(options["run"]), named_accounts(options["account"])
        started = rollback.start(
            run,
            accounts=accounts,
            mode=RunMode.PLAN if options["plan"] else RunMode.APPLY,
            by=COMMAND,
            reason=options["reason"],
            to_workers=options["queue"],
        )
        # Here only what does not come back as it was; the run itself shows the rest.
        for forecast in forecasts_of(run, list(started.run.account_runs.values_list("account", flat=True))):
            name = forecast.account.subdomain
            if forecast.later:
                runs = ", ".join(map(str, forecast.later))
                self.stderr.write(
                    f"{name}: changed later by run {runs}; those changes to the same items are rolled back, too."
                )
            for loss in forecast.losses:
                self.stderr.write(f"{name}: {loss.kind} {loss.name!r}: {loss.message}")
        return started
