"""``lianzheng wallet`` against loss and theft: backup, recovery shares, restoration, and changes of the DID's key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lianzheng.cli.output import say, show, show_json
from lianzheng.cli.session import Json, check_new, save_new
from lianzheng.cli.wallet_options import Folder, Nodes, Shares

if TYPE_CHECKING:
    from lianzheng.encoding.canonical import JsonObject

__all__ = ["add_commands"]

_PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File of mode 0600 with the backup's own passphrase; asked for, unseen, if left out. Not the wallet's.",
    ),
]
_PASSPHRASE_CHARS_MIN = 12


def add_commands(app: typer.Typer) -> None:
    """Adds these commands to the wallet's."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("shares")(shares)
    app.command("rotate-key")(rotate_key)
    app.command("recover")(recover)
    app.command("deactivate")(deactivate)


def backup(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="New file to write, readable by you alone.")],
    passphrase_file: _PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """One file with the whole wallet, sealed under a passphrase of its own. Who has both is you."""
    from lianzheng.cli import wallet_safety_acts as acts

    check_new(out)
    data = acts.backup(folder, _passphrase(passphrase_file, new=True))
    save_new(out, data, private=True, quiet=as_json)
    if as_json:
        show_json({"out": str(out), "bytes": len(data)})


def restore(
    folder: Folder,
    source: Annotated[Path | None, typer.Option("--from", help="A backup that `wallet backup` wrote.")] = None,
    shares: Shares = None,
    passphrase_file: _PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """The wallet of a backup, or of two recovery shares, in a new folder. Needs no node.

    Consents given after the copy was made are not in it; their providers know them, and the counter withdraws them.
    Then run `wallet recover`: whoever has the lost device is shut out by that alone.
    """
    from lianzheng.cli import wallet_safety_acts as acts
    from lianzheng.errors import ConfigError

    if (source is None) == (shares is None):
        raise ConfigError(
            "restore_source",
            "A wallet comes back from one source.",
            next_step="Name --from FILE or --shares FILE FILE.",
        )
    if source is not None:
        found = acts.restore(folder, source, _passphrase(passphrase_file, new=False))
    else:
        found = acts.restore_shares(folder, shares or ())
    show(found, as_json, ("DID", "network 网络"), [(found["did"], found["chain_id"])])


def shares(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the three files; made where it is not there.")],
    forget: Annotated[
        bool, typer.Option("--forget", help="Erase the recovery secret from this device: two shares have it then.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Three recovery shares: any two bring the wallet back, one says nothing. Keep them in three places.

    A new set does not mix with an older one. The older one goes on working until `wallet recover`.
    """
    from lianzheng.cli import wallet_safety_acts as acts

    written = acts.shares(folder, out, forget=forget)
    if as_json:
        show_json(written)
        return
    say(*(f"wrote {path}" for path in written["out"]))
    say("Give each to another keeper, or another place. Any two of them are your wallet.")


def rotate_key(folder: Folder, nodes: Nodes, shares: Shares = None, as_json: Json = False) -> None:
    """The DID's committed next key takes the present one's place on the ledger; the one after it is committed to."""
    _changed(_change(folder, nodes, "rotate", shares), as_json)


def recover(
    folder: Folder,
    nodes: Nodes,
    shares: Shares = None,
    stolen: Annotated[
        bool,
        typer.Option("--stolen", help="Others have the device: new consent keys and a new v too; enrol again."),
    ] = False,
    as_json: Json = False,
) -> None:
    """A fresh key and a fresh recovery secret by the recovery key, whoever has the present one."""
    _changed(_change(folder, nodes, "recover", shares, stolen=stolen), as_json)


def deactivate(
    folder: Folder,
    nodes: Nodes,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="DID", help="The wallet's DID, to say that you mean it.")
    ],
    shares: Shares = None,
    as_json: Json = False,
) -> None:
    """End the DID for good. Consents given are withdrawn first, with `wallet withdraw`."""
    from lianzheng.cli import wallet_safety_acts as acts

    acts.confirm_did(folder, confirm)
    _changed(_change(folder, nodes, "deactivate", shares), as_json)


def _change(
    folder: Path, nodes: list[str], kind: str, shares: tuple[Path, Path] | None, *, stolen: bool = False
) -> JsonObject:
    from lianzheng.cli import wallet_safety_acts as acts
    from lianzheng.cli.wallet_session import run

    return run(nodes, lambda clients: acts.change(folder, clients, kind, shares or (), stolen=stolen))


def _changed(found: JsonObject, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    say(f"version {found['version']} of {found['did']}, {found['status']}")
    if found["enrol_again"]:
        say("Consents of before are still withdrawn here. For new ones enrol again: run `lianzheng wallet enrol`.")
    if found["new_shares"]:
        say("The recovery secret is new: run `lianzheng wallet shares`. Backups and shares of before recover no more.")


def _passphrase(path: Path | None, *, new: bool) -> bytes:
    """Raises ``ConfigError`` ``passphrase_missing``, ``passphrase_short``, and those of ``load_passphrase``."""
    from lianzheng.adapters.keystore.passphrase import load_passphrase
    from lianzheng.errors import ConfigError

    if path is None and not sys.stdin.isatty():
        raise ConfigError(
            "passphrase_missing",
            "There is no terminal to ask for the passphrase.",
            next_step="Name --passphrase-file FILE.",
        )
    if path is not None:
        phrase = load_passphrase(path)
    else:
        phrase = typer.prompt("passphrase 口令", hide_input=True, confirmation_prompt=new, err=True).encode("utf-8")
    if new and len(phrase) < _PASSPHRASE_CHARS_MIN:
        raise ConfigError(
            "passphrase_short",
            f"A backup's passphrase has at least {_PASSPHRASE_CHARS_MIN} characters.",
            next_step="Take several words that nobody would guess together.",
        )
    return phrase
