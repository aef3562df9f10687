"""The account that an address means: named by the host (`north.anything`) or by the first part of the path."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

WWW = "www"
# Paths that stand at the root of a server too: the consent page and the look-up of a domain (docs/kommo.md 1.2, 1.6).
AT_ROOT = ("oauth", "oauth2")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address: `label` stands where an account's subdomain stands ("" at the root), `path` is behind it."""

    scheme: str
    host: str
    label: str
    path: str
    by_host: bool

    @property
    def base(self) -> str:
        """Returns the part of links before the path."""
        inside = f"/{self.label}" if self.label and not self.by_host else ""
        return f"{self.scheme}://{self.host}{inside}"

    def of(self, subdomain: str) -> str:
        """Returns the address of an account as it was asked, without scheme (docs/kommo.md 1.2: `referer`)."""
        if self.by_host:
            return f"{subdomain}.{self.host.partition('.')[2]}"
        return f"{self.host}/{subdomain}"

    @property
    def top_level_domain(self) -> str:
        """Returns the top-level domain (docs/kommo.md 1.6); a path-based address stands for one below kommo.com."""
        return self.host.partition(":")[0].rpartition(".")[2] if self.by_host else "com"


def parse(scheme: str, host: str, path: str, accounts: Container[str], names: Container[str]) -> Address:
    """Parses an address: `accounts` are the accounts of now, `names` other names of hosts (www, former accounts)."""
    label = host.partition(".")[0]
    first, _, rest = path[1:].partition("/")
    if first not in accounts:
        if label in accounts or label in names or first == "api":
            return Address(scheme, host, label, path, by_host=True)
        if first in AT_ROOT:
            return Address(scheme, host, "", path, by_host=False)
    return Address(scheme, host, first, "/" + rest, by_host=False)
