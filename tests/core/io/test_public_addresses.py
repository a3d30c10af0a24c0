"""Which addresses files may be fetched from, and what a person may add to them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from haulier.errors import RecordError
from haulier.io.public_addresses import Allowed, is_public
from haulier.model.fetch import Fetch

REFUSED = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "metadata": ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"],
    "shared by carriers": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "2001:db8::1", "3fff::1"],
    "site-local": ["fec0::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"],
    "compatible": ["::127.0.0.1", "::8.8.8.8"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"],
    "6to4": ["2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::"],
    "Teredo": ["2001::1", "2001:0:7f00:1::1"],
    "ISATAP": ["2a00::5efe:127.0.0.1", "2a00::200:5efe:10.0.0.1"],
}
PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:2800:220:1:248:1893:25c8:1946",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("written", [one for kind in REFUSED.values() for one in kind])
def test_what_is_not_for_everybody_is_not_public(written: str) -> None:
    assert not is_public(ip_address(written))
    with pytest.raises(RecordError, match="which is no public address"):
        Allowed([]).of("pictures.example", 443, [written])


@pytest.mark.parametrize("written", PUBLIC)
def test_what_everybody_may_reach_is_public(written: str) -> None:
    assert is_public(ip_address(written))


def test_of_several_addresses_only_the_public_ones_are_connected_to() -> None:
    assert Allowed([]).of("a.example", 80, ["10.0.0.1", "8.8.8.8", "::1", "8.8.4.4"]) == [
        "8.8.8.8",
        "8.8.4.4",
    ]


@pytest.mark.parametrize("allow", ["intern.example", "intern.example:8000", "10.1.0.0/16", "10.1.2.3"])
def test_a_name_a_port_of_it_or_a_network_may_be_allowed(allow: str) -> None:
    assert Allowed([allow]).of("intern.example", 8000, ["10.1.2.3"]) == ["10.1.2.3"]


@pytest.mark.parametrize("allow", ["intern.example:8001", "other.example", "10.2.0.0/16", "fd00::/8"])
def test_what_is_allowed_is_nothing_beside_it(allow: str) -> None:
    with pytest.raises(RecordError) as refused:
        Allowed([allow]).of("intern.example", 8000, ["10.1.2.3"])
    assert str(refused.value) == (
        "intern.example:8000 leads to 10.1.2.3, which is no public address; where files may be fetched from there all "
        "the same, write `intern.example:8000` in `fetch.allow`"
    )


@pytest.mark.parametrize("name", ["intern.example", "::1"])
def test_what_a_refusal_says_to_allow_allows_it(name: str) -> None:
    with pytest.raises(RecordError) as refused:
        Allowed([]).of(name, 8000, ["::1"])
    entry = str(refused.value).split("`")[1]
    assert Allowed(Fetch(allow=[entry]).allow).of(name, 8000, ["::1"]) == ["::1"]


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fe80::1%eth0",
        "100.100.100.200",
        "64:ff9b::6464:64c8",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    ],
)
def test_nobody_is_told_to_allow_what_may_be_a_clouds_metadata(address: str) -> None:
    with pytest.raises(RecordError) as refused:
        Allowed([]).of("meta.example", 80, ["10.0.0.1", address])
    assert str(refused.value) == (
        f"meta.example:80 leads to 10.0.0.1, {address}, which is no public address; {address} is where a cloud keeps "
        "its machines' metadata, secrets among them, never a file of a record: mend the URL"
    )


@pytest.mark.parametrize("port", [0, 65_536, 99_999])
def test_a_port_that_no_host_has_is_refused_where_it_is_written(port: int) -> None:
    with pytest.raises(ValidationError, match=f"'a.example:{port}' has no port of a host: write 1 to 65535"):
        Fetch(allow=[f"a.example:{port}"])
    assert Fetch(allow=["a.example:65535"]).allow == ["a.example:65535"]


@pytest.mark.parametrize("wrong", ["http://a.example", "A.example", "10.1.0.300", "10.1.0.1/16", "a b", ""])
def test_what_allows_nothing_is_refused_where_it_is_written(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is no name and no network"):
        Fetch(allow=[wrong])
