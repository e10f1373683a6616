"""The examples of ``docs/did-lz.md`` are what the code makes, and its grammar is what the code accepts."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch.source import REPOSITORY
from did_kit import Holder, MachineLedger, Network
from ledger_kit import CHAIN
from lianzheng.errors import FormatError
from lianzheng.identity.did.model import DidRecover, DidService, DidUpdate, commitment
from lianzheng.identity.did.rules import RULES
from lianzheng.identity.resolution.did_lz import LedgerDriver
from lianzheng.identity.resolution.model import Resolved
from lianzheng.identity.resolution.resolver import Resolver, read_request
from lianzheng.ids import check_did

PAGE = (REPOSITORY / "docs" / "did-lz.md").read_text("utf-8")
_BLOCK = re.compile(r"<!-- example: ([a-z-]+) -->\n```json\n(.*?)\n```", re.DOTALL)


def _answer(found: Resolved) -> dict[str, Any]:
    return {
        "didDocument": found.document,
        "didDocumentMetadata": found.document_metadata,
        "didResolutionMetadata": {"contentType": "application/did", **found.resolution_metadata},
    }


def examples() -> dict[str, Any]:
    """The course of one DID: created, its services changed, rotated, recovered, deactivated."""
    network, holder = Network(), Holder("example", next_keys=1, recovery=True)
    resolver = Resolver({"lz": LedgerDriver(MachineLedger(network), CHAIN)})

    def resolve(**options: str) -> dict[str, Any]:
        return _answer(asyncio.run(resolver.resolve(holder.did, read_request(options))))

    found: dict[str, Any] = {"creation": holder.operation.to_json()}
    network.created(holder)
    found["document"] = resolve()
    service = DidService(id="#files", type="LinkedDomains", endpoint="https://example.org/")
    found["update"] = network.payload(holder, DidUpdate, services=(service,)).to_json()
    if network.update(holder, services=(service,)) != "ok":
        raise RuntimeError("update")
    following = commitment("next", holder.multikey(2))
    rotation: dict[str, Any] = {"keys": (holder.key(1),), "control": holder.control(next=(following,))}
    found["rotation"] = network.payload(holder, DidUpdate, **rotation).to_json()
    if network.update(holder, signer=1, **rotation) != "ok":
        raise RuntimeError("rotation")
    fresh: dict[str, Any] = {"keys": (holder.key(5),), "control": {}}
    found["recovery"] = network.payload(holder, DidRecover, key=holder.multikey("r"), **fresh).to_json()
    if network.recover(holder, **fresh) != "ok":
        raise RuntimeError("recovery")
    found["old-version"] = resolve(versionId="2")
    if network.deactivate(holder, signer=5) != "ok":
        raise RuntimeError("deactivation")
    found["deactivated"] = resolve()
    return found


def test_every_example_is_what_the_code_makes() -> None:
    shown = dict(_BLOCK.findall(PAGE))
    made = {name: json.dumps(value, indent=2, ensure_ascii=False) for name, value in examples().items()}
    assert shown == made


def test_every_operation_and_every_code_of_its_rules_is_named() -> None:
    for rule in RULES:
        assert f"`{rule.kind}`" in PAGE, rule.kind
    source = (REPOSITORY / "src" / "lianzheng" / "identity" / "did" / "rules.py").read_text("utf-8")
    codes = set(re.findall(r'Error\(\s*"([a-z_]+)"', source))
    assert len(codes) > 15
    missing = {code for code in codes if f"`{code}`" not in PAGE}
    assert not missing, sorted(missing)


@pytest.mark.parametrize(
    "heading",
    ["Method syntax", "Create", "Resolve", "Update", "Recover", "Deactivate", "Security considerations",
     "Eavesdropping",
     "Replay", "Message insertion", "Deletion", "Modification", "Denial of service", "Amplification",
     "Man in the middle",
     "Residual risks", "Topology", "Light clients", "Unique assignment", "Secrets", "Endpoint authentication",
     "Privacy considerations", "Surveillance", "Stored data compromise", "Unsolicited traffic", "Misattribution",
     "Correlation", "Identification", "Secondary use", "Disclosure", "Exclusion"],
)  # fmt: skip
def test_everything_that_did_1_1_asks_of_a_method_has_its_section(heading: str) -> None:
    found = re.search(rf"^#+ {heading}[^\n]*\n+(.+?)\n(?:#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None and len(found.group(1)) > 100


def _grammar() -> re.Pattern[str]:
    """The page's ABNF as a regular expression: literals, ranges, alternatives, groups, bounded repetition."""
    block = re.search(r"```abnf\n(.*?)\n```", PAGE, re.DOTALL)
    assert block is not None
    rules = dict(re.findall(r"^([a-z0-9-]+) += (.+)$", block.group(1), re.MULTILINE))

    def expand(text: str) -> str:
        def token(found: re.Match[str]) -> str:
            text = found.group()
            if text.startswith('"'):
                return re.escape(text[1:-1])
            if text.startswith("%x"):
                first, _, last = text[2:].partition("-")
                return f"[\\x{first}-\\x{last or first}]"
            return f"(?:{expand(rules[text])})"

        out, position, pending = "", 0, ""
        for found in re.finditer(r'(\d+)\*(\d+)|"[^"]*"|%x[0-9A-F]{2}(?:-[0-9A-F]{2})?|[a-z][a-z0-9-]*|[()/]', text):
            assert text[position : found.start()].strip() == "", text
            position = found.end()
            if found.group(1):
                pending = f"{{{found.group(1)},{found.group(2)}}}"
            elif found.group() == "/":
                out += "|"
            elif found.group() == "(":
                out += "(?:"
            else:  # the page repeats groups, and nothing in them
                out += f"){pending}" if found.group() == ")" else token(found)
                pending = "" if found.group() == ")" else pending
        return out

    return re.compile(f"(?:{expand(rules['did-lz'])})")


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@given(
    st.text(max_size=70)
    | st.builds(
        "did:lz:{}:z{}".format,
        st.text("abcz019-A_", max_size=34),
        st.text(_BASE58 + "0OIl", min_size=38, max_size=47),
    )
    | st.builds(
        "did:lz:{}:z{}".format,
        st.text("abcz019-", min_size=1, max_size=32),
        st.text(_BASE58, min_size=40, max_size=45),
    )
)
def test_the_grammar_is_what_the_code_accepts(text: str) -> None:
    try:
        accepted = check_did(text) == text
    except FormatError:
        accepted = False
    assert accepted == (_GRAMMAR.fullmatch(text) is not None)


_GRAMMAR = _grammar()
