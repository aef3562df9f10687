"""What a browser says of itself, in a few words."""

from django.utils.translation import gettext as _

# In this order: most browsers name the others, too.
BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def browser_of(agent: str) -> str:
    """Returns browser and system of a User-Agent header: "Firefox, Windows"; "" for one that was not stored."""
    named = [next((name for sign, name in each.items() if sign in agent), "") for each in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, named)) or (_("Another program") if agent else "")
