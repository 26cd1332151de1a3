#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
"""Do layout and API serve other languages? JavaScript that stores to its lane by itself, a Python
extension, and C: each alone, all at once on one family, and what moves cells under them."""
import bisect
import collections
import decimal
import json
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from process_util import Writer

BUILD = os.path.abspath(os.environ.get('BUILD', 'build/release'))
SRCDIR = os.environ.get('SRCDIR', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
CLI = os.path.join(BUILD, 'shardmeter')
HELPER = os.path.join(BUILD, 'tests/system/probe_writer')
SYSTEM = os.path.join(SRCDIR, 'tests/system')
NS = 1000000000
EXIT_SKIP = 77


class Expected:
    """What the updates of count N come to (see probe_writer.c)."""

    def __init__(self):
        self.n = self.fixed = self.sum = 0
        self.values = collections.Counter()

    def count(self, n, times=1):
        self.n += n * times
        for k in range(n):
            self.fixed += times * (k % 1000) * (NS // 1000)
            self.observe(k * 7919 % 100003 / 8192, times)
        return self

    def observe(self, v, times=1):
        self.values[v] += times
        self.sum += times * math.floor(v * NS + 0.5)

    def at_most(self, le):
        return sum(times for v, times in self.values.items() if v <= le)


class Probes(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='test-probes.', dir='/dev/shm')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.segment = os.path.join(self.dir, 'segment')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('SHARDMETER_')}
        self.env.update(BUILD=BUILD, SHARDMETER_PROBE=os.path.join(BUILD, 'bindings/probe.node'))

    def writer(self, command, writer, lang, env=None):
        w = Writer([*command, self.segment, writer, lang], dict(self.env, **(env or {})))
        self.addCleanup(w.kill)
        return w

    def c(self, lang='all', **kwargs):
        return self.writer([HELPER, 'write'], 'c', lang, **kwargs)

    def js(self, lang='all', flags=(), **kwargs):
        command = ['node', *flags, os.path.join(SYSTEM, 'probe_writer.js')]
        return self.writer(command, 'js', lang, **kwargs)

    def py(self, lang='all', **kwargs):
        command = ['/usr/bin/python3', os.path.join(SYSTEM, 'probe_writer.py')]
        return self.writer(command, 'py', lang, **kwargs)

    def each(self, lang=None, **kwargs):
        return [make(lang or make.__name__, **kwargs) for make in (self.c, self.js, self.py)]

    def dump(self, segment=None):
        return json.loads(self.run_it(CLI, 'dump', '-w', '--format', 'json', '-S',
                                      segment or self.segment), parse_float=decimal.Decimal)

    def run_it(self, *command):
        return subprocess.run(command, env=self.env, check=True, timeout=60, text=True,
                              stdout=subprocess.PIPE).stdout

    def series(self, lang='all', segment=None):
        """Name of the family -> its series of that label."""
        return {f['name']: s for f in self.dump(segment)['families'] for s in f['series']
                if s['labels'] == {'lang': lang}}

    def writers(self):
        return {w['name']: w for w in self.dump()['writers']}

    def assert_counted(self, expected, *all_series):
        """The series of one or several segments together."""
        def total(name, key='value'):
            return sum(decimal.Decimal(s[name][key]) for s in all_series)
        self.assertEqual(total('probe_whole_total'), 4 * expected.n)
        self.assertEqual(total('probe_mixed_total'), 2 * expected.n)
        self.assertEqual(total('probe_fixed_total') * NS, expected.fixed)
        self.assertEqual(total('probe_seconds', 'count'), sum(expected.values.values()))
        self.assertEqual(total('probe_seconds', 'sum') * NS, expected.sum)
        for i, bucket in enumerate(all_series[0]['probe_seconds']['buckets']):
            self.assertEqual(sum(s['probe_seconds']['buckets'][i]['count'] for s in all_series),
                             expected.at_most(float(bucket['le'])), bucket['le'])

    # --- all of them on one family ---------------------------------------------------------------

    def test_one_family__from_c_javascript_and_python_at_once__has_exact_totals(self):
        c, js, py = self.each('all')
        js.do('workers 4')
        c.begin('count 300000')
        js.begin('count 100000')
        py.begin('threads 3 40000')
        for w in (c, js, py):
            w.end()
        expected = Expected().count(300000).count(100000, 5).count(40000, 3)
        self.assert_counted(expected, self.series())

        # Two workers of five had no lane of their own: their updates were calls.
        of_js = self.writers()['js']
        self.assertEqual(of_js['lanes'], 4)
        self.assertGreater(of_js['shared_updates'], 2 * 100000)
        self.assertEqual(of_js['refused'], {})

        # The next of the same name go on where these were killed.
        for w in (c, js, py):
            w.kill()
        self.assert_counted(expected, self.series())
        for w in self.each('all'):
            w.do('count 1000')
        self.assert_counted(expected.count(1000, 3), self.series())
        restarts = [self.writers()[name]['restarts'] for name in ('c', 'js', 'py')]
        self.assertEqual(restarts, [1, 1, 1])

    def test_gauge__set_by_three_languages__is_their_sum_until_they_end(self):
        ws = self.each('all')
        self.assertIsNone(self.series()['probe_level']['value'])
        for w, x in zip(ws, ('1.5', '-7.25', '1e9')):
            w.do('level ' + x)
        self.assertEqual(self.series()['probe_level']['value'], decimal.Decimal('999999994.25'))
        self.assertEqual(self.series()['probe_latest']['value'], decimal.Decimal('-7.25'))
        ws[2].kill()
        self.assertEqual(self.series()['probe_level']['value'], decimal.Decimal('-5.75'))
        ws[0].do('level 0')
        ws[1].do('level NaN')
        self.assertEqual(self.series()['probe_level']['value'], 'NaN')
        ws[1].kill()
        self.assertEqual(self.series()['probe_level']['value'], 0)

    def test_histogram__each_bound_and_its_neighbours__same_buckets_in_three_languages(self):
        self.js('js').do('count 0')
        bounds = [float.fromhex(b) for b in self.buckets()['bounds']]
        self.assertGreater(len(bounds), 240)
        some = random.Random(5)
        values = [0.0, 5e-324, 1e-9, 0.4e-9, 0.5e-9, 4503599.627, 4503599.6270005, 5e6, 1e9]
        values += [some.lognormvariate(-4, 4) for _ in range(20000)]
        for b in bounds:
            values += [math.nextafter(b, 0), b, math.nextafter(b, math.inf)]
        path = os.path.join(self.dir, 'values')
        with open(path, 'wb') as f:
            f.write(struct.pack(f'{len(values)}d', *values))
        for w in self.each():
            w.do('file ' + path)
        counts = [0] * (len(bounds) + 1)
        for v in values:
            counts[bisect.bisect_left(bounds, v)] += 1
        # From 2^52 units on, adding a half rounds: the library adds no half there.
        total = sum(math.floor(v * NS + 0.5) if v * NS < 2**52 else int(v * NS) for v in values)
        got = self.buckets()
        for lang in ('c', 'py', 'js'):
            self.assertEqual([int(n) for n in got[lang]], [total, *counts], lang)

    def buckets(self):
        lines = self.run_it(HELPER, 'buckets', self.segment).splitlines()
        return {line.split()[0]: line.split()[1:] for line in lines}

    # --- JavaScript's own traps ------------------------------------------------------------------

    def torn(self, *flags):
        js = self.js(flags=flags)
        js.begin('torn 1')
        watch = subprocess.Popen([HELPER, 'watch', self.segment], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(watch.kill)
        js.end()
        out = watch.communicate(timeout=60)[0]
        self.assertEqual(watch.returncode, 0)
        self.assertGreater(min(int(n) for n in out.split()), 20, out)

    def test_cell__written_by_optimised_javascript__is_never_seen_in_halves(self):
        self.torn()

    def test_cell__written_by_interpreted_javascript__is_never_seen_in_halves(self):
        self.torn('--no-opt', '--no-sparkplug')

    def test_values__that_cannot_be_counted__are_refused_in_javascript_too(self):
        js = self.js('js')
        js.do('bad')
        self.assertEqual(self.writers()['js']['refused'], {'value': 6})
        self.assertEqual(self.series('js')['probe_whole_total']['value'], 0)
        self.assertEqual(self.series('js')['probe_seconds']['count'], 0)

    # --- cells that move -------------------------------------------------------------------------

    def test_file__replaced__all_threads_go_on_in_the_new_one(self):
        ws = c, js, py = self.each('all')
        js.do('workers 2')
        for w in ws:
            w.do('count 1000')
        c.do('level 1')
        js.do('level 2')
        old = self.segment + '.old'
        os.rename(self.segment, old)
        for w in ws:
            w.do('beat')        # in JavaScript only the main thread
        before = self.series(segment=old)
        for w in ws:
            w.do('count 500')
        self.assert_counted(Expected().count(1000, 5), before)
        self.assert_counted(Expected().count(1000, 5), self.series(segment=old))
        self.assert_counted(Expected().count(500, 5), self.series())
        self.assertEqual(self.series()['probe_level']['value'], 3)

    def test_file__replaced_while_a_thread_counts__optimised_code_notices(self):
        n = 60000000
        js = self.js()
        js.do('workers 1')
        js.do(f'background {n}')
        end = time.monotonic() + 60
        while self.series()['probe_whole_total']['value'] < n // 20:
            self.assertLess(time.monotonic(), end)
        old = self.segment + '.old'
        os.rename(self.segment, old)
        js.do('beat')
        js.do('wait')
        before, after = [self.series(segment=segment)['probe_whole_total']['value']
                         for segment in (old, self.segment)]
        self.assertEqual(before + after, 4 * n)
        self.assertGreater(after, n // 20)

    def test_series__removed_by_another_process__is_begun_anew_by_all_threads(self):
        ws = c, js, py = self.each('all')
        js.do('workers 2')
        for w in ws:
            w.do('count 1000')
        for name in 'whole_total', 'fixed_total', 'mixed_total', 'seconds':
            self.run_it(CLI, 'rm', '--force', '-S', self.segment, 'probe_' + name, 'lang=all')
        for w in ws:
            w.do('beat')
        for w in ws:
            w.do('count 10')
        self.assert_counted(Expected().count(10, 5), self.series())
        self.run_it(CLI, 'check', '-S', self.segment)

    def test_child__forked_from_python__is_a_writer_of_its_own(self):
        py = self.py()
        py.do('count 500')
        py.do('fork 20000')
        self.assert_counted(Expected().count(500).count(20000, 2), self.series())
        self.assertIn('py~2', self.writers())

    def test_metrics__disabled__programs_run_all_the_same(self):
        for w in self.each(env={'SHARDMETER_DISABLE': '1'}):
            w.do('count 1000')
            w.do('level 1')
            self.assertEqual(w.close(), 0)
        self.assertFalse(os.path.exists(self.segment))

    def test_sources__are_what_a_binding_costs__under_150_lines(self):
        for name in 'node/probe/probe.c', 'node/probe/probe.js', 'python/probe/probe.c':
            with open(os.path.join(SRCDIR, 'bindings', name), encoding='utf-8') as f:
                self.assertLess(sum(1 for _ in f), 150, name)


def build():
    if not shutil.which('node'):
        print('there is no node: install nodejs')
        sys.exit(EXIT_SKIP)
    for lang in 'node', 'python':
        done = subprocess.run([os.path.join(SRCDIR, 'bindings', lang, 'build-probe')],
                              env=dict(os.environ, BUILD=BUILD), check=False, timeout=120)
        if done.returncode:
            sys.exit(EXIT_SKIP if done.returncode == EXIT_SKIP else 1)


if __name__ == '__main__':
    build()
    unittest.main(verbosity=2)
