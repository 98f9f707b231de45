from __future__ import annotations

import dns.flags
import dns.message
import pytest

from discovery.registry import exchange
from discovery.registry.exchange import NoAnswer, ask, matching, question_bytes
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import CD
from tests.discovery.registry.making import query
from tests.discovery.registry.servers import response, sockets, upstream

QUESTION = query("www.example.com.").to_wire()[12:]
QUERY = question_bytes(b"\x12\x34", QUESTION, CD, True)
ADDRESS = "www.example.com. 60 A 10.0.0.1"


def test_a_query_is_what_dnspython_reads() -> None:
    read = dns.message.from_wire(QUERY)
    assert (read.id, read.flags) == (0x1234, dns.flags.RD | dns.flags.CD)
    assert (read.edns, read.payload, read.ednsflags) == (0, 1232, dns.flags.DO)
    assert read.question[0].to_text() == "www.example.com. IN A"
    assert dns.message.from_wire(question_bytes(b"\0\0", QUESTION, 0, False)).ednsflags == 0


def other(name: str, kind: str = "A") -> bytes:
    return b"\x12\x34" + response(query(name, kind).to_wire())[2:]


ANSWERS = {
    "it": (response(QUERY, ADDRESS), True),
    "it, in another case": (other("WWW.example.com."), True),
    "another id": (b"\0\0" + response(QUERY)[2:], False),
    "another name": (other("www.example.org."), False),
    "another type": (other("www.example.com.", "AAAA"), False),
    "a query": (QUERY, False),
    "noise": (b"x" * 40, False),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_only_an_answer_to_the_question_counts(case: str) -> None:
    message, counts = ANSWERS[case]
    assert (matching(message, QUERY) is not None) == counts


async def test_wrong_answers_before_the_right_one_do_not_matter() -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        return [b"", b"noise", b"\0\0" + response(asked)[2:], response(asked, ADDRESS), response(asked)]

    async with upstream(say) as server:
        message = await ask(server.address, QUERY)
    assert [record.data for record in message.answers] == [b"\n\0\0\1"]


async def test_a_truncated_answer_is_asked_for_again_by_tcp() -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        return [response(asked, ADDRESS) if tcp else response(asked, flags=dns.flags.TC)]

    async with upstream(say) as server:
        message = await ask(server.address, QUERY)
        assert len(message.answers) == 1
        assert len(server.asked) == 2


@pytest.mark.parametrize(("by_tcp", "words"), [([], "EOF|0 bytes read"), ([b"\0" * 30], "something else")])
async def test_tcp_that_does_not_answer(by_tcp: list[bytes], words: str) -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        return by_tcp if tcp else [response(asked, flags=dns.flags.TC)]

    async with upstream(say) as server:
        with pytest.raises(NoAnswer, match=words):
            await ask(server.address, QUERY)


async def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.02)
    async with upstream(lambda asked, tcp: []) as server:
        with pytest.raises(NoAnswer, match="in time"):
            await ask(server.address, QUERY)


async def test_nobody_there() -> None:
    udp, tcp = sockets()
    where = Resolver(*udp.getsockname())
    udp.close()
    tcp.close()
    with pytest.raises(NoAnswer, match="could not be asked"):
        await ask(where, QUERY)
