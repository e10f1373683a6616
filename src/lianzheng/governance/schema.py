"""Rules change by a vote that names a schema and a height; what came before is replayed as it was (LED-7).

State ``schema/next`` → :class:`NextSchema`, from the vote until its height; ``network`` names the schema in force.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field

from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Natural, Record
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.model import NETWORK_KEY, NetworkRecord
from lianzheng.governance.motions.model import MotionRecord
from lianzheng.governance.motions.rules import open_motion
from lianzheng.ledger.context import BlockContext, Sender, StateView
from lianzheng.limits import SCHEMA_MAX

__all__ = ["NEXT_SCHEMA_KEY", "NextSchema", "SchemaUpgrade", "begin_block", "carry_upgrade", "open_upgrade"]

NEXT_SCHEMA_KEY = "schema/next"


class SchemaUpgrade(Record):
    """Payload of ``schema.upgrade``, and what the motion is about."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: int = Field(alias="schema", ge=1, le=2**16)
    height: Natural
    """The first block under the new schema."""


class NextSchema(SchemaUpgrade):
    """What was decided and has not come into force."""

    version: Natural


def open_upgrade(state: StateView, sender: Sender, payload: SchemaUpgrade, block: BlockContext) -> MotionRecord:
    """A motion to go over, with its mover's ballot; refuses as :func:`_check` and ``open_motion``."""
    _check(state, payload, block)
    return open_motion(state, sender.name, block, "schema.upgrade", payload.to_json(), None)


def carry_upgrade(
    state: StateView, content: JsonObject, block: BlockContext
) -> tuple[tuple[str, JsonObject | None], ...]:
    """What a carried motion writes; refused where its height has come, or another upgrade has been decided."""
    payload = SchemaUpgrade.from_json(content)
    _check(state, payload, block)
    record = NextSchema(schema=payload.schema_version, height=payload.height, version=0)
    return ((NEXT_SCHEMA_KEY, record.to_json()),)


def begin_block(state: StateView, height: int) -> tuple[tuple[str, JsonObject | None], ...]:
    """What stands before the first transaction of block ``height``: the schema that was decided for it."""
    value, network = state.get(NEXT_SCHEMA_KEY), state.get(NETWORK_KEY)
    if value is None or network is None or value["height"] > height:
        return ()
    before = NetworkRecord.from_json(network)
    after = before.model_copy(update={"schema_version": value["schema"], "version": before.version + 1})
    return ((NETWORK_KEY, after.to_json()), (NEXT_SCHEMA_KEY, None))


def _check(state: StateView, payload: SchemaUpgrade, block: BlockContext) -> None:
    """Refuse ``schema_unknown``, ``schema_order``, ``height_passed``, ``upgrade_decided``."""
    network = state.get(NETWORK_KEY)
    if payload.schema_version > SCHEMA_MAX:
        raise RefusedError(
            "schema_unknown",
            "This software does not know the schema.",
            next_step="Install a version that does, at every member, before moving for it.",
        )
    if network is None or payload.schema_version != network["schema"] + 1:
        raise RefusedError("schema_order", "Schemas follow one another: only the next one can be moved for.")
    if payload.height <= block.height:
        raise ConflictError("height_passed", "An upgrade needs a height that is still to come.")
    if state.get(NEXT_SCHEMA_KEY) is not None:
        raise ConflictError("upgrade_decided", "Another upgrade has been decided and is still to come.")
