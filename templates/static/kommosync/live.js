/* Renews the parts of a page while a run is at work: asks data-ks-live, replaces the elements it names by id.
   data-ks-end="renew": the last answer has all that changes with the end, so that the page need not be loaded again.
   data-ks-once: the page is about one run, so asking ends with it; otherwise idle pages ask slowly. */
"use strict";
(function () {
    const root = document.querySelector("[data-ks-live]");
    if (!root) {
        return;
    }
    const BUSY = 2000;
    const IDLE = 15000;
    const TRIES = 5;
    const shown = new Map();
    let open = root.dataset.ksOpen === "yes";
    let failures = 0;

    function renew(id, html) {
        const element = document.getElementById(id);
        if (!element || shown.get(id) === html) {
            return;
        }
        shown.set(id, html);
        const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        element.innerHTML = html;
        if (focused) {
            const again = Array.from(element.querySelectorAll("a")).find((link) => link.getAttribute("href") === focused);
            if (again) {
                again.focus();
            }
        }
    }

    function stop() {
        const note = document.createElement("p");
        note.className = "ks-notice ks-warn";
        note.setAttribute("role", "status");
        note.textContent = root.dataset.ksStopped;
        root.prepend(note);
    }

    async function ask() {
        const response = await fetch(root.dataset.ksLive, {
            headers: { Accept: "application/json" },
            credentials: "same-origin",
            redirect: "error",
        });
        if (!response.ok) {
            throw new Error(String(response.status));
        }
        return response.json();
    }

    async function tick() {
        if (document.hidden) {
            plan();
            return;
        }
        try {
            const answer = await ask();
            failures = 0;
            if (open && !answer.open && root.dataset.ksEnd !== "renew") {
                window.location.reload();  // the buttons and the tables below have changed too
                return;
            }
            open = answer.open;
            Object.entries(answer.parts).forEach(([id, html]) => renew(id, html));
        } catch (error) {
            failures += 1;
        }
        if (failures >= TRIES) {
            stop();
            return;
        }
        plan();
    }

    function plan() {
        if (open || root.dataset.ksOnce !== "yes") {
            window.setTimeout(tick, open ? BUSY : IDLE);
        }
    }

    plan();
})();
