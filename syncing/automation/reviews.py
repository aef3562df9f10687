"""Reviews: what nobody attends to deletes nothing, so accounts that would lose something get a plan to be approved."""

from django.utils.translation import gettext_noop

from accounts.refusals import Refusal
from syncing.models import REVIEWED, AccountState, LogEntry, RunMode, SyncRun, Trigger
from syncing.records.log import log
from syncing.services.actors import RETRY, WATCH
from syncing.services.runs.retry import still_there
from syncing.services.runs.start import start_run

NEEDS_REVIEW = "needs_review"


def follow(run: SyncRun) -> None:
    """Starts the plan run of the accounts that `run` refused because somebody has to see their plan first.

    It has the trigger of `run`, so that the watcher never starts more than two runs for one state of the master.
    """
    refused = run.account_runs.filter(state=AccountState.REFUSED, reason=NEEDS_REVIEW)
    if run.trigger not in REVIEWED or not run.writes or not refused.exists():
        return
    by = WATCH if run.trigger == Trigger.WATCH else RETRY
    try:
        accounts = still_there(run, refused)
        plan = start_run(group=run.group, type=run.type, mode=RunMode.PLAN, by=by, accounts=accounts).run
    except Refusal as refusal:
        log(run.pk, str(refusal), code=NEEDS_REVIEW, level=LogEntry.Level.WARNING)
        return
    sentence = gettext_noop(
        "Run %(run)d plans the accounts in which something would be deleted (%(count)d), for approval."
    )
    log(run.pk, sentence, facts={"run": plan.pk, "count": len(accounts)}, code=NEEDS_REVIEW)
