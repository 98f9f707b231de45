"""Load for the UDP question: ``echo PORT...`` answers datagrams, ``flood HOST PORT CLIENTS SECONDS`` sends them.

Each client has so many datagrams under way at a time that the proxy never waits, and few enough that no queue
overflows.  `flood` prints how many answers came.
"""

from __future__ import annotations

import select
import socket
import sys
import time

UNDER_WAY = 8
"""Of each client."""
SIZE = 100


def echo(ports: list[int]) -> None:
    """Answer at these ports of 127.0.0.1, until ended."""
    lines = {}
    poll = select.epoll()
    for port in ports:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        line.bind(("127.0.0.1", port))
        lines[line.fileno()] = line
        poll.register(line, select.EPOLLIN)
    buffer = bytearray(65536)
    view = memoryview(buffer)
    while True:
        for fd, _ in poll.poll():
            line = lines[fd]
            try:
                while True:
                    size, client = line.recvfrom_into(buffer)
                    line.sendto(view[:size], client)
            except BlockingIOError:
                continue


def flood(address: tuple[str, int], clients: int, seconds: float) -> int:
    """How many answers came; what is lost is made up for after a while."""
    lines = {}
    poll = select.epoll()
    for _ in range(clients):
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        line.connect(address)
        lines[line.fileno()] = line
        poll.register(line, select.EPOLLIN)
    data, buffer, answers = b"x" * SIZE, bytearray(65536), 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events = poll.poll(0.1)
        if not events:
            for line in lines.values():
                for _ in range(UNDER_WAY):
                    line.send(data)
        for fd, _ in events:
            line = lines[fd]
            try:
                while True:
                    line.recv_into(buffer)
                    answers += 1
                    line.send(data)
            except BlockingIOError:
                continue
    return answers


def main(words: list[str]) -> None:
    if words[0] == "echo":
        echo([int(word) for word in words[1:]])
    else:
        print(flood((words[1], int(words[2])), int(words[3]), float(words[4])))


if __name__ == "__main__":
    main(sys.argv[1:])
