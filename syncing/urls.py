"""Routes the addresses of the synchronisation: the dashboard, the pages, the REST API, the webhook."""

from collections.abc import Callable

from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path

from syncing.api import docs, health, metrics, rest, webhooks
from syncing.api.http import door
from syncing.views import (
    account,
    accounts,
    approvals,
    audit,
    automation,
    choice,
    dashboard,
    drift,
    drift_actions,
    drift_items,
    healing,
    logins,
    plans,
    promotion,
    rollback,
    run_list,
    run_log,
    runs,
    search,
    second_factor,
    sessions,
    settings,
    start,
    todo,
    tokens,
    waves,
)

app_name = "syncing"


def staff(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    """Returns the route of a page behind the login of the admin."""
    return path(route, admin.site.admin_view(view), name=name)


urlpatterns: list[URLPattern] = [
    # In front of the admin's own, which knows no second step.
    path("login/", logins.PasswordStep.as_view(), name="login"),
    path("login/code", logins.CodeStep.as_view(), name="login_code"),
    # Lists are the admin's; these pages stand before its own, which would be forms.
    staff("syncing/syncrun/<int:run_id>/change/", runs.run, "run"),
    staff("syncing/accountrun/<int:account_run_id>/change/", runs.account_run, "account_run"),
    staff("syncing/drift/", drift.drift, "drift_list"),
    staff("syncing/drift/<int:account_id>/change/", drift.drift_account, "drift_row"),
    staff("", dashboard.dashboard, "dashboard"),
    staff("search", search.search, "search"),
    staff("automation/", automation.automation, "automation"),
    staff("automation/resume", automation.resume, "automation_resume"),
    staff("automation/groups/<int:group_id>/watch", automation.watch, "automation_watch"),
    staff("automation/groups/<int:group_id>/schedules", automation.add_schedule, "automation_add_schedule"),
    staff("automation/groups/<int:group_id>/windows", automation.add_window, "automation_add_window"),
    staff("automation/groups/<int:group_id>/pause", automation.pause, "automation_pause"),
    staff("automation/schedules/<int:schedule_id>", automation.change_schedule, "automation_change_schedule"),
    staff("automation/schedules/<int:schedule_id>/switch", automation.switch_schedule, "automation_switch_schedule"),
    staff("automation/schedules/<int:schedule_id>/remove", automation.remove_schedule, "automation_remove_schedule"),
    staff("automation/windows/<int:window_id>", automation.change_window, "automation_change_window"),
    staff("automation/windows/<int:window_id>/remove", automation.remove_window, "automation_remove_window"),
    staff("settings/", settings.settings, "settings"),
    staff("settings/sessions/", sessions.sessions, "sessions"),
    staff("settings/sessions/end", sessions.end, "end_session"),
    staff("settings/sessions/end-others", sessions.end_others, "end_other_sessions"),
    staff("settings/second-factor/", second_factor.second_factor, "second_factor"),
    staff("settings/second-factor/begin", second_factor.begin, "begin_second_factor"),
    staff("settings/second-factor/set-up", second_factor.set_up, "set_up_second_factor"),
    staff("settings/second-factor/codes", second_factor.make_codes, "make_recovery_codes"),
    staff("settings/second-factor/off", second_factor.switch_off, "switch_second_factor_off"),
    staff("settings/people/", settings.people, "people"),
    staff("settings/keys/", settings.keys, "keys"),
    staff("settings/integrations/", settings.integrations, "integrations"),
    staff("settings/audit/", audit.audit, "audit"),
    staff("settings/data/", settings.data, "data"),
    # Instead of the admin's lists of the tables of one app.
    *(staff(f"{app}/", settings.data, "data_of_app") for app in ("auth", "django_q", "syncing")),
    staff("dashboard/live", dashboard.dashboard_live, "dashboard_live"),
    staff("dashboard/success", dashboard.success, "success"),
    staff("dashboard/again", dashboard.try_again, "try_again"),
    staff("groups/<int:group_id>/start/<str:mode>", start.start, "start"),
    staff("settings/groups/<int:group_id>/webhook", tokens.webhook_token, "webhook_token"),
    staff("runs/", run_list.runs, "runs"),
    staff("runs/live", run_list.runs_live, "runs_live"),
    staff("runs/<int:run_id>/live", runs.run_live, "run_live"),
    staff("runs/<int:run_id>/log", run_log.run_log, "run_log"),
    staff("runs/<int:run_id>/log.csv", run_log.run_log_csv, "run_log_csv"),
    staff("runs/<int:run_id>/document.json", runs.run_json, "run_json"),
    staff("runs/<int:run_id>/plan.csv", plans.plan_csv, "plan_csv"),
    staff("runs/<int:run_id>/plan.txt", plans.plan_text, "plan_text"),
    staff("runs/<int:run_id>/plans/<str:digest>", plans.plan, "plan"),
    staff("runs/<int:run_id>/plans/<str:digest>/choose", choice.choose, "choose"),
    staff("runs/<int:run_id>/cancel", runs.cancel, "cancel"),
    staff("runs/<int:run_id>/continue", waves.continue_, "continue"),
    staff("runs/<int:run_id>/retry", runs.retry, "retry"),
    staff("runs/<int:run_id>/force", runs.force, "force"),
    staff("runs/<int:run_id>/approve", approvals.approve, "approve"),
    staff("runs/<int:run_id>/send-back", approvals.send_back, "send_back"),
    staff("runs/<int:run_id>/review", approvals.review, "review"),
    staff("runs/<int:run_id>/rollback", rollback.roll_back, "roll_back"),
    staff("promote/<int:account_id>/", promotion.promote, "promote"),
    staff("accounts/", accounts.accounts, "accounts"),
    staff("accounts/<int:account_id>/", account.account, "account"),
    staff("accounts/<int:account_id>/ids", account.ids, "account_ids"),
    staff("accounts/<int:account_id>/exclusions", account.exclude, "exclude"),
    staff("drift/", drift.drift, "drift"),
    staff("drift/items/accept", drift_items.accept_items, "accept_items"),
    staff("drift/items/revert", drift_items.revert_items, "revert_items"),
    staff("todo/", todo.todo, "todo"),
    staff("drift/check", drift_actions.check, "drift_check"),
    staff("drift/exceptions/<int:exception_id>/withdraw", drift_actions.withdraw_exception, "withdraw"),
    staff("drift/<int:account_id>/", drift.drift_account, "drift_account"),
    staff("drift/<int:account_id>/check", drift_actions.check_account, "drift_check_account"),
    staff("drift/<int:account_id>/revert", drift_actions.take_back, "revert"),
    staff("drift/<int:account_id>/accept", drift_actions.accept_difference, "accept"),
    staff("drift/<int:account_id>/edits", healing.item_mode, "item_mode"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/sync/webhook/<str:token>", webhooks.webhook, name="webhook"),
    path("api/openapi.json", docs.openapi, name="api_openapi"),
    path("api/docs", docs.page, name="api_docs"),
    *rest.addresses("api/"),
    re_path("^api/", door(rest.unknown_endpoint, None), name="api_unknown"),
]
