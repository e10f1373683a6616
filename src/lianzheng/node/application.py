"""What an institution that is no founder applies with (``member.apply``): its card, signed by its own node key."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import ConfigError
from lianzheng.flows.node_keys import newest_node_key
from lianzheng.governance.admission.model import Application, MemberApply, application_bytes
from lianzheng.ids import chain_of_did
from lianzheng.ledger.genesis import Genesis
from lianzheng.node.config import load_config
from lianzheng.node.keys import open_keystore
from lianzheng.node.setup import load_card

__all__ = ["create_application"]


def create_application(config_file: Path, genesis: Genesis, materials: bytes) -> MemberApply:
    """The signed application of the member whose home ``node.toml`` lies in; it holds nothing secret.

    Raises ``ConfigError`` ``application_foreign`` where the home was made for another network, and what reading the
    configuration, the card and the key store raises.
    """
    config = load_config(config_file)
    if chain_of_did(config.did) != genesis.chain_id:
        raise ConfigError(
            "application_foreign",
            "This home was made for another network than the genesis.",
            next_step="Make a home with `lianzheng init member --chain-id` as the genesis names it.",
        )
    application = Application(
        **dict(load_card(config_file.parent / "member.json")),
        network=genesis.chain_id,
        agreement=genesis.agreement,
        materials=sha256_raw(materials),
    )
    keystore = open_keystore(config)
    sign = partial(keystore.sign, newest_node_key(keystore))
    return MemberApply(application=application, signature=sign(application_bytes(application)))
