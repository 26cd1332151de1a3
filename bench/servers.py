# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of the exporter share: processes that are started, asked and measured.

Everything is started with its standard input held by us, so that it ends when we do. Servers and
the client that asks them share one processor: with the client on another one, what a server's
send() costs depends on what that does at the same time (twice as much on two threads of one core).
CPU time is that of all threads of the process, by its CPU clock, which needs no rights.
"""
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("BUILD", "build/release"))
SRCDIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVER_CPU = max(os.sched_getaffinity(0))
SETTLE_US = 2000        # until a server that has answered sleeps
GZIP = ["Accept-Encoding: gzip"]
PROTOBUF = ["Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
            "encoding=delimited"]


def program(name):
    return os.path.join(BUILD, "bench", name)


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def end_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def pin():
    end_with_parent()
    os.sched_setaffinity(0, {SERVER_CPU})


def cpu_clock_s(pid):
    """CPU time of a process, all threads, dead ones included."""
    return time.clock_gettime((~pid << 3) | 2)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def directory():
    path = tempfile.mkdtemp(prefix="shardmeter-bench-", dir="/dev/shm")
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def started(command, pinned=True, **how):
    p = subprocess.Popen(command, preexec_fn=pin if pinned else end_with_parent,
                         stdin=subprocess.PIPE, **how)
    try:
        yield p
    finally:
        p.stdin.close()
        if not how.get("stdout"):
            p.send_signal(signal.SIGTERM)   # the exporter does not look at its standard input
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        if p.stdout:
            p.stdout.close()


@contextlib.contextmanager
def writers(segment, n, counters, histograms=0, grid=0, tick_ms=0):
    """n writer processes that have registered everything; gives the counters' total."""
    numbers = (n, counters, histograms, grid, tick_ms)
    command = [program("bench_writers"), segment, *map(str, numbers)]
    with started(command, pinned=False, stdout=subprocess.PIPE, text=True) as p:
        line = p.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(f"the writers did not start: {command}")
        yield int(line.split()[1])


class Server:
    """A server and how it is asked."""
    def __init__(self, name, pid, port):
        self.name, self.pid, self.port = name, pid, port

    def ask(self, n, headers=(), body="-", path="/metrics", pinned=True, settle_us=SETTLE_US,
            timeout_s=120):
        out = subprocess.run([program("bench_scrape"), str(self.port), str(self.pid), str(n),
                              str(settle_us), path, body, *headers], check=True,
                             timeout=timeout_s,
                             preexec_fn=pin if pinned else end_with_parent,
                             stdout=subprocess.PIPE).stdout
        result = json.loads(out)
        if result["status"] != 200:
            raise RuntimeError(f"{self.name} answered {result['status']}")
        return result

    def cpu_s(self):
        return cpu_clock_s(self.pid)

    def anonymous_mb(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1)) / 1024


@contextlib.contextmanager
def exporter(where, segment, *flags, pinned=True):
    """The exporter on a free port; without history unless flags say where to keep it."""
    log = os.path.join(where, f"exporter-{time.monotonic_ns()}.log")
    if not any(f.startswith("--storage.path") for f in flags):
        flags += ("--no-storage",)
    command = [os.path.join(BUILD, "shardmeter-exporter"), "--allow-root", "--segment=" + segment,
               "--web.listen-address=127.0.0.1:0", *flags]
    with open(log, "w", encoding="utf-8") as f:
        with started(command, pinned, stderr=f) as p:
            for _ in range(200):
                with open(log, encoding="utf-8") as said:
                    text = said.read()
                port = re.search(r"msg=listening.* address=[^ ]*:(\d+)", text)
                if port or p.poll() is not None:
                    break
                time.sleep(0.02)
            if not port:
                raise RuntimeError(f"the exporter did not start: {text}")
            yield Server("exporter", p.pid, int(port.group(1)))


@contextlib.contextmanager
def peer(name, *arguments):
    """A program of bench/ that prints its port."""
    command = [program(name), *map(str, arguments)]
    with started(command, stdout=subprocess.PIPE, text=True) as p:
        line = p.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} did not start")
        yield Server(name, p.pid, int(line))


def build_go(name):
    """Build bench/NAME.go with the packages of Debian; None, or why it is not to be had."""
    env = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
               GOPROXY="off", GOTOOLCHAIN="local", GOCACHE=os.path.join(BUILD, "bench", "go-cache"))
    try:
        subprocess.run(["go", "build", "-o", program(name),
                        os.path.join(SRCDIR, "bench", name + ".go")], env=env, check=True,
                       timeout=180, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return "go is not installed"
    except subprocess.TimeoutExpired:
        return "not built in time"
    except subprocess.CalledProcessError as error:
        said = error.stderr.replace(SRCDIR + "/", "").strip().splitlines()
        return "does not build: " + (said[0] if said else "no reason given")
    return None


# ---- rows ------------------------------------------------------------------------------------


def rounded(x):
    return None if x is None else float(f"{x:.4g}")


def row(figure, samples, unit, scale=1.0, peer_name=None, peer_samples=None, bar=None, ok=None):
    """A row of bench/run's table; samples and scale make the value."""
    value = statistics.median(samples) * scale
    result = {"figure": figure, "value": rounded(value), "unit": unit,
              "peer": peer_name}
    if len(samples) > 1:
        quartiles = statistics.quantiles(samples, n=4, method="inclusive")
        result["spread"] = [rounded(quartiles[0] * scale), rounded(quartiles[2] * scale)]
    if peer_samples:
        against = statistics.median(peer_samples) * scale
        result.update(peer_value=rounded(against), ratio=rounded(value / against))
    if bar:
        result.update(bar=bar, ok=bool(ok(value, result.get("ratio"))))
    return result


def at_most(limit, unit):
    return {"bar": f"<= {limit:g} {unit}", "ok": lambda value, ratio: value <= limit}


def times_less(limit):
    return {"bar": f">= {limit:g}x less", "ok": lambda value, ratio: ratio * limit <= 1}


def ratio_at_most(limit):
    return {"bar": f"<= {limit:g}x", "ok": lambda value, ratio: ratio <= limit}


def run_parts(parts, samples):
    """Measure the parts that have one of the words in their title and print what came of it."""
    words = [word.lower() for word in sys.argv[1:]]
    if words == ["--list"]:
        print("\n".join(parts))
        return
    rows = []
    for title, (measure, make_rows) in parts.items():
        if words and not any(word in title.lower() for word in words):
            continue
        try:
            with directory() as where:
                rows += make_rows(measure(where))
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            rows.append({"figure": title, "value": None, "unit": "", "peer": f"failed: {error}",
                         "bar": "measured", "ok": False})
    json.dump({"rows": rows, "samples": samples}, sys.stdout)
    print()
