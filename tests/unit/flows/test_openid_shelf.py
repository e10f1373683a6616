"""What the OpenID flows keep is bounded, ends with its time, and does not depend on a wall clock set back."""

from __future__ import annotations

import pytest

from lianzheng.clock import ManualClock
from lianzheng.errors import RefusedError, UnavailableError
from lianzheng.flows.openid.nonces import Nonces
from lianzheng.flows.openid.shelf import Allowance, Shelf, secret
from lianzheng.limits import OPENID_CLIENTS_MAX, OPENID_NONCE_MS

MINUTE_MS = 60_000


class TwoClocks(ManualClock):
    """Wall time may be set back; the other one only moves forward."""

    boot = 0

    def boot_ms(self) -> int:
        return self.boot

    def boot_us(self) -> int:
        return self.boot * 1000


def test_a_value_stays_until_its_time_and_no_longer() -> None:
    clock = TwoClocks()
    shelf: Shelf[int] = Shelf(clock, 1000)
    shelf.put("a", 1)
    clock.advance(-86_400_000)
    clock.boot = 999
    assert shelf.get("a") == 1
    clock.boot = 1000
    assert shelf.get("a") is None
    assert shelf.get("b") is None
    shelf.drop("b")


def test_a_full_shelf_takes_nothing_until_something_ended() -> None:
    clock = TwoClocks()
    shelf: Shelf[int] = Shelf(clock, 1000, most=3)
    for name in "abc":
        shelf.put(name, 0)
    with pytest.raises(UnavailableError) as caught:
        shelf.put("d", 0)
    assert caught.value.code == "openid_busy"
    clock.boot = 1000
    shelf.put("d", 4)
    assert (shelf.get("a"), shelf.get("d")) == (None, 4)


def test_secrets_are_long_and_distinct() -> None:
    made = {secret() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(one) for one in made} == {43}  # 256 bits in base64url


def test_nonces_of_another_process_are_foreign() -> None:
    clock = TwoClocks()
    ours, theirs = Nonces(clock), Nonces(clock)
    with pytest.raises(RefusedError):
        ours.use(theirs.make())
    made = ours.make()
    clock.boot = OPENID_NONCE_MS - 1
    ours.use(made)
    with pytest.raises(RefusedError) as caught:
        ours.use(made)
    assert caught.value.code == "invalid_nonce"


def test_an_address_has_its_allowance_and_gets_it_back_evenly() -> None:
    clock = TwoClocks()
    allowance = Allowance(60, clock)
    assert [allowance.take("a") for _ in range(61)] == [True] * 60 + [False]
    assert allowance.take("b")
    clock.boot = 999
    assert not allowance.take("a")
    clock.boot = 1000  # 60 a minute: one a second
    assert allowance.take("a")
    assert not allowance.take("a")
    clock.boot += 10 * MINUTE_MS
    assert [allowance.take("a") for _ in range(61)].count(True) == 60


def test_addresses_are_bounded() -> None:
    allowance = Allowance(1, TwoClocks())
    for number in range(OPENID_CLIENTS_MAX + 10):
        assert allowance.take(str(number))
    assert len(allowance._levels) == OPENID_CLIENTS_MAX
    assert not allowance.take(str(OPENID_CLIENTS_MAX + 9))


def test_a_subscriber_of_ipv6_has_one_allowance_for_all_his_addresses() -> None:
    allowance = Allowance(1, TwoClocks())
    assert allowance.take("2001:db8:0:1::1")
    assert not allowance.take("2001:db8:0:1:ffff:ffff:ffff:ffff")
    assert allowance.take("2001:db8:0:2::1")
    assert allowance.take("192.0.2.1")
    assert allowance.take("192.0.2.2")
    assert not allowance.take("::ffff:192.0.2.1")  # the same as a dual-stack socket writes it
    assert allowance.take("fe80::1%eth0")
    assert not allowance.take("fe80::2%eth1")
    assert allowance.take("")
    assert not allowance.take("")
