"""DID and DID URL syntax (DID 1.1 §3), did:key and did:web identifiers, dereferencing, media ranges."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.clock import ManualClock
from lianzheng.encoding.multikey import BLS12381_G2_PUB, ED25519_PUB, P256_PUB, P384_PUB, encode_multikey
from lianzheng.errors import FormatError, RefusedError
from lianzheng.identity.resolution.did_key import key_document
from lianzheng.identity.resolution.did_web import WebDriver, document_url
from lianzheng.identity.resolution.media import choose
from lianzheng.identity.resolution.model import Options, date_time, read_date_time
from lianzheng.identity.resolution.resolver import Resolver, read_request
from lianzheng.identity.resolution.url import parse_did, parse_did_url, parse_query
from lianzheng.limits import DID_WEB_CACHE_MAX, DID_WEB_CACHE_MS


@pytest.mark.parametrize(
    "text",
    [
        "did:a:b",
        "did:example:123",
        "did:web:w3c.github.io%3A443:a",
        "did:x:a:b:c",
        "did:x::c",
        "did:1:_.-",
        "did:x:%C3%A9",
    ],
)
def test_dids(text: str) -> None:
    assert parse_did(text).did == text


@pytest.mark.parametrize(
    "text",
    ["", "did", "did:", "did:a", "did:a:", "did:a:b:", "DID:a:b", "did:A:b", "did:a-b:c", "did:a:b%2", "did:a:b%zz",
     "did:a:é", "did:a:b c", " did:a:b", "did:a:b\n", "did:a:b/c", "did:a:b?c", "did:a:b#c", "did:a:" + "b" * 2048],
)  # fmt: skip
def test_no_dids(text: str) -> None:
    with pytest.raises(FormatError, match="did_invalid"):
        parse_did(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("did:a:b", ("", None, None)),
        ("did:a:b/", ("/", None, None)),
        ("did:a:b/c/%20d;e", ("/c/%20d;e", None, None)),
        ("did:a:b?", ("", "", None)),
        ("did:a:b?x=/?y#", ("", "x=/?y", "")),
        ("did:a:b#f/?", ("", None, "f/?")),
        ("did:a:b/p?q#f", ("/p", "q", "f")),
        ("did:a:b#f?q", ("", None, "f?q")),
    ],
)
def test_did_urls(text: str, parts: tuple[str, str | None, str | None]) -> None:
    url = parse_did_url(text)
    assert (url.did, (url.path, url.query, url.fragment)) == ("did:a:b", parts)


@pytest.mark.parametrize(
    "text", ["did:a#b", "did:a:b#c#d", "did:a:b/ ", "did:a:b?%", "did:a:b#[", "x?y", "did:a:b?\n", "/"]
)
def test_no_did_urls(text: str) -> None:
    with pytest.raises(FormatError, match="did_url_invalid"):
        parse_did_url(text)


@given(st.text(max_size=60) | st.from_regex(r"did:[a-z0-9]{1,5}:[A-Za-z0-9._:%-]{0,20}[/?#a-z%]{0,10}", fullmatch=True))
def test_a_did_url_is_its_parts(text: str) -> None:
    try:
        url = parse_did_url(text)
    except FormatError as error:
        assert error.code in ("did_invalid", "did_url_invalid")
        return
    query = "" if url.query is None else "?" + url.query
    fragment = "" if url.fragment is None else "#" + url.fragment
    assert url.did + url.path + query + fragment == text
    assert url.did == f"did:{url.method}:{url.specific}"


def test_parameters_are_percent_decoded_and_come_once() -> None:
    assert parse_query("service=a%26b&relativeRef=%2Fc%3Fd+e&x=") == {
        "service": "a&b",
        "relativeRef": "/c?d+e",
        "x": "",
    }
    for bad in ("a=1&a=1", "=1", "a=%ff", "&"):
        with pytest.raises(FormatError, match="did_options_invalid"):
            parse_query(bad)


@pytest.mark.parametrize(
    ("codec", "key"),
    [(P256_PUB, b"\2" + b"\xff" * 32), (P384_PUB, b"\2" + b"\xff" * 48), (ED25519_PUB, b"\1" + bytes(31)),
     (BLS12381_G2_PUB, b"\xc0" + bytes(95)), (BLS12381_G2_PUB, b"\x80" + b"\1" * 95), (0xE7, b"\2" * 33)],
)  # fmt: skip
def test_a_did_key_without_a_point_of_its_curve_is_none(codec: int, key: bytes) -> None:
    with pytest.raises(FormatError, match="did_invalid"):
        key_document(encode_multikey(codec, key))


@pytest.mark.parametrize(
    ("specific", "url"),
    [
        ("w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
        ("w3c-ccg.github.io:user:alice", "https://w3c-ccg.github.io/user/alice/did.json"),
        ("example.com%3A3000:user:alice", "https://example.com:3000/user/alice/did.json"),
        ("EXAMPLE.com", "https://example.com/.well-known/did.json"),
    ],
)
def test_did_web_addresses(specific: str, url: str) -> None:
    """The first three are the examples of the did:web specification."""
    assert document_url(specific) == url


@pytest.mark.parametrize(
    "specific",
    ["127.0.0.1", "1", "0x7f000001", "0x7f.1", "2130706433", "%5B%3A%3A1%5D", "a..b", "-a.b", "a.b%3A0", "a.b%3A99999",
     "a%2Fb", "user%40a.b", "a.b:..", "a.b:.", "a.b:%2e%2e", "a.b:c%2Fd", "a.b:c%3Fd", "a.b:c%23", "a.b:%5C", "a.b::c",
     "a.b:%0a"],
)  # fmt: skip
def test_did_web_leads_to_named_hosts_and_plain_paths_only(specific: str) -> None:
    with pytest.raises(FormatError, match="did_invalid"):
        document_url(specific)


class Pages:
    def __init__(self, body: bytes) -> None:
        self.body, self.asked = body, 0

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        return self.body


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"id": "did:web:other.example"}', b"{}", b'{"id": "did:web:a.example", "id": 1}', b"\xff"]
)
def test_a_published_document_that_is_none_is_refused(body: bytes) -> None:
    driver = WebDriver(Pages(body), ManualClock())
    with pytest.raises(FormatError, match="did_document_invalid"):
        asyncio.run(driver.resolve(parse_did("did:web:a.example"), Options()))


def test_documents_are_remembered_for_a_minute_and_so_many_only() -> None:
    clock = ManualClock()
    pages = Pages(b'{"id": "did:web:a.example"}')
    driver = WebDriver(pages, clock)

    def ask() -> Any:
        return asyncio.run(driver.resolve(parse_did("did:web:a.example"), Options()))

    assert ask() == ask()
    assert pages.asked == 1
    clock.advance(DID_WEB_CACHE_MS)
    ask()
    assert pages.asked == 2
    for number in range(DID_WEB_CACHE_MAX):
        pages.body = b'{"id": "did:web:n%d.example"}' % number
        asyncio.run(driver.resolve(parse_did(f"did:web:n{number}.example"), Options()))
    pages.body = b'{"id": "did:web:a.example"}'
    ask()
    assert pages.asked == 3 + DID_WEB_CACHE_MAX


DOCUMENT = (
    b'{"id": "did:web:a.example", "authentication": [{"id": "#in", "type": "Multikey"}, "#m"],'
    b'"verificationMethod": [{"id": "#m"}], "service": [{"id": "#s", "type": ["A", "B"], "serviceEndpoint":'
    b' ["javascript:alert(1)", {"uri": "https://x.example/"}, "https://a.example/s#f"]}]}'
)


def _dereference(text: str) -> Any:
    url = parse_did_url(text)
    resolver = Resolver({"web": WebDriver(Pages(DOCUMENT), ManualClock())})
    return asyncio.run(resolver.dereference(url, read_request(url.parameters)))


def test_embedded_methods_are_found_and_authorised() -> None:
    assert _dereference("did:web:a.example#in").content["id"] == "#in"
    assert _dereference("did:web:a.example?verificationRelationship=authentication#in").content["id"] == "#in"
    assert _dereference("did:web:a.example?verificationRelationship=authentication#m").content["id"] == "#m"


def test_only_web_addresses_are_given_out() -> None:
    assert _dereference("did:web:a.example?serviceType=B").urls == ("https://a.example/s#f",)
    assert _dereference("did:web:a.example?service=s&relativeRef=t").urls == ("https://a.example/t",)
    with pytest.raises(FormatError, match="did_url_invalid"):
        _dereference("did:web:a.example?service=s#g")
    for away in ("//b.example/", "http://a.example/", "https://a.example:8/", "%5C%5Cb.example", "/x%20y"):
        with pytest.raises(FormatError, match="did_url_invalid"):
            _dereference(f"did:web:a.example?service=s&relativeRef={away}")
    for harmless in ("/%0d%0ax", "https:x"):  # what is joined to the endpoint, line ends dropped
        assert _dereference(f"did:web:a.example?service=s&relativeRef={harmless}").urls == ("https://a.example/x",)


@given(st.text(max_size=40))
def test_any_accept_is_answered_or_refused_by_code(accept: str) -> None:
    try:
        choose(accept, dereferences=False, services=False)
    except (FormatError, RefusedError) as error:
        assert error.code in ("did_options_invalid", "did_representation_unsupported")


def test_times_are_seconds_and_name_all_of_them() -> None:
    assert date_time(1_790_000_000_999) == "2026-09-21T14:13:20Z"
    assert read_date_time("2026-09-21T14:13:20Z") == 1_790_000_000_999
    for bad in (
        "2026-09-21",
        "2026-02-30T00:00:00Z",
        "2026-09-21T14:13:20+08:00",
        "2026-09-21T14:13:20.5Z",
        "2026-09-21T24:00:00Z",
    ):
        with pytest.raises(FormatError, match="did_options_invalid"):
            read_date_time(bad)
