"""Texts of others in our messages: names come from Kommo, errors from servers. They say something and do nothing.

Whoever names a pipeline must not be able to call a whole chat room, to format our message, or to turn it around.
"""

import re
import unicodedata

LONGEST_NAME = 60  # characters
HIDDEN = "***"
JOINER = "\u200d"  # in emoji of several parts
# Signs that chat services take for mentions, formats or links, and what looks like them and is none.
IN_CHATS = str.maketrans({"@": "＠", "<": "‹", ">": "›", "*": "∗", "`": "ˋ", "~": "∼", "[": "［", "]": "］", "|": "¦"})
IN_CHATS |= str.maketrans({"#": "＃", "\\": "＼"})
UNDERSCORES = re.compile(r"(?<!\w)_+|_+(?!\w)")  # those inside of a word format nothing
TOKEN = re.compile(r"\beyJ[\w.-]{8,}|(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{32,}", re.ASCII)
NAMED_SECRET = re.compile(r"(?i)\b(bearer|token|secret|password|key)([=:\s\"']+)(?=\S*\d)[\w.~+/=-]{8,}")
ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://\S+")


def harmless(text: str, *, in_chat: bool, length: int = LONGEST_NAME) -> str:
    """Returns a text of others in one line, with at most `length` characters and without what could be a secret."""
    line = " ".join("".join(map(_visible, without_secrets(text))).split())
    if in_chat:
        line = UNDERSCORES.sub(lambda found: "＿" * len(found[0]), line.translate(IN_CHATS))
    line = line or ("?" if text else "")
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def without_secrets(text: str) -> str:
    """Hides what looks like a token, a key or an address; those that we know are in no message to begin with."""
    text = ADDRESS.sub(HIDDEN, text)
    text = NAMED_SECRET.sub(lambda found: f"{found[1]} {HIDDEN}", text)
    return TOKEN.sub(HIDDEN, text)


def _visible(character: str) -> str:
    """Returns the character, or a space for one that has no look of its own but turns or hides others."""
    category = unicodedata.category(character)
    if character == JOINER or category[0] not in "CZ" or category == "Cn":  # Cn: newer than our tables
        return character
    return "" if category == "Cf" else " "
