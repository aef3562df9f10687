"""The address that a visitor comes from."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

from syncing import conf


def client_address(request: HttpRequest) -> str:
    """Returns the address that the outermost of our proxies saw; without PROXIES, who connects.

    X-Forwarded-For is believed as far as our own proxies wrote it: its last entries. Of an IPv6 address the first
    64 bits count, because a visitor has all the others to choose from.
    """
    connects = str(request.META.get("REMOTE_ADDR", ""))
    hops = [*request.headers.get("X-Forwarded-For", "").split(","), connects]
    proxies = conf.proxies()
    hop = hops[-1 - proxies].strip() if proxies < len(hops) else connects
    return _normal(hop) or _normal(connects) or "0.0.0.0"  # noqa: S104  (no address to bind to)


def _normal(text: str) -> str:
    """Returns the address without a port that a proxy added (203.0.113.7:4711, [2001:db8::1]:4711), "" for none."""
    host = text.rpartition(":")[0] if text.count(":") == 1 else text
    try:
        address = ip_address(host.removeprefix("[").partition("]")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)
