from __future__ import annotations

from config.errors import Fault, FaultList
from config.meta import ObjectKey, Source

KEY = ObjectKey("Service", "shop", "web")


def test_a_fault_prints_on_one_line() -> None:
    where = Source("a.yaml", 3, 7)
    assert str(Fault("error", where, "is wrong")) == "a.yaml:3:7: is wrong"
    assert (
        str(Fault("error", where, "is wrong", KEY, "spec.type")) == "a.yaml:3:7: Service/shop/web: spec.type: is wrong"
    )
    assert str(Fault("notice", where, "is new", ObjectKey("Namespace", "", "a"))) == "a.yaml:3:7: Namespace/a: is new"


def test_a_list_is_bounded_and_says_so() -> None:
    faults = FaultList(limit=2)
    for line in range(1, 6):
        faults.add(Fault("error", Source("f", line, 1), f"{line}"))
    assert [fault.message for fault in faults.all()] == ["1", "2", "3 more findings are not listed"]
    assert faults.all()[-1].source.line == 5
    assert not FaultList().crowded
    assert FaultList().all() == ()
