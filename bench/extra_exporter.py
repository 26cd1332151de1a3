#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a scrape costs the exporter, and what it costs other libraries to show the same.

GET /metrics over a kept-alive loopback connection, CPU time of the server, medians; see servers.py.
Series are registered by real writer processes, which then wait. The peers show the same names,
labels and numbers. Beside it the floor: memcpy() of the exporter's body, and servers that only send
it. Before anything is timed the body is checked: every series is there, and the counters' sum is
what the writers counted.

Prints {"rows": [...], "samples": {...}} for bench/run; --list names the parts, words choose among
them.
"""
import contextlib
import gzip
import json
import os
import statistics
import subprocess

import servers
from servers import GZIP, PROTOBUF, at_most, ratio_at_most, row, times_less

LINES = 100000
BUCKETS = 9
PER_HISTOGRAM = BUCKETS + 2
HISTOGRAMS = LINES // PER_HISTOGRAM
WRITERS = 8
ROUNDS = 5
FIXED = 10              # series: what a scrape costs whatever there is
SIZES = (1000, 10000, 100000, 1000000)
WRITERS_OF_TABLE = (1, 8, 64)

samples = {}


def keep(name, values):
    samples.setdefault(name, []).extend(values)
    return samples[name]


def read_body(path):
    with open(path, "rb") as f:
        data = f.read()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def check_counters(body, series, total):
    """All of them there, and counted right?"""
    values = [int(line.rsplit(b" ", 1)[1]) for line in body.split(b"\n")
              if line.startswith(b"bot_")]
    if len(values) != series or sum(values) != total:
        raise RuntimeError(f"{len(values)} of {series} counters, their sum {sum(values)} instead "
                           f"of {total}")


def in_turn(asked, rounds, prefix):
    """Ask servers in turn: {name: (server, requests a round, headers)}; CPU ns of each request."""
    for number in range(rounds):
        for name, (server, n, headers) in asked.items():
            servers.progress(f"exporter: {prefix}: round {number + 1} of {rounds}: {name}")
            answer = server.ask(n + 1, headers)
            keep(f"{prefix}, {name}", answer["cpu_ns"][1:])     # the first one warms up
            samples[f"{prefix}, {name}, bytes"] = [answer["bytes"]]


def compressed(limit, key):
    """A bar on gzip, which an answer that is not compressed does not meet."""
    packed, plain = samples[key + ", gzip, exporter, bytes"], samples[key + ", exporter, bytes"]
    bar = times_less(limit)
    return bar if packed[0] * 2 < plain[0] else {"bar": bar["bar"] + ", compressed",
                                                 "ok": lambda value, ratio: False}


def enter_go_peers(stack, body):
    """The peers in Go that can be built; why not, of the others."""
    running, missing = {}, {}
    for name, title in (("peer_client_golang", "client_golang"),
                        ("peer_victoriametrics", "VictoriaMetrics/metrics")):
        why = servers.build_go(name)
        if why:
            missing[title] = why
        else:
            running[title] = stack.enter_context(servers.peer(name, body))
    return running, missing


def measure_counters(where):
    body, zipped = os.path.join(where, "body"), os.path.join(where, "body.gz")
    segment = os.path.join(where, "counters")
    with contextlib.ExitStack() as stack:
        total = stack.enter_context(servers.writers(segment, WRITERS, LINES))
        ours = stack.enter_context(servers.exporter(where, segment))
        ours.ask(2, (), body)
        check_counters(read_body(body), LINES, total)
        ours.ask(2, GZIP, zipped)
        check_counters(read_body(zipped), LINES, total)
        cpp = stack.enter_context(servers.peer("peer_exposer", LINES, 0, WRITERS))
        go, missing = enter_go_peers(stack, body)
        sender = stack.enter_context(servers.peer("bench_floor", body, "write"))
        library = stack.enter_context(servers.peer("bench_floor", body, "microhttpd"))
        plain = {"exporter": (ours, 12, ()), "send()": (sender, 12, ()),
                 "libmicrohttpd": (library, 12, ()), "prometheus-cpp": (cpp, 4, ())}
        packed = {"exporter": (ours, 12, GZIP), "prometheus-cpp": (cpp, 4, GZIP)}
        for title, server in go.items():
            plain[title] = (server, 6, ())
            if title == "client_golang":
                packed[title] = (server, 6, GZIP)
        in_turn(plain, ROUNDS, "counters")
        in_turn(packed, ROUNDS, "counters, gzip")
    segment = os.path.join(where, "changing")
    with servers.writers(segment, WRITERS, LINES, tick_ms=50):
        with servers.exporter(where, segment) as ours:
            for key, headers in (("counters, changing", ()), ("counters, changing, gzip", GZIP)):
                servers.progress(f"exporter: {key}")
                keep(key, ours.ask(31, headers, settle_us=70000)["cpu_ns"][1:])
    for what, arguments in ("memcpy", [body, "memcpy"]), (
            "pread", [os.path.join(where, "cells"), "pread", str(LINES), str(WRITERS)]):
        out = subprocess.run([servers.program("bench_floor"), *arguments], check=True, timeout=60,
                             stdout=subprocess.PIPE).stdout
        keep("counters, " + what, json.loads(out)[what])
    return missing


def counter_rows(missing):
    figure, scale = f"exporter: {LINES:,} counter lines, {WRITERS} writers", 1 / LINES
    plain, packed = samples["counters, exporter"], samples["counters, gzip, exporter"]
    floor = statistics.median(samples["counters, libmicrohttpd"]) * scale
    yield row(figure, plain, "ns/line", scale, **at_most(12, "ns"))
    for name in "memcpy", "send()", "libmicrohttpd", "pread":
        title = {"memcpy": "memcpy of the body", "send()": "send() of it, prepared",
                 "libmicrohttpd": "libmicrohttpd, it prepared",
                 "pread": f"pread() and add of {WRITERS} writers' cells"}[name]
        yield row(figure, plain, "ns/line", scale, title, samples["counters, " + name])
    yield row(figure + ", less libmicrohttpd's", [v * scale - floor for v in plain], "ns/line")
    yield row(figure, plain, "ns/line", scale, "prometheus-cpp",
              samples["counters, prometheus-cpp"], **times_less(20))
    yield row(figure + ", gzip", packed, "ns/line", scale, "prometheus-cpp, gzip",
              samples["counters, gzip, prometheus-cpp"], **compressed(15, "counters"))
    for more in "", ", gzip":
        yield row(f"{figure}{more}, half of them changed", samples["counters, changing" + more],
                  "ns/line", scale, "none changed", packed if more else plain)
    yield row(figure + ", gzip, body", samples["counters, gzip, exporter, bytes"], "KB", 1e-3,
              "prometheus-cpp, gzip", samples["counters, gzip, prometheus-cpp, bytes"])
    for name, ours, key in (("client_golang", plain, "counters"),
                            ("VictoriaMetrics/metrics", plain, "counters"),
                            ("client_golang", packed, "counters, gzip")):
        more = ", gzip" if ours is packed else ""
        if name in missing:
            yield row(figure + more, ours, "ns/line", scale,
                      f"{name} (left out: {missing[name]})")
        else:
            yield row(figure + more, ours, "ns/line", scale, name + more,
                      samples[f"{key}, {name}"])


def measure_histograms(where):
    segment = os.path.join(where, "histograms")
    body = os.path.join(where, "histograms.body")
    with contextlib.ExitStack() as stack:
        stack.enter_context(servers.writers(segment, WRITERS, 0, HISTOGRAMS))
        ours = stack.enter_context(servers.exporter(where, segment))
        ours.ask(2, (), body)
        lines = [line for line in read_body(body).split(b"\n") if line.startswith(b"bot_")]
        counted = sum(int(line.rsplit(b" ", 1)[1]) for line in lines if b"_count{" in line)
        if len(lines) != HISTOGRAMS * PER_HISTOGRAM or counted != HISTOGRAMS * WRITERS:
            raise RuntimeError(f"{len(lines)} lines of histograms that count {counted}")
        cpp = stack.enter_context(servers.peer("peer_exposer", 0, HISTOGRAMS, WRITERS))
        in_turn({"exporter": (ours, 12, ()), "prometheus-cpp": (cpp, 4, ())}, ROUNDS, "histograms")
        in_turn({"exporter": (ours, 12, GZIP), "prometheus-cpp": (cpp, 4, GZIP)}, ROUNDS,
                "histograms, gzip")
    segment = os.path.join(where, "grids")
    with servers.writers(segment, WRITERS, 0, HISTOGRAMS // 10, 1):
        with servers.exporter(where, segment) as ours:
            in_turn({"exporter": (ours, 12, GZIP + PROTOBUF)}, ROUNDS, "native histograms")


def histogram_rows(_):
    figure, scale = f"exporter: {LINES:,} histogram lines, {WRITERS} writers", 1 / LINES
    for more, bar in ("", times_less(15)), (", gzip", compressed(15, "histograms")):
        yield row(figure + more, samples[f"histograms{more}, exporter"], "ns/line", scale,
                  "prometheus-cpp" + more, samples[f"histograms{more}, prometheus-cpp"], **bar)
    yield row(f"exporter: {HISTOGRAMS // 10:,} histograms with fine grid, protobuf, gzip",
              samples["native histograms, exporter"], "us/histogram", 1e-3 / (HISTOGRAMS // 10))


def measure_table(where):
    for n in (FIXED, *SIZES):
        for w in WRITERS_OF_TABLE:
            servers.progress(f"exporter: {n:,} series, {w} writers")
            segment = os.path.join(where, f"table-{n}-{w}")
            requests = 101 if n <= 10000 else 31 if n <= 100000 else 9
            with servers.writers(segment, w, n) as total:
                with servers.exporter(where, segment) as ours:
                    body = os.path.join(where, "table.body")
                    ours.ask(2, (), body)
                    check_counters(read_body(body), n, total)
                    os.unlink(body)
                    keep(f"table, {n} series, {w} writers", ours.ask(requests)["cpu_ns"])


def table_rows(_):
    for w in WRITERS_OF_TABLE:
        of_writers = f"{w} writer{'s' if w > 1 else ''}"
        values = samples[f"table, {FIXED} series, {w} writers"]
        fixed = statistics.median(values)
        yield row(f"exporter: {FIXED} series, {of_writers}: the fixed cost", values, "us", 1e-3)
        cost, more = [], []
        for n in SIZES:
            values = samples[f"table, {n} series, {w} writers"]
            cost.append(statistics.median(values) / n)
            more.append((statistics.median(values) - fixed) / (n - FIXED))
            yield row(f"exporter: {n:,} series, {of_writers}", values, "ns/series", 1 / n)
        yield row(f"exporter: {of_writers}, dearest of these sizes", [max(cost)], "ns/series", 1,
                  "cheapest", [min(cost)], **ratio_at_most(2))
        yield row(f"exporter: {of_writers}, dearest, less the fixed cost", [max(more)],
                  "ns/series", 1, "cheapest", [min(more)])


def measure_memory(where):
    for n in 10000, 100000:
        servers.progress(f"exporter: memory with {n:,} counters")
        segment = os.path.join(where, f"memory-{n}")
        store = os.path.join(where, f"store-{n}")
        with servers.writers(segment, WRITERS, n):
            with servers.exporter(where, segment, "--storage.path=" + store,
                                  "--storage.interval=1s") as ours:
                for _ in range(5):
                    for headers in (), GZIP, GZIP + PROTOBUF:
                        ours.ask(2, headers)
                keep(f"memory, {n} counters", [ours.anonymous_mb()])


def memory_rows(_):
    for n, limit in (10000, 25), (100000, 100):
        yield row(f"exporter: memory (RssAnon) with {n:,} counters",
                  samples[f"memory, {n} counters"], "MB", **at_most(limit, "MB"))


PARTS = {
    f"exporter: {LINES:,} counter lines": (measure_counters, counter_rows),
    f"exporter: {LINES:,} histogram lines": (measure_histograms, histogram_rows),
    "exporter: series of each size, writers": (measure_table, table_rows),
    "exporter: memory (RssAnon)": (measure_memory, memory_rows),
}


if __name__ == "__main__":
    servers.run_parts(PARTS, samples)
