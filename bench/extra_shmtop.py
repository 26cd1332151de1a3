#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What shmtop costs: the CPU time of the interactive screen, refreshed every second.

A writer makes 1,000 series (900 counters, 100 histograms) and counts on some of them; shmtop shows
them on a pseudo terminal of 140x40 that is read by us. The CPU time of the process over SECONDS
seconds is taken from /proc, without its start. Prints a JSON array of rows for bench/run.
"""
import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

SECONDS = float(os.environ.get("SHMTOP_SECONDS", "30"))
VIEWS = ("series", "overview")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_ns(pid):
    """Finer than the ticks of stat, where the kernel has it."""
    try:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9
    except OSError:
        return cpu_seconds(pid)


class Writer:
    def __init__(self, program, segment):
        self.child = subprocess.Popen([program, segment, "shard-1"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.child.stdout.readline()

    def do(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        self.child.stdout.readline()

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def measure(shmtop, writer, segment, view):
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8", XDG_CONFIG_HOME="/nonexistent")
    child = subprocess.Popen([shmtop, "-v", view, "-d", "1", segment], stdin=slave, stdout=slave,
                             stderr=slave, env=env, start_new_session=True)
    try:
        def read_until(end):
            """Count now and then, as a bot does, and take what is drawn."""
            while time.monotonic() < end:
                ready, _, _ = select.select([master], [], [], 0.25)
                if ready:
                    os.read(master, 1 << 16)
                else:
                    writer.do("more 200")
                    writer.do("durations 50")

        read_until(time.monotonic() + 2)
        before, began = run_ns(child.pid), time.monotonic()
        read_until(began + SECONDS)
        return (run_ns(child.pid) - before) / (time.monotonic() - began)
    finally:
        os.write(master, b"q")
        child.wait(10)
        os.close(master)
        os.close(slave)


def main():
    build = os.environ.get("BUILD", "build/release")
    program = os.path.join(build, "tests", "system", "shmtop_writer")
    if not os.path.exists(program):
        subprocess.run(["make", "--no-print-directory", program], check=True, stdout=sys.stderr)
    directory = tempfile.mkdtemp(prefix="shardmeter-bench-", dir="/dev/shm")
    segment = os.path.join(directory, "shardmeter.bench")
    rows = []
    try:
        writer = Writer(program, segment)
        writer.do("fill 900")
        writer.do("fill-durations 100")
        for view in VIEWS:
            share = measure(os.path.join(build, "shmtop"), writer, segment, view)
            rows.append({"figure": "shmtop, 1,000 series every second, %s" % view,
                         "value": round(share * 100, 3), "unit": "% of a core",
                         "bar": "< 1", "ok": share < 0.01})
        writer.close()
    finally:
        shutil.rmtree(directory)
    json.dump(rows, sys.stdout)
    print()


if __name__ == "__main__":
    main()
