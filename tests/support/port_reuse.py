"""Two users take turns with one port, as fast as they can.

Usage: port_reuse.py HOST PORT FIRST_UID SECOND_UID ROUNDS SERVER_PID < REQUEST

In each round the first user sends the request and resets the connection. The second user then connects
from the same port, sends the request and reads. The rounds take turns: the first user reads the response
before the reset, or does not, or the server is stopped until both have sent their requests. Prints the
counts of the second user's statuses as JSON.

Needs root.
"""

import json
import os
import signal
import socket
import struct
import sys


TURNS = READ, UNREAD, STOPPED = b"r", b"u", b"s"


def connect(host, to, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    connection.bind((host, port))
    connection.connect((host, to))
    return connection


def free_port(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def status(connection):
    data = b""
    try:
        while b"\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return 0
            data += part
    except OSError:
        return 0
    return int(data.split(b" ", 2)[1])


class User:
    """A process of a user, which acts at each byte from the parent."""

    def __init__(self, uid, action):
        self.down_read, self.down = os.pipe()
        self.up, self.up_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.close(self.down)
            while turn := os.read(self.down_read, 1):
                action(self, turn)
            os._exit(0)
        os.close(self.down_read)
        os.close(self.up_write)

    def answer(self, value):
        os.write(self.up_write, struct.pack("<i", value))

    def start(self, turn):
        os.write(self.down, turn)

    def result(self):
        data = os.read(self.up, 4)
        if len(data) != 4:
            raise SystemExit("a user's process has ended")
        return struct.unpack("<i", data)[0]


def main():
    host, to, first, second, rounds, server = sys.argv[1], *map(int, sys.argv[2:])
    request = sys.stdin.buffer.read()
    port = free_port(host)

    def send_and_reset(user, turn):
        connection = connect(host, to, port)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(request)
        if turn == READ:
            status(connection)
        connection.close()
        user.answer(1)

    def ask(user, _):
        connection = connect(host, to, port)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(request)
        user.answer(1)
        user.answer(status(connection))
        connection.close()
        user.answer(1)

    one, two = User(first, send_and_reset), User(second, ask)
    counts = {}
    for number in range(rounds):
        turn = TURNS[number % len(TURNS)]
        if turn == STOPPED:
            os.kill(server, signal.SIGSTOP)
        try:
            one.start(turn)
            one.result()
            two.start(turn)
            two.result()
        finally:
            os.kill(server, signal.SIGCONT)
        found = two.result()
        two.result()
        counts[found] = counts.get(found, 0) + 1
    print(json.dumps(counts))


main()
