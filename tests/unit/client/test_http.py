"""What a node refuses comes back as the error it was; what is no node is said to be none."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from lianzheng import errors
from lianzheng.client.http import NodeClient, error_of
from lianzheng.errors import LianzhengError, UnavailableError


def answer(status: int, **body: object) -> httpx.Response:
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    "kind",
    [
        errors.FormatError,
        errors.VerificationError,
        errors.RefusedError,
        errors.NotFoundError,
        errors.ConflictError,
        errors.UnavailableError,
    ],
)
def test_each_class_survives_the_journey(kind: type[LianzhengError]) -> None:
    found = error_of(answer(kind.status, code="some_code", title="What.", next_step="Do."))
    assert type(found) is kind
    assert (found.code, found.text, found.next_step) == ("some_code", "What.", "Do.")


def test_a_wrong_token_is_a_refusal_and_a_fault_is_a_fault() -> None:
    assert type(error_of(answer(401, code="token_wrong", title="x"))) is errors.RefusedError
    assert type(error_of(answer(500, code="internal_error", title="x"))) is LianzhengError
    assert error_of(answer(409, code="taken", title="x")).next_step == ""


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(404, text="<html>not found</html>"),
        httpx.Response(404, json=["code"]),
        httpx.Response(404, json=None),
        httpx.Response(404, json={"title": "no code"}),
        httpx.Response(404, json={"code": 5, "title": "x"}),
        httpx.Response(404, json={"code": "Not A Code", "title": "x"}),
        httpx.Response(404, json={"code": "bad\n", "title": "x"}),
        httpx.Response(404, json={"code": "\x1b[31mred", "title": "x"}),
        httpx.Response(404, json={"code": "a" * 65, "title": "x"}),
        httpx.Response(404, content=b"[" * 100_000),
        httpx.Response(404, content=b"\xff"),
    ],
)
def test_what_is_no_problem_is_an_http_error(response: httpx.Response) -> None:
    found = error_of(response)
    assert (type(found), found.code) == (errors.NotFoundError, "http_error")
    assert "404" in found.text


def test_texts_are_cut_to_length() -> None:
    found = error_of(answer(400, code="long", title="x" * 10**6, next_step="y" * 10**6))
    assert len(found.text) == len(found.next_step) == 16_384


def served(handler: Callable[[httpx.Request], httpx.Response], token: str | None = None) -> NodeClient:
    """A client whose node is ``handler``."""
    client = NodeClient("http://node", token)
    headers = client._http.headers
    client._http = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://node", headers=headers)
    return client


async def test_requests_carry_the_token_only_where_there_is_one() -> None:
    seen: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"ok": 1})

    async with served(handler, "secret") as one, served(handler) as other:
        assert await one.get("/x", key="a b") == {"ok": 1}
        assert await other.post("/x", {"a": 1}) == {"ok": 1}
    assert seen == ["Bearer secret", None]


async def test_bytes_go_and_come_as_they_are() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=b"\x00exact\n")
        return httpx.Response(200, json=[request.headers["content-type"], request.content.decode()])

    async with served(handler) as node:
        assert await node.post_bytes("/x", b"a,b\n", "text/csv") == ["text/csv", "a,b\n"]
        assert await node.get_bytes("/x") == b"\x00exact\n"


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
async def test_a_node_that_is_away_is_unreachable(error: Exception) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    async with served(handler) as node:
        with pytest.raises(UnavailableError, match="node_unreachable") as caught:
            await node.get("/x")
    assert "node run" in caught.value.next_step


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000])
async def test_an_answer_that_is_no_json_is_no_nodes(content: bytes) -> None:
    async with served(lambda _: httpx.Response(200, content=content)) as node:
        for call in (node.get("/x"), node.post("/x"), node.post_bytes("/x", b"", "text/csv")):
            with pytest.raises(UnavailableError, match="node_answer_invalid"):
                await call


async def test_a_redirect_is_not_followed() -> None:
    """The token goes to the configured address and nowhere else."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://elsewhere/"})

    async with served(handler, "secret") as node:
        with pytest.raises(LianzhengError, match="http_error"):
            await node.get("/x")
    assert asked == ["http://node/x"]
