"""Sentences for people: English here, and in their reader's language wherever they are shown (`accounts.own_words`)."""


def gettext_noop(text: str) -> str:
    """Marks a sentence that pages translate; this room knows no Django, `makemessages` knows the name."""
    return text
