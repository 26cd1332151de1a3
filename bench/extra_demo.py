#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What metrics cost a whole bot: the demo's shard with and without them.

Runs `shardmeter-demo --burn` (the same commands, the same random numbers, some real work in each)
with SHARDMETER_DISABLE=1 and without, in turn, and compares the CPU time of the processes. Prints a
row and its samples for bench/run; --list names it.
"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

COMMANDS = "8000"
PAIRS = 9
FIGURE = "demo bot, CPU with metrics"


def cpu_seconds(demo, segment, disabled):
    env = dict(os.environ, SHARDMETER_SEGMENT=segment)
    env.pop("SHARDMETER_DISABLE", None)
    if disabled:
        env["SHARDMETER_DISABLE"] = "1"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([demo, "--burn", COMMANDS], env=env, check=True, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main():
    if sys.argv[1:] == ["--list"]:
        print(FIGURE)
        return
    demo = os.path.join(os.environ.get("BUILD", "build/release"), "shardmeter-demo")
    directory = tempfile.mkdtemp(prefix="shardmeter-bench-", dir="/dev/shm")
    segment = os.path.join(directory, "demo")
    try:
        cpu_seconds(demo, segment, False)
        cpu_seconds(demo, segment, True)
        pairs = []
        for i in range(PAIRS):
            # Each goes first in turn, so that a drift of the machine hits both.
            first = cpu_seconds(demo, segment, i % 2 == 0)
            second = cpu_seconds(demo, segment, i % 2 == 1)
            pairs.append((second, first) if i % 2 == 0 else (first, second))
    finally:
        shutil.rmtree(directory)
    ratio = statistics.median(on / off for on, off in pairs)
    on = statistics.median(p[0] for p in pairs)
    off = statistics.median(p[1] for p in pairs)
    per_command = 1e6 / int(COMMANDS)
    json.dump({"samples": pairs, "rows": [{
        "figure": FIGURE, "value": round(on * per_command, 3), "unit": "us/command",
        "peer": "SHARDMETER_DISABLE=1", "peer_value": round(off * per_command, 3),
        "ratio": round(ratio, 4), "bar": "<= 1.01", "ok": ratio <= 1.01,
    }]}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
