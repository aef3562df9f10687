"""The words about a run: what failed, what differs, what waits."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.own_words import translated
from syncing.models import AccountState, RunPurpose, RunState, RunType, SyncRun
from syncing.notifications.decision import TellingDecision
from syncing.notifications.digests import GOOD_STATES, RUN, Digest
from syncing.notifications.harmless import without_secrets
from syncing.notifications.speech import LINES, Content, Speech, moment, number, sentences
from syncing.presentation.explanations import REASONS, reason_label, reason_with_code
from syncing.presentation.labels import COUNTS, account_state_label, cause_label

RUN_PAGE = "/syncing/syncrun/%d/change/"
DRIFT_PAGE = "/drift/?group=%d"
DONE = ("created", "updated", "deleted")


def failed(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says who failed, or that nobody does any more."""
    run = _run(digest)
    bad = dict(decision.bad if decision else digest.facts["bad"])
    recovered = decision.recovered if decision else frozenset()
    title = _title_of_failures(run, bad, recovered, digest, speech)
    lines = []
    if reason := bad.pop(RUN, ""):
        error = run.error or {}
        remedy = without_secrets(translated(error.get("remedy", "")))
        why = f"{reason_with_code(reason)}: {speech.sentence(translated(error.get('message', '')))}".rstrip(": ")
        lines.append(sentences(why, remedy))
    remedies = {name: without_secrets(translated(text)) for name, text in digest.remedies.items()}
    labels = {state: account_state_label(state) for state in AccountState.values}
    labels |= {reason: reason_with_code(reason) for reason in REASONS}
    lines += speech.grouped(bad, labels, remedies, LINES - 1 - len(lines) - bool(recovered - {RUN}))
    return Content(
        title, [*lines, speech.well_again(recovered - {RUN}), _counts_of(run)], RUN_PAGE % run.pk, _see_run(run)
    )


def _title_of_failures(
    run: SyncRun, bad: dict[str, str], recovered: frozenset[str], digest: Digest, speech: Speech
) -> str:
    """Returns the title: who fails, or that nobody does any more."""
    about = speech.about if run.purpose == RunPurpose.SYNC else f"{speech.about} ({run.get_purpose_display()})"
    facts = {"run": run, "group": about, "bad": number(len(bad)), "reason": reason_label(bad.get(RUN, ""))}
    if RUN in bad and run.state == RunState.REFUSED:
        return _("%(run)s was refused: %(group)s (%(reason)s)") % facts
    if RUN in bad:
        return _("%(run)s failed: %(group)s (%(reason)s)") % facts
    if bad:
        total = max(digest.slaves, len(bad)) if digest.seen else run.account_runs.count()
        return _text_of_failures(run, bad, digest, total) % {**facts, "total": number(total)}
    good = sum(run.totals.get(state, 0) for state in GOOD_STATES)
    if run.type == RunType.FULL and not run.picked and good == digest.slaves:
        text = ngettext(
            "%(total)s account is in sync again: %(group)s", "All %(total)s accounts are in sync again: %(group)s",
            digest.slaves,
        )  # fmt: skip
        return text % {**facts, "total": number(digest.slaves)}
    if recovered == {RUN}:
        return _("The master is read again: %(group)s") % facts
    return _("No account fails any more: %(group)s") % facts


def _text_of_failures(run: SyncRun, bad: Mapping[str, str], digest: Digest, total: int) -> str:
    """Returns the title of accounts that failed; were all of them refused, nothing of them was written."""
    failed = run.totals.get(AccountState.FAILED, 0) + run.totals.get(AccountState.PARTIAL, 0)
    if digest.seen and not failed and bad.keys() <= digest.seen.bad.keys():
        return ngettext(
            "%(bad)s of %(total)s account was refused: %(group)s",
            "%(bad)s of %(total)s accounts were refused: %(group)s",
            total,
        )
    return ngettext(
        "%(bad)s of %(total)s account failed: %(group)s", "%(bad)s of %(total)s accounts failed: %(group)s", total
    )


def _counts_of(run: SyncRun) -> str:
    """Returns how many accounts of the run ended how."""
    counts = [
        f"{account_state_label(state)}: {number(run.totals[state])}"
        for state in AccountState.values
        if run.totals.get(state)
    ]
    return sentences(str(run), ", ".join(counts))


def _see_run(run: SyncRun) -> str:
    return _("More: run %(run)d in KommoSync, under Sync runs.") % {"run": run.pk}


def differs(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says which accounts differ from the master and by whose doing, or that none does any more."""
    run = _run(digest)
    bad = dict(decision.bad) if decision else {}
    recovered = decision.recovered if decision else frozenset()
    facts = {"bad": number(len(bad)), "total": number(max(digest.slaves, len(bad))), "group": speech.about}
    lines = []
    if bad:
        title = ngettext(
            "%(bad)s of %(total)s account differs from the master: %(group)s",
            "%(bad)s of %(total)s accounts differ from the master: %(group)s",
            max(digest.slaves, len(bad)),
        )
        for cause in ("slave", "both", "master", "unknown"):
            if subjects := [each for each in bad if digest.causes.get(each, {}).get(cause)]:
                lines.append(sentences(speech.counted(cause_label(cause), subjects)))
        if before := bad.keys() - digest.causes.keys():
            lines.append(sentences(speech.counted(_("Found by an earlier check"), before)))
        lines = lines[: LINES - bool(recovered)]
    else:
        title = _("No account differs from the master any more: %(group)s")
    place = _("More: `manage.py drift`, or Drift in KommoSync.")
    return Content(title % facts, [*lines, speech.well_again(recovered)], DRIFT_PAGE % run.group_id, place)


def waits(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says that a plan waits, for how many accounts, and what it would do."""
    run = _run(digest)
    mine = digest.seen.bad if digest.seen else digest.facts["bad"]
    plans = Counter(mine.values())
    todo = [str(COUNTS[name][3] % {"n": run.totals[name]}) for name in DONE if run.totals.get(name)]
    different = ngettext("%(plans)s plan", "%(plans)s different plans", len(plans)) % {"plans": number(len(plans))}
    lines = [
        sentences(speech.counted(different, mine)),
        sentences(_("It would do: %(what)s") % {"what": ", ".join(todo)}) if todo else "",
        _("Nothing is written until somebody approves it: on its page, or with `manage.py approve %(run)d`.")
        % {"run": run.pk},
    ]
    title = _("%(run)s waits for approval: %(group)s") % {"run": run, "group": speech.about}
    return Content(title, lines, RUN_PAGE % run.pk, _see_run(run))


def wave_waits(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says that the next wave of a run waits, and how the one before it ended."""
    run, facts = _run(digest), digest.facts
    numbers = {"wave": facts["wave"], "next": facts["wave"] + 1, "waves": facts["waves"], "run": run.pk}
    numbers |= {"failed": number(facts["failed"]), "tried": number(facts["tried"]), "group": speech.about}
    if facts["due"]:
        due = moment(datetime.fromisoformat(facts["due"]))
        then = _("Wave %(next)d starts at %(time)s, or when somebody continues the run.") % {**numbers, "time": due}
    else:
        then = _("Wave %(next)d starts when somebody continues the run: on its page, or with %(command)s.")
        then %= {**numbers, "command": f"`manage.py continue_run {run.pk}`"}
    title = _("Wave %(next)d of %(waves)d waits: %(group)s") % numbers
    done = _("Run %(run)d, wave %(wave)d is done. Accounts that failed: %(failed)s of %(tried)s.") % numbers
    return Content(title, [done, then], RUN_PAGE % run.pk, _see_run(run))


def _run(digest: Digest) -> SyncRun:
    if digest.run is None:
        raise ValueError(f"a notice of {digest.event} has no run")
    return digest.run
