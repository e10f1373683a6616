"""Ledger rules of datasets, epochs and tasks: each refusal by its code, and the state untouched by it."""

from __future__ import annotations

from typing import Any

import pytest

from compute_kit import (
    ALPHA,
    BETA,
    CHAIN,
    DAY_MS,
    GAMMA,
    SISTER,
    START_MS,
    STRANGER,
    RuleLedger,
    contract,
    offer,
)
from lianzheng.compute.datasets.model import DatasetWithdraw, dataset_record
from lianzheng.compute.tasks.model import (
    TaskApprove,
    TaskCancel,
    TaskClose,
    TaskCounts,
    TaskPropose,
    TaskRefuse,
    TaskReport,
    approval_record,
    report_record,
    task_record,
)
from lianzheng.compute.tasks.service import require_runnable, tasks_of
from lianzheng.compute.views.model import (
    EpochCommit,
    EpochPublish,
    TableParameters,
    epoch_record,
    key_proof_transcript,
)
from lianzheng.compute.views.size import is_size_class, size_class, table_shape
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import LianzhengError
from lianzheng.zk import schnorr

VIEW = "beta-clients/wealth/bands"


def refused(ledger: RuleLedger, code: str, kind: str, sender: str, payload: Any) -> None:
    before = ledger.state.root()
    with pytest.raises(LianzhengError) as error:
        ledger.apply(kind, sender, payload)
    assert error.value.code == code
    assert ledger.state.root() == before


def commit(
    epoch: int = 1, key: int = 1234567, *, chain: str = CHAIN, sender: str = BETA, **changes: Any
) -> EpochCommit:
    point = G1.generator() * key
    view = changes.get("view", VIEW)
    proof = schnorr.prove(G1.generator(), point, key, key_proof_transcript(chain, sender, view, epoch))
    members = EpochCommit(
        view=view,
        epoch=epoch,
        key_point=point.to_bytes(),
        key_proof=proof.to_bytes(),
        salt=bytes(32),
        columns_root=bytes(32),
        boundaries=bytes(32),
        parameters=TableParameters(retrieval="table", entries=128, columns=64),
        from_ms=START_MS,
        until_ms=START_MS + 30 * DAY_MS,
    ).to_json()
    return EpochCommit.from_json(members | changes)


@pytest.fixture
def ledger() -> RuleLedger:
    made = RuleLedger()
    made.apply("dataset.publish", BETA, offer())
    made.apply("dataset.publish", GAMMA, offer("gamma-clients"))
    return made


class TestDatasets:
    def test_publish_update_withdraw(self, ledger: RuleLedger) -> None:
        ledger.apply("dataset.publish", BETA, offer(title="Clients, corrected"))
        record = dataset_record(ledger.state, "beta-clients")
        assert (record.owner, record.version, record.title) == (BETA, 2, "Clients, corrected")
        ledger.apply("dataset.withdraw", BETA, DatasetWithdraw(dataset="beta-clients"))
        assert dataset_record(ledger.state, "beta-clients").status == "withdrawn"
        refused(ledger, "dataset_withdrawn", "dataset.publish", BETA, offer())
        refused(ledger, "dataset_withdrawn", "dataset.withdraw", BETA, DatasetWithdraw(dataset="beta-clients"))

    @pytest.mark.parametrize(
        ("code", "changes"),
        [
            ("purpose_unknown", {"purposes": ["marketing"]}),
            ("function_unknown", {"functions": ["export"]}),
            ("view_not_in_dataset", {"views": ["gamma-clients/wealth/bands"]}),
            ("bundle_unknown", {"views": ["new/blacklist/bands"]}),
            ("form_unknown", {"views": ["new/wealth/amount"]}),
            ("threshold_not_in_bundle", {"views": ["new/experience/i01-ge-4"]}),
            ("view_without_purpose", {"views": ["new/consistency/bands"], "purposes": ["professional-status"]}),
            ("list_not_sorted", {"views": ["new/wealth/bands", "new/experience/bands"]}),
            ("list_not_sorted", {"views": ["new/wealth/bands", "new/wealth/bands"]}),
            ("dataset_day_ahead", {"as_of": "2099-01-01"}),
            ("issuer_unknown", {"issuers": [STRANGER]}),
        ],
    )
    def test_offer_is_checked(self, ledger: RuleLedger, code: str, changes: dict[str, Any]) -> None:
        refused(ledger, code, "dataset.publish", BETA, offer("new", **changes))

    def test_names_belong_to_their_owner(self, ledger: RuleLedger) -> None:
        refused(ledger, "dataset_taken", "dataset.publish", GAMMA, offer())
        refused(ledger, "dataset_not_yours", "dataset.withdraw", GAMMA, DatasetWithdraw(dataset="beta-clients"))
        refused(ledger, "dataset_unknown", "dataset.withdraw", GAMMA, DatasetWithdraw(dataset="none"))


class TestEpochs:
    def test_gate_0_commit_then_publish_then_the_next(self, ledger: RuleLedger) -> None:
        ledger.apply("epoch.commit", BETA, commit())
        assert epoch_record(ledger.state, VIEW, 1).status == "committed"
        ledger.apply("epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=None))
        record = epoch_record(ledger.state, VIEW, 1)
        assert (record.status, record.provider) == ("published", BETA)
        ledger.apply("epoch.commit", BETA, commit(2, 7654321))
        refused(ledger, "epoch_already_published", "epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=None))

    def test_gate_0_a_key_point_ever_seen_is_refused(self, ledger: RuleLedger) -> None:
        ledger.apply("epoch.commit", BETA, commit())
        other = "beta-clients/experience/bands"
        refused(ledger, "view_key_reused", "epoch.commit", BETA, commit(2))
        refused(ledger, "view_key_reused", "epoch.commit", BETA, commit(view=other))
        gamma = commit(view="gamma-clients/wealth/bands", sender=GAMMA)
        refused(ledger, "view_key_reused", "epoch.commit", GAMMA, gamma)
        refused(ledger, "view_key_reused", "epoch.commit", BETA, commit(key=1, view=other))

    def test_epochs_are_consecutive_per_view(self, ledger: RuleLedger) -> None:
        refused(ledger, "epoch_not_consecutive", "epoch.commit", BETA, commit(2))
        ledger.apply("epoch.commit", BETA, commit())
        refused(ledger, "epoch_exists", "epoch.commit", BETA, commit(1, 99))
        refused(ledger, "epoch_not_consecutive", "epoch.commit", BETA, commit(3, 99))
        refused(ledger, "epoch_times_invalid", "epoch.commit", BETA, commit(2, 99, from_ms=START_MS - 1))
        ledger.apply("epoch.commit", BETA, commit(1, 98, view="beta-clients/experience/bands"))

    @pytest.mark.parametrize(
        "changed",
        [
            {"chain": "other"},
            {"sender": GAMMA},
            {"key_proof": schnorr.SchnorrProof(G1.generator(), 5).to_bytes()},
        ],
    )
    def test_gate_0_key_proof_is_bound(self, ledger: RuleLedger, changed: dict[str, Any]) -> None:
        refused(ledger, "schnorr_invalid", "epoch.commit", BETA, commit(**changed))

    def test_gate_0_key_proof_binds_view_and_epoch(self, ledger: RuleLedger) -> None:
        good = commit()
        view = commit(view="beta-clients/experience/bands")
        refused(ledger, "schnorr_invalid", "epoch.commit", BETA, good.model_copy(update={"key_proof": view.key_proof}))
        second = commit(2)
        refused(
            ledger, "schnorr_invalid", "epoch.commit", BETA, good.model_copy(update={"key_proof": second.key_proof})
        )

    def test_con_4_key_point_is_checked(self, ledger: RuleLedger) -> None:
        identity = b"\xc0" + bytes(47)
        refused(ledger, "point_identity", "epoch.commit", BETA, commit().model_copy(update={"key_point": identity}))
        refused(ledger, "point_malformed", "epoch.commit", BETA, commit().model_copy(update={"key_point": bytes(48)}))

    @pytest.mark.parametrize(
        ("code", "changes"),
        [
            ("dataset_unknown", {"view": "none/wealth/bands"}),
            ("view_unknown", {"view": "beta-clients/level/bands"}),
            ("dataset_not_yours", {"view": "gamma-clients/wealth/bands"}),
            ("epoch_times_invalid", {"until_ms": START_MS}),
            ("epoch_times_invalid", {"until_ms": START_MS + 400 * DAY_MS}),
            ("epoch_times_invalid", {"from_ms": START_MS + 400 * DAY_MS, "until_ms": START_MS + 401 * DAY_MS}),
            ("epoch_over", {"from_ms": START_MS - 10, "until_ms": START_MS}),
            (
                "size_class_invalid",
                {"parameters": {"retrieval": "table", "entries": 136, "columns": 8, "entry_bytes": 16}},
            ),
            (
                "size_class_invalid",
                {"parameters": {"retrieval": "table", "entries": 96, "columns": 3, "entry_bytes": 16}},
            ),
            ("field_invalid", {"parameters": {"retrieval": "rows", "entries": 128, "columns": 64, "entry_bytes": 16}}),
        ],
    )
    def test_commit_is_checked(self, ledger: RuleLedger, code: str, changes: dict[str, Any]) -> None:
        members = commit().to_json() | changes
        refused(ledger, code, "epoch.commit", BETA, members)

    def test_publish_is_checked(self, ledger: RuleLedger) -> None:
        refused(ledger, "epoch_unknown", "epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=None))
        ledger.apply("epoch.commit", BETA, commit())
        refused(ledger, "dataset_not_yours", "epoch.publish", GAMMA, EpochPublish(view=VIEW, epoch=1, hint=None))
        refused(ledger, "hint_unexpected", "epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=bytes(32)))
        ledger.clock.advance(31 * DAY_MS)
        refused(ledger, "epoch_over", "epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=None))

    def test_pir_2_a_table_asked_in_private_has_a_hint(self, ledger: RuleLedger) -> None:
        private = {"retrieval": "pir", "entries": 128, "columns": 64, "entry_bytes": 16}
        members = commit().to_json() | {"parameters": private}
        refused(ledger, "retrieval_mismatch", "epoch.commit", BETA, members)
        ledger.apply("dataset.publish", BETA, offer(retrieval="pir"))
        refused(ledger, "retrieval_mismatch", "epoch.commit", BETA, commit())
        ledger.apply("epoch.commit", BETA, members)
        refused(ledger, "hint_missing", "epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=None))
        ledger.apply("epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=b"h" * 32))
        assert epoch_record(ledger.state, VIEW, 1).hint == b"h" * 32

    def test_no_epochs_of_a_withdrawn_dataset(self, ledger: RuleLedger) -> None:
        ledger.apply("epoch.commit", BETA, commit())
        ledger.apply("dataset.withdraw", BETA, DatasetWithdraw(dataset="beta-clients"))
        refused(ledger, "dataset_withdrawn", "epoch.commit", BETA, commit(2, 99))
        refused(ledger, "dataset_withdrawn", "epoch.publish", BETA, EpochPublish(view=VIEW, epoch=1, hint=None))


def propose(ledger: RuleLedger, **changes: Any) -> bytes:
    task, data = ledger.apply("task.propose", ALPHA, TaskPropose(contract=contract(**changes)))
    assert set(data) == {"task"}
    return task


def report(task: bytes, requests: int, uses: int, consents: int) -> TaskReport:
    return TaskReport(
        task=task, counts=TaskCounts(requests=requests, uses=uses, consents=consents), root=bytes([uses]) * 32
    )


class TestTasks:
    def test_task_1_from_proposal_to_close(self, ledger: RuleLedger) -> None:
        task = propose(ledger)
        ledger.apply("task.approve", BETA, TaskApprove(task=task))
        ledger.apply("task.refuse", GAMMA, TaskRefuse(task=task, reason="legal-basis"))
        assert require_runnable(ledger.state, task, BETA, START_MS).contract == contract()
        refusal = approval_record(ledger.state, task, GAMMA)
        assert refusal is not None
        assert refusal.decision == "refused"
        with pytest.raises(LianzhengError, match="task_not_approved"):
            require_runnable(ledger.state, task, GAMMA, START_MS)
        refused(ledger, "task_report_missing", "task.close", ALPHA, TaskClose(task=task))
        ledger.apply("task.report", BETA, report(task, 3, 5, 2))
        ledger.apply("task.report", BETA, report(task, 4, 6, 2))
        found = report_record(ledger.state, task, BETA)
        assert found is not None
        assert (found.version, found.counts.uses) == (2, 6)
        ledger.apply("task.close", ALPHA, TaskClose(task=task))
        assert task_record(ledger.state, task).status == "closed"
        refused(ledger, "task_ended", "task.report", BETA, report(task, 5, 7, 3))
        assert [found for found, _ in tasks_of(ledger.state, GAMMA)] == [task]
        assert tasks_of(ledger.state, SISTER) == []

    @pytest.mark.parametrize(
        ("code", "changes"),
        [
            ("purpose_unknown", {"purpose": "marketing"}),
            ("function_unknown", {"function": "export"}),
            ("function_unknown", {"function_version": 2}),
            ("function_unavailable", {"function": "intersection"}),
            ("purpose_function", {"purpose": "suitability-statistics"}),
            ("purpose_not_allowed", {"purpose": "suitability-matching"}),
            ("task_parameters_invalid", {"parameters": {"threshold": 1}}),
            ("task_requester_mismatch", {"requester": SISTER, "receiver": SISTER}),
            ("task_receiver_invalid", {"receiver": BETA}),
            ("task_self_provider", {"providers": sorted([ALPHA, BETA, GAMMA])}),
            ("list_not_sorted", {"providers": [GAMMA, BETA]}),
            ("member_inactive", {"providers": sorted([BETA, STRANGER])}),
            ("task_providers_mismatch", {"providers": [BETA]}),
            ("task_providers_mismatch", {"providers": sorted([BETA, GAMMA, SISTER])}),
            ("task_groups_few", {"providers": [SISTER]}),
            ("dataset_unknown", {"views": ["none/wealth/bands"]}),
            ("view_unknown", {"views": ["beta-clients/level/bands", "gamma-clients/wealth/bands"]}),
            ("list_not_sorted", {"views": ["gamma-clients/wealth/bands", "beta-clients/wealth/bands"]}),
            ("task_expired", {"expires_ms": START_MS}),
            ("task_expiry_far", {"expires_ms": START_MS + 400 * DAY_MS}),
        ],
    )
    def test_contract_is_checked(self, ledger: RuleLedger, code: str, changes: dict[str, Any]) -> None:
        refused(ledger, code, "task.propose", ALPHA, TaskPropose(contract=contract(**changes)))

    def test_only_named_providers_decide_once_and_in_time(self, ledger: RuleLedger) -> None:
        task = propose(ledger)
        refused(ledger, "task_not_provider", "task.approve", SISTER, TaskApprove(task=task))
        refused(ledger, "task_not_provider", "task.approve", ALPHA, TaskApprove(task=task))
        refused(ledger, "task_unknown", "task.approve", BETA, TaskApprove(task=bytes(32)))
        ledger.apply("task.approve", BETA, TaskApprove(task=task))
        refused(ledger, "task_already_decided", "task.refuse", BETA, TaskRefuse(task=task, reason="other"))
        ledger.clock.advance(30 * DAY_MS)
        refused(ledger, "task_expired", "task.approve", GAMMA, TaskApprove(task=task))
        with pytest.raises(LianzhengError, match="task_expired"):
            require_runnable(ledger.state, task, BETA, ledger.clock.now_ms())

    def test_cancel_and_close_are_the_requesters(self, ledger: RuleLedger) -> None:
        task = propose(ledger)
        refused(ledger, "task_not_requester", "task.cancel", BETA, TaskCancel(task=task))
        refused(ledger, "task_not_requester", "task.close", BETA, TaskClose(task=task))
        ledger.apply("task.approve", BETA, TaskApprove(task=task))
        ledger.apply("task.cancel", ALPHA, TaskCancel(task=task))
        refused(ledger, "task_ended", "task.cancel", ALPHA, TaskCancel(task=task))
        refused(ledger, "task_ended", "task.approve", GAMMA, TaskApprove(task=task))
        with pytest.raises(LianzhengError, match="task_ended"):
            require_runnable(ledger.state, task, BETA, START_MS)
        ledger.apply("task.report", BETA, report(task, 1, 1, 1))  # what was used before the cancellation
        ledger.apply("task.close", ALPHA, TaskClose(task=task))

    def test_close_does_not_wait_for_ever(self, ledger: RuleLedger) -> None:
        task = propose(ledger)
        ledger.apply("task.approve", BETA, TaskApprove(task=task))
        ledger.clock.advance(44 * DAY_MS + 1)
        ledger.apply("task.close", ALPHA, TaskClose(task=task))

    @pytest.mark.parametrize(
        ("code", "counts"),
        [
            ("report_counts_invalid", (1, 101, 1)),
            ("report_counts_invalid", (3, 2, 3)),
            ("report_counts_invalid", (0, 3, 3)),
            ("report_decreasing", (2, 4, 2)),
        ],
    )
    def test_gate_10_report_is_checked(self, ledger: RuleLedger, code: str, counts: tuple[int, int, int]) -> None:
        task = propose(ledger)
        refused(ledger, "task_not_approved", "task.report", BETA, report(task, 1, 1, 1))
        ledger.apply("task.approve", BETA, TaskApprove(task=task))
        ledger.apply("task.report", BETA, report(task, 2, 5, 2))
        refused(ledger, code, "task.report", BETA, report(task, *counts))

    def test_a_withdrawn_dataset_takes_no_new_task(self, ledger: RuleLedger) -> None:
        ledger.apply("dataset.withdraw", BETA, DatasetWithdraw(dataset="beta-clients"))
        refused(ledger, "dataset_withdrawn", "task.propose", ALPHA, TaskPropose(contract=contract()))


def test_b21_size_classes() -> None:
    assert [size_class(n) for n in (0, 8, 9, 16, 17, 120, 121, 128, 129, 10_000)] == [
        8, 8, 9, 16, 18, 120, 128, 128, 144, 10_240,
    ]  # fmt: skip
    assert table_shape(120) == (128, 64)
    assert table_shape(100_000) == (106_496, 2048)
    assert table_shape(1_000_000) == (1_048_576, 8192)
    assert table_shape(10_000_000) == (10_485_760, 32_768)
    for count in (1, 7, 33, 1000, 99_999):
        entries, columns = table_shape(count)
        assert is_size_class(entries, columns)
        assert entries >= count
        assert not is_size_class(entries + 1, columns)
