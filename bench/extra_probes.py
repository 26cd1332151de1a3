#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an update costs in JavaScript and Python, through the probes of bindings/.

Ours and the peer (prom-client, if Node's require() finds it; Debian's prometheus_client) in turn,
medians of CPU time, the loop of the language included. Prints rows and samples for bench/run; ratio
is ours / peer. --list names the rows.
"""
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("BUILD", "build/release"))
SRCDIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPETITIONS = 11
UPDATES = 400000
NAMES = {"inc": "counter inc", "inc16": "counter inc, 16 in turn",
         "fixed": "fixed-point counter add", "set": "gauge set",
         "observe": "observe, 11 bounds + fine grid"}
BARS = {"Node": {"inc": 2, "inc16": 2, "fixed": 12, "set": 12, "observe": 12},
        "Python": {"inc": 20, "inc16": 20, "fixed": 32, "set": 32, "observe": 32}}


def python_loops(counters, fixed, gauge, histogram, values):
    def inc():
        one = counters[0]
        for _ in itertools.repeat(None, UPDATES):
            one.inc()

    def inc16():
        for c in turns:
            c.inc()

    def add():
        for v in amounts:
            fixed(v)

    def level():
        for v in amounts:
            gauge.set(v)

    def observe():
        for v in amounts:
            histogram.observe(v)
    turns = [counters[i % 16] for i in range(UPDATES)]
    amounts = [values[i % len(values)] for i in range(UPDATES)]
    return {"inc": inc, "inc16": inc16, "fixed": add, "set": level, "observe": observe}


def python_peer(values):
    try:
        import prometheus_client as peer
    except ImportError:
        return None
    counter = peer.Counter("units", "help", ["lang"])
    return python_loops([counter.labels(str(i)) for i in range(16)],
                        peer.Counter("fixed", "help", ["lang"]).labels("py").inc,
                        peer.Gauge("level", "help", ["lang"]).labels("py"),
                        peer.Histogram("seconds", "help", ["lang"]).labels("py"), values)


def python_samples(segment):
    sys.path.insert(0, os.path.join(BUILD, "bindings"))
    import probe
    fixed_point = 1
    values = [random.lognormvariate(-5, 1.2) for _ in range(65536)]
    probe.open(segment, "bench-py")
    ours = python_loops([probe.Counter("probe_units_total", str(i)) for i in range(16)],
                        probe.Counter("probe_fixed_total", "py", fixed_point, 9).add,
                        probe.Gauge("probe_level", "py"), probe.Histogram("probe_seconds", "py"),
                        values)
    peer = python_peer(values)
    result = {name: {"ours": [], "peer": [] if peer else None} for name in ours}
    for _ in range(REPETITIONS):
        for name, samples in result.items():
            for side, loops in ("ours", ours), ("peer", peer):
                if loops:
                    start = time.thread_time_ns()
                    loops[name]()
                    samples[side].append((time.thread_time_ns() - start) / UPDATES)
    return result


def rows(language, peer, samples):
    for name, s in samples.items():
        value = statistics.median(s["ours"])
        peer_value = statistics.median(s["peer"]) if s["peer"] else None
        bar = BARS[language][name]
        yield {"figure": f"{language} probe: {NAMES[name]}", "value": round(value, 2), "unit": "ns",
               "peer": peer if peer_value else f"{peer} (skipped: not installed)",
               "peer_value": peer_value and round(peer_value, 2),
               "ratio": peer_value and round(value / peer_value, 4),
               "bar": f"<= {bar}", "ok": value <= bar}


def run(command, **env):
    out = subprocess.run(command, env=dict(os.environ, BUILD=BUILD, **env), check=True, timeout=300,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out) if out else None


def main():
    if sys.argv[1:] == ["--list"]:
        for language, bars in BARS.items():
            print("\n".join(f"{language} probe: {NAMES[name]}" for name in bars))
        return
    if sys.argv[1:2] == ["--python"]:
        json.dump(python_samples(sys.argv[2]), sys.stdout)
        return
    for language in "node", "python":
        run([os.path.join(SRCDIR, "bindings", language, "build-probe")])
    directory = tempfile.mkdtemp(prefix="shardmeter-bench-", dir="/dev/shm")
    segment = os.path.join(directory, "probes")
    try:
        node = run(["node", os.path.join(SRCDIR, "bench/probes.js"), segment],
                   SHARDMETER_PROBE=os.path.join(BUILD, "bindings/probe.node"))
        python = run(["/usr/bin/python3", __file__, "--python", segment])
    finally:
        shutil.rmtree(directory)
    json.dump({"rows": [*rows("Node", "prom-client", node),
                        *rows("Python", "prometheus_client", python)],
               "samples": {"Node": node, "Python": python}}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
