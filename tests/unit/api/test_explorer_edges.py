"""The explorer's routes at the edges: a stream that begins where the node begins, a group without a record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import httpx
from fastapi import FastAPI

from governance_kit import A, B, C, Council, D
from lianzheng.api.internal.explorer import create_router
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import NotFoundError
from lianzheng.governance.groups import group_key
from lianzheng.ledger.context import StateView


class Without:
    """A state in which one entry is not there."""

    def __init__(self, state: StateView, key: str) -> None:
        self._state, self._key = state, key

    def get(self, key: str) -> JsonObject | None:
        return None if key == self._key else self._state.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        return ((key, value) for key, value in self._state.scan(prefix) if key != self._key)


class Pruned:
    """An engine that keeps heights from 5 on and says so of anything below."""

    def __init__(self) -> None:
        self.council = Council()
        self.state: StateView = self.council.machine.committed_state

    def now_block_ms(self) -> int:
        return self.council.now_ms

    def stream(self, from_height: int) -> AsyncIterator[JsonObject]:
        if from_height < 5:
            raise NotFoundError("block_pruned", "Gone.")
        return self._events(from_height)

    async def _events(self, from_height: int) -> AsyncIterator[JsonObject]:
        for height in range(from_height, 7):
            yield {"height": height, "index": 0}


def client(engine: Pruned) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(create_router(SimpleNamespace(engine=engine, explorer=engine)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node")


async def test_a_stream_begins_at_the_lowest_height_that_is_kept() -> None:
    async with client(Pruned()) as http:
        answer = await http.get("/api/v1/explorer/events", params={"from_height": 5})
        again = await http.get("/api/v1/explorer/events", headers={"last-event-id": "5:0"})
    assert [line for line in answer.text.split("\n") if line.startswith("id:")] == ["id: 5:0", "id: 6:0"]
    assert [line for line in again.text.split("\n") if line.startswith("id:")] == ["id: 6:0"]


async def test_a_member_of_a_group_without_a_record_does_not_hide_the_others() -> None:
    """No rule leaves one today; a chain may be older than that."""
    engine = Pruned()
    engine.state = Without(engine.state, group_key("epsilon"))
    async with client(engine) as http:
        answer = await http.get("/api/v1/explorer/members")
    speaks = {one["did"]: one["speaks"] for one in answer.json()["members"]}
    assert [speaks[party.did] for party in (A, B, C, D)] == [True, True, True, False]
