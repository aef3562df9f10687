"""Ends 1 when a committed .mo file does not say the same as its .po file."""

import sys
from pathlib import Path

import polib


def stale(source: Path) -> bool:
    compiled = source.with_suffix(".mo")
    if not compiled.exists():
        return True
    wanted = {(e.msgctxt, e.msgid): e for e in polib.pofile(str(source)).translated_entries()}
    found = {(e.msgctxt, e.msgid): e for e in polib.mofile(str(compiled))}
    same = wanted.keys() == found.keys()
    return not same or any(
        (entry.msgstr, list(entry.msgstr_plural.values()))
        != (found[key].msgstr, list(found[key].msgstr_plural.values()))
        for key, entry in wanted.items()
    )


def main() -> int:
    locale = Path(__file__).resolve().parent.parent / "locale"
    bad = [source for source in sorted(locale.rglob("*.po")) if stale(source)]
    for source in bad:
        print(f"{source.relative_to(locale.parent)}: run `python manage.py compilemessages`")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
