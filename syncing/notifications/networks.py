"""Which network addresses are private: not for messages, unless the operator allows it. No Django, no name is shown."""

import ipaddress
import socket
import threading

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64 = ipaddress.ip_network("64:ff9b::/96")
METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})  # Azure's, at an address that looks public
LOCAL_NAMES = (".localhost", ".local", ".localdomain", ".internal", ".home.arpa")
LONGEST_LOOKUP = 5.0  # seconds


def is_private(address: Address) -> bool:
    """Tells whether an address is of a private net, of this machine, of its neighbours, reserved, or for many.

    An address of IPv6 that stands for one of IPv4 is what that one is.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if (inner := _inner(address)) is not None:
            return is_private(inner)
        if address.is_site_local:
            return True
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified or address in METADATA
    return is_odd or not address.is_global


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Returns the address of IPv4 that is written in one of IPv6: mapped, compatible, 6to4, Teredo, or NAT64."""
    if address in NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo


def literal(host: str) -> Address | None:
    """Returns the address that `host` is, in every way of writing that a connection would take (127.1, 0x7f000001)."""
    host = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, ValueError):
        return None


def leads_to_private(host: str) -> bool:
    """Tells whether a host is a private address, or a name of one. A name that is not known leads nowhere: False."""
    if (address := literal(host)) is not None:
        return is_private(address)
    name = f".{host.rstrip('.').lower()}"
    return name.endswith(LOCAL_NAMES) or any(map(is_private, addresses_of(host)))


def addresses_of(host: str) -> list[Address]:
    """Returns the addresses of a name; none when it is not known within LONGEST_LOOKUP seconds."""
    addresses: list[Address] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        addresses.extend(ipaddress.ip_address(answer[4][0]) for answer in answers)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LONGEST_LOOKUP)
    return list(addresses)
