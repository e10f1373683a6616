"""The engine's process: started, watched, started again when it ends, and ended with the node."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import structlog

from lianzheng.errors import ConfigError

__all__ = ["ENGINE_VERSION", "EngineProcess", "find_engine"]

ENGINE_VERSION = "0.38.25"
_LOG = structlog.get_logger("lianzheng.engine")
_STOP_S = 15
_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Before each start after one that ended; the last one goes on."""
_STEADY_S = 30
"""A process that lived this long had started well."""
_LINE_BYTES_MAX = 64 * 1024
_CONSENSUS_ENDED = "CONSENSUS FAILURE!!!"
"""What the engine writes when its consensus has panicked. Its process lives on and takes part in nothing."""
_BLOCK_REFUSED = "Error in validation"
"""What it writes while catching up, of a block that more than 2/3 of the power have signed."""
_OTHER_STATE = "wrong Block.Header."
_HEAP_PERCENT = "400"
"""The engine's heap holds little that lasts: collected at five times that, not twice, it takes some tens of MiB more
and less time. Who has set ``GOGC`` for the node knows better."""


def find_engine(named: Path | None) -> Path:
    """The engine's program: the one that the configuration names, the one of ``make cometbft``, or one on the path.

    Raises ``ConfigError`` ``engine_missing``.
    """
    built = Path(__file__).resolve().parents[5] / ".tools" / "cometbft"
    found = shutil.which("cometbft")
    for candidate in (named, built, Path(found) if found else None):
        if candidate is not None and candidate.is_file():
            return candidate
        if candidate is named and named is not None:
            break
    raise ConfigError(
        "engine_missing",
        f"{named or 'cometbft'} is not there.",
        next_step="Run `make cometbft` (needs Go), or name the program under [ledger] binary in node.toml.",
    )


class EngineProcess:
    """``cometbft start`` over one home folder."""

    def __init__(self, binary: Path, home: Path, on_diverged: Callable[[], None]) -> None:
        """``on_diverged`` is told when the others have agreed on a block that does not fit this node's state."""
        self._binary = binary
        self._home = home
        self._on_diverged = on_diverged
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Check the version, then start and watch. Raises ``ConfigError`` ``engine_version``, ``engine_missing``."""
        try:
            probe = await asyncio.create_subprocess_exec(
                str(self._binary), "version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            raise ConfigError(
                "engine_missing", f"{self._binary} cannot be run.", next_step="Run `make cometbft` again."
            ) from error
        output, _ = await probe.communicate()
        version = output.decode("utf-8", "replace").strip().partition("+")[0]
        if version != ENGINE_VERSION:
            raise ConfigError(
                "engine_version",
                f"{self._binary} is version {version[:40]!r}; this software is made for {ENGINE_VERSION}.",
                next_step="Run `make cometbft`.",
            )
        self._task = asyncio.create_task(self._watch(), name="engine")

    def start_again(self) -> None:
        """End the process that runs now; another one is started."""
        _LOG.warning("engine_stalled", pid=self.pid)
        self._kill()

    def give_up(self) -> None:
        """Start it no more: its application cannot go on."""
        self._stopping.set()
        self._kill()

    async def stop(self) -> None:
        """End the process and stop watching; killed if it does not end by itself in time."""
        self._stopping.set()
        if self._task is None:
            return
        if self.pid is not None and self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                self._process.kill()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _watch(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._run()
            if self._stopping.is_set():
                return
            failures = 0 if loop.time() - began > _STEADY_S else failures + 1
            _LOG.warning("engine_ended", status=code, restarts=self.restarts)
            self.restarts += 1
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])

    async def _run(self) -> int:
        process = await asyncio.create_subprocess_exec(
            str(self._binary),
            "start",
            "--home",
            ".",
            cwd=self._home,
            env={"GOGC": _HEAP_PERCENT} | os.environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_BYTES_MAX,
        )
        self._process = process
        _LOG.info("engine_started", pid=process.pid)
        try:
            if process.stdout is not None:
                await _pass_on(process.stdout, self._hear)
            return await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def _hear(self, line: str) -> None:
        """Log what the engine says; one without consensus is ended, and started again unless the state is to blame."""
        _LOG.warning("engine_says", line=line)
        ended = _CONSENSUS_ENDED in line
        if _OTHER_STATE in line and (ended or _BLOCK_REFUSED in line):
            self._on_diverged()
        elif ended:
            self._kill()

    def _kill(self) -> None:
        if self.pid is not None and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


async def _pass_on(stream: asyncio.StreamReader, log: Callable[[str], None]) -> None:
    """Each line the engine writes (errors only, by its configuration), cut to a length that a log takes."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the limit: the rest comes with the next lines
            continue
        if not line:
            return
        text = line.decode("utf-8", "replace").strip()
        if text:
            log(text[:2000])
