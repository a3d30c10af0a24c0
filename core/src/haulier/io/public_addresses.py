"""Which addresses files may be fetched from: public ones, and those that a person allowed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from haulier.errors import RecordError

__all__ = ["Allowed", "is_public"]

# Where a cloud keeps what only its own machines may know, besides what is link-local.
_METADATA = tuple(
    map(
        ip_network,
        (
            "100.100.100.200/32",  # https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata/
            # https://docs.aws.amazon.com/whitepapers/latest/ipv6-on-aws/supporting-amazon-vpc-services.html
            "fd00:ec2::/32",
            "fd20:ce::254/128",  # https://cloud.google.com/compute/docs/metadata/querying-metadata
            "192.0.0.192/32",  # Oracle Cloud
            # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
            "168.63.129.16/32",
        ),
    )
)
# What `is_global` of some version of Python takes for public and is not:
# https://www.iana.org/assignments/iana-ipv4-special-registry/ and .../iana-ipv6-special-registry/
_NOT_PUBLIC = (
    *_METADATA,
    *map(
        ip_network,
        (
            "192.0.0.0/24",  # of protocols
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # of protocols, Teredo among them
            "3fff::/20",  # documentation
        ),
    ),
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # https://www.rfc-editor.org/rfc/rfc6052#section-2.1
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # https://www.rfc-editor.org/rfc/rfc5214#section-6.1


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one that anybody may reach; of one that carries another, whether both are."""
    if isinstance(address, IPv6Address):
        if (carried := _carried(address)) is not None:
            return is_public(carried)
        if address not in _GLOBAL_UNICAST:
            return False
        if address.sixtofour is not None and not is_public(address.sixtofour):
            return False
        if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address.is_global and not address.is_multicast and not _within(address, _NOT_PUBLIC)


class Allowed:
    """What may be connected to. allow: names, `host:port` or networks, besides public addresses."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._names = set(allow)
        self._networks = [ip_network(one) for one in allow if _is_network(one)]

    def of(self, name: str, port: int, addresses: Sequence[str]) -> list[str]:
        """Those of the addresses of a name that may be connected to, in order; RecordError where none may."""
        if name in self._names or f"{name}:{port}" in self._names:
            return list(addresses)
        good = [address for address in addresses if self._may(address)]
        if not good:
            # `allow` takes no port behind an IPv6 address.
            entry = name if ":" in name else f"{name}:{port}"
            raise RecordError(
                f"{entry} leads to {', '.join(addresses)}, which is no public address; {_way_out(entry, addresses)}"
            )
        return good

    def _may(self, written: str) -> bool:
        try:
            address = ip_address(written)
        except ValueError:
            return False
        return _within(address, self._networks) or is_public(address)


def _way_out(entry: str, addresses: Sequence[str]) -> str:
    """What to do where nothing is fetched from a host."""
    metadata = [one for one in addresses if _is_metadata(ip_address(one))]
    if metadata:
        return (
            f"{metadata[0]} is where a cloud keeps its machines' metadata, secrets among them, never a file of a "
            "record: mend the URL"
        )
    return f"where files may be fetched from there all the same, write `{entry}` in `fetch.allow`"


def _is_metadata(address: IPv4Address | IPv6Address) -> bool:
    """Whether a cloud's metadata may stand there: any that is link-local, and what some have elsewhere."""
    carried = _carried(address)
    if carried is not None:
        return _is_metadata(carried)
    return address.is_link_local or _within(address, _METADATA)


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that stands for this one, mapped or behind NAT64."""
    if not isinstance(address, IPv6Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


def _within(address: IPv4Address | IPv6Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address.version == net.version and address in net for net in networks)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
