"""Sends HTTP requests, each on a connection of its own that stays open until the last response.

Usage: raw_client.py < JSON

The JSON has "address" (a host and a port, or the path of a Unix socket) and "requests": each has
"method", "path", "headers" and, if the connection is to come from a certain port, "port". Prints the
responses, in the same order, as JSON: "status" and "body"; status 0 is a connection that ended without
one.
"""

import json
import socket
import sys


def connect(address, port):
    if isinstance(address, str):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(address)
        return connection
    host, to = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    if port:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind((host, port))
    connection.connect((host, to))
    return connection


def text(request):
    headers = {"Host": "localhost", **request.get("headers", {})}
    lines = [f"{request.get('method', 'GET')} {request['path']} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def response(connection):
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return {"status": 0, "body": ""}
            data += part
        head, body = data.split(b"\r\n\r\n", 1)
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:]
        )
        while len(body) < int(fields.get(b"content-length", 0)):
            part = connection.recv(65536)
            if not part:
                break
            body += part
    except OSError:
        return {"status": 0, "body": ""}
    return {"status": int(head.split(b" ", 2)[1]), "body": body.decode()}


def main():
    job = json.load(sys.stdin)
    connections = [connect(job["address"], r.get("port")) for r in job["requests"]]
    for connection, request in zip(connections, job["requests"]):
        connection.sendall(text(request))
    print(json.dumps([response(connection) for connection in connections]))


main()
