"""The OpenAPI page in a real Chromium: rendered by this node alone, every route on it, nothing fetched elsewhere."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from lianzheng.adapters.transport.server import HttpServer
from lianzheng.api.internal.app import create_internal_app
from node_kit import local_node

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000", "--dump-dom",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> str:
    """A real browser; skips where none is installed (Debian: package chromium)."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    return found


async def test_every_route_is_on_the_page(chromium: str, tmp_path: Path) -> None:
    async with local_node(tmp_path / "home") as node:
        app = create_internal_app(node.services)
        server = HttpServer(app, "127.0.0.1", 0)
        await server.start()
        try:
            page = await _dom(chromium, f"http://127.0.0.1:{server.port}/docs", tmp_path / "profile")
        finally:
            await server.stop()
    for path in app.openapi()["paths"]:
        assert f"<code>{path}</code>" in page
    assert "loading" not in page
    assert "令牌 token" in page  # locked routes are marked
    assert page.count("http://") + page.count("https://") == 0


async def _dom(chromium: str, url: str, profile: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        chromium,
        *_FLAGS,
        f"--user-data-dir={profile}",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return out.decode()
