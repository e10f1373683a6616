"""Step 10: the point of it, counted over the people of the run."""

from __future__ import annotations

from lianzheng.demo.closing import closing_table
from lianzheng.demo.stage import REQUESTER, Stage

__all__ = ["close", "report"]


async def report(stage: Stage) -> None:
    """Providers report their uses; the requester compares each report with its own receipts (GATE-10)."""
    for broker in stage.providers:
        await broker.api.post(f"/api/v1/tasks/{stage.task}/report")
        verdict = await stage.requester.api.get(f"/api/v1/tasks/{stage.task}/reports/{broker.did}/verdict")
        what = (
            f"reports {verdict['uses']} uses of {verdict['consents']} consents; broker A's receipts give the same root"
        )
        stage.screen.act(broker.short, what)


def close(stage: Stage) -> None:
    """How often the requester alone misplaces a person, and how often with the alliance's bands."""
    answered: dict[str, list[int]] = {}
    for case in stage.cases:
        traces = [] if case.result is None else case.result["traces"]
        bands = [trace["bands"]["bands"] for trace in traces if trace["bands"]["status"] == "answered"]
        answered[case.person.number] = [found["I01"] for found in bands if "I01" in found]
    rows = []
    for index, row in enumerate(closing_table(stage.people, REQUESTER, answered=answered)):
        rows.append(
            (
                f"{row.yuan_per_dollar} ({'measured in this run' if index == 0 else 'sensitivity, computed'})",
                str(row.people),
                _share(row.wrong_alone, row.people),
                _share(row.wrong_together, row.people),
                str(row.too_high_together),
            )
        )
    columns = ("yuan per 1991 dollar", "customers of A", "wrong band, A alone", "wrong band, with bands", "too high")
    stage.screen.table("Financial assets (I01): how often the band is not the true one", columns, rows)
    stage.screen.note("with bands = own amount + the lower bounds of the others' bands; so it never overstates")
    stage.screen.note("bands never raise a level by themselves: 结果只会下调或提示，不会因联盟数据调高")


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part // whole if whole else 0} %)"
