/* The key that an element names in data-ks-key puts the cursor there, unless somebody is writing. */
"use strict";
document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input, textarea, select, [contenteditable]");
    if (writes || event.ctrlKey || event.metaKey || event.altKey) {
        return;
    }
    const wanted = document.querySelector(`[data-ks-key="${CSS.escape(event.key)}"]`);
    if (wanted) {
        event.preventDefault();
        wanted.focus();
        wanted.select();
    }
});
