"""How a page looks in a real browser: what is too wide on it, and what axe finds."""

from pathlib import Path
from typing import Any

AXE = Path(__file__).resolve().parents[2] / ".ci" / "node_modules" / "axe-core" / "axe.min.js"
NO_AXE = "needs axe-core: npm install --prefix .ci --no-package-lock"
# What a person can press that lies, wholly or partly, where an inner area has to be scrolled sideways first.
OUT_OF_SIGHT = """Array.from(document.querySelectorAll('.ks-scroll')).flatMap(area => {
    const edge = area.getBoundingClientRect().right + 1;
    const controls = Array.from(area.querySelectorAll('a, button, input, select, summary'));
    const hidden = controls.filter(each => each.checkVisibility() && each.getBoundingClientRect().right > edge);
    return hidden.map(each => each.outerHTML.slice(0, 120));
})"""
# What is smaller than a finger needs (WCAG 2.5.8), with its size; a link within a sentence is as high as its line.
SMALL_TARGETS = """Array.from(
    document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')
).filter(each => {
    const isBig = box => Math.round(box.width) >= 24 && Math.round(box.height) >= 24;
    const boxes = [each, ...(each.labels || [])].map(one => one.getBoundingClientRect());
    const texts = Array.from(each.parentElement.childNodes).filter(node => node.nodeType === Node.TEXT_NODE);
    const isInSentence = each.matches('a') && getComputedStyle(each).display === 'inline'
        && texts.some(node => /[\\p{L}\\d]{2}/u.test(node.textContent));
    const isHidden = each.closest('.visually-hidden, .skip-to-content-link') || !each.checkVisibility();
    return !isHidden && !isInSentence && !boxes.some(isBig);
}).map(each => {
    const box = each.getBoundingClientRect();
    return `${Math.round(box.width)} x ${Math.round(box.height)}: ${each.outerHTML.slice(0, 120)}`;
})"""
# The dark page is the light one in other colours: what axe says of anything else would be the same.
SCHEMES = {"light": "{}", "dark": "{runOnly: ['color-contrast', 'link-in-text-block']}"}


def excess(page: Any) -> int:
    """By how many pixels the page is wider than the screen; waits for the page with its style sheets first."""
    page.wait_for_load_state()
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def out_of_sight(page: Any) -> list[str]:
    """The controls of tables that nobody sees before scrolling the table sideways."""
    return list(page.evaluate(OUT_OF_SIGHT))


def small_targets(page: Any) -> list[str]:
    """The controls that a finger can hardly hit."""
    return list(page.evaluate(SMALL_TARGETS))


def violations(page: Any) -> dict[tuple[str, str], list[str]]:
    """What axe finds on the page that is open, by scheme and rule; nothing where axe is not installed."""
    found: dict[tuple[str, str], list[str]] = {}
    if not AXE.exists():
        return found
    page.wait_for_load_state()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme, rules in SCHEMES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colours that are on their way count for none
        for violation in page.evaluate(f"axe.run({rules}).then(result => result.violations)"):
            found[scheme, violation["id"]] = [node["html"][:160] for node in violation["nodes"]][:3]
    page.context.complaints.clear()  # of what axe does to the page, and that it answered 404 or 400
    return found
