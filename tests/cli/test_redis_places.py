#!/usr/bin/python3
"""A run on several Redis servers: a master that is killed under Sentinel, a cluster of which the wrong node was named,
and TLS. The servers are the test's own, on ports that are free.

It is longer than 400 lines because all cases share the servers and the run that goes through them."""

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
            [REDIS_SERVER, *(str(directory / word) for word in kind), "--port", str(port), "--bind", "127.0.0.1",
             "--dir", directory, *map(str, settings)], stdout=open(directory / "log", "w"), cwd=directory)
        self.place.wait_for(lambda: "PONG" in ask(port, "PING"), "a server")
        return port

    def sentinel(self, master, *settings):
        port = free_port()
        directory = self.place.path / f"server-{port}"
        directory.mkdir()
        (directory / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nsentinel monitor shop 127.0.0.1 {master} 1\n"
            "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 5000\n" +
            "".join(f"{setting}\n" for setting in settings))
        self.processes[port] = subprocess.Popen([REDIS_SERVER, directory / "sentinel.conf", "--sentinel"],
                                                stdout=open(directory / "log", "w"), cwd=directory)
        self.place.wait_for(lambda: "PONG" in ask(port, "PING") or "NOAUTH" in ask(port, "PING"), "a sentinel")
        return port

    def kill(self, port):
        process = self.processes.pop(port)
        process.kill()
        process.wait()


@contextlib.contextmanager
def servers(place):
    if shutil.which(REDIS_SERVER) is None or shutil.which("redis-cli") is None:
        raise Skip("there is no redis-server")
    all_of_them = Servers(place)
    try:
        yield all_of_them
    finally:
        for port in list(all_of_them.processes):
            all_of_them.kill(port)


# A replica that has to be copied anew after a failover gets that at once: by default a master waits 5 s for others.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0")


def begin(place, store, *arguments, begun=3, **options):
    """A run, and its ledger once so many of its tasks have begun."""
    ledger = place.path / "ledger"
    ledger.touch()
    line = f"echo $SHARD_TASK $SHARD_ATTEMPT >> '{ledger}'"
    place.workflow([task(f"t{i}", f"{line}; sleep 0.4", after=[f"t{i - 1}"] if i else []) for i in range(STEPS)])
    process = place.start("run", "w.json", "--executor", "process", "--run", "r", "--json", "--store", store, *arguments,
                          env={**os.environ, **options})
    place.wait_for(lambda: len(ledger.read_text().splitlines()) >= begun or process.poll() is not None, "tasks")
    return process, ledger


def shop(place, all_of_them, *settings):
    """A master with its replica, and a sentinel that knows both."""
    master = all_of_them.start(*DURABLE)
    replica = all_of_them.start(*DURABLE, "--replicaof", f"127.0.0.1 {master}")
    sentinel = all_of_them.sentinel(master, *settings)
    place.wait_for(lambda: "master_link_status:up" in ask(replica, "INFO", "replication") and
                   "slaves=1" in ask(sentinel, "INFO", "sentinel"), "the replica")
    return master, replica, f"redis-sentinel://127.0.0.1:{sentinel}/shop"


# A replica that was cut off for ten times as long as this would not be made the master.
PATIENT = "sentinel down-after-milliseconds shop 3000"


def cut(place, master, replica):
    """From here on the replica hears nothing, and the master answers all the same, unless it is asked to WAIT."""
    ask(replica, "CONFIG", "SET", "masteruser", "nobody")
    ask(replica, "CONFIG", "SET", "masterauth", "wrong")
    ask(master, "CLIENT", "KILL", "TYPE", "replica")
    place.wait_for(lambda: "master_link_status:down" in ask(replica, "INFO", "replication"), "the cut")


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
        process, ledger = begin(place, store, "--lease", "60", SHARDRUN_REDIS_WAIT_REPLICAS="1")
        all_of_them.kill(master)
        check(place.finish(process), ledger)
        status = place.call("status", "--store", store, "--json")
        ended(status, 0)
        same(status.objects[0]["state"], "done", status)


@case
def a_master_that_falls_silent_under_sentinel_is_left(place):
    with servers(place) as all_of_them:
        master, replica, store = shop(place, all_of_them)
        process, _ = begin(place, store, "--lease", "60")
        # A replica is sent what came after its first copy only a second after it has that.
        place.wait_for(lambda: ask(replica, "EXISTS", "{shard:r}:run").strip() == "1", "the run on the replica")
        all_of_them.processes[master].send_signal(signal.SIGSTOP)  # it takes connections, and never answers
        result = place.finish(process)
        ended(result, 0)
        same(result.last["state"], "done", result)


@case
def what_a_failover_loses_is_run_again(place):
    with servers(place) as all_of_them:
        master, replica, store = shop(place, all_of_them, PATIENT)
        process, ledger = begin(place, store, "--lease", "60")
        cut(place, master, replica)
        seen = len(ledger.read_text().splitlines())
        kept = int(ask(replica, "HGET", "{shard:r}:run", "seq"))
        place.wait_for(lambda: len(ledger.read_text().splitlines()) >= min(seen + 2, STEPS), "two more tasks")
        place.wait_for(lambda: int(ask(master, "HGET", "{shard:r}:run", "seq")) > kept + 3, "their records")
        all_of_them.kill(master)
        # It is seen that records are missing. Whoever goes on has the attempts run again that nothing is known of.
        lost = place.finish(process)
        ended(lost, 3, "the commit does not follow it")
        result = place.call("resume", "r", "--store", store, "--json")
        ended(result, 0)
        same(result.last["state"], "done", result)
        lines = ledger.read_text().splitlines()
        same(sorted(line for line in lines if line.endswith(" 1")), sorted(f"t{i} 1" for i in range(STEPS)))
        again = [line for line in lines if not line.endswith(" 1")]
        assert 1 <= len(again) < STEPS and len(set(again)) == len(again), lines


@case
def a_run_that_a_failover_loses_whole_is_said_to_be_lost(place):
    with servers(place) as all_of_them:
        master, replica, store = shop(place, all_of_them, PATIENT)
        cut(place, master, replica)
        process, ledger = begin(place, store, "--lease", "60")
        all_of_them.kill(master)
        lost = place.finish(process)
        ended(lost, 3, "the store has lost the run, which it had acknowledged")
        assert "it can only be run anew" in lost.err and "SHARDRUN_REDIS_WAIT_REPLICAS" in lost.err, lost
        for words in ("resume r", "status r", "explain r t0", "report r", "log t0 --run r", "history t0 --run r"):
            ended(place.call(*words.split(), "--store", store), 3, "it has lost the run, which can only be run anew")
        shutil.rmtree(place.path / ".shardrun/runs/r")
        ledger.unlink()
        process, ledger = begin(place, store)
        check(place.finish(process), ledger)


@case
def a_run_begins_only_once_as_many_replicas_have_it_as_were_asked_for(place):
    with servers(place) as all_of_them:
        master, replica, store = shop(place, all_of_them, PATIENT)
        cut(place, master, replica)
        process, ledger = begin(place, store, begun=0, SHARDRUN_REDIS_WAIT_REPLICAS="1", SHARDRUN_REDIS_WAIT_MS="100")
        place.wait_for(lambda: ask(master, "HGET", "{shard:r}:run", "touched").strip() not in ("", "0"), "a second try")
        same(ask(master, "HGET", "{shard:r}:run", "epoch").strip(), "0")
        same(ledger.read_text(), "")
        ask(replica, "CONFIG", "SET", "masteruser", "")
        ask(replica, "CONFIG", "SET", "masterauth", "")
        check(place.finish(process), ledger)
        same(ask(replica, "EXISTS", "{shard:r}:run").strip(), "1")


@case
def a_master_that_no_sentinel_knows_is_told(place):
    with servers(place) as all_of_them:
        sentinel = all_of_them.sentinel(all_of_them.start())
        ended(place.call("status", "--store", f"redis-sentinel://127.0.0.1:{sentinel}/other"), 3,
              "knows no master 'other'")
        ended(place.call("status", "--store", f"redis-sentinel://127.0.0.1:{sentinel}"), 2, "the name of the master")


@case
def sentinels_have_users_of_their_own(place):
    with servers(place) as all_of_them:
        sentinel = all_of_them.sentinel(all_of_them.start(), "requirepass sesame", "user walker on >staff +@all")
        store = f"redis-sentinel://127.0.0.1:{sentinel}/shop"

        def status(**options):
            return place.call("status", "--store", store,
                              env={**os.environ, **{f"SHARDRUN_REDIS_SENTINEL_{k}": v for k, v in options.items()}})

        ended(status(), 3, f"sentinel 127.0.0.1:{sentinel}: it wants a password")
        ended(status(PASSWORD="sesam"), 3, f"sentinel 127.0.0.1:{sentinel}: user or password is wrong")
        ended(status(PASSWORD="sesame"), 0)
        ended(status(USER="walker"), 2, "user 'walker' has no password")
        place.write("secret", "staff\n")
        ended(status(USER="walker", PASSWORD_FILE=str(place.path / "secret")), 0)
        ended(status(USER="walker", PASSWORD="sesame"), 3, "user or password is wrong")


@case
def a_run_on_a_server_learns_too(place):
    with servers(place) as all_of_them:
        store = f"redis://127.0.0.1:{all_of_them.start(*DURABLE)}"
        sick = '[ "$SHARD_HOST" != host-3 ]'

        def start(run):
            return place.start("run", "w.json", "--executor", "process", "--hosts", "4", "--policy", "round_robin",
                               "--retries", "task_error=100", "--run", run, "--no-report", "--json", "--store", store)

        def learned():
            return list((place.path / ".shardrun").glob("learned-*.model"))

        place.workflow([task(f"t{i}", sick) for i in range(250)])
        ended(place.finish(start("one")), 0)
        place.workflow([task("wait", f"until [ -e {place.path}/done ]; do sleep 0.05; done")])
        process = start("two")
        place.wait_for(learned, "a model")
        place.write("done", "")
        ended(place.finish(process), 0)
        place.workflow([task("t0", "true")])
        ended(place.finish(start("three")), 0)
        told = place.call("explain", "--store", store, "three", "t0")
        ended(told, 0)
        assert "why, by the model that was in use" in told.out, told


def cluster(place, all_of_them):
    """Two nodes with half of the slots each, and which of them has the slot of the run."""
    nodes = [all_of_them.start(*DURABLE, "--cluster-enabled", "yes", "--cluster-port", free_port()) for _ in range(2)]
    ports = [ask(node, "CLUSTER", "NODES").split()[1].split("@")[1].split(",")[0] for node in nodes]
    ask(nodes[0], "CLUSTER", "ADDSLOTSRANGE", 0, 8191)
    ask(nodes[1], "CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
    ask(nodes[0], "CLUSTER", "MEET", "127.0.0.1", nodes[1], ports[1])
    place.wait_for(lambda: all("cluster_state:ok" in ask(node, "CLUSTER", "INFO") and
                               "cluster_known_nodes:2" in ask(node, "CLUSTER", "INFO") for node in nodes),
                   "the cluster")
    slot = int(ask(nodes[0], "CLUSTER", "KEYSLOT", "{shard:r}:run"))
    return nodes if slot < 8192 else nodes[::-1], slot


def check_on_all(place, nodes):
    for node in nodes:
        status = place.call("status", "--store", f"redis://127.0.0.1:{node}", "--json")
        ended(status, 0)
        same(status.objects[0]["state"], "done", status)


@case
def a_cluster_is_followed_to_the_node_that_has_the_run(place):
    with servers(place) as all_of_them:
        nodes, _ = cluster(place, all_of_them)
        process, ledger = begin(place, f"redis://127.0.0.1:{nodes[1]}")
        check(place.finish(process), ledger)
        check_on_all(place, nodes)


@case
def a_run_that_a_cluster_moves_to_another_node_goes_on(place):
    with servers(place) as all_of_them:
        nodes, slot = cluster(place, all_of_them)
        process, ledger = begin(place, f"redis://127.0.0.1:{nodes[0]}")
        ids = [ask(node, "CLUSTER", "MYID").strip() for node in nodes]
        same(ask(nodes[1], "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0]).strip(), "OK")
        same(ask(nodes[0], "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1]).strip(), "OK")
        keys = ask(nodes[0], "CLUSTER", "GETKEYSINSLOT", slot, 100).split()
        assert "{shard:r}:run" in keys, keys
        same(ask(nodes[0], "MIGRATE", "127.0.0.1", nodes[1], "", 0, 5000, "KEYS", *keys).strip(), "OK")
        # The slot is still the first node's, which has no key of it: the run goes on by ASK alone.
        begun = len(ledger.read_text().splitlines())
        place.wait_for(lambda: len(ledger.read_text().splitlines()) >= min(begun + 3, STEPS) or
                       process.poll() is not None, "three more tasks")
        same(ask(nodes[0], "CLUSTER", "COUNTKEYSINSLOT", slot).strip(), "0")
        for node in nodes[::-1]:
            same(ask(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[1]).strip(), "OK")
        check(place.finish(process), ledger)
        check_on_all(place, nodes)


@case
def what_is_asked_of_a_store_is_asked_of_redis_too(place):
    with servers(place) as all_of_them:
        store = f"redis://127.0.0.1:{all_of_them.start(*DURABLE)}"
        sick = '[ "$SHARD_HOST" != host-3 ]'
        place.workflow([task(f"t{i}", sick, kind=("align", "sort")[i % 2]) for i in range(200)])
        ended(place.call("run", "w.json", "--executor", "process", "--hosts", "4", "--policy", "round_robin",
                         "--retries", "task_error=100", "--run", "one", "-q", "--store", store,
                         "--monitor-interval", "50"), 0)

        def said(*arguments):
            result = place.call(*arguments, "--store", store)
            ended(result, 0)
            return result

        assert "t0" in said("explain", "one", "t0").out
        same(json.loads(said("status", "one", "--json").out.splitlines()[0])["state"], "done")
        assert said("log", "t0", "--json").objects[-1]["to"] == "done"
        said("report", "one", "--output", "report.html")
        assert "host-3" in (place.path / "report.html").read_text()
        of_host = said("history", "host-3", "--every", "1d", "--json").objects
        assert sum(step["failed"]["count"] for step in of_host if "failed" in step) > 10, of_host
        of_kind = said("history", "align", "--every", "1d", "--json").objects
        assert sum(step["seconds"]["count"] for step in of_kind if "seconds" in step) >= 100, of_kind
        scores = said("evaluate", "--json").last
        assert scores["rows"] > 220 and scores["candidates"]["chosen"]["roc_auc"] > 0.8, scores
        assert "columns:" in said("train", "-o", "m.model").out
        compacted = said("compact", "--keep-records", "50", "--json").last
        assert compacted["runs"] == 1 and compacted["records"] > 100, compacted
        same(said("compact", "--keep-records", "50", "--json").last["records"], 0)
        same(said("status", "one", "--json").objects[0]["state"], "done")


@case
def a_run_drops_its_oldest_records_as_it_goes(place):
    with servers(place) as all_of_them:
        port = all_of_them.start(*DURABLE)
        place.workflow([task(f"t{i}", "true") for i in range(400)])
        bytes_of = {}
        for run, options in (("all", ()), ("some", ("--keep-records", "100"))):
            ended(place.call("run", "w.json", "--executor", "process", "--run", run, "-q", "--store",
                             f"redis://127.0.0.1:{port}", *options), 0)
            bytes_of[run] = int(ask(port, "MEMORY", "USAGE", f"{{shard:{run}}}:records"))
        assert bytes_of["some"] < bytes_of["all"] / 3, bytes_of
        same(place.call("status", "some", "--store", f"redis://127.0.0.1:{port}", "--json").objects[0]["state"], "done")


def certificates(directory):
    """An authority, a certificate of it for localhost, one for a client, and an authority that nobody asked."""

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], cwd=directory, check=True, capture_output=True)

    directory.mkdir()
    (directory / "server.ext").write_text("subjectAltName=DNS:localhost\n")
    (directory / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-subj", f"/CN={name}", "-days", 2)
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.pem", "-days", 2, "-extfile", f"{name}.ext")


def tls_server(place, all_of_them, *settings):
    """Its port for TLS, and shardrun's environment; the other port is for the test itself."""
    files = place.path / "files"
    certificates(files)
    port = free_port()
    plain = all_of_them.start("--tls-port", port, "--tls-cert-file", files / "server.pem", "--tls-key-file",
                              files / "server.key", "--tls-ca-cert-file", files / "ca.pem", *DURABLE, *settings)
    environment = {**os.environ, "SHARDRUN_REDIS_TLS_CA": str(files / "ca.pem")}
    if "TLS is not built in" in place.call("status", "--store", "rediss://localhost:1", env=environment).err:
        raise Skip("the library is built without TLS")
    return files, port, plain, environment


@case
def a_run_over_tls_checks_whom_it_talks_to(place):
    with servers(place) as all_of_them:
        files, port, plain, environment = tls_server(place, all_of_them, "--tls-auth-clients", "no")
        store = f"rediss://localhost:{port}"
        process, ledger = begin(place, store, **environment)
        same(ask(plain, "CLIENT", "KILL", "TYPE", "normal").strip().isdigit(), True)  # it connects again
        check(place.finish(process), ledger)

        def status(store, code, text="", **other):
            ended(place.call("status", "r", "--store", store, env={**environment, **other}), code, text)

        status(store, 0)
        directory = files / "authorities"
        directory.mkdir()
        shutil.copy(files / "ca.pem", directory)
        subprocess.run(["openssl", "rehash", directory], check=True, capture_output=True)
        status(store, 0, SHARDRUN_REDIS_TLS_CA=str(directory))
        status(store, 3, "the server's certificate is not trusted: ", SHARDRUN_REDIS_TLS_CA=str(files / "other.pem"))
        by_address = f"rediss://127.0.0.1:{port}"
        status(by_address, 3, "IP address mismatch; see tls_ca and tls_name")
        status(by_address, 0, SHARDRUN_REDIS_TLS_NAME="localhost")
        status(store, 3, "ostname mismatch; see tls_ca and tls_name", SHARDRUN_REDIS_TLS_NAME="elsewhere")
        status(f"rediss://localhost:{plain}", 3, "is that its port for TLS?")
        status(f"redis://localhost:{port}", 3)
        status(store, 3, "tls_ca '/nowhere' cannot be read", SHARDRUN_REDIS_TLS_CA="/nowhere")
        status(store, 2, "cannot be used: ", SHARDRUN_REDIS_TLS_CA=str(files / "server.ext"))


@case
def a_server_that_asks_for_a_certificate_gets_one(place):
    with servers(place) as all_of_them:
        files, port, _, environment = tls_server(place, all_of_them)
        store = f"rediss://localhost:{port}"
        ended(place.call("status", "--store", store, env=environment), 3, "give one by tls_cert")
        environment["SHARDRUN_REDIS_TLS_CERT"] = str(files / "client.pem")
        ended(place.call("status", "--store", store, env=environment), 2, "tls_key '")
        environment["SHARDRUN_REDIS_TLS_KEY"] = str(files / "server.key")
        ended(place.call("status", "--store", store, env=environment), 2, "key values mismatch")
        environment["SHARDRUN_REDIS_TLS_KEY"] = str(files / "client.key")
        process, ledger = begin(place, store, **environment)
        check(place.finish(process), ledger)


@case
def a_master_is_found_over_tls_too(place):
    with servers(place) as all_of_them:
        files, port, _, environment = tls_server(place, all_of_them, "--tls-auth-clients", "no")
        sentinel_port = free_port()
        all_of_them.sentinel(port, f"tls-port {sentinel_port}", f"tls-cert-file {files}/server.pem",
                             f"tls-key-file {files}/server.key", f"tls-ca-cert-file {files}/ca.pem",
                             "tls-auth-clients no", "tls-replication yes")
        environment["SHARDRUN_REDIS_TLS_NAME"] = "localhost"  # sentinels tell addresses
        process, ledger = begin(place, f"rediss-sentinel://localhost:{sentinel_port}/shop", **environment)
        check(place.finish(process), ledger)


main()
