#!/usr/bin/python3
"""Serves the Git repositories of a directory over HTTPS on a free port of loopback, through git-http-backend. Who
pushes or reads needs the token as the password; with "read-only", nobody may push. While DIRECTORY/refused is there,
"STATUS PATTERN", requests that match ("POST /remote/git-receive-pack") are answered with that alone. Prints the port,
and serves until it is killed.

usage: https_git.py DIRECTORY CERTIFICATE KEY TOKEN [read-only]"""

import base64
import os
import re
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

directory, certificate, key, token = sys.argv[1:5]
read_only = sys.argv[5:] == ["read-only"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refusal(self):
        """The status that this request is refused with; None: it is not."""
        try:
            status, pattern = Path(directory, "refused").read_text().strip().split(" ", 1)
        except FileNotFoundError:
            return None
        return int(status) if re.search(pattern, f"{self.command} {self.path}") else None

    def serve(self):
        body = self.body()
        refused = self.refusal()
        if refused is not None:
            self.answer(refused, [("WWW-Authenticate", 'Basic realm="test"')] if refused == 401 else [], b"")
            return
        kind, _, credentials = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic" or base64.b64decode(credentials).decode().partition(":")[2] != token:
            self.answer(401, [("WWW-Authenticate", 'Basic realm="test"')], b"")
            return
        path, _, query = self.path.partition("?")
        environment = dict(
            os.environ,
            GIT_PROJECT_ROOT=directory,
            GIT_HTTP_EXPORT_ALL="1",
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="http.receivepack",
            GIT_CONFIG_VALUE_0="false" if read_only else "true",
            PATH_INFO=path,
            QUERY_STRING=query,
            REQUEST_METHOD=self.command,
            CONTENT_TYPE=self.headers.get("Content-Type", ""),
            CONTENT_LENGTH=str(len(body)),
            REMOTE_USER="test",
            REMOTE_ADDR="127.0.0.1",
        )
        output = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE).stdout
        head, _, answer = output.partition(b"\r\n\r\n")
        headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n") if line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.answer(status, [pair for pair in headers if pair[0] != "Status"], answer)

    do_GET = do_POST = serve


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
