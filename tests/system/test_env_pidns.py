#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two containers' worth of pid namespaces on one segment: equal pids, told apart all the same."""
import os
import subprocess

from proc_helper import Directory, Helper, check, equal, main, skip

NAMESPACE = ['unshare', '--pid', '--mount-proc', '--fork', '--kill-child']


def writers(helper, segment):
    fields = [w.split(':') for w in helper.do('writers', segment).split()]
    return {f[0]: {'state': f[1], 'pid': int(f[3]), 'pidns': int(f[4])} for f in fields}


def equal_pids__in_two_namespaces__are_two_writers():
    with Directory() as d, Helper() as outside:
        segment = d + '/segment'
        with Helper(NAMESPACE) as a, Helper(NAMESPACE) as b:
            a.do('open', segment, 'shard')
            b.do('open', segment, 'shard')
            equal(a.do('pid'), '1', 'pid in its namespace')
            equal(b.do('pid'), '1', 'pid in its namespace')
            equal(b.do('name'), 'shard~2', 'name of the second')
            a.do('counter', 'c_total', '-', '-', 10)
            b.do('counter', 'c_total', '-', '-', 5)
            a.do('gauge', 'g', 1)
            b.do('gauge', 'g', 1)
            a.do('heartbeat')
            b.do('heartbeat')
            seen = writers(outside, segment)
            equal(seen['shard']['state'], 'live')
            equal(seen['shard~2']['state'], 'live')
            equal(seen['shard']['pid'], 1)
            equal(seen['shard~2']['pid'], 1)
            check(seen['shard']['pidns'] != seen['shard~2']['pidns'], 'the same pid namespace')
            check(seen['shard']['pidns'] != os.stat('/proc/self/ns/pid').st_ino, 'our pid namespace')
            # Each sees the other alive, too: no pid is asked for.
            equal(writers(a, segment)['shard~2']['state'], 'live')
            equal(writers(b, segment)['shard']['state'], 'live')
            b.kill()
            a.do('counter', 'c_total', '-', '-', 1)
            seen = writers(outside, segment)
            equal(seen['shard']['state'], 'live')
            # unshare dies by the signal; its child, by --kill-child, a moment later.
            deadline = 2000
            while writers(outside, segment)['shard~2']['state'] == 'live' and deadline:
                deadline -= 1
            equal(writers(outside, segment)['shard~2']['state'], 'dead')
        equal(outside.do('total', segment, 'c_total'), '16', 'total')
        equal(writers(outside, segment)['shard']['state'], 'dead')


def name__that_comes_back_in_a_new_namespace__goes_on():
    with Directory() as d, Helper() as outside:
        segment = d + '/segment'
        for i in range(1, 6):
            with Helper(NAMESPACE) as a:
                a.do('open', segment, 'shard')
                a.do('counter', 'c_total', '-', '-', 3)
                equal(a.do('name'), 'shard')
            equal(outside.do('total', segment, 'c_total'), str(3 * i), 'total')
        equal(len(writers(outside, segment)), 2, 'slots in use, with the common one')


if __name__ == '__main__':
    tried = subprocess.run([*NAMESPACE, 'true'], check=False, capture_output=True, text=True)
    if tried.returncode:
        skip('unshare is not permitted here: ' + tried.stderr.strip())
    main([equal_pids__in_two_namespaces__are_two_writers,
          name__that_comes_back_in_a_new_namespace__goes_on])
