/* A box in the head of a list that ticks all of its boxes (data-ks-all: their name); hidden without scripts. */
"use strict";
for (const all of document.querySelectorAll("[data-ks-all]")) {
    const boxes = Array.from(all.form.elements).filter((each) => each.name === all.dataset.ksAll);
    const show = () => {
        const ticked = boxes.filter((each) => each.checked).length;
        all.checked = boxes.length > 0 && ticked === boxes.length;
        all.indeterminate = ticked > 0 && ticked < boxes.length;
    };
    all.hidden = false;
    all.addEventListener("change", () => boxes.forEach((each) => { each.checked = all.checked; }));
    boxes.forEach((each) => each.addEventListener("change", show));
    show();
}
