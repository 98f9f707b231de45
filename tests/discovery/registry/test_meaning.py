"""Names that say nothing are told of, once."""

from __future__ import annotations

import pytest

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.registry import meaning as module
from discovery.registry.content import content_of
from discovery.registry.meaning import Meaning
from discovery.registry.registrations import origin
from discovery.registry.wire import IN, SRV, TXT, A, Record, from_text, to_wire

ZONE = origin("cluster.local")
WEB = Service(ObjectMeta("web", "default"), ServiceSpec(ports=(ServicePort(80, "http"),)))


def _record(name: str, kind: int) -> Record:
    data = {A: b"\x0a\0\0\1", TXT: b"\1a", SRV: bytes(6) + to_wire(from_text("h.web.default.endpoints.cluster.local"))}
    whole = f"{name}.endpoints.cluster.local".lstrip(".")
    return Record(to_wire(from_text(whole)), kind, IN, 5, data[kind])


ROWS = {
    "a port of the Service": ("_http._tcp.web.default", SRV, ""),
    "a host": ("h.web.default", A, ""),
    "a Service that is not known here": ("_http._tcp.shop.default", SRV, ""),
    "the zone itself": ("", TXT, ""),
    "another port": ("_htpp._tcp.web.default", SRV, "_http._tcp.web.default"),
    "no namespace": ("web", A, "_PORT._PROTO"),
    "too many labels": ("a._http._tcp.web.default", SRV, "_PORT._PROTO"),
}


@pytest.mark.parametrize(("name", "kind", "said"), ROWS.values(), ids=ROWS)
def test_what_is_told(name: str, kind: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    record = _record(name, kind)
    meaning = Meaning(content_of(ZONE, 1, [record]))
    meaning.define({Named("default", "web"): WEB})
    meaning.changed([record.name])
    meaning.changed([record.name])
    assert [said in each.getMessage() for each in caplog.records] == ([True] if said else [])


def test_what_is_gone_is_not_told_of_and_of_many_some(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_TOLD", 2)
    records = [_record(f"n{number}", A) for number in range(4)]
    meaning = Meaning(content_of(ZONE, 1, records))
    meaning.changed([_record("gone", A).name, *(record.name for record in records)])
    assert [each.getMessage().split(".")[0] for each in caplog.records] == ['"n0', '"n1']
