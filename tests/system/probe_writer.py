#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""probe_writer.py SEGMENT WRITER LANG - the Python writer of test_probes.py: lines as for
probe_writer.c, and

    threads K N     count N in each of K threads at once
    fork N          fork, count N in the child and in the parent; the child ends by _exit
"""
import array
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.environ['BUILD'], 'bindings'))
import probe  # noqa: E402 (built by the test)

U64, FIXED, DOUBLE = range(3)
segment, writer, lang = sys.argv[1:4]

probe.open(segment, writer)
whole = probe.Counter('probe_whole_total', lang, U64)
fixed = probe.Counter('probe_fixed_total', lang, FIXED, 9)
mixed = probe.Counter('probe_mixed_total', lang, DOUBLE, 3)
level = probe.Gauge('probe_level', lang)
seconds = probe.Histogram('probe_seconds', lang)


def count(n):
    for k in range(n):
        whole.inc()
        whole.add(3)
        fixed.add(k % 1000 * 0.001)
        mixed.add(2)
        seconds.observe(k * 7919 % 100003 / 8192)


def threads(k, n):
    running = [threading.Thread(target=count, args=(int(n),)) for _ in range(int(k))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def fork(n):
    pid = os.fork()
    count(int(n))
    if pid == 0:
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError('the child failed')


def observe_file(path):
    values = array.array('d')
    with open(path, 'rb') as file:
        values.frombytes(file.read())
    for v in values:
        seconds.observe(v)


def beat():
    if probe.heartbeat() != 0:
        raise RuntimeError('the heartbeat failed')


COMMANDS = {'count': lambda n: count(int(n)), 'threads': threads, 'fork': fork,
            'file': observe_file, 'level': lambda x: level.set(float(x)), 'beat': beat}

print('ok', flush=True)
for line in sys.stdin:
    name, *arguments = line.split()
    COMMANDS[name](*arguments)
    print('ok', flush=True)
