"""Two listeners and real sockets on loopback: who gets through mutual TLS, and what everybody else is told."""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from lianzheng.adapters.transport.certificates import create_certificate, fingerprint
from lianzheng.adapters.transport.client import PeerAddress, PeerClient
from lianzheng.adapters.transport.server import HttpServer, PeerServer, server_context
from lianzheng.clock import ManualClock
from lianzheng.errors import ConfigError, FormatError, LianzhengError, RefusedError, UnavailableError

HOST = "127.0.0.1"
STATE_KEY = "lianzheng.peer"
ALPHA, BETA, STRANGER = "did:lz:t:alpha", "did:lz:t:beta", "did:lz:t:stranger"


@dataclass
class Member:
    """Key, certificate and, where it serves, address."""

    did: str
    certificate: Path
    private_key: Path
    der: bytes


@dataclass
class Network:
    """What the ledger says, changeable by a test."""

    members: dict[str, Member]
    active: dict[bytes, str]
    addresses: dict[str, PeerAddress] = field(default_factory=dict)
    reached: list[str] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def client(self, did: str, timeout_s: float = 5) -> PeerClient:
        member = self.members[did]
        return PeerClient(member.certificate, member.private_key, self.addresses.get, timeout_s)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Echoes a POST with the peer's DID before it; other paths play a peer that behaves badly."""
        assert scope["type"] == "http"
        self.reached.append(scope["path"])
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, kind, answer = 200, b"application/octet-stream", scope["state"][STATE_KEY].encode() + b" " + body
        if scope["path"] == "/refuses":
            status, kind, answer = 409, b"application/problem+json", b'{"title":"No.","code":"no_such_luck"}'
        elif scope["path"] == "/lies":
            status, kind, answer = 403, b"application/problem+json", b'{"title":"x","code":"Not A Code; <b>"}'
        elif scope["path"] == "/fails":
            status, answer = 500, b"[" * 5000
        elif scope["path"] == "/redirects":
            status, answer = 302, b"elsewhere"
        elif scope["path"] == "/long":
            answer = b"x" * 5000
        elif scope["path"] == "/hangs":
            self.hanging.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": answer})


def make_member(folder: Path, did: str) -> Member:
    certificate, private_key = create_certificate(did, HOST)
    name = did.rsplit(":", 1)[1]
    (folder / f"{name}.crt").write_bytes(certificate.pem)
    (folder / f"{name}.key").write_bytes(private_key)
    (folder / f"{name}.key").chmod(stat.S_IRUSR | stat.S_IWUSR)
    return Member(did, folder / f"{name}.crt", folder / f"{name}.key", certificate.der)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    members = {did: make_member(tmp_path, did) for did in (ALPHA, BETA, STRANGER)}
    return Network(members, {fingerprint(members[did].der): did for did in (ALPHA, BETA)})


@pytest.fixture
async def beta(network: Network) -> AsyncIterator[PeerServer]:
    """Beta's node; the ledger names its address."""
    member = network.members[BETA]
    trusted = [network.members[did].der for did in (ALPHA, BETA)]
    context = server_context(member.certificate, member.private_key, trusted)
    server = PeerServer(network.app, HOST, 0, context, network.active.get, STATE_KEY)
    await server.start()
    network.addresses[BETA] = PeerAddress(f"https://{HOST}:{server.port}", member.der)
    yield server
    await server.stop()


Connect = Callable[..., PeerClient]


@pytest.fixture
async def connect(network: Network) -> AsyncIterator[Connect]:
    """Makes clients that are closed at the end."""
    made: list[PeerClient] = []

    def make(did: str, timeout_s: float = 5) -> PeerClient:
        made.append(network.client(did, timeout_s))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.mark.usefixtures("beta")
async def test_a_member_gets_through_and_is_known(connect: Connect) -> None:
    client = connect(ALPHA)
    assert await client.post_bytes(BETA, "/echo", b"question") == ALPHA.encode() + b" question"
    assert await client.get_bytes(BETA, "/echo") == ALPHA.encode() + b" "


@pytest.mark.usefixtures("beta")
async def test_a_certificate_outside_the_ledger_reaches_no_route(network: Network, connect: Connect) -> None:
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await connect(STRANGER).post_bytes(BETA, "/echo", b"question")
    assert network.reached == []


async def test_no_certificate_reaches_no_route(network: Network, beta: PeerServer) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=network.members[BETA].der)
    reader, writer = await asyncio.open_connection(HOST, beta.port, ssl=context)
    writer.write(b"GET /echo HTTP/1.1\r\nhost: x\r\n\r\n")
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    assert network.reached == []


@pytest.mark.usefixtures("beta")
async def test_a_suspended_member_is_refused_on_an_open_connection(network: Network, connect: Connect) -> None:
    """TLS still admits the certificate; the ledger no longer does, and every request asks the ledger."""
    client = connect(ALPHA)
    await client.post_bytes(BETA, "/echo", b"before")
    del network.active[fingerprint(network.members[ALPHA].der)]
    with pytest.raises(RefusedError, match="peer_unknown"):
        await client.post_bytes(BETA, "/echo", b"x" * 200_000)
    assert network.reached == ["/echo"]
    network.active[fingerprint(network.members[ALPHA].der)] = ALPHA
    assert await client.post_bytes(BETA, "/echo", b"again") == ALPHA.encode() + b" again"


async def test_a_certificate_that_joins_the_ledger_is_accepted(network: Network, connect: Connect) -> None:
    member, stranger = network.members[BETA], network.members[STRANGER]
    context = server_context(member.certificate, member.private_key, [network.members[ALPHA].der])
    server = PeerServer(network.app, HOST, 0, context, network.active.get, STATE_KEY)
    await server.start()
    network.addresses[BETA] = PeerAddress(f"https://{HOST}:{server.port}", member.der)
    client = connect(STRANGER)
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await client.get_bytes(BETA, "/echo")
    context.load_verify_locations(cadata=stranger.der)
    network.active[fingerprint(stranger.der)] = STRANGER
    assert await client.get_bytes(BETA, "/echo") == STRANGER.encode() + b" "
    await server.stop()


async def test_another_members_certificate_at_the_address_is_refused(
    network: Network, beta: PeerServer, connect: Connect
) -> None:
    """The ledger says Alpha is here; Beta, an honest member elsewhere, answers. Nothing is sent to it."""
    network.addresses[ALPHA] = PeerAddress(f"https://{HOST}:{beta.port}", network.members[ALPHA].der)
    with pytest.raises(UnavailableError, match="peer_certificate_wrong"):
        await connect(ALPHA).post_bytes(ALPHA, "/echo", b"secret")
    assert network.reached == []


async def test_a_member_cannot_issue_for_others(network: Network, tmp_path: Path, beta: PeerServer) -> None:
    """A certificate signed with Alpha's key under a name of its own: Alpha's is no CA, so TLS refuses it."""
    forged = _issued_by(network.members[ALPHA], tmp_path)
    network.addresses[ALPHA] = network.addresses[BETA]
    client = PeerClient(forged, tmp_path / "forged.key", network.addresses.get)
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await client.get_bytes(BETA, "/echo")
    await client.close()
    assert network.reached == []


async def test_only_tls_1_3_is_spoken(network: Network, beta: PeerServer) -> None:
    member = network.members[ALPHA]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=network.members[BETA].der)
    context.load_cert_chain(member.certificate, member.private_key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(HOST, beta.port, ssl=context)


async def test_a_node_that_is_down_or_dies_is_unreachable(network: Network, beta: PeerServer, connect: Connect) -> None:
    client = connect(ALPHA)
    asking = asyncio.create_task(client.get_bytes(BETA, "/hangs"))
    while not network.reached:
        await asyncio.sleep(0)
    for connection in list(beta._server.server_state.connections):
        connection.transport.abort()
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await asking
    await beta.stop()
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await client.get_bytes(BETA, "/echo")


@pytest.mark.usefixtures("beta")
async def test_a_silent_node_is_unreachable(connect: Connect) -> None:
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await connect(ALPHA, 0.2).get_bytes(BETA, "/hangs")


async def test_a_member_without_address_is_said_to_be_so(connect: Connect) -> None:
    with pytest.raises(UnavailableError, match="peer_address_unknown"):
        await connect(ALPHA).get_bytes(BETA, "/echo")


@pytest.mark.usefixtures("beta")
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/refuses", 409, "no_such_luck"),
        ("/lies", 503, "peer_failed"),
        ("/fails", 503, "peer_failed"),
        ("/redirects", 503, "peer_failed"),
    ],
)
async def test_a_peers_problem_comes_back_as_its_error(connect: Connect, path: str, status: int, code: str) -> None:
    with pytest.raises(LianzhengError) as caught:
        await connect(ALPHA).post_bytes(BETA, path, b"")
    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.usefixtures("beta")
async def test_an_answer_is_read_up_to_its_bound(connect: Connect) -> None:
    client = connect(ALPHA)
    assert len(await client.get_bytes(BETA, "/long", 5000)) == 5000
    with pytest.raises(FormatError, match="answer_too_large"):
        await client.get_bytes(BETA, "/long", 4999)


async def test_two_listeners_share_a_process_and_stop(network: Network, beta: PeerServer, connect: Connect) -> None:
    """Stopping ends what is open; afterwards the ports are free."""
    inside = HttpServer(_plain, HOST, 0)
    await inside.start()
    reader, writer = await asyncio.open_connection(HOST, inside.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 204")
    assert await connect(ALPHA).get_bytes(BETA, "/echo")
    port = inside.port
    await inside.stop()
    writer.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(HOST, port)


async def test_a_taken_port_is_an_error_and_no_exit(beta: PeerServer) -> None:
    with pytest.raises(OSError, match="listen"):
        await HttpServer(_plain, HOST, beta.port).start()


def test_certificate_is_no_ca_and_names_the_host() -> None:
    clock = ManualClock()
    certificate = x509.load_der_x509_certificate(create_certificate("甲证券股份有限公司", HOST, clock)[0].der)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [HOST]
    assert certificate.not_valid_before_utc.timestamp() * 1000 < clock.now_ms()
    assert certificate.signature_hash_algorithm is not None
    assert certificate.signature_hash_algorithm.name == "sha256"


def test_a_certificate_that_does_not_fit_its_key_is_named(network: Network) -> None:
    with pytest.raises(ConfigError, match="certificate_unusable"):
        server_context(network.members[ALPHA].certificate, network.members[BETA].private_key, [])


async def _plain(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _issued_by(issuer: Member, folder: Path) -> Path:
    """A certificate that Alpha's key signed for another key."""
    signer = load_pem_private_key(issuer.private_key.read_bytes(), None)
    assert isinstance(signer, EllipticCurvePrivateKey)
    made, private_key = create_certificate("forged", HOST)
    template = x509.load_der_x509_certificate(made.der)
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(x509.load_der_x509_certificate(issuer.der).subject)
        .public_key(template.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
    )
    forged = builder.sign(signer, hashes.SHA256())
    (folder / "forged.key").write_bytes(private_key)
    (folder / "forged.crt").write_bytes(forged.public_bytes(Encoding.PEM) + issuer.certificate.read_bytes())
    return folder / "forged.crt"
