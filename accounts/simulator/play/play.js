/* Keeps the page as it is now without a jump: asks for it again every two seconds, and after a button at once. Without
   this script the same forms work by themselves. data-part: a part that is renewed; "mine": only after one's own deed,
   as somebody may be typing there. */
"use strict";
(function () {
    const EVERY = 2000;
    const TRIES = 3;
    const shown = new Map();
    let failures = 0;
    let busy = false;

    function opened(part) {
        return Array.from(part.querySelectorAll("details[data-keep][open]"), (each) => each.dataset.keep);
    }

    function renew(part, fresh, isMine) {
        const html = fresh.innerHTML;
        const isInUse = part.dataset.part === "mine" || part.querySelector("details[open]:not([data-keep])");
        if (shown.get(part.id) === html || (isInUse && !isMine)) {
            return;
        }
        shown.set(part.id, html);
        const open = opened(part);
        const chosen = Array.from(part.querySelectorAll("select"), (each) => each.value);
        const active = part.contains(document.activeElement) ? document.activeElement : null;
        const again = active && (active.id ? `#${active.id}` : active.href && `a[href="${active.getAttribute("href")}"]`);
        part.replaceChildren(...document.adoptNode(fresh).childNodes);
        open.forEach((keep) => part.querySelector(`[data-keep="${keep}"]`)?.setAttribute("open", ""));
        part.querySelectorAll("select").forEach((each, at) => {
            if (Array.from(each.options).some((option) => option.value === chosen[at])) {
                each.value = chosen[at];
            }
        });
        if (again) {
            part.querySelector(again)?.focus({ preventScroll: true });
        }
    }

    function show(text, isMine) {
        const fresh = new DOMParser().parseFromString(text, "text/html");
        document.querySelectorAll("[data-part]").forEach((part) => {
            const other = fresh.getElementById(part.id);
            if (other) {
                renew(part, other, isMine);
            }
        });
    }

    async function ask(address, options) {
        const answer = await fetch(address, { credentials: "omit", ...options });
        return answer.text();
    }

    function silent(isSilent) {
        document.getElementById("silent")?.remove();
        if (isSilent) {
            const note = document.createElement("p");
            note.id = "silent";
            note.setAttribute("role", "alert");
            note.textContent = document.body.dataset.silent;
            document.querySelector("main").prepend(note);
        }
    }

    async function tick() {
        if (!document.hidden && !busy) {
            try {
                const text = await ask(document.body.dataset.here);
                failures = 0;
                silent(false);
                if (!busy) {
                    show(text, false);
                }
            } catch (error) {
                failures += 1;
                silent(failures >= TRIES);
            }
        }
        window.setTimeout(tick, EVERY);
    }

    async function send(form, button) {
        busy = true;
        try {
            const body = new URLSearchParams(new FormData(form, button));
            const address = button?.hasAttribute("formaction") ? button.formAction : form.action;
            show(await ask(address, { method: "POST", body }), true);
            if (!document.querySelector("#happened .refused")) {
                form.querySelectorAll("input").forEach((input) => { input.value = input.defaultValue; });
            }
        } catch (error) {
            silent(true);
        }
        busy = false;
    }

    document.querySelectorAll("[data-part]").forEach((part) => shown.set(part.id, part.innerHTML));
    document.addEventListener("submit", (event) => {
        if (event.target.method === "post") {
            event.preventDefault();
            if (!busy) {
                send(event.target, event.submitter);
            }
        }
    });
    document.querySelector("#choice select")?.addEventListener("change", (event) => event.target.form.submit());
    window.setTimeout(tick, EVERY);
})();
