/* A button that prints the page; hidden without scripts, where the browser's own menu does it. */
"use strict";
for (const button of document.querySelectorAll("[data-ks-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
}
