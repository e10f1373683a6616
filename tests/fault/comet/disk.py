"""A full disk: the folder of one process stands on a small file system of its own. Needs root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from fault.comet.ground import Node, PromiseError
from fault.comet.partitions import go_on
from fault.comet.trial import Trial

__all__ = ["full_application", "full_engine"]

_MIB = 32
_STEP = 4096


async def full_application(trial: Trial) -> None:
    """The application cannot write: it stops and says so, the others go on; with room again it comes back."""
    node = trial.pick()
    await _on_small_disk(trial, node, node.home / "data")
    ballast = _fill(node.home / "data")
    await trial.ground.until(lambda: node.stopped, f"{node.name} stops by itself", 4 * trial.scale.patience_s)
    if node.stopped != "ledger_storage_failed":
        raise PromiseError(f"{node.name} stopped with {node.stopped}, not with ledger_storage_failed")
    await go_on(trial, [one for one in trial.nodes if one is not node])
    trial.note(f"{node.name}'s, stopped with {node.stopped}")
    ballast.unlink()


async def full_engine(trial: Trial) -> None:
    """The engine cannot write: the others go on; with room again it comes back by itself."""
    node = trial.pick()
    await _on_small_disk(trial, node, node.home / "cometbft" / "data")
    ballast = _fill(node.home / "cometbft" / "data")
    others = [one for one in trial.nodes if one is not node]
    await go_on(trial, others)
    top = trial.ground.top
    await trial.ground.until(
        lambda: node.status.get("restarts"), f"{node.name}'s engine ends", 4 * trial.scale.patience_s
    )
    await go_on(trial, others)
    trial.note(f"{node.name}'s, at {node.height} while the others went from {top} to {trial.ground.top}")
    ballast.unlink()


class _SmallDisk:
    """A file system in memory over one folder, until the trial ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        kept = folder.with_name(folder.name + ".kept")
        shutil.copytree(folder, kept)
        _run("mount", "-t", "tmpfs", "-o", f"size={_MIB}m,mode=0700", "tmpfs", str(folder))
        shutil.copytree(kept, folder, dirs_exist_ok=True)

    async def stop(self) -> None:
        """What was written is kept for whoever looks into a failure."""
        shutil.copytree(self._folder, self._folder.with_name(self._folder.name + ".small"))
        _run("umount", str(self._folder))


async def _on_small_disk(trial: Trial, node: Node, folder: Path) -> None:
    node.kill()
    await trial.ground.until(lambda: not node.engines(), f"{node.name}'s engine ends", trial.scale.patience_s)
    trial.helpers.append(_SmallDisk(folder))
    await trial.settle()


def _fill(folder: Path) -> Path:
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(_STEP)) == _STEP:
                pass
        except OSError:
            pass
    return path


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=30)
