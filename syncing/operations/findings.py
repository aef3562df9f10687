"""A finding of `doctor` on one subject, and its text."""

from collections.abc import Iterator
from dataclasses import dataclass

OK, WARN, FAIL = "OK", "WARN", "FAIL"


@dataclass(frozen=True)
class Finding:
    level: str
    subject: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        todo = f"\n{'':6}{'':13}-> {self.remedy}" if self.remedy and self.level != OK else ""
        return f"{self.level:<6}{self.subject:<13}{self.message}{todo}"


Findings = Iterator[Finding]
