"""Write ``adapters/consensus/cometbft/proto``: CometBFT's message definitions and the Python made from them.

``python tools/protos.py``                  makes ``*_pb2.py`` and ``*_pb2.pyi`` from the ``.proto`` files in place.
``python tools/protos.py --source MODULE``  first copies the ``.proto`` files anew from CometBFT's source tree.

What is copied keeps its package and field numbers; gogoproto options, which only Go's generator reads, are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("lianzheng/adapters/consensus/cometbft/proto")
VERSION = "v0.38.25"
FILES = {
    "abci.proto": "proto/tendermint/abci/types.proto",
    "keys.proto": "proto/tendermint/crypto/keys.proto",
    "params.proto": "proto/tendermint/types/params.proto",
    "proof.proto": "proto/tendermint/crypto/proof.proto",
    "types.proto": "proto/tendermint/types/types.proto",
    "validator.proto": "proto/tendermint/types/validator.proto",
    "version.proto": "proto/tendermint/version/types.proto",
}
HEADER = """\
// From CometBFT {version}, {path}
// Copyright CometBFT contributors. Licensed under the Apache License, Version 2.0; see NOTICE.
// Changed: gogoproto and Go options left out, imports renamed to this folder. Written by tools/protos.py.

"""
_IMPORTS = {path.removeprefix("proto/"): f"{FOLDER}/{name}" for name, path in FILES.items()}


def strip(text: str) -> str:
    """``text`` without what only Go's generator reads, its imports pointing to this folder."""
    text = re.sub(r"^import \"gogoproto/gogo\.proto\";\n", "", text, flags=re.M)
    text = re.sub(r"^\s*option (\(gogoproto\.\w+\)|go_package)\s*=\s*[^;]+;\n", "", text, flags=re.M)
    text = re.sub(r"^service \w+ \{.*?^\}\n", "", text, flags=re.M | re.S)
    text = re.sub(r"\(gogoproto\.\w+\)\s*=\s*(\"[^\"]*\"|\w+)\s*,?\s*", "", text)
    text = re.sub(r"\s*\[\s*\](?=;)", "", text)
    text = re.sub(r",\s*\](?=;)", "]", text)
    for old, new in _IMPORTS.items():
        text = text.replace(f'import "{old}";', f'import "{new}";')
    return text


def copy(source: Path) -> None:
    """Copy the definitions out of CometBFT's source tree."""
    for name, path in FILES.items():
        text = strip((source / path).read_text("utf-8"))
        (ROOT / "src" / FOLDER / name).write_text(HEADER.format(version=VERSION, path=path) + text, "utf-8")


def generate() -> int:
    """Make the Python modules; the exit status of protoc."""
    names = [str(FOLDER / name) for name in FILES]
    out = str(ROOT / "src")
    include = str(Path(protoc.__file__).parent / "_proto")
    return int(protoc.main(["protoc", f"-I{out}", f"-I{include}", f"--python_out={out}", f"--pyi_out={out}", *names]))


def main() -> int:
    """Copy if asked to, then generate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help=f"folder of CometBFT {VERSION}, such as in Go's module cache")
    arguments = parser.parse_args()
    if arguments.source is not None:
        copy(arguments.source)
    return generate()


if __name__ == "__main__":
    sys.exit(main())
