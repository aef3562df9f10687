"""The form of a group: its policy in the words of the questions that it answers."""

from itertools import chain
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.forms import use_words
from accounts.models import HEAL_CONSEQUENCES, HealMode, SyncGroup, UnmatchedItems, WatchMode

if TYPE_CHECKING:  # generic for the type checker only
    GroupModelForm = forms.ModelForm[SyncGroup]
else:
    GroupModelForm = forms.ModelForm

UNMATCHED = {  # dangerous values say so where they are chosen
    UnmatchedItems.KEEP: _("Keep them"),
    UnmatchedItems.DELETE_CREATED: _("⚠ Delete those that KommoSync made"),
    UnmatchedItems.DELETE_ALL: _("⚠ Delete them, whoever made them"),
}
HEAL_WORDS = {
    HealMode.OFF: _("Nothing"),
    HealMode.REPORT: _("Tell us"),
    HealMode.REVERT: _("⚠ Put it back as it is in the master"),
}
CHOICES: dict[str, dict[Any, Any]] = {
    **{f"unmatched_{kind}": UNMATCHED for kind in ("pipelines", "stages", "groups", "fields", "options")},
    "watch": {
        WatchMode.OFF: _("Nothing: I start every run"),
        WatchMode.REPORT: _("Tell us"),
        WatchMode.PLAN: _("Make a plan that waits for approval"),
        WatchMode.APPLY: _("⚠ Write it to the slaves"),
    },
    "heal": HEAL_WORDS,
}
WORDS: dict[str, tuple[Any, Any]] = {  # of fields: the label and what follows from it, as the page of a policy asks
    "sync_pipelines": (_("Pipelines and stages"), _("Off: runs leave them alone in every slave.")),
    "sync_custom_fields": (_("Field groups and custom fields"), _("Off: runs leave them alone in every slave.")),
    "unmatched_pipelines": (
        _("Pipelines that only a slave has"),
        _("A pipeline with leads in it stays, in the trash, too."),
    ),
    "unmatched_stages": (
        _("Stages that only a slave has"),
        _("A stage with leads in it stays, in the trash, too."),
    ),
    "unmatched_groups": (_("Field groups that only a slave has"), _("A group with fields in it stays.")),
    "unmatched_fields": (
        _("Custom fields that only a slave has"),
        _("A field with values in it stays."),
    ),
    "unmatched_options": (
        _("Options that only a slave has"),
        _("An option that is chosen somewhere stays."),
    ),
    "requires_approval": (
        _("Every plan must be approved"),
        _("Nobody can sync directly: a run writes only what was planned, and approved by a person."),
    ),
    "approver_must_differ": (
        _("Two people are needed"),
        _("Who asked for a plan cannot approve it."),
    ),
    "watch": (
        _("When the master changes"),
        _("⚠: new and changed items are written at once; an account in which something would be deleted waits."),
    ),
    "heal": (
        _("When somebody edits a slave"),
        format_lazy(
            "{}: {}<br>{}: {}<br>{}: {}<br>{}",
            *chain.from_iterable((HEAL_WORDS[mode], HEAL_CONSEQUENCES[mode]) for mode in HealMode),
            _("To keep an edit, accept it on the page of drift."),
        ),
    ),
    "drift_hours": (
        _("Check for drift every … hours"),
        _("0: never by itself. A check only reads; it writes nothing."),
    ),
    "max_delete_share": (
        _("Most deletions in an account (%)"),
        _("An account in which a run would delete more of its items is refused. 100 switches this limit off."),
    ),
    "max_deletes": (
        _("Most deletions in an account (number)"),
        _("An account in which a run would delete more items is refused, whatever their share."),
    ),
    "max_update_share": (
        _("Most changes in an account (%)"),
        _("An account in which a run would change more of the items that were synced before is refused."),
    ),
    "limit_minimum_items": (
        _("Percentages count from … items"),
        _("In an account with fewer items only the number of deletions counts."),
    ),
    "max_master_shrink": (
        _("Most losses in the master (%)"),
        _("A run is refused when the master has lost more of its items since the last run, by mistake perhaps."),
    ),
    "shrink_minimum_items": (
        _("Losses count from … items of a kind"),
        _("With fewer items of a kind the run is refused only if all of them are gone."),
    ),
    "wave_size": (_("Accounts in a wave"), _("0: all accounts that are not pilots go together.")),
    "wave_unit": (_("This number counts"), ""),
    "wave_hold": (_("Ask before each wave"), _("The next wave starts when somebody presses Continue.")),
    "wave_wait": (_("Pause between waves (minutes)"), _("Time to look whether everything is well. 0: none.")),
    "max_failure_share": (
        _("Most failures in a wave (%)"),
        _("If more accounts of a wave fail, the run stops, and later waves are not touched."),
    ),
    "time_zone": (_("Time zone"), _("Schedules and windows go by it, unless they name their own.")),
    "snapshot_days": (_("Roll back for … days"), _("For so long a run can be undone.")),
    "quiet_seconds": (
        _("Wait until the master is quiet (seconds)"),
        _("A change goes to the slaves when the master has stayed the same for this long."),
    ),
    "look_seconds": (
        _("Look at the master every … seconds"),
        _("Each look is one request. 240 is calm, 60 is brisk; Kommo may block who asks more often."),
    ),
    "retry_minutes": (
        _("Try failed accounts again after … minutes"),
        _("The time doubles with every failure, up to 6 hours."),
    ),
    "trigger_quiet_seconds": (
        _("Join triggers for … seconds"),
        _("Webhooks and API calls that come within this time after a run become one more run."),
    ),
}


class GroupForm(GroupModelForm):
    """The policy of a group, in the words of the questions that it answers."""

    class Meta:
        model = SyncGroup
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        use_words(self, WORDS)
        for name in CHOICES.keys() & self.fields.keys():
            self.fields[name].widget.choices = [*CHOICES[name].items()]
