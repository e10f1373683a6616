"""Step 1: keys, cards, genesis; three nodes on loopback; everybody signs the agreement."""

from __future__ import annotations

from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.client.http import NodeClient
from lianzheng.demo.processes import NodeProcesses, free_ports
from lianzheng.demo.stage import CHAIN_ID, Broker, Stage
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.identity.model import CreationOperation, did_of
from lianzheng.ledger.genesis import genesis_digest
from lianzheng.node.setup import MemberProfile, create_genesis, create_home

__all__ = ["AGREEMENT", "found", "prepare"]

AGREEMENT = """联盟数据协作协议（演示文本）/ Alliance agreement (sample text for the demonstration)

1. 目的限于投资者适当性管理，不得用于营销。 The purpose is investor suitability; marketing is excluded.
2. 原始数据不出域、不上链。 Raw data stay with their member and never go on the ledger.
3. 未经投资者单独同意不得查询。 No question is asked without the investor's separate consent.
4. 退出、违规与争议按联盟规则处理。 Exit, breach and disputes follow the rules of the alliance.
"""

_FOUNDERS = (
    ("甲证券股份有限公司（样本）", "broker A", 1, "group-a", "a-customers"),
    ("乙证券股份有限公司（样本）", "broker B", 2, "group-b", "b-customers"),
    ("丙证券股份有限公司（样本）", "broker C", 3, "group-c", "c-customers"),
)
_SISTER = ("甲资产管理有限公司（样本）", "sister A2", 4, "group-a", "a2-customers")


def prepare(stage: Stage) -> None:
    """Homes, cards and genesis on disk; nothing runs yet."""
    host = stage.settings.host
    ports = iter(free_ports(host, 2 * len(_FOUNDERS)))
    for name, short, code, group, dataset in _FOUNDERS:
        broker = _member(stage, name, short, code, group, dataset, (next(ports), next(ports)))
        stage.brokers.append(broker)
        stage.screen.act(short, f"{name}: keys sealed, certificate, card {_brief(broker.did)}", _card_size(broker))
    stage.sister = _member(stage, *_SISTER, None)
    stage.screen.act("sister A2", f"{_SISTER[0]}: same control group as broker A, no node", _card_size(stage.sister))
    cards = tuple(broker.card for broker in (*stage.brokers, stage.sister))
    parameters = {"test_network": 1, "token_version_min": 1}
    stage.genesis = create_genesis(CHAIN_ID, cards, AGREEMENT.encode(), parameters, stage.clock)
    data = stage.genesis.to_bytes()
    for broker in stage.brokers:
        (broker.home / "genesis.json").write_bytes(data)
    (stage.settings.out / "agreement.txt").write_text(AGREEMENT, "utf-8")
    stage.screen.act("all", f"genesis {genesis_digest(stage.genesis).hex()[:16]}… compared by all founders", len(data))


async def found(stage: Stage, processes: NodeProcesses) -> None:
    """Three processes, mutual TLS between them, agreement and credential keys on the ledger."""
    for broker in stage.brokers:
        await processes.start(broker.short)
    for broker in stage.brokers:
        await processes.wait_ready(broker.short, broker.api)
        stage.screen.act(broker.short, f"node up, pid {processes.pid(broker.short)}, {broker.node_url}/docs")
    for broker in stage.brokers:
        receipt = await broker.api.post("/api/v1/agreement/signature")
        stage.screen.act(broker.short, f"signs the agreement: ledger height {receipt['height']}")
    for broker in stage.brokers:
        key = await broker.api.post("/api/v1/issuer/keys")
        stage.screen.act(
            broker.short, f"publishes its credential key of period {key['period']} with proof of possession"
        )
    stage.screen.warn(
        "The embedded ledger protects against outsiders, not against broker A, which orders transactions."
    )
    stage.screen.warn("Three control groups: none of them may fail (fewer than four tolerate no loss).")


def _member(
    stage: Stage, name: str, short: str, code: int, group: str, dataset: str, ports: tuple[int, int] | None
) -> Broker:
    host, home = stage.settings.host, stage.settings.out / short.replace(" ", "-").lower()
    profile = MemberProfile(
        name=name,
        type="broker" if ports else "asset-manager",
        uscc=make_sample_uscc(code),
        address="演示市样本路1号",
        control_group=group,
        licences=("证券经纪（样本）",),
    )
    internal, peer = ports or (0, None)
    card = create_home(home, profile, CHAIN_ID, host, internal, peer)
    did = did_of(CreationOperation.from_json(card.did_operation))
    broker = Broker(name=name, short=short, home=home, card=card, did=did, dataset=dataset)
    if ports:
        config = home / "node.toml"
        config.write_text(config.read_text("utf-8") + '\n[suitability]\nproduct_line = "demonstration"\n', "utf-8")
        broker.node_url = f"http://{host}:{internal}"
        broker.node = NodeClient(broker.node_url, load_passphrase(home / "api-token").decode())
    return broker


def _card_size(broker: Broker) -> int:
    return len(broker.card.to_bytes())


def _brief(did: str) -> str:
    return f"{did[: did.rindex(':') + 7]}…"
