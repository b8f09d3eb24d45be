#!/usr/bin/python3
"""Becomes an sshd on a free port of loopback with the host_key of a directory, for this user with its client_key. With
"read-only" it is one that lets nobody push. It says "Server listening on 127.0.0.1 port N."; or it ends, when somebody
else was faster to take that port.

usage: ssh_git.py DIRECTORY [read-only]"""

import os
import socket
import sys

directory = os.path.realpath(sys.argv[1])
options = [f"HostKey={directory}/host_key", f"AuthorizedKeysFile={directory}/client_key.pub", "ListenAddress=127.0.0.1",
           "StrictModes=no", "PidFile=none", "UsePAM=no", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no"]
if sys.argv[2:] == ["read-only"]:
    options.append('ForceCommand=case "$SSH_ORIGINAL_COMMAND" in git-upload-pack*) eval "$SSH_ORIGINAL_COMMAND" ;; '
                   '*) echo "this key may not push" >&2; exit 1 ;; esac')
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
if os.geteuid() == 0:
    os.makedirs("/run/sshd", exist_ok=True)
arguments = [argument for option in options for argument in ("-o", option)]
os.execv("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(port), *arguments])
