#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each environment variable of a writer, and what wins over what."""
import errno
import os
import subprocess

from proc_helper import BUILD, Directory, Helper, check, equal, main


def segment__as_a_path__is_used():
    with Directory() as d:
        path = d + '/my.segment'
        with Helper(env={'SHARDMETER_SEGMENT': path}) as h:
            h.do('open', '-', 'w')
            equal(h.do('path'), path)
            h.do('counter', 'c_total', '-', '-', 1)
            equal(h.do('total', '-', 'c_total'), '1', 'what a reader finds by the same variable')
        with Helper(env={'SHARDMETER_SEGMENT': path}) as h:
            h.do('open', d + '/explicit', 'w')
            equal(h.do('path'), d + '/explicit', 'the option wins: path')


def segment__as_a_name__is_where_names_are():
    name = f'test-{os.getpid()}'
    expected = f'/run/shardmeter/{name}' if os.path.isdir('/run/shardmeter') else f'/dev/shm/shardmeter.{name}'
    try:
        with Helper(env={'SHARDMETER_SEGMENT': name}) as h:
            h.do('open', '-', 'w')
            equal(h.do('path'), expected)
            check(os.path.exists(expected), 'no file there')
    finally:
        if os.path.exists(expected):
            os.unlink(expected)
    for bad in ('.hidden', 'sp%20ace', 'x' * 101, 'a:b'):
        with Helper(env={'SHARDMETER_SEGMENT': bad}) as h:
            message = h.refused(errno.EINVAL, 'open', '-', 'w')
            check('segment name' in message, message)


def writer__is_named_by_it():
    with Directory() as d:
        with Helper(env={'SHARDMETER_WRITER': 'shard-7'}) as h:
            h.do('open', d + '/s', '-')
            equal(h.do('name'), 'shard-7')
        with Helper(env={'SHARDMETER_WRITER': 'shard-7'}) as h:
            h.do('open', d + '/s', 'explicit')
            equal(h.do('name'), 'explicit')
        with Helper(env={'SHARDMETER_WRITER': ''}) as h:
            h.do('open', d + '/s', '-')
            equal(h.do('name'), 'proc_helper-1', 'an empty one is none: name')
        for bad in ('x' * 61, 'tilde~2', 'umlaut-ä', 'semi;colon'):
            with Helper(env={'SHARDMETER_WRITER': bad}) as h:
                message = h.refused(errno.EINVAL, 'open', d + '/s', '-')
                check('writer name' in message, message)
                # The program goes on, with null handles.
                h.refused(errno.EINVAL, 'counter', 'c_total', '-', '-', 1)
                h.refused(errno.EINVAL, 'heartbeat')


def app_version__is_shown():
    with Directory() as d:
        with Helper(env={'SHARDMETER_APP_VERSION': '2.14.0-rc1'}) as h:
            h.do('open', d + '/s', 'w')
            check('w:live:2.14.0-rc1:' in h.do('writers', d + '/s'), 'no version')
        with Helper(env={'SHARDMETER_APP_VERSION': 'v' * 64}) as h:
            message = h.refused(errno.EINVAL, 'open', d + '/s', 'w')
            check('app_version' in message, message)


def group__by_name_and_number():
    with Directory() as d:
        gid = os.getegid()
        with Helper(env={'SHARDMETER_GROUP': str(gid)}) as h:
            h.do('open', d + '/number', 'w')
            equal(os.stat(d + '/number').st_mode & 0o777, 0o660, 'mode')
            equal(os.stat(d + '/number').st_gid, gid, 'group')
        with Helper(env={'SHARDMETER_GROUP': 'no-such-group-here'}) as h:
            message = h.refused(errno.EINVAL, 'open', d + '/none', 'w')
            check('SHARDMETER_GROUP' in message and 'no-such-group-here' in message, message)
            check(not os.path.exists(d + '/none'), 'a segment was made')
        with Helper() as h:
            h.do('open', d + '/without', 'w')
            equal(os.stat(d + '/without').st_mode & 0o777, 0o640, 'mode')


def slow__sets_thresholds_of_operations():
    with Directory() as d:
        with Helper(env={'SHARDMETER_SLOW': 'play=0ms,other=2s'}) as h:
            h.do('open', d + '/s', 'w')
            h.do('flow', 'play')
            h.do('flow', 'other')
            h.do('flow', 'third')
            equal(h.do('slow', d + '/s'), 'play', 'slow operations')
        for bad in ('play', 'play=', 'play=5', 'play=5m', '=5ms', 'play=-1s', 'play=1s,,', 'x' * 70 + '=1s'):
            with Helper(env={'SHARDMETER_SLOW': bad}) as h:
                message = h.refused(errno.EINVAL, 'open', d + '/s', 'w')
                check('SHARDMETER_SLOW' in message, message)


def disable__gives_null_objects_without_an_error():
    with Directory() as d:
        with Helper(env={'SHARDMETER_DISABLE': '1', 'SHARDMETER_WRITER': 'not valid'}) as h:
            equal(h.do('open', d + '/s', '-'), '')
            h.do('counter', 'c_total', '-', '-', 1)
            h.do('gauge', 'g', 1)
            h.do('flow', 'play')
            h.do('heartbeat')
            equal(h.do('name'), '')
            h.do('close')
            check(not os.path.exists(d + '/s'), 'a segment was made')
        with Helper(env={'SHARDMETER_DISABLE': '0'}) as h:
            h.do('open', d + '/s', 'w')
            h.do('counter', 'c_total', '-', '-', 1)
            equal(h.do('total', d + '/s', 'c_total'), '1')


def disable_families__by_globs():
    with Directory() as d:
        with Helper(env={'SHARDMETER_DISABLE_FAMILIES': 'cache_*,debug_?_total'}) as h:
            h.do('open', d + '/s', 'w')
            for name in ('cache_hits_total', 'debug_a_total', 'debug_ab_total', 'hits_total'):
                h.do('counter', name, '-', '-', 1)
            h.do('heartbeat')
            equal(h.do('total', d + '/s', 'cache_hits_total'), '0')
            equal(h.do('total', d + '/s', 'debug_a_total'), '0')
            equal(h.do('total', d + '/s', 'debug_ab_total'), '1')
            equal(h.do('total', d + '/s', 'hits_total'), '1')
        with Helper(env={'SHARDMETER_DISABLE_FAMILIES': 'x' * 600}) as h:
            message = h.refused(errno.EINVAL, 'open', d + '/s', 'w')
            check('SHARDMETER_DISABLE_FAMILIES' in message, message)


def allowed_labels__others_are_refused():
    with Directory() as d:
        with Helper(env={'SHARDMETER_ALLOWED_LABELS': 'command,*_type'}) as h:
            h.do('open', d + '/s', 'w')
            h.do('counter', 'a_total', 'command', 'play', 1)
            h.do('counter', 'b_total', 'job_type', 'x', 1)
            h.do('counter', 'c_total', '-', '-', 1)
            message = h.refused(errno.EPERM, 'counter', 'd_total', 'who', '42', 1)
            check('label "who"' in message and 'SHARDMETER_ALLOWED_LABELS' in message, message)
            for name, total in (('a_total', '1'), ('b_total', '1'), ('c_total', '1'), ('d_total', '0')):
                equal(h.do('total', d + '/s', name), total)


def tools__use_the_same_segment():
    tool = BUILD + '/shardmeter'
    if not os.path.exists(tool):
        return
    with Directory() as d:
        env = {**os.environ, 'SHARDMETER_SEGMENT': d + '/s'}
        with Helper(env={'SHARDMETER_SEGMENT': d + '/s'}) as h:
            h.do('open', '-', 'w')
            h.do('counter', 'c_total', '-', '-', 3)
            out = subprocess.run([tool, 'dump'], env=env, check=True, capture_output=True, text=True, timeout=30)
            check('\nc_total 3\n' in out.stdout, out.stdout)


if __name__ == '__main__':
    main([segment__as_a_path__is_used,
          segment__as_a_name__is_where_names_are,
          writer__is_named_by_it,
          app_version__is_shown,
          group__by_name_and_number,
          slow__sets_thresholds_of_operations,
          disable__gives_null_objects_without_an_error,
          disable_families__by_globs,
          allowed_labels__others_are_refused,
          tools__use_the_same_segment])
