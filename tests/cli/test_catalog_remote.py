#!/usr/bin/python3
"""Runs and doctor before remotes for real, on loopback: over ssh and https, those that may not be pushed to, those that
are not who they should be, and one that says nothing."""

import getpass
import socket

from cases import *

SUPPORT = Path(__file__).resolve().parent.parent / "support"


def shell(place, script):
    subprocess.run(["sh", "-e", "-c", script], cwd=place.path, check=True)


class Remote:
    """A repository and its server; with `kill`, none any more."""

    def __init__(self, place, program, *arguments, said=""):
        self.place, self.environment, self.options = place, dict(os.environ, HOME=str(place.path)), []
        shell(place, "[ -e remote ] || git init -q --bare -b main remote")
        for _ in range(20):  # somebody else may have taken the port that was free
            self.server = subprocess.Popen(["python3", SUPPORT / program, place.path, *arguments], text=True,
                                           cwd=place.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for line in self.server.stdout:
                if line.startswith(said):
                    self.port = int(line.removeprefix(said).rstrip(".\n"))
                    return
            self.kill()
        raise AssertionError("no server")

    def kill(self):
        self.server.kill()
        self.server.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self, *arguments):
        return self.place.start(*arguments, "--executor", "process", "--catalog", self.url, *self.options,
                                env=self.environment)

    def run(self, *options):
        self.place.workflow([task("whole", ["true"], units=4, parts=2)])
        return self.place.finish(self.start("run", "w.json", "-q", "--no-report", *options))

    def doctor(self):
        result = self.place.finish(self.start("doctor", "--json"))
        finding, = (o for o in result.objects if o["check"] == "catalog")
        return result.code, finding["state"], finding["found"] + " | " + finding["fix"]

    def subjects(self):
        return subprocess.run(["git", "-C", "remote", "log", "--format=%s", "main"], cwd=self.place.path, text=True,
                              capture_output=True).stdout


def ssh(place, *more):
    shell(place, "mkdir -p .ssh; for key in host_key client_key stranger_key; do [ -e $key ] || "
                 "ssh-keygen -q -t ed25519 -N '' -f $key; done")
    remote = Remote(place, "ssh_git.py", *more, said="Server listening on 127.0.0.1 port ")
    remote.url = f"ssh://{getpass.getuser()}@127.0.0.1:{remote.port}{place.path}/remote"
    remote.options = ["--catalog-key", "client_key"]
    know_host(place, remote, "host_key")
    return remote


def know_host(place, remote, key):
    kind, text = (place.path / f"{key}.pub").read_text().split()[:2]
    place.write(".ssh/known_hosts", f"[127.0.0.1]:{remote.port} {kind} {text}\n")


def https(place, *more):
    shell(place, "[ -e h.crt ] || openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout h.key "
                 "-out h.crt -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null; "
                 "echo secret >token")
    remote = Remote(place, "https_git.py", "h.crt", "h.key", "secret", *more)
    remote.url = f"https://localhost:{remote.port}/remote"
    remote.options = ["--catalog-token", "token", "--catalog-ca", "h.crt"]
    return remote


def works(remote):
    code, state, text = remote.doctor()
    same((code, state), (0, "ok"), text)
    assert "has no workflow yet" in text, text
    result = remote.run("--run", "r")
    ended(result, 0)
    same(result.err, "")
    same(remote.subjects(), "whole: split\nPublish the workflow of run r\n")
    same(remote.doctor()[:2], (0, "ok"))


def finds(remote, *words):
    code, state, text = remote.doctor()
    same((code, state), (3, "failed"), text)
    for word in words:
        assert word in text, text


@case
def a_run_and_doctor_work_over_ssh(place):
    with ssh(place) as remote:
        works(remote)


@case
def a_run_and_doctor_work_over_https(place):
    with https(place) as remote:
        works(remote)


@case
def doctor_says_what_to_do_about_ssh(place):
    with ssh(place) as remote:
        know_host(place, remote, "stranger_key")
        finds(remote, "not this key of host '127.0.0.1'", "take it with: ssh HOST")
        (place.path / ".ssh/known_hosts").unlink()
        finds(remote, "127.0.0.1", "take it with: ssh HOST")
        know_host(place, remote, "host_key")
        remote.options = ["--catalog-key", "stranger_key"]
        finds(remote, "did not take the credentials", "name a key with --catalog-key")
        remote.kill()
        finds(remote, "cannot be reached", "git ls-remote URL")


@case
def doctor_says_what_to_do_about_https(place):
    with https(place) as remote:
        place.write("wrong", "wrong\n")
        remote.options = ["--catalog-token", "wrong", "--catalog-ca", "h.crt"]
        finds(remote, "did not take the credentials", "a token with --catalog-token")
        remote.options = ["--catalog-token", "token"]
        finds(remote, "the certificate is not one to trust", "name its authority with --catalog-ca")


def goes_on_without_pushing(remote, message, fix):
    """The run is as good as any, says what to do, and what was decided goes there once it may."""
    result = remote.run("--run", "r")
    ended(result, 0, message, "the catalog was not pushed, and what was decided is kept here until the next run", fix)
    same(remote.subjects(), "")


def is_pushed_later(remote):
    ended(remote.run("--run", "r2"), 0)
    same(remote.subjects(), "whole: split\nwhole: split\nPublish the workflow of run r\n")


@case
def a_run_goes_on_without_the_right_to_push_over_ssh(place):
    with ssh(place, "read-only") as remote:
        finds(remote, "cannot be pushed to", "give the right to push")
        goes_on_without_pushing(remote, "cannot push to 'ssh://", "give the right to push")
    with ssh(place) as remote:
        move_catalog(place.path / ".shardrun/state", remote.url)
        is_pushed_later(remote)


@case
def a_run_goes_on_without_the_right_to_push_over_https(place):
    with https(place, "read-only") as remote:
        finds(remote, "cannot be pushed to", "give the right to push")
        goes_on_without_pushing(remote, "cannot push to 'https://", "give the right to push")


@case
def a_run_goes_on_when_its_token_expires(place):
    with https(place) as remote:
        works(remote)
        place.write("refused", "401 .*")
        ended(remote.run("--run", "r2"), 0, "did not take the credentials", "is kept here until the next run",
              "replaced in its file")
        (place.path / "refused").unlink()
        ended(remote.run("--run", "r3"), 0)
        same(remote.subjects(), "whole: split\n" * 3 + "Publish the workflow of run r\n")


def move_catalog(state, url):
    """The repository beside the store of a server that has another port now."""
    old, = state.glob("catalog-*.git")
    old.rename(state / ("catalog-" + "".join(c if c.isalnum() or c in "-." else "_" for c in url) + ".git"))


@case
def a_run_goes_on_when_a_hook_declines(place):
    with ssh(place) as remote:
        place.write("remote/hooks/pre-receive", "#!/bin/sh\necho ask the owner of main >&2\nexit 1\n").chmod(0o755)
        goes_on_without_pushing(remote, "pre-receive hook declined ('ask the owner of main')", "what its hooks let pass")
        (place.path / "remote/hooks/pre-receive").unlink()
        is_pushed_later(remote)


class Directory(Remote):
    def __init__(self, place, init):
        self.place, self.environment, self.options = place, dict(os.environ), []
        self.url = f"file://{place.path}/remote"
        shell(place, init)


@case
def a_run_goes_on_when_the_remote_has_a_work_tree(place):
    remote = Directory(place, "git init -q -b main remote")
    finds(remote, "has a work tree", "git clone --bare")
    goes_on_without_pushing(remote, "has a work tree", "git clone --bare")


@case
def a_run_goes_on_when_the_directory_may_not_be_written(place):
    remote = Directory(place, "git init -q --bare -b main remote && chmod -R a-w remote")
    if os.geteuid() == 0:  # who may write everything
        wrapper = place.write("shardrun", "#!/bin/sh\nexec setpriv --bounding-set -dac_override,-dac_read_search "
                                          f"'{place.shardrun}' \"$@\"\n")
        wrapper.chmod(0o755)
        place.shardrun = str(wrapper)
    finds(remote, "may not be written", "give the right to push")
    goes_on_without_pushing(remote, "cannot push to 'file://", "give the right to push")
    shell(place, "chmod -R u+w remote")
    is_pushed_later(remote)


@case
def what_doctor_cannot_look_at_it_says(place):
    remote = Directory(place, "git init -q --bare -b main 'a remote%'; ln -s 'a remote%' remote")
    remote.url = f"file://{place.path}/a%20remote%25"
    finds(remote, "may be written was not looked at", "without file://", "--catalog /path")
    ended(remote.run("--run", "r"), 0)
    same(remote.subjects(), "whole: split\nPublish the workflow of run r\n")
    remote.url = f"{place.path}/a remote%"
    same(remote.doctor()[:2], (0, "ok"))


@case
def a_run_ends_before_a_remote_that_says_nothing(place):
    with ssh(place) as remote:
        ended(remote.run("--run", "r"), 0)
        remote.kill()
        with socket.create_server(("127.0.0.1", remote.port)):  # takes connections, which nobody answers
            result = remote.run("--run", "r2")
        ended(result, 0, "the remote was silent for longer", "is kept here until the next run", "the server is well")
        same(remote.subjects(), "whole: split\nPublish the workflow of run r\n")


main()
