"""Makes the pictures in docs/pictures anew: a simulated Kommo, real commands, a real browser. See `make pictures`."""

import csv
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from syncing.operations.child_processes import free_port, wait_for_http, web_server  # noqa: E402
from syncing.operations.workspace import HOST, Workspace  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
SLAVES = 40
SETTINGS = {
    "KOMMO_RATE_PER_ACCOUNT": "50",
    "KOMMO_RATE_PER_IP": "0",
    "SYNC_TICK": "1",
    "TIME_ZONE": "America/Sao_Paulo",
}


def work(workspace: Workspace) -> str:
    """Makes an installation that has worked (a sync, edited accounts, a plan); returns the password of admin."""
    workspace.start_simulator("--accounts", str(SLAVES), "--limit-key", "none")
    (password,) = re.findall(r"shown only this once: (\S+)", workspace.setup())
    workspace.manage("import_accounts", str(workspace.csv), "--group", "Branches")
    workspace.manage("sync_all")
    workspace.manage("policy", "watch=apply")
    workspace.manage("schedule", "add", "--group", "Branches", "--kind", "drift", "--cron", "0 3 * * *")
    with workspace.csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[3:6]:
        rename_a_stage(workspace, row)
    workspace.manage("drift", "--check", expect=(0, 1))
    workspace.manage("sync_all", "--plan")
    workspace.start_worker()
    return password


def rename_a_stage(workspace: Workspace, account: dict[str, str]) -> None:
    api, headers = f"/{account['subdomain']}/api/v4/leads/pipelines", {"Authorization": f"Bearer {account['token']}"}
    pipelines = workspace.ask_simulator("GET", api, headers=headers)["_embedded"]["pipelines"]
    pipeline = max(pipelines, key=lambda each: len(each["_embedded"]["statuses"]))
    stage = pipeline["_embedded"]["statuses"][2]
    change = {"name": f"{stage['name']} (VIP)", "color": "#ff8f92"}
    workspace.ask_simulator("PATCH", f"{api}/{pipeline['id']}/statuses/{stage['id']}", change, headers)


def serve(workspace: Workspace) -> str:
    port = free_port(None, HOST)
    child = workspace.start("web", *web_server(HOST, port))
    wait_for_http(f"http://{HOST}:{port}/healthz", child, what="The web server", log=None, seconds=60)
    return f"http://{HOST}:{port}"


def take(page: Page, address: str, password: str) -> None:
    page.goto(address)
    page.fill("#id_username", "admin")
    page.fill("#id_password", password)
    page.click("[type=submit]")
    # A worker looks at what is due every SYNC_TICK seconds: then nothing is overdue, and the day is counted.
    page.wait_for_timeout(10_000)
    page.goto(address)
    page.screenshot(path=PICTURES / "overview.png")
    page.goto(f"{address}/drift/?state=drifted")
    page.locator("#content td a").first.click()
    page.locator("#content a[href^='/accounts/']").first.click()
    page.screenshot(path=PICTURES / "account.png")
    page.goto(f"{address}/runs/?mode=plan")
    page.locator("#content a[href*='/change/']").first.click()
    page.locator("#content a[href*='/plans/']").first.click()
    page.screenshot(path=PICTURES / "plan.png")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with tempfile.TemporaryDirectory() as folder, Workspace(Path(folder)) as workspace, sync_playwright() as driver:
        workspace.configure(SETTINGS)
        password = work(workspace)
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        take(browser.new_page(viewport={"width": 1280, "height": 860}), serve(workspace), password)
        browser.close()


if __name__ == "__main__":
    main()
