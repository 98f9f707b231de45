"""Responses that two readers may cut differently (RFC 9112 section 6.3), and what the client must be told."""

from __future__ import annotations

from tests.mesh.smuggling.making import BAD, CHUNKED, CUT, END, HELLO, HIDDEN_ANSWER, Response, Told, answer

_OK = Told(200, b"hello")
_NONE = Told(200)
_FIVE = b"Content-Length: 5"
_HEAD = b"HEAD /case HTTP/1.1\r\nHost: a\r\n\r\n"
_OLD = b"GET /case HTTP/1.0\r\nHost: a\r\n\r\n"
_OLD_STAYS = b"GET /case HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
_UPGRADE = b"GET /case HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


def _chunks(body: bytes) -> bytes:
    return answer(CHUNKED, body=body)


def _start(line: bytes) -> bytes:
    return answer(_FIVE, body=b"hello", start=line)


_MALFORMED: dict[str, bytes] = {
    "CL.TE": answer(_FIVE, CHUNKED, body=HELLO + END),
    "TE.CL": answer(CHUNKED, _FIVE, body=HELLO + END),
    "CL beside an unknown coding": answer(_FIVE, b"Transfer-Encoding: x", body=b"hello"),
    "CL beside an empty coding": answer(_FIVE, b"Transfer-Encoding:", body=b"hello"),
    "CL twice": answer(_FIVE, b"Content-Length: 0", body=b"hello"),
    "CL twice, equal": answer(_FIVE, _FIVE, body=b"hello"),
    "CL list": answer(b"Content-Length: 5, 5", body=b"hello"),
    "CL +5": answer(b"Content-Length: +5", body=b"hello"),
    "CL -1": answer(b"Content-Length: -1", body=b"hello"),
    "CL 0x5": answer(b"Content-Length: 0x5", body=b"hello"),
    "CL 5.0": answer(b"Content-Length: 5.0", body=b"hello"),
    "CL 1_0": answer(b"Content-Length: 1_0", body=b"hellohello"),
    "CL 1 0": answer(b"Content-Length: 1 0", body=b"hellohello"),
    "CL empty": answer(b"Content-Length:", body=b"hello"),
    "CL with NBSP": answer(b"Content-Length: 5\xa0", body=b"hello"),
    "CL of 2**63": answer(b"Content-Length: 9223372036854775808", body=b"hello"),
    "CL of 2**64 and 5": answer(b"Content-Length: 18446744073709551621", body=b"hello"),
    "CL with a space before the colon": answer(b"Content-Length : 5", body=b"hello"),
    "CL folded": answer(b"Content-Length:\r\n 5", body=b"hello"),
    "CL after a bare CR": answer(b"X: y\rContent-Length: 5", body=b"hello"),
    "CL after a bare LF": answer(b"X: y\nContent-Length: 5", body=b"hello"),
    "TE identity": answer(b"Transfer-Encoding: identity", body=b"hello"),
    "TE gzip": answer(b"Transfer-Encoding: gzip", body=b"hello"),
    "TE gzip, chunked": answer(b"Transfer-Encoding: gzip, chunked", body=HELLO + END),
    "TE chunked, gzip": answer(b"Transfer-Encoding: chunked, gzip", body=HELLO + END),
    "TE chunked twice": answer(b"Transfer-Encoding: chunked, chunked", body=HELLO + END),
    "TE in two fields": answer(CHUNKED, CHUNKED, body=HELLO + END),
    "TE and a comma": answer(b"Transfer-Encoding: chunked,", body=HELLO + END),
    "TE with a parameter": answer(b"Transfer-Encoding: chunked;a=b", body=HELLO + END),
    "TE xchunked": answer(b"Transfer-Encoding: xchunked", body=HELLO + END),
    "TE with a vertical tab": answer(b"Transfer-Encoding: \x0bchunked", body=HELLO + END),
    "TE with a space before the colon": answer(b"Transfer-Encoding : chunked", body=HELLO + END),
    "TE in HTTP/1.0": answer(CHUNKED, body=HELLO + END, start=b"HTTP/1.0 200 OK"),
    "lines end with LF": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "status line ends with LF": b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello",
    "status line with NUL": _start(b"HTTP/1.1 200 O\0K"),
    "status line with a bare CR": _start(b"HTTP/1.1 200 O\rK"),
    "status of two digits": _start(b"HTTP/1.1 20 OK"),
    "status of four digits": _start(b"HTTP/1.1 2000 OK"),
    "status 000": _start(b"HTTP/1.1 000 OK"),
    "status 099": _start(b"HTTP/1.1 099 OK"),
    "status -20": _start(b"HTTP/1.1 -20 OK"),
    "status +20": _start(b"HTTP/1.1 +20 OK"),
    "status 2e2": _start(b"HTTP/1.1 2e2 OK"),
    "no status": _start(b"HTTP/1.1"),
    "two spaces before the status": _start(b"HTTP/1.1  200 OK"),
    "tab before the status": _start(b"HTTP/1.1\t200 OK"),
    "version 0.9": _start(b"HTTP/0.9 200 OK"),
    "version 1.2": _start(b"HTTP/1.2 200 OK"),
    "version 2.0": _start(b"HTTP/2.0 200 OK"),
    "version 2": _start(b"HTTP/2 200"),
    "version 1.10": _start(b"HTTP/1.10 200 OK"),
    "version in lower case": _start(b"http/1.1 200 OK"),
    "another protocol": _start(b"ICY 200 OK"),
    "a space first": b" " + _start(b"HTTP/1.1 200 OK"),
    "an empty line first": b"\r\n" + _start(b"HTTP/1.1 200 OK"),
    "a request": b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
    "no HTTP at all": b"hello\r\n\r\n",
    "a banner": b"220 mail.example ESMTP\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n",
    "a folded value": answer(_FIVE, b"X: y\r\n z", body=b"hello"),
    "a folded first line": answer(b" X: y", _FIVE, body=b"hello"),
    "a name with a space": answer(_FIVE, b"X Y: z", body=b"hello"),
    "a name with NUL": answer(_FIVE, b"X\0: y", body=b"hello"),
    "a field without a colon": answer(_FIVE, b"X", body=b"hello"),
    "a field without a name": answer(_FIVE, b": y", body=b"hello"),
    "a value with NUL": answer(_FIVE, b"X: \0", body=b"hello"),
    "a value with a bare CR and a response": answer(_FIVE, b"X: y\r\r" + HIDDEN_ANSWER, body=b"hello"),
    "a value with a bare LF and a response": answer(_FIVE, b"X: y\n\n" + HIDDEN_ANSWER, body=b"hello"),
    "101 fields": answer(_FIVE, *[b"X: y"] * 100, body=b"hello"),
    "a head of more than 64 KiB": answer(_FIVE, b"X: " + b"y" * 66_000, body=b"hello"),
    "a switch that nobody asked for": answer(start=b"HTTP/1.1 101 Switching", body=HIDDEN_ANSWER),
    "an upgrade that nobody asked for": answer(b"Connection: upgrade", b"Upgrade: h2c", start=b"HTTP/1.1 101 S"),
    "33 interim responses": answer(start=b"HTTP/1.1 103 Early") * 33 + answer(_FIVE, body=b"hello"),
    "an interim response, then none of HTTP": answer(start=b"HTTP/1.1 100 Continue") + b"hello\r\n\r\n",
    "an interim response with a body": answer(_FIVE, start=b"HTTP/1.1 100 Continue", body=b"hello") + HIDDEN_ANSWER,
}  # fmt: skip

# What some readers take for white space, or for the end of a text, and what is neither a letter nor a digit.
_ODD = {f"0x{number:02x}": bytes([number]) for number in (0, 1, 8, 11, 12, 14, 28, 31, 127, 133, 160)}
_ODDITIES: dict[str, bytes] = {
    f"{name} {where}": answer(line % char, body=body)
    for name, char in _ODD.items()
    for where, line, body in (
        ("before CL's value", b"Content-Length: %b5", b"hello"),
        ("after CL's value", b"Content-Length: 5%b", b"hello"),
        ("before CL's name", b"%bContent-Length: 5", b"hello"),
        ("after CL's name", b"Content-Length%b: 5", b"hello"),
        ("before TE's value", b"Transfer-Encoding: %bchunked", HELLO + END),
        ("after TE's value", b"Transfer-Encoding: chunked%b", HELLO + END),
    )
}

_BAD_CHUNKS: dict[str, bytes] = {
    "size with a sign": b"+5\r\nhello\r\n" + END,
    "size 0x5": b"0x5\r\nhello\r\n" + END,
    "size before a space": b"5 \r\nhello\r\n" + END,
    "size of 2**64 and 5": b"10000000000000005\r\nhello\r\n" + END,
    "size empty": b"\r\nhello\r\n" + END,
    "size line ends with LF": b"5\nhello\r\n" + END,
    "extension with NUL": b"5;a=\0\r\nhello\r\n" + END,
    "extension with an open quote": b'5;a="\r\nhello\r\n' + END,
    "data longer than said": b"5\r\nhello!\r\n" + END,
    "data ends with LF": b"5\r\nhello\n" + END,
    "a second size that is none": HELLO + b"x\r\n" + HIDDEN_ANSWER,
    "the last chunk, then a response": HELLO + b"0\r\n" + HIDDEN_ANSWER,
    "trailer Content-Length": HELLO + b"0\r\nContent-Length: 5\r\n\r\n",
    "trailer Transfer-Encoding": HELLO + b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "trailer with NUL": HELLO + b"0\r\nA: \0\r\n\r\n",
    "trailer folded": HELLO + b"0\r\nA: b\r\n c\r\n\r\n",
}  # fmt: skip

_OTHERS: dict[str, Response] = {
    "CL": Response(answer(_FIVE, body=b"hello"), _OK),
    "CL and a response beyond": Response(answer(_FIVE, body=b"hello" + HIDDEN_ANSWER), _OK),
    "CL and a byte beyond": Response(answer(_FIVE, body=b"hello!"), _OK),
    "CL 0 and a body": Response(answer(b"Content-Length: 0", body=b"hidden"), _NONE),
    "CL with zeros": Response(answer(b"Content-Length: 0005", body=b"hello"), _OK),
    "CL too long": Response(answer(b"Content-Length: 9", body=b"hello"), CUT, closes=True),
    "CL that Connection names": Response(answer(_FIVE, b"Connection: content-length", body=b"hello"), _OK),
    "CL holds a response": Response(
        answer(b"Content-Length: %d" % len(HIDDEN_ANSWER), body=HIDDEN_ANSWER), Told(200, HIDDEN_ANSWER)
    ),
    "chunks": Response(_chunks(HELLO + END), _OK),
    "chunks and a response beyond": Response(_chunks(HELLO + END + HIDDEN_ANSWER), _OK),
    "chunks and a line beyond": Response(_chunks(HELLO + END + b"\r\n"), _OK),
    "chunks with a trailer": Response(_chunks(HELLO + b"0\r\nA: b\r\n\r\n"), _OK),
    "chunks without the last": Response(_chunks(HELLO), CUT, closes=True),
    "chunks that end in their midst": Response(_chunks(b"9\r\nhello"), CUT, closes=True),
    "chunks without the last line": Response(_chunks(HELLO + b"0\r\n"), CUT, closes=True),
    "chunks that Connection names": Response(answer(CHUNKED, b"Connection: transfer-encoding", body=HELLO + END), _OK),
    "chunks for HTTP/1.0": Response(_chunks(HELLO + END), _OK, _OLD),
    "chunks for HTTP/1.0 that stays": Response(_chunks(HELLO + END + HIDDEN_ANSWER), _OK, _OLD_STAYS),
    "until the end": Response(answer(body=b"hello"), _OK, closes=True),
    "until the end, a response in it": Response(answer(body=HIDDEN_ANSWER), Told(200, HIDDEN_ANSWER), closes=True),
    "until the end, last chunk in it": Response(answer(body=END), Told(200, END), closes=True),
    "until the end, HTTP/1.0": Response(answer(body=b"hello", start=b"HTTP/1.0 200 OK"), _OK, closes=True),
    "until the end, for HTTP/1.0": Response(answer(body=b"hello"), _OK, _OLD, closes=True),
    "until the end, nothing": Response(answer(), _NONE, closes=True),
    "HTTP/1.0 with CL": Response(answer(_FIVE, body=b"hello" + HIDDEN_ANSWER, start=b"HTTP/1.0 200 OK"), _OK),
    "HTTP/1.0 that stays": Response(
        answer(_FIVE, b"Connection: keep-alive", body=b"hello", start=b"HTTP/1.0 200 OK"), _OK
    ),
    "no reason phrase": Response(_start(b"HTTP/1.1 200"), _OK),
    "status 999": Response(_start(b"HTTP/1.1 999 ?"), Told(999, b"hello")),
    "204": Response(answer(start=b"HTTP/1.1 204 No"), Told(204)),
    "204 with CL and a body": Response(
        answer(b"Content-Length: 6", start=b"HTTP/1.1 204 No", body=b"hidden"), Told(204)
    ),
    "204 with chunks": Response(answer(CHUNKED, start=b"HTTP/1.1 204 No", body=b"6\r\nhidden\r\n" + END), Told(204)),
    "204 with CL.TE": Response(answer(_FIVE, CHUNKED, start=b"HTTP/1.1 204 No"), Told(204)),
    "304 with CL": Response(answer(b"Content-Length: 9", start=b"HTTP/1.1 304 Not"), Told(304)),
    "304 with CL and a body": Response(
        answer(b"Content-Length: 6", start=b"HTTP/1.1 304 Not", body=b"hidden"), Told(304)
    ),
    "304 with chunks": Response(answer(CHUNKED, start=b"HTTP/1.1 304 Not", body=HIDDEN_ANSWER), Told(304)),
    "304 with CL.TE": Response(answer(_FIVE, CHUNKED, start=b"HTTP/1.1 304 Not"), BAD),
    "HEAD with CL": Response(answer(b"Content-Length: 9"), _NONE, _HEAD),
    "HEAD with CL and a body": Response(answer(b"Content-Length: 6", body=b"hidden"), _NONE, _HEAD),
    "HEAD with chunks and a body": Response(answer(CHUNKED, body=b"6\r\nhidden\r\n" + END), _NONE, _HEAD),
    "HEAD with a response beyond": Response(answer(body=HIDDEN_ANSWER), _NONE, _HEAD),
    "HEAD with CL.TE": Response(answer(_FIVE, CHUNKED), BAD, _HEAD),
    "interim": Response(answer(start=b"HTTP/1.1 103 Early") + answer(_FIVE, body=b"hello"), _OK),
    "interim, several": Response(answer(start=b"HTTP/1.1 103 Early") * 5 + answer(_FIVE, body=b"hello"), _OK),
    "interim with CL": Response(answer(_FIVE, start=b"HTTP/1.1 103 Early") + answer(_FIVE, body=b"hello"), _OK),
    "interim with chunks": Response(answer(CHUNKED, start=b"HTTP/1.1 103 Early") + answer(_FIVE, body=b"hello"), _OK),
    "interim, unknown": Response(answer(start=b"HTTP/1.1 199 ?") + answer(_FIVE, body=b"hello"), _OK),
    "interim for HTTP/1.0": Response(answer(start=b"HTTP/1.1 103 Early") + answer(_FIVE, body=b"hello"), _OK, _OLD),
    "interim and two responses": Response(
        answer(start=b"HTTP/1.1 100 C") + answer(_FIVE, body=b"hello" + HIDDEN_ANSWER), _OK
    ),
    "interim and then the end": Response(answer(start=b"HTTP/1.1 100 C"), BAD, closes=True),
    "a switch to what was not let through": Response(
        answer(b"Connection: upgrade", b"Upgrade: h2c", start=b"HTTP/1.1 101 S"), BAD, _UPGRADE
    ),
    "Connection: close and a response beyond": Response(
        answer(_FIVE, b"Connection: close", body=b"hello" + HIDDEN_ANSWER), _OK
    ),
    "two responses of two lengths": Response(answer(b"Content-Length: 0") + HIDDEN_ANSWER, _NONE),
    "half a head": Response(b"HTTP/1.1 200 OK\r\nContent-Le", BAD, closes=True),
}

RESPONSES: dict[str, Response] = {
    **{name: Response(data, BAD, closes=True) for name, data in {**_MALFORMED, **_ODDITIES}.items()},
    **{f"chunks: {name}": Response(_chunks(data), CUT) for name, data in _BAD_CHUNKS.items()},
    **_OTHERS,
}
