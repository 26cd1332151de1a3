#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""shardmeter get, watch and rm --all: selectors, exact values, rates, conditions."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import unittest

from cli_util import CLI, MAX, WRITER, Case
from process_util import DEADLINE_S, Writer


class Get(Case):
    def setUp(self):
        super().setUp()
        self.create()

    def fill(self):
        for labels, n in ((('job=a', 'status=ok'), '3'), (('job=a', 'status=bad'), '0.000001'), (('job=b', 'status=ok'), '7')):
            self.ok('inc', '--strict', 'jobs_total', *labels, 'by', n)
        self.ok('set', '--strict', 'level', '-0.5')
        for n in range(100):
            self.ok('observe', '--strict', 'run_seconds', str((n + 1) / 100), 'job=a' if n < 50 else 'job=b')

    def test_one_series__is_its_value_alone(self):
        self.fill()
        self.assertEqual(self.ok('get', 'jobs_total', 'job=a', 'status=ok'), '3\n')
        self.assertEqual(self.ok('get', 'jobs_total{status="bad",job="a"}'), '0.000001\n')
        self.assertEqual(self.ok('get', 'level'), '-0.5\n')
        self.assertEqual(self.ok('get', '-n', 'level'), 'level\t-0.5\n')
        self.assertEqual(self.ok('get', '-v', 'jobs_total', 'job=a'), '3\n0.000001\n')
        self.ok('inc', '--strict', 'huge_total', 'by', str(MAX))
        self.assertEqual(self.ok('get', 'huge_total'), f'{MAX}\n')
        self.assertEqual(self.ok('get', '--total', 'huge_total', 'jobs_total'), f'{MAX + 10}.000001\n')

    def test_names__depend_on_the_selector_not_on_what_is_there(self):
        self.ok('inc', '--strict', 'jobs_total', 'job=a')
        self.assertEqual(self.ok('get', 'jobs_total'), 'jobs_total{job="a"}\t1\n')
        self.assertEqual(self.ok('get', 'jobs_*', 'job=a'), 'jobs_total{job="a"}\t1\n')
        self.assertEqual(self.ok('get', 'jobs_total', 'job=a'), '1\n')

    def test_nothing__says_which_label_or_value_it_is(self):
        self.fill()
        self.assertIn('; jobs_total has the labels job, status, not jbo; ', self.fails(1, 'get', 'jobs_total', 'jbo=a'))
        self.assertIn('; no series of jobs_total has that job; there is a, b; ', self.fails(1, 'get', 'jobs_total', 'job=c'))
        self.assertNotIn('; there is', self.fails(1, 'get', 'jobs_total', 'job=b', 'status=bad'))

    def test_forgotten_value__is_said_and_1(self):
        self.fill()
        result = self.run_cli('get', 'jobs_total', 'job')
        self.assertEqual((result.returncode, result.stdout), (1, self.ok('get', 'jobs_total')))
        self.assertIn('nothing with a value matches job in', result.stderr)
        self.assertIn('; for the label write job=VALUE\n', result.stderr)

    def test_parts_of_histograms__have_their_names(self):
        self.fill()
        for part in ('count', 'sum'):
            for line in self.ok('get', f'run_seconds_{part}').splitlines():
                self.assertTrue(line.startswith(f'run_seconds_{part}{{job='), line)

    def test_comparisons__are_those_of_promql(self):
        self.fill()
        for words, jobs in ((['job!=a'], 'b'), (['job=~a|b', 'status=ok'], 'ab'), (['job!~b.*'], 'aa'), (['job=~'], ''),
                            (['other='], 'aab'), (['other!='], ''), (['job=~[ab]', 'job!=b'], 'aa')):
            result = self.run_cli('get', 'jobs_total', *words)
            self.assertEqual(''.join(re.findall('job="(.)"', result.stdout)), jobs, words)
            self.assertEqual(result.returncode, 0 if jobs else 1)
        self.assertEqual(self.ok('get', 'jobs_total{job=~"a",status!="ok"}'), 'jobs_total{job="a",status="bad"}\t0.000001\n')

    def test_histograms__have_fields(self):
        self.fill()
        text = self.ok('get', 'run_seconds', 'job=a')
        self.assertRegex(text, r'^count=50 sum=12\.75 p50=0\.2\d+ p95=0\.4\d+ p99=0\.[45]\d+\n$')
        self.assertEqual(self.ok('get', 'run_seconds_count', 'job=b'), '50\n')
        self.assertEqual(self.ok('get', 'run_seconds_sum', 'job=b'), '37.75\n')
        count, total, avg, p50 = self.ok('get', '-t', '-f', 'count,sum,avg,p50', 'run_seconds').rstrip('\n').split('\t')
        self.assertEqual((count, total, float(avg)), ('100', '50.5', 0.505))
        self.assertAlmostEqual(float(p50), 0.5, delta=0.045)
        self.assertIn('only a histogram has', self.fails(1, 'get', '-f', 'p99', 'level'))
        self.assertIn('"p101" is none of value, count, sum, avg, pN (N from 0 to 100', self.fails(2, 'get', '-f', 'p101', 'run_seconds'))

    def test_writers__by_their_label(self):
        w = self.writer('shard-0')
        other = self.writer('shard-1')
        w.do('jobs 5', 'all 3', 'state 1')
        other.do('jobs 6', 'all 4', 'state 0')
        self.assertEqual(self.ok('get', 'jobs_total', 'job=bot', 'status=ok'), '11\n')
        self.assertEqual(self.ok('get', 'jobs_total', 'job=bot', 'status=ok', 'writer=shard-1'), '6\n')
        self.assertEqual(self.ok('get', 'open_files'), 'open_files{writer="shard-0"}\t3\nopen_files{writer="shard-1"}\t4\n')
        self.assertEqual(self.ok('get', 'connection_state', 'writer=shard-0'), 'up\n')
        self.assertEqual(self.ok('get', '--total', 'open_files'), '7\n')
        self.assertIn('nothing with a value matches', self.fails(1, 'get', 'jobs_total', 'writer=shard-9'))

    def test_json__is_exact_and_escaped(self):
        self.fill()
        self.ok('inc', '--strict', 'odd_total', 'text=a\x1b[31m"\\')
        report = json.loads(self.ok('get', '--json', 'odd_total', 'jobs_total', 'job=b'))
        self.assertEqual((report['schema'], len(report['series'])), (1, 2))
        self.assertEqual(report['series'][0]['labels'], {'text': 'a\x1b[31m"\\'})
        self.assertEqual(report['series'][1]['value'], 7)
        one = json.loads(self.ok('get', '--json', '-t', '-f', 'count,p99', 'run_seconds'))['series']
        self.assertEqual(one[0]['count'], 100)

    def test_hostile_names__are_escaped(self):
        self.ok('inc', '--strict', 'odd_total', 'text=a\x1b[31m\n\u202e')
        text = self.ok('get', 'odd_total')
        self.assertEqual(text, 'odd_total{text="a\\x1b[31m\\n\\xe2\\x80\\xae"}\t1\n')

    def test_mistakes__each_has_its_code(self):
        self.assertIn('NAME is missing', self.fails(2, 'get'))
        self.assertIn('is not a metric name', self.fails(2, 'get', 'x y'))
        self.assertIn('is no regular expression', self.fails(2, 'get', 'first_total', 'a=~('))
        self.assertIn('exclude', self.fails(2, 'get', '-n', '-v', 'first_total'))
        self.assertIn(self.segment, self.fails(1, 'get', 'nope'))
        self.assertIn('; there is first_total;', self.fails(1, 'get', 'first'))
        self.assertNotIn('there is', self.fails(1, 'get', 'first_total', 'a=b'))
        self.fails(3, 'get', '-S', os.path.join(self.dir, 'gone'), 'x')
        with open(os.path.join(self.dir, 'bad'), 'wb') as f:
            f.write(b'x' * 8192)
        self.fails(5, 'get', '-S', os.path.join(self.dir, 'bad'), 'x')

    def test_output__closed_or_full(self):
        self.fill()
        with subprocess.Popen([CLI, 'get', '*'], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdout.close()
            self.assertEqual(p.wait(DEADLINE_S), 0)
            self.assertEqual(p.stderr.read(), b'')
        with open('/dev/full', 'wb') as full:
            p = subprocess.run([CLI, 'get', '*'], env=self.env, stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(p.returncode, 2)
        self.assertIn(b'No space left', p.stderr)


class Watch(Case):
    def setUp(self):
        super().setUp()
        self.create()

    def test_lines__value_and_rate(self):
        w = self.writer()
        w.do('jobs 5')
        p = self.start('watch', '-i', '0.1', 'jobs_total')
        first = self.read_until(p.stdout, b'\n').decode()
        self.assertRegex(first, r'^\d{4}-\d\d-\d\dT[\d:.]+Z\tjobs_total\{job="bot",status="ok"\}\t5\t\n')
        w.do('jobs 1000')
        text = self.read_until(p.stdout, b'\t1005\t').decode() + self.read_until(p.stdout, b'\n').decode()
        rate = float(re.search(r'\t1005\t([\d.e+]+)', text)[1])
        self.assertTrue(100 < rate < 100000, rate)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGINT)

    def test_count_and_until__exit_codes(self):
        w = self.writer()
        w.do('jobs 5', 'state 1')
        self.assertEqual(self.ok('watch', '-n', '2', '-i', '0.05', 'first_total').count('\n'), 2)
        self.ok('watch', '-n', '3', '-i', '0.05', '--until', '>= 5', 'jobs_total')
        for condition in ('> 5', 'value<5', '!= 5', 'rate > 0', '== 4.5'):
            line = self.run_cli('watch', '-n', '3', '-i', '0.05', '-u', condition, 'jobs_total')
            self.assertEqual((line.returncode, line.stderr.count('not met within 3')), (1, 1), condition)
        for condition in ('about 5', '>', '> x', '=> 1', ''):
            self.assertIn('--until', self.fails(2, 'watch', '-u', condition, 'jobs_total'))
        self.assertIn('\tup\t', self.ok('watch', '-n', '1', 'connection_state'))

    def test_until__waits_for_a_series_that_comes_later(self):
        p = self.start('watch', '-i', '0.05', '--until', '== 2', 'later_total')
        self.assertIn(b'waiting for it', self.read_until(p.stderr, b'\n'))
        self.ok('inc', '--strict', 'later_total')
        self.ok('inc', '--strict', 'later_total')
        self.assertEqual(p.wait(DEADLINE_S), 0)
        self.assertEqual(self.run_cli('watch', '-i', '0.05', '-n', '2', 'never').returncode, 1)

    def test_segment__that_goes_and_comes_back(self):
        p = self.start('watch', '-i', '0.05', '--until', '== 9', 'first_total')
        self.read_until(p.stdout, b'\n')
        os.unlink(self.segment)
        self.assertIn(b'no segment', self.read_until(p.stderr, b'\n'))
        self.ok('inc', '--create', '--strict', 'first_total', 'by', '9')
        self.assertEqual(p.wait(DEADLINE_S), 0)
        self.fails(3, 'watch', '-S', os.path.join(self.dir, 'gone'), 'x')

    def test_total_and_fields(self):
        for v in ('0.1', '0.2', '0.9'):
            self.ok('observe', '--strict', 'run_seconds', v, 'job=' + v)
        self.assertRegex(self.ok('watch', '-n', '1', '-t', 'run_seconds'), r'\trun_seconds\t3\t\t0\.\d+\t0\.\d+\t0\.\d+\n$')
        average = self.ok('watch', '-n', '1', '-t', '-f', 'avg', 'run_seconds').split('\t')[2]
        self.assertAlmostEqual(float(average), 0.4)
        self.assertIn('one of them', self.fails(2, 'watch', '-f', 'p50,p99', 'run_seconds'))

    def test_terminal__is_drawn_in_place_and_left_as_it_was(self):
        self.ok('inc', '--strict', 'odd_total', 'text=\x1b]0;evil\x07')
        code, data = self.on_terminal('watch', '-n', '3', '-i', '0.05', '*')
        self.assertEqual(code, 0)
        self.assertEqual(data.count(b'\x1b[?7l'), 3)
        self.assertEqual(data.count(b'\x1b[3A'), 2)
        self.assertTrue(data.endswith(b'\x1b[?7h'))
        self.assertNotIn(b'\x1b]', data)
        self.assertIn(b'\\x1b]0;evil\\x07', data)

    def test_terminal__interrupted_is_left_as_it_was(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(CLI, [CLI, 'watch', '-i', '0.05', '*'], self.env)
        data = b''
        while data.count(b'\x1b[?7h') < 3:
            self.assertTrue(select.select([fd], [], [], DEADLINE_S)[0])
            data += os.read(fd, 65536)
        os.write(fd, b'\x03')
        while True:
            self.assertTrue(select.select([fd], [], [], DEADLINE_S)[0])
            try:
                data += os.read(fd, 65536)
            except OSError:
                break
        os.close(fd)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -signal.SIGINT)
        self.assertEqual(data.count(b'\x1b[?7l'), data.count(b'\x1b[?7h'))
        self.assertTrue(data.rstrip(b'\r\n').endswith((b'\x1b[?7h', b'^C')), data[-50:])

    def test_terminal__narrow_ones_cut_names_never_numbers(self):
        for text in ('one', 'two', '\u65e5\u672c\u8a9e' * 30):
            self.ok('inc', '--strict', 'a_name_that_is_rather_long_total', 'text=' + text, 'by', '123456789012')
        self.ok('observe', '--strict', 'run_seconds', '1')
        for columns in (1, 5, 20, 40, 60, 80, 200):
            code, data = self.on_terminal('watch', '-n', '2', '-i', '0.05', '*', env={'LC_ALL': 'C.UTF-8'}, columns=columns)
            self.assertEqual(code, 0)
            frame = data.decode().split('\x1b[J')[-1].replace('\x1b[?7h', '').split('\r\n')
            self.assertEqual(sum('123456789012' in line for line in frame), 3, (columns, frame))
            if columns >= 40:
                widths = {sum(2 if '\u3000' < c < '\uffff' else 1 for c in line) for line in frame if line}
                self.assertEqual(len(widths), 1, frame)
                self.assertLessEqual(max(widths), columns)
                self.assertTrue(any('one' in line for line in frame) and any('two' in line for line in frame))
            self.assertEqual('P99' in frame[0], columns >= 80)

    def test_reader_gone__ends_quietly(self):
        p = self.start('watch', '-i', '0.05', 'first_total')
        self.read_until(p.stdout, b'\n')
        p.stdout.close()
        self.assertEqual(p.wait(DEADLINE_S), 0)
        self.assertEqual(p.stderr.read(), b'')

    def test_comma_locale__changes_nothing(self):
        env = self.comma_locale()
        self.ok('set', '--strict', 'level', '0.5', env=env)
        self.assertEqual(self.ok('get', 'level', env=env), '0.5\n')
        code, data = self.on_terminal('watch', '-n', '1', 'level', env=env)
        self.assertEqual((code, data.count(b'0.5'), data.count(b'0,5')), (0, 1, 0))
        self.assertIn('\tlevel\t0.5\t', self.ok('watch', '-n', '1', '-u', '<= 0.5', 'level', env=env))


class RemoveAll(Case):
    def test_all_of_a_family_or_some(self):
        self.create()
        for n in range(5):
            self.ok('inc', '--strict', 'jobs_total', f'job={n}')
        self.assertIn('--all', self.fails(2, 'rm', 'jobs_total'))
        self.ok('rm', '--all', 'jobs_total', 'job=~[01]')
        self.assertEqual(self.ok('get', 'jobs_total').count('\n'), 3)
        self.ok('rm', '--all', 'jobs_total')
        self.fails(1, 'get', 'jobs_total')
        self.assertIn('jobs_total', self.fails(1, 'rm', '--all', 'jobs_total'))
        self.assertEqual(self.ok('get', 'first_total'), '1\n')
        self.ok('inc', '--strict', 'jobs_total', 'job=0')
        self.assertEqual(self.ok('get', 'jobs_total', 'job=0'), '1\n')

    def test_series_in_use__need_force(self):
        w = Writer([WRITER, self.segment, 'shard-0'])
        self.addCleanup(w.kill)
        w.do('jobs 1')
        self.ok('inc', '--strict', 'jobs_total', 'job=old', 'status=ok')
        message = self.fails(2, 'rm', '--all', 'jobs_total')
        self.assertIn('1 of 2', message)
        self.assertIn('--force', message)
        self.assertEqual(self.ok('get', '-v', 'jobs_total'), '1\n')
        self.ok('rm', '--all', '--force', 'jobs_total')
        self.fails(1, 'get', 'jobs_total')


if __name__ == '__main__':
    unittest.main(verbosity=1)
