"""One session a token and process, opened when it is needed, opened anew after the module was away.

PKCS#11 logs a process in, not a session: two stores on one token therefore share the session and its lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import exceptions

from lianzheng.errors import ConfigError, UnavailableError

__all__ = ["Connection", "connect"]

_connections: dict[tuple[str, str], Connection] = {}
_guard = threading.Lock()


def connect(module: Path, token: str, pin: bytes) -> Connection:
    """The connection to a token, logged in.

    Raises ``UnavailableError`` ``hsm_unreachable``; ``ConfigError`` ``hsm_token_missing``, ``hsm_pin_wrong``,
    ``hsm_pin_locked``.
    """
    with _guard:
        connection = _connections.setdefault((str(module), token), Connection(module, token))
    connection.log_in(pin)
    return connection


class Connection:
    """To one token of one module."""

    def __init__(self, module: Path, token: str) -> None:
        self._module = module
        self._token = token
        self._pin: bytes | None = None
        self._refused: bytes | None = None
        """A PIN that the module has refused: asked with it again and again, it would lock the token."""
        self._session: Any = None
        self._lock = threading.RLock()

    def log_in(self, pin: bytes) -> None:
        """Open a session now; errors as of :func:`connect`."""
        with self._lock:
            if self._session is None:
                self._session = self._open(pin)
                self._pin = pin

    @contextmanager
    def session(self) -> Iterator[Any]:
        """The session, for this thread alone. Raises ``UnavailableError`` ``hsm_unreachable`` and as :func:`connect`.

        After any error of the module that the caller has not dealt with the session counts as lost, and the next use
        opens another.
        """
        with self._lock:
            if self._session is None:
                self._session = self._open(self._pin or b"")
            try:
                yield self._session
            except exceptions.PKCS11Error as error:
                self._session = None
                raise _unreachable(type(error).__name__) from error

    def _open(self, pin: bytes) -> Any:
        if pin == self._refused:
            raise _pin_wrong()
        try:
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
            try:
                return token.open(rw=True, user_pin=pin.decode("utf-8"))
            except exceptions.UserAlreadyLoggedIn:  # of a session that was lost; the process still is
                return token.open(rw=True)
        except (exceptions.NoSuchToken, exceptions.MultipleTokensReturned) as error:
            raise ConfigError(
                "hsm_token_missing",
                "The hardware module has no token of this label, or several.",
                next_step="Compare token in [keys] with `softhsm2-util --show-slots`, or the vendor's tool.",
            ) from error
        except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange, UnicodeDecodeError) as error:
            self._refused = pin
            raise _pin_wrong() from error
        except exceptions.PinLocked as error:
            raise ConfigError(
                "hsm_pin_locked",
                "The hardware module has locked the PIN.",
                next_step="Its security officer sets a new one.",
            ) from error
        except RuntimeError as error:  # PKCS11Error is one, and so is a library that cannot be loaded
            raise _unreachable(type(error).__name__) from error


def _pin_wrong() -> ConfigError:
    return ConfigError(
        "hsm_pin_wrong",
        "The hardware module refuses the PIN.",
        next_step="Correct the PIN file before starting again: a module locks after a few tries.",
    )


def _unreachable(detail: str) -> UnavailableError:
    return UnavailableError(
        "hsm_unreachable",
        "The hardware module does not answer.",
        next_step="Check module in [keys], its service and its cable; the node goes on when it answers.",
        detail=detail,
    )
