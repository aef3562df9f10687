/* Puts a button behind each id that copies it (data-ks-copy-name: what it is called where the id would be too long). Without scripts the id is selected by one click (user-select: all). */
"use strict";
for (const table of document.querySelectorAll("[data-ks-copy]")) {
    for (const id of table.querySelectorAll(".ks-id")) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "ks-copy";
        button.textContent = table.dataset.ksCopy;
        button.setAttribute("aria-label", `${table.dataset.ksCopy} ${table.dataset.ksCopyName || id.textContent}`);
        button.addEventListener("click", async () => {
            try {
                await navigator.clipboard.writeText(id.textContent);
            } catch (error) {  // not allowed without HTTPS: select it instead
                window.getSelection().selectAllChildren(id);
                return;
            }
            button.textContent = table.dataset.ksCopied;
            window.setTimeout(() => { button.textContent = table.dataset.ksCopy; }, 1500);
        });
        id.after(" ", button);
    }
}
