"""The listener for wallets of others: off unless configured, on its own port, bounded by address."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from lianzheng.api.openid.app import create_openid_app
from lianzheng.clock import ManualClock, SystemClock
from lianzheng.errors import ConfigError
from lianzheng.node.build import build
from lianzheng.node.config import OpenIdConfig, load_config
from lianzheng.node.run import Node
from node_kit import client_of, local_node, make_network
from ports_kit import free_ports

HTTPS = "https://wallets.broker.example/openid"


def section(home: Path, text: str) -> Path:
    path = home / "node.toml"
    path.write_text(path.read_text("utf-8") + f"\n[openid]\n{text}\n", "utf-8")
    return path


@pytest.mark.parametrize("enabled", [False, True])
def test_it_is_on_only_where_enabled_says_so(tmp_path: Path, enabled: bool) -> None:
    make_network(tmp_path / "home", ManualClock())
    path = section(tmp_path / "home", f'enabled = {str(enabled).lower()}\nbase_url = "{HTTPS}"\nport = 0')
    parts = build(load_config(path), ManualClock())
    assert (parts.services.openid is not None) is enabled


@pytest.mark.parametrize("url", [HTTPS, "https://b.example", "https://b.example:8443", "http://127.0.0.1:1/a/b"])
def test_base_urls(url: str) -> None:
    assert OpenIdConfig(base_url=url, port=1).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://b.example",
        "https://b.example/",
        "https://b.example/a?b",
        "https://b.example/a#b",
        "https://u@b.example",
        "https://b.example/{x}",
        "https://b.example\n",
        "http://127.0.0.1.evil.example",
        "",
    ],
)
def test_what_is_no_base_url(tmp_path: Path, url: str) -> None:
    make_network(tmp_path / "home", ManualClock())
    path = section(tmp_path / "home", f"enabled = true\nbase_url = {url!r}\nport = 0".replace("'", '"'))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "openid.base_url" in caught.value.text


async def test_a_node_without_it_says_so(tmp_path: Path) -> None:
    async with local_node(tmp_path / "home") as node:
        answer = await node.internal.get("/api/v1/openid/presentations/x", headers=node.operator)
        assert (answer.status_code, answer.json()["code"]) == (404, "openid_off")


async def test_a_node_serves_it_on_the_port_of_its_section(tmp_path: Path) -> None:
    make_network(tmp_path / "home", ManualClock())
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}/openid"
    node = Node(
        load_config(section(tmp_path / "home", f'enabled = true\nbase_url = "{base}"\nport = {port}')), SystemClock()
    )
    await node.start()
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            url = f"http://127.0.0.1:{port}/.well-known/openid-credential-issuer/openid"
            assert (await http.get(url)).json()["credential_issuer"] == base
    finally:
        await node.stop()


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    make_network(tmp_path / "home", ManualClock())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = f'enabled = true\nbase_url = "{HTTPS}"\nport = {port}'
        node = Node(load_config(section(tmp_path / "home", text)), SystemClock())
        try:
            with pytest.raises(ConfigError) as caught:
                await node.start()
        finally:
            await node.stop()
    assert caught.value.code == "address_in_use"
    assert caught.value.next_step == "Change host or port under [openid] in node.toml."


async def test_an_address_is_refused_once_its_allowance_is_gone(tmp_path: Path) -> None:
    clock = ManualClock()
    config = make_network(tmp_path / "home", clock)
    openid = OpenIdConfig(enabled=True, base_url=HTTPS, port=0, requests_per_minute=3)
    parts = build(config.model_copy(update={"openid": openid}), clock)
    assert parts.services.openid is not None
    async with client_of(create_openid_app(parts.services.openid)) as wallet:
        nonces = [await wallet.post("/openid/nonce") for _ in range(4)]
        assert [one.status_code for one in nonces] == [200, 200, 200, 429]
        assert nonces[0].headers["cache-control"] == "no-store"
        assert nonces[3].json()["code"] == "rate_limited"
        clock.advance(20_000)
        assert (await wallet.post("/openid/nonce")).status_code == 200
        assert (await wallet.post("/openid/nonce")).status_code == 429
