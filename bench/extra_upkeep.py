#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to keep the exporter and shmtop running, and what slow clients can do.

- The exporter with 10,000 counters of 8 writers, half of which change every second: scraped every
  15 s as Prometheus does, a row of history every 10 s, for a minute as it is.
- shmtop in a terminal of 140 columns and 40 lines on 900 counters and 100 histograms, half of which
  change, every second, for 20 s a view.
- The time that a scrape of 1,000 series takes while 1,000 clients drip their requests and 100 keep
  idle connections open, and at an exporter without such clients; both asked in turn. Once with the
  default limits, where those who are cut for want of room come again a second later, and once with
  room for all, where they drip until their time is up.

Prints {"rows": [...], "samples": {...}} for bench/run; --list names the parts, words choose among
them.
"""
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import termios
import time

import servers
from servers import GZIP, at_most, ratio_at_most, row

PROMETHEUS = GZIP + ["Accept: application/openmetrics-text;version=1.0.0,"
                     "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;"
                     "q=0.5,*/*;q=0.1", "X-Prometheus-Scrape-Timeout-Seconds: 10"]
SCRAPES, SCRAPE_S = 4, 15
SHMTOP_S = 20
VIEWS = ("series", "overview")
DRIPPING, IDLE = 1000, 100
BURSTS, BURST = 20, 50
DRIPPED = (("default limits", ()),
           ("all let in", ("--web.max-connections=2000",)))

samples = {}


def measure_upkeep(where):
    segment, store = os.path.join(where, "upkeep"), os.path.join(where, "store")
    with servers.writers(segment, 8, 10000, tick_ms=1000):
        with servers.exporter(where, segment, "--storage.path=" + store) as ours:
            ours.ask(1, PROMETHEUS)
            start, cpu = time.monotonic(), ours.cpu_s()
            for i in range(SCRAPES):
                servers.progress(f"exporter: upkeep, {i * SCRAPE_S} of {SCRAPES * SCRAPE_S} s")
                time.sleep(max(0, start + (i + 0.5) * SCRAPE_S - time.monotonic()))
                ours.ask(1, PROMETHEUS)
            time.sleep(max(0, start + SCRAPES * SCRAPE_S - time.monotonic()))
            took = time.monotonic() - start
            samples["upkeep, share of a core"] = [(ours.cpu_s() - cpu) / took]


def upkeep_rows(_):
    yield row("exporter: 10,000 series, a scrape every 15 s, a row every 10 s",
              samples["upkeep, share of a core"], "% of a core", 100, **at_most(1, "%"))


def drain(fd, seconds):
    """Read what is drawn, as a terminal does."""
    drawn, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            drawn += len(os.read(fd, 65536))
    return drawn


def show(segment, view):
    pid, fd = pty.fork()
    if pid == 0:
        servers.end_with_parent()
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8", XDG_CONFIG_HOME="/nonexistent")
        os.execv(os.path.join(servers.BUILD, "shmtop"), ["shmtop", "-v", view, "-d", "1", segment])
    try:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        servers.progress(f"shmtop: {view}")
        if not drain(fd, 3):
            raise RuntimeError("shmtop draws nothing")
        start, cpu = time.monotonic(), servers.cpu_clock_s(pid)
        samples[f"shmtop, {view}, bytes drawn"] = [drain(fd, SHMTOP_S)]
        took = time.monotonic() - start
        samples[f"shmtop, {view}, share of a core"] = [(servers.cpu_clock_s(pid) - cpu) / took]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def measure_shmtop(where):
    segment = os.path.join(where, "shmtop")
    with servers.writers(segment, 8, 900, 100, 1, tick_ms=1000):
        for view in VIEWS:
            show(segment, view)


def shmtop_rows(_):
    for view in VIEWS:
        yield row(f"shmtop: 1,000 series, every second, {view}",
                  samples[f"shmtop, {view}, share of a core"], "% of a core", 100,
                  **at_most(1, "%"))


def beset(stack, name, where, segment, *flags):
    """Ask an exporter with slow clients and one without in turn."""
    servers_asked = [stack.enter_context(servers.exporter(where, segment, *flags, pinned=False))
                     for _ in range(2)]
    drip = subprocess.Popen(
        [servers.program("bench_drip"), str(servers_asked[0].port), str(DRIPPING), str(IDLE)],
        preexec_fn=servers.end_with_parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True)
    with drip:
        if drip.stdout.readline() != "ready\n":
            raise RuntimeError("bench_drip did not start")
        for i in range(BURSTS):
            servers.progress(f"exporter: slow clients, {name}, {i + 1} of {BURSTS}")
            for which, server in zip(("beset", "quiet"), servers_asked):
                try:
                    wall = server.ask(BURST, pinned=False, timeout_s=20)["wall_ns"]
                except subprocess.TimeoutExpired as error:
                    raise RuntimeError(f"no answer in 20 s, {which}") from error
                samples.setdefault(f"{name}, {which}", []).extend(wall)
        drip.stdin.close()
        samples[f"{name}, clients"] = json.loads(drip.stdout.read())


def measure_drip(where):
    segment = os.path.join(where, "drip")
    with servers.writers(segment, 8, 1000):
        for name, flags in DRIPPED:
            with contextlib.ExitStack() as stack:
                beset(stack, name, where, segment, *flags)


def percentile(values, p):
    return statistics.quantiles(values, n=100, method="inclusive")[p - 1]


def drip_rows(_):
    for name, _flags in DRIPPED:
        slow, quiet = samples[name + ", beset"], samples[name + ", quiet"]
        figure = f"exporter: scrape beside {DRIPPING:,} dripping, {IDLE} idle clients, {name}"
        yield row(figure + ", p99", [percentile(slow, 99)], "us", 1e-3, "without them",
                  [percentile(quiet, 99)], **ratio_at_most(1.5))
        yield row(figure + ", median", slow, "us", 1e-3, "without them", quiet)


PARTS = {
    "exporter: a scrape every 15 s, a row every 10 s": (measure_upkeep, upkeep_rows),
    "shmtop: 1,000 series, every second": (measure_shmtop, shmtop_rows),
    "exporter: scrape beside dripping, idle clients": (measure_drip, drip_rows),
}


if __name__ == "__main__":
    servers.run_parts(PARTS, samples)
