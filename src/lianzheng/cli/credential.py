"""``lianzheng credential``: issue, verify, derive, take back, show; and whose credentials the alliance believes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.cli.documents import read_input
from lianzheng.cli.output import say, show, show_json, table
from lianzheng.cli.session import Config, Json, ask_node, check_new, save_new

if TYPE_CHECKING:
    from lianzheng.encoding.canonical import JsonObject

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Issue, verify, derive, take back and show credentials. 凭证")
_File = Annotated[Path, typer.Argument(metavar="FILE", help="The credential as JSON; '-' for standard input.")]
_Either = Annotated[
    Path, typer.Argument(metavar="FILE", help="A credential or a presentation; '-' for standard input.")
]
_Out = Annotated[Path, typer.Option("--out", help="New file for the result.")]
_Paper = Annotated[
    Path, typer.Option("--document", exists=True, dir_okay=False, help="The paper behind it; only its digest is sent.")
]
_Issuer = Annotated[str, typer.Argument(metavar="ISSUER", help="DID of the issuer.")]
_Type = Annotated[str, typer.Argument(metavar="TYPE", help="Type of credentials, such as MembershipCredential.")]
_TITLES = ("claim 项目", "value 内容")


class Suite(StrEnum):
    """How a credential is secured."""

    EDDSA_JCS = "eddsa-jcs-2022"
    EDDSA_RDFC = "eddsa-rdfc-2022"
    ECDSA_JCS = "ecdsa-jcs-2019"
    ECDSA_RDFC = "ecdsa-rdfc-2019"
    ECDSA_SD = "ecdsa-sd-2023"
    SM2_JCS = "lz-sm2-jcs-2026"
    ENVELOPE = "vc+jwt"


class Kind(StrEnum):
    """Keys for credentials in a member's DID."""

    SELECTIVE = "selective"
    P256 = "P-256"
    SM2 = "SM2"


class Act(StrEnum):
    """What happens to a credential's status."""

    REVOKE = "revoke"
    SUSPEND = "suspend"
    RESUME = "resume"


class Language(StrEnum):
    """Of titles and words."""

    ZH = "zh"
    EN = "en"


class Method(StrEnum):
    """DID methods of signers."""

    LZ = "lz"
    KEY = "key"
    WEB = "web"


_Lang = Annotated[Language, typer.Option("--lang", help="Language of titles and words.")]


@app.command("issue")
def issue(
    request: Annotated[Path, typer.Argument(metavar="FILE", help="The credential to be issued: type, credentialSubject "
                                            "and validUntil at least; '-' for standard input.")],
    config: Config,
    out: _Out,
    suite: Annotated[
        list[Suite] | None,
        typer.Option(help="How it is secured; may be repeated for a proof of each. eddsa-jcs-2022, if left out."),
    ] = None,
    status: Annotated[bool, typer.Option(help="With entries by which it can be revoked and suspended.")] = True,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Issue a credential in this member's name; its id is what `credential status` takes."""
    check_new(out)
    first, *beside = suite or (Suite.EDDSA_JCS,)
    options = {"cryptosuite": first.value, "beside": [one.value for one in beside], "status": status}
    body = {"credential": _read(request), "options": options}
    made = ask_node(config, lambda node: node.post("/api/v1/credentials/issue", body))
    _save(out, made["verifiableCredential"], as_json)
    if as_json:
        show_json({"id": made["credentialId"], "out": str(out)})
    else:
        say(f"issued {made['credentialId']}")


@app.command("key")
def key(
    config: Config,
    kind: Annotated[
        Kind,
        typer.Option(help="selective: for ecdsa-sd-2023; P-256: for ecdsa-jcs-2019 and ecdsa-rdfc-2019; SM2: for "
                          "lz-sm2-jcs-2026, from schema 3 on."),
    ] = Kind.SELECTIVE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Publish a new key for credentials in this member's DID, in place of the last of its kind. Back up the store."""
    found = ask_node(config, lambda node: node.post("/api/v1/credentials/keys", {"kind": kind.value}))
    if as_json:
        show_json({"key": found["verificationMethod"]})
    else:
        say(f"{found['verificationMethod']} signs from now on")


@app.command("verify")
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A credential or a presentation; '-' for standard input.")
    ],
    config: Config,
    challenge: Annotated[str | None, typer.Option(help="Of a presentation: what was asked.")] = None,
    domain: Annotated[str | None, typer.Option(help="Of a presentation: for whom it was made.")] = None,
    method: Annotated[
        list[Method] | None,
        typer.Option(help="DID method of signers that is accepted; may be repeated. lz, if left out."),
    ] = None,
    issuer: Annotated[
        list[str] | None, typer.Option(help="DID of an issuer that you trust yourself; may be repeated.")
    ] = None,
    suite: Annotated[
        list[Suite] | None, typer.Option(help="Cryptosuite of which a proof is demanded; may be repeated.")
    ] = None,
    lang: _Lang = Language.ZH,
    as_json: Json = False,
) -> None:
    """Form, proofs, kind, trust and status, at this member's node and now; by which rule the issuer is believed."""
    document = _read(file)
    options = {
        "methods": sorted({one.value for one in method or (Method.LZ,)}),
        "issuers": sorted(issuer or ()),
        "suites": sorted({one.value for one in suite or ()}),
        "language": lang.value,
    }
    options |= {name: value for name, value in (("challenge", challenge), ("domain", domain)) if value is not None}
    presented = _is_presentation(document)
    member = "verifiablePresentation" if presented else "verifiableCredential"
    path = f"/api/v1/{'presentations' if presented else 'credentials'}/verify"
    found = ask_node(config, lambda node: node.post(path, {member: document, "options": options}))
    if as_json:
        show_json(found)
        return
    if presented:
        say(f"presentation by {found['holder']}: holds")
    for one in found["credentials"] if presented else [found]:
        _print_verdict(one)


@app.command("check")
def check(
    file: _File,
    did: Annotated[
        Path, typer.Option("--did", exists=True, dir_okay=False, help="What `did resolve --out` wrote of the issuer.")
    ],
    trust: Annotated[
        Path, typer.Option("--trust", exists=True, dir_okay=False, help="network.trust.json of another member.")
    ],
    suite: Annotated[
        list[Suite] | None, typer.Option(help="Cryptosuite of which a proof is demanded; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Form, proofs and validity offline, by keys that the ledger proves. Trust and status are a node's to say."""
    from lianzheng.clock import SystemClock
    from lianzheng.flows.offline import verify_offline
    from lianzheng.identity.resolution.model import date_time

    suites = frozenset(one.value for one in suite or ())
    found = verify_offline(_read(file), _read_resolution(did), read_input(trust), SystemClock().now_ms(), suites)
    rows = [(one.cryptosuite, one.verification_method) for one in found.proofs]
    made = {
        "issuer": found.issuer,
        "version": found.version,
        "proven_ms": found.proven_ms,
        "proofs": [{"cryptosuite": suite, "key": key} for suite, key in rows],
    }
    show(made, as_json, ("suite 密码套件", "key 密钥"), rows)
    if not as_json:
        then = date_time(found.proven_ms)
        say(f"holds under version {found.version} of {found.issuer}, as the ledger had it at {then}")
        say("issuer's standing and status not looked at 未查签发资格与状态", err=True)


@app.command("derive")
def derive(
    file: _File,
    config: Config,
    out: _Out,
    pointer: Annotated[
        list[str] | None, typer.Option(help="JSON pointer of a claim to show, such as /credentialSubject/level; may be "
                                       "repeated. What the issuer made mandatory is always shown.")
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """A copy of an ecdsa-sd-2023 credential that shows the claims chosen and no others."""
    check_new(out)
    body = {"verifiableCredential": _read(file), "options": {"selectivePointers": pointer or []}}
    made = ask_node(config, lambda node: node.post("/api/v1/credentials/derive", body))["verifiableCredential"]
    _save(out, made, as_json)
    if as_json:
        show_json({"out": str(out)})


@app.command("status")
def status(
    credential: Annotated[str, typer.Argument(metavar="ID", help="Id of a credential that this member issued.")],
    act: Annotated[Act, typer.Argument(help="Revoking is for good.")],
    config: Config,
    as_json: Json = False,
) -> None:
    """Revoke or suspend a credential, or take it up again; returns once the ledger names the new status list."""
    body = {
        "credentialId": credential,
        "credentialStatus": {"statusPurpose": "revocation" if act is Act.REVOKE else "suspension"},
        "status": act is not Act.RESUME,
    }
    found = ask_node(config, lambda node: node.post("/api/v1/credentials/status", body))
    if as_json:
        show_json({"id": credential, "version": found["version"]})
    else:
        say(f"{act.value}: version {found['version']} of the status list is on the ledger")


@app.command("show")
def show_credential(file: _File, lang: _Lang = Language.ZH, as_json: Json = False) -> None:
    """A credential for people, offline. Nothing is verified: `credential verify` does that."""
    from lianzheng.identity.credentials.rendering import render_credential

    shown = render_credential(_read(file), lang.value)
    rows = [(row.title, row.value) for row in shown.rows]
    if as_json:
        show_json({"title": shown.title, "verified": False, "rows": [{"title": a, "value": b} for a, b in rows]})
        return
    say(shown.title)
    table(_TITLES, rows)
    say("not verified 未经验证", err=True)


@app.command("issuers")
def issuers(config: Config, as_json: Json = False) -> None:
    """Whom the alliance has accredited for which type of credentials, and whom no longer."""
    found = ask_node(config, lambda node: node.get("/api/v1/ledger/entries", prefix="accreditation/"))
    entries = [one["value"] for one in found["entries"]]
    rows = [(one["credential"], one["status"], one["issuer"]) for one in entries]
    show({"issuers": entries}, as_json, ("type 凭证类型", "status 状态", "issuer 签发机构"), rows)


@app.command("accredit")
def accredit(issuer: _Issuer, credential: _Type, config: Config, document: _Paper, as_json: Json = False) -> None:
    """Open a motion that an issuer may issue a type of credentials; vote with `alliance vote`."""
    _move(config, "issuer.accredit", issuer, credential, document, as_json)


@app.command("withdraw")
def withdraw(issuer: _Issuer, credential: _Type, config: Config, document: _Paper, as_json: Json = False) -> None:
    """Open a motion that an issuer may not issue a type of credentials any more, as a member neither."""
    _move(config, "issuer.withdraw", issuer, credential, document, as_json)


def _move(config: Path, kind: str, issuer: str, credential: str, document: Path, as_json: bool) -> None:
    from lianzheng.crypto.digest import sha256_raw
    from lianzheng.encoding.binary import b64u_encode

    payload = {"issuer": issuer, "credential": credential, "document": b64u_encode(sha256_raw(document.read_bytes()))}
    receipt = ask_node(config, lambda node: node.post(f"/api/v1/governance/{kind}", payload))
    data = receipt["result"]["data"] or {}
    if as_json:
        show_json(receipt)
    else:
        say(f"height {receipt['height']}, motion {data.get('motion', '–')} {data.get('status', '')}")


def _read(path: Path) -> JsonObject:
    """A document of others: any JSON with every name once."""
    from lianzheng.encoding.jcs import parse_w3c
    from lianzheng.limits import CREDENTIAL_BYTES_MAX

    return parse_w3c(read_input(path), CREDENTIAL_BYTES_MAX)


def _read_resolution(path: Path) -> JsonObject:
    from lianzheng.encoding.jcs import parse_w3c
    from lianzheng.limits import BUNDLE_BYTES_MAX

    return parse_w3c(read_input(path), BUNDLE_BYTES_MAX)


def _save(out: Path, document: Any, quiet: bool) -> None:
    from lianzheng.encoding.jcs import encode_w3c

    save_new(out, encode_w3c(document) + b"\n", private=True, quiet=quiet)


def _is_presentation(document: JsonObject) -> bool:
    kinds = document.get("type")
    return any(
        name in ("VerifiablePresentation", "EnvelopedVerifiablePresentation")
        for name in (kinds if isinstance(kinds, list) else [kinds])
    )


def _print_verdict(found: dict[str, Any]) -> None:
    say(f"{found['title']}: holds; issuer believed as {found['trust']['rule']}")
    table(_TITLES, [(row["title"], row["value"]) for row in found["rows"]])
    for key in found["keys"]:
        if key["until"] is not None:
            say(f"signed under a key that stood until {key['until']} (version {key['version']} of the DID)")
