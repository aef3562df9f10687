"""Ends 1 when a text is not translated, or a committed .mo file does not say the same as its .po file."""

import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent


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


def missing(source: Path) -> int:
    catalogue = polib.pofile(str(source))
    return len(catalogue.untranslated_entries()) + len(catalogue.fuzzy_entries())


def name(source: Path) -> Path:
    return source.relative_to(ROOT)


def main() -> int:
    locale = ROOT / "locale"
    sources = sorted(locale.rglob("*.po"))
    complaints = [f"{name(source)}: run `python manage.py compilemessages`" for source in sources if stale(source)]
    complaints += [f"{name(source)}: {missing(source)} texts to translate" for source in sources if missing(source)]
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
