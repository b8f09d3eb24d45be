#!/usr/bin/python3
"""A run on several Redis servers: a master that is killed under Sentinel, and a cluster of which the wrong node was named.
The servers are the test's own, on ports that are free."""

import contextlib
import shutil
import socket

from cases import *

STEPS = 12


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 50000:
            return port


def ask(port, *words):
    return subprocess.run(["redis-cli", "-p", str(port), *map(str, words)], capture_output=True, text=True).stdout


class Servers:
    def __init__(self, place):
        self.place, self.processes = place, {}

    def start(self, *settings, kind=()):
        port = free_port()
        directory = self.place.path / f"server-{port}"
        directory.mkdir()
        self.processes[port] = subprocess.Popen(
            ["redis-server", *(str(directory / word) for word in kind), "--port", str(port), "--bind", "127.0.0.1",
             "--dir", directory, *map(str, settings)], stdout=open(directory / "log", "w"), cwd=directory)
        self.place.wait_for(lambda: "PONG" in ask(port, "PING"), "a server")
        return port

    def sentinel(self, master):
        port = free_port()
        directory = self.place.path / f"server-{port}"
        directory.mkdir()
        (directory / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nsentinel monitor shop 127.0.0.1 {master} 1\n"
            "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 5000\n")
        self.processes[port] = subprocess.Popen(["redis-server", directory / "sentinel.conf", "--sentinel"],
                                                stdout=open(directory / "log", "w"), cwd=directory)
        self.place.wait_for(lambda: "PONG" in ask(port, "PING"), "a sentinel")
        return port

    def kill(self, port):
        process = self.processes.pop(port)
        process.kill()
        process.wait()


@contextlib.contextmanager
def servers(place):
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        raise Skip("there is no redis-server")
    all_of_them = Servers(place)
    try:
        yield all_of_them
    finally:
        for port in list(all_of_them.processes):
            all_of_them.kill(port)


# A replica that has to be copied anew after a failover gets that at once: by default a master waits 5 s for others.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0")


def begin(place, store, **options):
    ledger = place.path / "ledger"
    ledger.touch()
    line = f"echo $SHARD_TASK $SHARD_ATTEMPT >> '{ledger}'"
    place.workflow([task(f"t{i}", f"{line}; sleep 0.4", after=[f"t{i - 1}"] if i else []) for i in range(STEPS)])
    process = place.start("run", "w.json", "--executor", "process", "--run", "r", "--json", "--store", store,
                          env={**os.environ, **options})
    place.wait_for(lambda: len(ledger.read_text().splitlines()) >= 3 or process.poll() is not None, "three tasks")
    return process, ledger


def check(result, ledger):
    ended(result, 0)
    same(result.last["state"], "done", result)
    same(sorted(ledger.read_text().splitlines()), sorted(f"t{i} 1" for i in range(STEPS)), result)


@case
def a_master_that_is_killed_under_sentinel_loses_and_doubles_nothing(place):
    with servers(place) as all_of_them:
        master = all_of_them.start(*DURABLE)
        replicas = [all_of_them.start(*DURABLE, "--replicaof", f"127.0.0.1 {master}") for _ in range(2)]
        sentinel = all_of_them.sentinel(master)
        place.wait_for(lambda: "master_link_status:up" in ask(replicas[0], "INFO", "replication") and
                       "master_link_status:up" in ask(replicas[1], "INFO", "replication") and
                       "slaves=2" in ask(sentinel, "INFO", "sentinel"), "the replicas")
        # The first sentinel is not there: the second is asked.
        store = f"redis-sentinel://127.0.0.1:1,127.0.0.1:{sentinel}/shop"
        process, ledger = begin(place, store, SHARDRUN_REDIS_WAIT_REPLICAS="1")
        all_of_them.kill(master)
        check(place.finish(process), ledger)
        status = place.call("status", "--store", store, "--json")
        ended(status, 0)
        same(status.objects[0]["state"], "done", status)


@case
def a_master_that_no_sentinel_knows_is_told(place):
    with servers(place) as all_of_them:
        sentinel = all_of_them.sentinel(all_of_them.start())
        ended(place.call("status", "--store", f"redis-sentinel://127.0.0.1:{sentinel}/other"), 3,
              "knows no master 'other'")
        ended(place.call("status", "--store", f"redis-sentinel://127.0.0.1:{sentinel}"), 2, "the name of the master")


@case
def a_cluster_is_followed_to_the_node_that_has_the_run(place):
    with servers(place) as all_of_them:
        nodes = [all_of_them.start(*DURABLE, "--cluster-enabled", "yes", "--cluster-port", free_port())
                 for _ in range(2)]
        ports = [ask(node, "CLUSTER", "NODES").split()[1].split("@")[1].split(",")[0] for node in nodes]
        ask(nodes[0], "CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        ask(nodes[1], "CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        ask(nodes[0], "CLUSTER", "MEET", "127.0.0.1", nodes[1], ports[1])
        place.wait_for(lambda: all("cluster_state:ok" in ask(node, "CLUSTER", "INFO") and
                                   "cluster_known_nodes:2" in ask(node, "CLUSTER", "INFO") for node in nodes),
                       "the cluster")
        slots = [int(ask(nodes[0], "CLUSTER", "KEYSLOT", key)) for key in ("{shard:r}:run", "shard:runs")]
        wrong = nodes[0] if slots[0] >= 8192 else nodes[1]
        process, ledger = begin(place, f"redis://127.0.0.1:{wrong}")
        check(place.finish(process), ledger)
        for node in nodes:
            status = place.call("status", "--store", f"redis://127.0.0.1:{node}", "--json")
            ended(status, 0)
            same(status.objects[0]["state"], "done", status)


main()
