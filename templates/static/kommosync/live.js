/* Renews the parts of a page: asks data-ks-live, and makes each element that the answer names like its new HTML.
   Only what differs is touched, so focus, selection, scrolling, open details and half-filled forms stay.
   data-ks-once: the page is about one thing, so asking ends with it; otherwise idle pages ask slowly. */
"use strict";
(function () {
    const root = document.querySelector("[data-ks-live]");
    if (!root) {
        return;
    }
    const BUSY = 2000;
    const IDLE = 15000;
    const HIDDEN = 60000;
    const MOST = 30000;  // between two tries while the server is away
    const PATIENCE = 30000;  // for an answer; without an end a request that nobody answers would end all asking
    const note = document.createElement("p");
    let open = root.dataset.ksOpen === "yes";
    let etag = "";
    let failures = 0;
    let timer = 0;

    /* Two nodes with the same key are the same thing: a row is told by data-ks-row, or by its first link. */
    function key(node) {
        if (node.nodeType !== Node.ELEMENT_NODE) {
            return node.nodeName;
        }
        const link = node.matches("a") ? node : node.matches("li, tr") ? node.querySelector("a") : null;
        return [node.nodeName, node.id, node.dataset.ksRow || (link && link.getAttribute("href")) || ""].join(" ");
    }

    /* Returns the places [in one, in other] of the longest sequence of keys that both lists have. */
    function common(one, other) {
        const pairs = [];
        let start = 0;
        let ends = [one.length, other.length];
        for (; start < Math.min(...ends) && one[start] === other[start]; start += 1) {
            pairs.push([start, start]);
        }
        const tail = [];
        for (; Math.min(...ends) > start && one[ends[0] - 1] === other[ends[1] - 1]; ends = ends.map((end) => end - 1)) {
            tail.unshift(ends.map((end) => end - 1));
        }
        const left = one.slice(start, ends[0]);
        const right = other.slice(start, ends[1]);
        const longest = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
        for (let i = left.length - 1; i >= 0; i -= 1) {
            for (let j = right.length - 1; j >= 0; j -= 1) {
                longest[i][j] = left[i] === right[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
            }
        }
        for (let i = 0, j = 0; i < left.length && j < right.length;) {
            if (left[i] === right[j]) {
                pairs.push([start + i, start + j]);
                i += 1;
                j += 1;
            } else if (longest[i + 1][j] >= longest[i][j + 1]) {
                i += 1;
            } else {
                j += 1;
            }
        }
        return pairs.concat(tail);
    }

    function follow(old, fresh) {
        if (old.isEqualNode(fresh)) {
            return;
        }
        if (old.nodeType !== Node.ELEMENT_NODE) {
            old.nodeValue = fresh.nodeValue;
            return;
        }
        const names = new Set([...old.getAttributeNames(), ...fresh.getAttributeNames()]);
        if (old.matches("details")) {
            names.delete("open");  // whoever reads has opened or closed it
        }
        names.forEach((name) => {
            if (!fresh.hasAttribute(name)) {
                old.removeAttribute(name);
            } else if (old.getAttribute(name) !== fresh.getAttribute(name)) {
                old.setAttribute(name, fresh.getAttribute(name));
            }
        });
        followChildren(old, fresh);
    }

    function followChildren(old, fresh) {
        const present = Array.from(old.childNodes);
        const wanted = Array.from(fresh.childNodes);
        const pairs = common(present.map(key), wanted.map(key));
        const stays = new Map(pairs.map(([one, other]) => [wanted[other], present[one]]));
        const staying = new Set(stays.values());
        present.filter((each) => !staying.has(each)).forEach((each) => each.remove());
        let last = null;
        wanted.forEach((each) => {
            const known = stays.get(each);
            if (known) {
                follow(known, each);
            } else {
                old.insertBefore(each, last ? last.nextSibling : old.firstChild);
            }
            last = known || each;
        });
    }

    function renew(id, html) {
        const element = document.getElementById(id);
        const token = document.querySelector("[name=csrfmiddlewaretoken]");
        if (!element) {
            return;
        }
        const template = document.createElement("template");
        template.innerHTML = html;
        if (token) {  // answers hold none, as each would have another
            template.content.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((each) => each.setAttribute("value", token.value));
        }
        followChildren(element, template.content);
    }

    /* Says a sentence where it moves nothing, to those who hear the page as well. */
    function say(text) {
        if (note.textContent !== text) {
            note.textContent = text;
        }
    }

    /* Ends the renewal for good, and offers to load the page again. */
    function stop(text) {
        const link = document.createElement("a");
        link.href = window.location.href;
        link.textContent = root.dataset.ksReload;
        say(text);
        note.append(" ", link);
    }

    /* Renews what has changed. Returns why there is nothing to ask for any more, or "". */
    async function ask() {
        const headers = { Accept: "application/json" };
        if (etag) {
            headers["If-None-Match"] = etag;  // so the browser hands the 304 on; its cache keeps nothing of ours
        }
        const signal = AbortSignal.timeout(PATIENCE);
        const response = await fetch(root.dataset.ksLive, { headers, credentials: "same-origin", redirect: "manual", signal });
        const type = response.headers.get("Content-Type") || "";
        if (response.type === "opaqueredirect" || (response.ok && !type.startsWith("application/json"))) {
            return root.dataset.ksEnded;  // the login page
        }
        if (response.status === 403 || response.status === 404) {
            return root.dataset.ksStopped;
        }
        if (response.status !== 304) {
            if (!response.ok) {
                throw new Error(String(response.status));
            }
            const answer = await response.json();
            etag = "";  // whatever fails half-way is asked for again
            Object.entries(answer.parts).forEach(([id, html]) => renew(id, html));
            etag = response.headers.get("ETag") || "";
            open = answer.open;
        }
        return "";
    }

    async function tick() {
        timer = 0;
        try {
            const end = await ask();
            if (end) {
                stop(end);
                return;
            }
            failures = 0;
            say("");
        } catch (error) {
            failures += 1;
            if (failures > 1) {  // once may be a server that starts again
                say(root.dataset.ksAway);
            }
        }
        plan();
    }

    function plan() {
        if (open || root.dataset.ksOnce !== "yes" || failures) {
            const pace = failures ? Math.min(BUSY * 2 ** (failures - 1), MOST) : open ? BUSY : IDLE;
            timer = window.setTimeout(tick, document.hidden ? Math.max(pace, HIDDEN) : pace);
        }
    }

    note.className = "ks-live-note ks-notice ks-warn";
    note.setAttribute("role", "status");
    root.append(note);
    document.addEventListener("visibilitychange", () => {
        if (timer && !document.hidden) {
            window.clearTimeout(timer);
            tick();
        }
    });
    plan();
})();
