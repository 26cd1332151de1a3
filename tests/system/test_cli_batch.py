#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# ASAN: it reads what strangers send.
"""shardmeter batch: statsd lines and exposition text, errors by line, speed, segments that go."""
import os
import subprocess
import time
import unittest

from cli_util import CLI, MAX, NOBODY, Case
from process_util import DEADLINE_S, wait_for
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics


class Batch(Case):
    def batch(self, text, *args, code=0, **kwargs):
        """Feed text; standard error."""
        data = text if isinstance(text, bytes) else text.encode()
        result = self.run_cli('batch', *args, input=data, **kwargs)
        self.assertEqual((result.returncode, result.stdout), (code, ''), result.stderr)
        return result.stderr

    def good(self, text, *args, **kwargs):
        self.assertEqual(self.batch(text, '--strict', *args, **kwargs), '')

    def get(self, *args):
        return self.ok('get', '-v', *args).rstrip('\n')

    def setUp(self):
        super().setUp()
        self.create()

    def test_statsd__each_type(self):
        self.good('jobs.done:1|c\njobs.done:3|c|@0.1\njobs.done:0.5|c\n'
                  'q:17|g\nq:+2.5|g\nq:-4|g\nload_ms:320|ms\nload_ms:0.001|ms\nsize:512:900|h|@0.5\nsize:1|d\r\n'
                  'tagged:2|c|#job:a b,host:ü\ntagged:3|c|#host:ü,job:a b')
        self.assertEqual(self.get('jobs_done_total'), '31.5')
        self.assertEqual(self.get('q'), '15.5')
        self.assertEqual(self.get('-f', 'count,sum', 'load_seconds'), '2\t0.320001')
        self.assertEqual(self.get('-f', 'count,sum', 'size'), '5\t2825')
        self.assertEqual(self.get('tagged_total', 'job=a b', 'host=ü'), '5')
        self.assertEqual(self.family('load_seconds')['unit'], 'seconds')

    def test_gauge__unset_then_delta_and_negative(self):
        self.good('a:-3|g\nb:0|g\nb:-3|g\n')
        self.assertEqual((self.get('a'), self.get('b')), ('-3', '-3'))
        self.ok('inc', '--strict', '--type', 'updown', 'running')
        self.good('running:+4|g\nrunning:-2|g')
        self.assertEqual(self.get('running'), '3')
        self.assertIn('with a sign', self.batch('running:7|g', '--strict', code=2))

    def test_order_of_tags__is_one_series(self):
        self.good('x:1|c|#a:1,b:2\nx:1|c|#b:2,a:1\n')
        self.assertEqual(self.get('x_total'), '2')
        self.assertEqual(len(self.family('x_total')['series']), 1)

    def test_text__twice_is_as_once(self):
        registry = CollectorRegistry()
        c = Counter('app_jobs', 'Jobs "done".\nAnd more.', ['job'], registry=registry)
        c.labels('a\n"\\').inc(41.5)
        c.labels('b').inc(2**40)
        Gauge('app_level', 'Level.', registry=registry).set(-1.5)
        for text in (generate_latest(registry), generate_openmetrics(registry)) * 2:
            self.good(text)
            self.assertEqual(self.value('app_jobs_total', job='a\n"\\'), 41.5)
            self.assertEqual(self.get('app_jobs_total', 'job=b'), str(2**40))
            self.assertEqual(self.get('app_level'), '-1.5')
        family = self.family('app_jobs_total')
        self.assertEqual((family['kind'], family['help']), ('counter', 'Jobs "done".\nAnd more.'))
        c.labels('b').inc(1)
        self.good(generate_latest(registry))
        self.assertEqual(self.get('app_jobs_total', 'job=b'), str(2**40 + 1))
        # What programs count beside it is not touched, what inc counts is ours.
        self.assertIn('is at 1099511627777 already', self.batch('app_jobs_total{job="b"} 5', '--strict', code=2))
        self.good('app_jobs_total{job="b"} 5', '--add')
        self.assertEqual(self.get('app_jobs_total', 'job=b'), str(2**40 + 6))

    def test_raise__beyond_the_cap__adds_nothing_twice(self):
        lines = ''.join(f'x_total{{k="{i}"}} 1\n' for i in range(1003))
        self.batch(lines)
        first = int(self.get('--total', 'x_total'))
        for _ in range(2):
            message = self.batch(lines, '--strict', code=2)
            self.assertIn('x_total is full', message)
            self.assertEqual(int(self.get('--total', 'x_total')), first)

    def test_raise__leaves_what_programs_counted(self):
        w = self.writer()
        w.do('jobs 100')
        self.good('jobs_total{status="ok",job="bot"} 7\njobs_total {job="bot",status="ok"} 9\n')
        self.assertEqual(self.get('jobs_total', 'job=bot', 'status=ok'), '109')

    def test_our_own_dump__can_be_fed_back(self):
        self.ok('inc', '--strict', 'jobs_total', 'job=a', 'by', str(MAX))
        self.ok('set', '--strict', 'level', 'NaN')
        text = self.ok('dump')
        other = os.path.join(self.dir, 'other')
        self.good(text, '--create', '-S', other)
        self.assertEqual(self.ok('get', '-S', other, 'jobs_total', 'job=a'), f'{MAX}\n')
        self.assertEqual(self.ok('get', '-S', other, 'level'), 'NaN\n')

    def test_info__is_published(self):
        self.good('# TYPE build_info gauge\nbuild_info{version="1.2"} 1\n')
        self.assertEqual(self.family('build_info')['kind'], 'info')
        self.assertEqual(self.get('build_info', 'version=1.2'), '1')

    def test_wrong_lines__are_named_and_the_others_applied(self):
        text = ('ok:1|c\nusers:5|s\nbad line here\nok:x|c\nok:1|c|#a:b\nok:-1|c\nok:2|c\n'
                'neg:-1|c\n# TYPE h histogram\nh_bucket{le="1"} 3\nh_sum 3\nx{a="b 1\nq:1|zz\n9:NaN|c\n')
        lines = self.batch(text, '--strict', code=2).splitlines()
        self.assertEqual([line.split(': ')[1] for line in lines[:-1]],
                         [f'line {n}' for n in (2, 3, 4, 5, 6, 8, 10, 12, 13, 14)])
        self.assertIn('sets (|s) are not supported', lines[0])
        self.assertIn('ok_total has the labels: none; not its labels: a', lines[3])
        self.assertEqual(lines[-1], 'shardmeter batch: 11 of 14 lines were not applied')
        self.assertEqual(self.get('ok_total'), '3')
        self.assertNotIn('neg_total', self.ok('dump'))
        # The same without --strict is no failure, and quiet is quiet.
        self.assertEqual(len(self.batch(text).splitlines()), 11)
        self.assertEqual(self.batch(text, '-q'), '')

    def test_hostile_lines__are_escaped_and_counted(self):
        data = (b'a\x1b]0;x\x07:1|c\n' + b'b:1|c|#k:\xff\xfe\n' + b'c:1|c\0\n' + b'd{x="\x1b[2J"} 1\n' + b'\xff\xfe\xfd\n' +
                b'e:1|c|#k:' + b'v' * 2000 + b'\n' + b'f:1|c\n' + b'g' * 70000 + b':1|c\n' + b'h:1|' + b'#' * 60000 + b'\n' +
                b'{' * 1000 + b'\n' + b'i{a="' + b'\\' * 999 + b'\n:|\n|\nj:1|c|@\n')
        err = self.batch(data, '--strict', code=2)
        self.assertNotIn('\x1b', err)
        self.assertNotIn('\x07', err)
        self.assertIn('not UTF-8', err)
        self.assertIn('NUL byte', err)
        self.assertIn('longer than 1024 bytes', err)
        self.assertIn('longer than 65536 bytes', err)
        self.assertEqual(self.get('f_total'), '1')
        self.assertEqual(self.get('a__0_x__total'), '1')
        self.assertEqual(self.value('d', x='\x1b[2J'), 1)
        self.assertIn('no findings', self.ok('check'))

    def test_name_without_a_letter__is_refused(self):
        err = self.batch(b'\xff:1|c\n1.2:1|c\nx:1|c\n', '--strict', code=2)
        self.assertEqual(err.count('the name has no letter'), 2)
        self.assertEqual(self.get('x_total'), '1')

    def test_speed__100000_lines(self):
        with open(os.path.join(self.dir, 'lines'), 'w', encoding='ascii') as f:
            for i in range(100000):
                f.write(f'cmd.count:{i % 7}|c|#cmd:c{i % 50},shard:{i % 16}\n' if i % 2 else
                        f'cmd_seen_total{{cmd="c{i % 50}"}} {i}\n')
        before = os.times()
        begin = time.monotonic()
        with open(os.path.join(self.dir, 'lines'), 'rb') as f:
            self.ok('batch', '--strict', stdin=f)
        took = time.monotonic() - begin
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        print(f'100,000 lines: {took:.3f} s, {cpu:.3f} s of CPU, {100000 / cpu:,.0f} lines/s of CPU')
        self.assertEqual(self.get('--total', 'cmd_count_total'), str(sum(i % 7 for i in range(1, 100000, 2))))
        self.assertEqual(self.get('cmd_seen_total', 'cmd=c48'), '99998')
        self.assertLess(cpu, 2)  # 0.02 s where nothing else runs; a resolve for each line would take more
        # Nothing but mistakes: as fast, and not a message for each.
        with open(os.path.join(self.dir, 'lines'), 'w', encoding='ascii') as f:
            f.writelines(f'cmd_seen_total{{cmd="c{i % 50}",more="x"}} {i}\n' for i in range(100000))
        with open(os.path.join(self.dir, 'lines'), 'rb') as f:
            result = self.run_cli('batch', '--strict', stdin=f)
        self.assertEqual((result.returncode, result.stderr.count('\n')), (2, 21))
        self.assertIn('100000 of 100000 lines', result.stderr)

    def test_stream__is_applied_as_it_comes(self):
        p = self.start('batch', '--strict', '--create', stdin=subprocess.PIPE)
        p.stdin.write(b'live:1|c\nlive:1|')
        wait_for(lambda: self.run_cli('get', 'live_total').stdout == '1\n', 'the first line')
        p.stdin.write(b'c\n')
        wait_for(lambda: self.run_cli('get', 'live_total').stdout == '2\n', 'the second line')
        # The segment is removed: the next line, a second later, goes to a new one.
        os.unlink(self.segment)

        def again():
            p.stdin.write(b'live:1|c\n')
            return self.run_cli('get', 'live_total').stdout.strip().isdigit()
        wait_for(again, 'a new segment')
        p.stdin.close()
        self.assertEqual((p.wait(DEADLINE_S), p.stderr.read()), (0, b''))

    def test_no_metrics__reads_all_and_exits_0(self):
        gone = ('-S', os.path.join(self.dir, 'gone'))
        data = b'x:1|c\n' * 50000
        for args, code, env in ((gone, 0, {}), ((*gone, '--strict'), 3, {}),
                                (('--strict',), 0, {'SHARDMETER_DISABLE': '1'})):
            p = subprocess.Popen([CLI, 'batch', *args], env=dict(self.env, **env), stdin=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            p.communicate(data, timeout=DEADLINE_S)  # a pipe that breaks would raise
            self.assertEqual(p.returncode, code)
        self.assertNotIn('x_total', self.ok('dump'))
        self.good('x:1|c\n', '--create', *gone)

    def test_mistakes__in_the_arguments_are_2(self):
        self.assertIn('standard input', self.fails(2, 'batch', 'file'))
        self.assertIn('unknown', self.fails(2, 'batch', '--nosuch'))
        p = subprocess.run(['sh', '-c', 'exec "$0" batch --strict <&-', CLI], env=self.env, capture_output=True, check=False)
        self.assertEqual(p.returncode, 2)
        self.assertIn(b'cannot read standard input', p.stderr)

    @unittest.skipIf(os.geteuid(), 'needs root to become another user')
    def test_no_permission__is_6_if_strict(self):
        os.chmod(self.dir, 0o755)
        other = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []}
        self.assertIn('belongs to uid 0', self.batch('x:1|c\n', '--strict', code=6, **other))
        self.batch('x:1|c\n', **other)

    def test_comma_locale__changes_nothing(self):
        self.good('x:0.5|c\ny:1.25|g\nz:1.5|ms|@0.5\n', env=self.comma_locale())
        self.assertEqual((self.get('x_total'), self.get('y'), self.get('z_seconds_sum')), ('0.5', '1.25', '0.003'))

    def test_empty__is_fine(self):
        self.good('')
        self.good('\n\n  \n# a comment\n# EOF\n')


if __name__ == '__main__':
    unittest.main(verbosity=1)
