"""An institution that is no founder makes a home, applies, and is found on the ledger as it said."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance_kit import Council
from ledger_kit import ALPHA, CHAIN, make_genesis
from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import ConfigError
from lianzheng.governance.admission.model import MemberApply
from lianzheng.identity.model import CreationOperation, did_of
from lianzheng.node.application import create_application
from lianzheng.node.build import load_genesis
from lianzheng.node.config import load_config
from lianzheng.node.setup import create_home
from node_kit import profile


def test_the_application_of_a_new_home_is_taken_and_its_node_may_start(tmp_path: Path) -> None:
    council = Council()
    genesis = make_genesis()
    card = create_home(tmp_path / "home", profile(7, "group-new"), CHAIN, "127.0.0.1", 0, 0)
    signed = create_application(tmp_path / "home" / "node.toml", genesis, b"papers")
    assert signed.application.materials == sha256_raw(b"papers")
    council.ok(ALPHA, "member.apply", MemberApply.from_bytes(signed.to_bytes()).to_json())
    did = did_of(CreationOperation.from_json(card.did_operation))
    record = council.machine.state.get(f"member/{did}")
    assert record is not None and (record["phase"], record["control_group"]) == ("applied", "group-new")
    (tmp_path / "home" / "genesis.json").write_bytes(genesis.to_bytes())
    assert load_genesis(load_config(tmp_path / "home" / "node.toml")).chain_id == CHAIN


def test_a_home_for_another_network_does_not_apply_here(tmp_path: Path) -> None:
    create_home(tmp_path / "home", profile(7, "group-new"), "elsewhere", "127.0.0.1", 0, 0)
    with pytest.raises(ConfigError, match="application_foreign"):
        create_application(tmp_path / "home" / "node.toml", make_genesis(), b"papers")
