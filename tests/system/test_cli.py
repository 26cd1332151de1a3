#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
"""The shardmeter command, everything for real: real segments, writers, exporter, terminals."""
import concurrent.futures
import csv
import http.server
import io
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from cli_util import CLI, EXPORTER, MAX, NOBODY, SRCDIR, WRITER, Case
from process_util import DEADLINE_S, Writer, wait_for
from prometheus_client.parser import text_string_to_metric_families


class Updates(Case):
    def test_no_segment__exit_0_unless_strict(self):
        for args in (['inc', 'x_total'], ['dec', 'x'], ['set', 'x', '1'], ['observe', 'x', '1']):
            self.assertIn('or use --create', self.fails(0, *args))
            self.assertIn('or use --create', self.fails(3, *args, '--strict'))
            self.assertEqual(self.run_cli(*args, '-q').stderr, '')
        self.assertFalse(os.path.exists(self.segment))

    def test_create__makes_the_segment_and_the_family(self):
        self.ok('inc', '--create', '--strict', '--help-text', 'Jobs "done".', 'jobs_total', 'job=a', 'status=ok')
        self.ok('inc', '--strict', 'jobs_total', 'status=ok', 'job=a', 'by', '41')
        self.ok('inc', '--strict', 'jobs_total{status="ok"}', 'job=b')
        self.assertEqual(self.value('jobs_total', job='a', status='ok'), 42)
        self.assertEqual(self.value('jobs_total', job='b', status='ok'), 1)
        family = self.family('jobs_total')
        self.assertEqual((family['kind'], family['help'], family['labels']),
                         ('counter', 'Jobs "done".', ['job', 'status']))

    def test_amounts__are_exact(self):
        self.create()
        for amount in ('0.1', '0.2', '1', '2.000001', str(2**40 + 1)):
            self.ok('inc', '--strict', 'money_total', 'by', amount)
        text = self.ok('dump')
        self.assertIn(f'\nmoney_total {2**40 + 4}.300001\n', text)
        self.ok('inc', '--strict', 'busy_seconds_total', 'by', '0.000000001')
        self.ok('inc', '--strict', 'busy_seconds_total', 'by', '3')
        self.assertIn('\nbusy_seconds_total 3.000000001\n', self.ok('dump'))
        self.ok('inc', '--strict', 'tiny_total', 'by', '1e-12')
        self.assertEqual(self.value('tiny_total'), 1e-12)
        self.ok('inc', '--strict', 'huge_total', 'by', str(MAX))
        self.assertEqual(self.value('huge_total'), MAX)

    def test_many_at_once__lose_nothing(self):
        self.create()

        def loop(i):
            for _ in range(40):
                self.ok('inc', '--strict', 'shared_total', f'parity={i % 2}')
                self.ok('observe', '--strict', 'shared_seconds', '0.25')
                self.ok('inc', '--strict', '--type', 'updown', 'shared_running', 'by', '2')
                self.ok('dec', '--strict', 'shared_running')

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(loop, i) for i in range(4)]:
                future.result()
        self.assertEqual(self.value('shared_total', parity='0'), 80)
        self.assertEqual(self.value('shared_total', parity='1'), 80)
        self.assertEqual(self.value('shared_running'), 160)
        series = self.family('shared_seconds')['series'][0]
        self.assertEqual((series['count'], series['sum']), (160, 40))

    def test_first_use_at_once__is_one_family(self):
        self.create()
        for i in range(30):
            pair = [subprocess.Popen([CLI, 'inc', '--strict', f'race{i}_total', *labels], env=self.env,
                                     stderr=subprocess.PIPE) for labels in (('a=1', 'b=2'), ('b=2', 'a=1'))]
            for p in pair:
                self.assertEqual((p.communicate(timeout=DEADLINE_S)[1], p.returncode), (b'', 0))
        values = [(f['name'], [s['value'] for s in f['series']]) for f in self.dump()['families']]
        self.assertEqual(sorted(values), sorted([(f'race{i}_total', [2]) for i in range(30)] + [('first_total', [1])]))

    def test_gauges__outlive_the_command(self):
        self.create()
        for text, shown in (('17', 17), ('-0.5', -0.5), ('1e300', 1e300), ('NaN', 'NaN'), ('+Inf', '+Inf'),
                            ('-Inf', '-Inf')):
            self.ok('set', '--strict', 'level', 'queue=mail', text)
            self.assertEqual(self.value('level', queue='mail'), shown)
        before = time.time()
        self.ok('set', '--strict', 'last_run_timestamp_seconds', 'now')
        self.assertTrue(before - 0.01 <= self.value('last_run_timestamp_seconds') <= time.time())
        self.assertEqual(self.family('level')['mode'], 'mostrecent')
        self.ok('set', '--strict', '--mode', 'max', 'peak', '3')
        self.assertEqual(self.family('peak')['mode'], 'max')
        self.ok('inc', '--strict', 'peak', 'by', '0.5')
        self.ok('dec', '--strict', 'peak', 'by', '1')
        self.assertEqual(self.value('peak'), 2.5)

    def test_observe__buckets_and_defaults(self):
        self.create()
        self.ok('observe', '--strict', '--buckets', '0.1,1,5', 'run_seconds', '1', 'job=a')
        self.ok('observe', '--strict', 'run_seconds', 'job=a', '1.0000001')
        series = self.family('run_seconds')['series'][0]
        self.assertEqual(series['buckets'], [{'le': '0.1', 'count': 0}, {'le': '1.0', 'count': 1},
                                             {'le': '5.0', 'count': 2}, {'le': '+Inf', 'count': 2}])
        self.assertEqual(series['sum'], 2.0000001)
        self.assertIn('other buckets', self.fails(2, 'observe', '--strict', '--buckets', '1,2', 'run_seconds', '1',
                                                  'job=a'))
        self.ok('observe', '--strict', 'upload_bytes', '1024')
        self.assertEqual(self.family('upload_bytes')['unit'], 'bytes')
        self.assertIn('negative', self.fails(2, 'observe', '--strict', 'upload_bytes', '--', '-1'))

    def test_wrong_words__one_line_that_names_them(self):
        self.create()
        self.ok('inc', 'jobs_total', 'job=a')
        for message, args in (
                ('jobs_total has the labels: job; missing: job\n', ['inc', 'jobs_total']),
                ('missing: job; not its labels: jop', ['inc', 'jobs_total', 'jop=a']),
                ('labels: job; not its labels: x', ['inc', 'jobs_total', 'job=a', 'x=y']),
                ('jobs_total is a counter: use inc', ['set', 'jobs_total', 'job=a', '1']),
                ('jobs_total is a counter: use inc', ['dec', 'jobs_total', 'job=a']),
                ('jobs_total is a counter: use inc', ['observe', 'jobs_total', '1', 'job=a']),
                ('its name must end in _total', ['inc', 'jobs', 'job=a']),
                ('by: "many" is not a finite number', ['inc', 'jobs_total', 'job=a', 'by', 'many']),
                ('by: -1 is negative', ['inc', 'jobs_total', 'job=a', 'by', '-1']),
                ('VALUE: "1,5" is not a number', ['set', 'x', '1,5']),
                ('VALUE is missing', ['set', 'x']),
                ('two values, "1" and "2"', ['set', 'x', '1', '2']),
                ('"x-y" is not a metric name', ['inc', 'x-y']),
                ('label "le"', ['inc', 'y_total', 'le=1']),
                ('longer than 1024 bytes', ['inc', 'jobs_total', 'job=' + 'x' * 1025]),
                ('label_value', ['inc', 'jobs_total', b'job=\xff']),
                ('--type: "summary"', ['inc', '--type', 'summary', 'z_total']),
                ('jobs_total is a counter, not a gauge', ['inc', '--type', 'gauge', 'jobs_total', 'job=a']),
                ('has the unit "", not "bytes"', ['inc', '--unit', 'bytes', 'jobs_total', 'job=a'])):
            self.assertIn(message, self.fails(2, *args, '--strict'))
        self.assertIn('use inc', self.fails(0, 'set', 'jobs_total', 'job=a', '1'))
        self.ok('set', '--strict', '--mode', 'sum', 'depth', '1')
        self.ok('set', '--strict', '--mode', 'sum', 'depth', '2')
        self.assertIn('depth is a gauge of mode sum, not max', self.fails(2, 'set', '--strict', '--mode', 'max', 'depth', '3'))
        self.assertEqual(self.value('depth'), 2)
        self.assertEqual(self.value('jobs_total', job='a'), 1)
        self.assertEqual([f['name'] for f in self.dump()['families']], ['depth', 'first_total', 'jobs_total'])

    def test_mistakes_in_the_arguments__exit_2_strict_or_not(self):
        """A segment that is missing must not break a script; a typing mistake must show."""
        for args in (['inc'], ['inc', 'x-y'], ['inc', '1bad_total'], ['inc', '--nosuch', 'x_total'],
                     ['inc', 'x_total', 'by', 'many'], ['inc', '--type', 'summary', 'x_total'], ['inc', 'x_total', 'y'],
                     ['dec', '--mode', 'none', 'x'], ['set', 'x'], ['set', 'x', '1', '2'], ['observe', 'x', 'y'],
                     ['observe', '--buckets', '2,1', 'x', '1']):
            for segment in ('here', 'gone'):
                env = {'SHARDMETER_SEGMENT': os.path.join(self.dir, segment)}
                self.fails(2, *args, env=env)
                self.fails(2, *args, '--strict', env=env)
        self.assertIn('not starting with a digit', self.fails(2, 'inc', '1bad_total'))

    def test_a_programs_family__is_updated_as_it_is(self):
        w = self.writer()
        w.do('cents 150', 'jobs 5')
        self.ok('inc', '--strict', 'paid_total', 'by', '0.25')
        self.ok('inc', '--strict', 'paid_total')
        self.ok('inc', '--strict', 'jobs_total', 'status=ok', 'job=bot')
        self.assertIn('whole steps with 2 decimals', self.fails(2, 'inc', '--strict', 'paid_total', 'by', '0.001'))
        w.do('cents 1')
        self.assertEqual(self.value('paid_total'), 2.76)
        self.assertEqual(self.value('jobs_total', job='bot', status='ok'), 6)
        # Nor is it replaced when nobody lives who holds it.
        w.kill()
        self.ok('inc', '--strict', 'paid_total', 'by', '0.01')
        self.ok('inc', '--strict', 'jobs_total', 'status=ok', 'job=bot')
        self.assertIn('missing: status', self.fails(2, 'inc', '--strict', 'jobs_total', 'job=bot'))
        self.assertEqual(self.value('paid_total'), 2.77)
        self.assertEqual(self.value('jobs_total', job='bot', status='ok'), 7)
        w = self.writer()
        w.do('cents 100', 'jobs 1')
        self.assertEqual(self.value('paid_total'), 3.77)
        self.assertEqual(self.value('jobs_total', job='bot', status='ok'), 8)

    def test_over_the_cap__is_counted_as_other(self):
        self.create()
        w = self.writer()
        w.do('jobs 1')
        for i in range(1000):
            w.do('label ' + f'{i:04d}'.encode().hex())
        self.assertIn('__other__', self.fails(0, 'inc', '--strict', 'odd_total', 'text=one more'))
        self.assertEqual(self.value('odd_total', text='__other__'), 1)

    def test_switched_off__does_nothing_successfully(self):
        self.create()
        self.ok('inc', '--strict', 'x_total', env={'SHARDMETER_DISABLE': '1'})
        self.ok('inc', '--strict', 'y_total', env={'SHARDMETER_DISABLE_FAMILIES': 'y_*'})
        self.ok('time', '--strict', 'z_seconds', '--', 'true', env={'SHARDMETER_DISABLE': '1'})
        self.ok('inc', '--strict', 'w_total', env={'SHARDMETER_DISABLE': '0'})
        self.assertEqual([f['name'] for f in self.dump()['families']], ['first_total', 'w_total'])

    @unittest.skipIf(os.geteuid(), 'needs root to become another user')
    def test_no_permission__names_the_owner(self):
        self.create()
        os.chmod(self.dir, 0o755)
        message = self.fails(6, 'inc', '--strict', 'x_total', user=NOBODY, group=NOBODY, extra_groups=[])
        self.assertIn('belongs to uid 0', message)
        self.fails(0, 'inc', 'x_total', user=NOBODY, group=NOBODY, extra_groups=[])
        self.fails(6, 'dump', user=NOBODY, group=NOBODY, extra_groups=[])


class Time(Case):
    def setUp(self):
        super().setUp()
        self.create()

    def test_each_outcome__is_counted_and_passed_on(self):
        for code in (0, 3, 0):
            result = self.run_cli('time', 'backup_duration_seconds', 'host=db', '--', 'sh', '-c', f'exit {code}')
            self.assertEqual((result.returncode, result.stdout, result.stderr), (code, '', ''))
        result = self.run_cli('time', 'backup_duration_seconds', 'host=db', '--', 'sh', '-c', 'kill -USR1 $$')
        self.assertEqual(result.returncode, -signal.SIGUSR1)
        self.assertEqual(self.value('backup_exits_total', host='db', exit_code='0'), 2)
        self.assertEqual(self.value('backup_exits_total', host='db', exit_code='3'), 1)
        self.assertEqual(self.value('backup_exits_total', host='db', exit_code=str(128 + signal.SIGUSR1)), 1)
        self.assertEqual(self.value('backup_duration_seconds', host='db'), 4)
        self.assertEqual(self.family('backup_duration_seconds')['unit'], 'seconds')

    def test_success__sets_the_time_of_it(self):
        self.fails(127, 'time', 'job_seconds', '--', '/no/such/program')
        self.assertEqual(self.run_cli('time', 'job_seconds', '--', 'false').returncode, 1)
        self.assertEqual(self.family('job_last_success_timestamp_seconds')['series'], [])
        before = time.time()
        self.ok('time', 'job_seconds', '--', 'true')
        self.assertTrue(before - 0.01 <= self.value('job_last_success_timestamp_seconds') <= time.time() + 0.01)
        # What could not be started has an exit code, but no duration.
        self.assertEqual(self.value('job_exits_total', exit_code='127'), 1)
        self.assertEqual(self.value('job_seconds'), 2)

    def test_duration__is_that_of_the_program(self):
        before = time.monotonic()
        self.ok('time', 'nap_seconds', '--', 'sleep', '0.3')
        took = time.monotonic() - before
        total = self.family('nap_seconds')['series'][0]['sum']
        self.assertTrue(0.3 <= total <= took, total)

    def test_program__has_our_streams_and_its_own_words(self):
        result = self.run_cli('time', 'cat_seconds', '--', 'sh', '-c', 'cat; echo "$@" >&2', 'sh', '--strict', '-q', '--',
                              input=b'through')
        self.assertEqual((result.stdout, result.stderr), ('through', '--strict -q --\n'))
        result = self.run_cli('time', 'pipe_seconds', '--', 'sh', '-c', 'trap "" PIPE; yes | head -1; kill -PIPE $$; echo x')
        self.assertEqual(result.stdout, 'y\nx\n')
        result = self.run_cli('time', 'pipe_seconds', '--', 'sh', '-c', 'kill -PIPE $$')
        self.assertEqual(result.returncode, -signal.SIGPIPE)

    def test_without_metrics__the_program_runs_all_the_same(self):
        os.unlink(self.segment)
        result = self.run_cli('time', 'x_seconds', '--', 'sh', '-c', 'echo ran; exit 5')
        self.assertEqual((result.returncode, result.stdout), (5, 'ran\n'))
        self.assertIn('no segment', result.stderr)
        result = self.run_cli('time', 'bad-name', '--', 'echo', 'ran')
        self.assertEqual((result.returncode, result.stdout), (0, 'ran\n'))
        self.assertIn('is not a metric name', result.stderr)
        result = self.run_cli('time', '--strict', 'x_seconds', '--', 'echo', 'ran')
        self.assertEqual((result.returncode, result.stdout), (3, ''))
        result = self.run_cli('time', '--strict', 'x_seconds', 'exit_code=1', '--', 'echo', 'ran')
        self.assertEqual((result.returncode, result.stdout), (2, ''))
        self.fails(2, 'time', 'x_seconds')
        self.fails(2, 'time', 'x_seconds', '--')
        self.fails(2, 'time', '--bogus', 'x_seconds', '--', 'true')

    def start(self, *program):
        """A program under time that has said "ready"."""
        p = subprocess.Popen([CLI, 'time', 'x_seconds', '--', *program], env=self.env, stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.readline(), 'ready\n')
        return p

    SLEEPER = 'import signal, sys, time\n' \
              'got = []\n' \
              'for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):\n' \
              '    signal.signal(s, lambda n, f: got.append(n))\n' \
              'print("ready", flush=True)\n' \
              'end = time.monotonic() + 20\n' \
              'while not got and time.monotonic() < end:\n' \
              '    time.sleep(0.01)\n' \
              'time.sleep(0.2)\n' \
              'sys.exit(len(got) * 10 + got[0] if got else 99)\n'

    def test_signals_sent_to_us__reach_the_program_once(self):
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            p = self.start(sys.executable, '-c', self.SLEEPER)
            p.send_signal(s)
            self.assertEqual(p.wait(DEADLINE_S), 10 + s)
        p = self.start('sh', '-c', 'echo ready; exec sleep 60')
        p.terminate()
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGTERM)
        self.assertEqual(self.value('x_exits_total', exit_code=str(128 + signal.SIGTERM)), 1)

    def test_control_c__reaches_the_program_once(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(CLI, [CLI, 'time', 'x_seconds', '--', sys.executable, '-c', self.SLEEPER], self.env)
        out = b''
        while b'ready' not in out:
            out += os.read(fd, 1000)
        os.write(fd, b'\x03')
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 10 + signal.SIGINT)
        os.close(fd)


class Exec(Case):
    def setUp(self):
        super().setUp()
        self.create()

    def test_command__gets_the_dump(self):
        out = os.path.join(self.dir, 'out')
        self.ok('dump', '--exec', f'cat > {out}; test "$SHARDMETER_SEGMENT" = {self.segment}')
        with open(out, encoding='utf-8') as f:
            self.assertIn('\nfirst_total 1\n', f.read())
        self.ok('dump', '--format', 'json', '--exec', f'cat > {out}')
        with open(out, encoding='utf-8') as f:
            self.assertEqual(json.load(f)['schema'], 1)

    def test_failures__each_has_its_message(self):
        self.assertIn('"exit 7" ended with status 7', self.fails(2, 'dump', '--exec', 'exit 7'))
        self.assertIn('was ended by signal 9', self.fails(2, 'dump', '--exec', 'kill -9 $$'))
        self.assertIn('the command is empty', self.fails(2, 'dump', '--exec', ''))
        self.assertIn('exclude each other', self.fails(2, 'dump', '--exec', 'true', '-o', 'x'))
        self.assertIn('ended with status 127', self.run_cli('dump', '--exec', 'no-such-command-here').stderr)
        self.fails(3, 'dump', '--exec', 'true', '-S', os.path.join(self.dir, 'gone'))

    def test_command__that_does_not_read_is_fine(self):
        w = self.writer()
        w.do(*('label ' + (f'{i:04d}' + 'y' * 200).encode().hex() for i in range(900)))
        self.ok('dump', '--exec', 'true')
        self.ok('dump', '--exec', 'exec <&-; sleep 0.1')
        self.ok('dump', '--exec', 'head -c 10 > /dev/null')

    @staticmethod
    def is_gone(pid):
        """Not there, or only waiting for whoever adopted it."""
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii') as f:
                return f.read().split()[2] == 'Z'
        except OSError:
            return True

    def test_timeout__ends_all_that_it_started(self):
        pids = os.path.join(self.dir, 'pids')
        begin = time.monotonic()
        message = self.fails(2, 'dump', '--timeout', '0.3', '--exec',
                             f'trap "" TERM; sleep 100 & echo $! $$ > {pids}; wait; sleep 100')
        self.assertIn('did not end within 0.3 s', message)
        self.assertLess(time.monotonic() - begin, 15)
        with open(pids, encoding='ascii') as f:
            for pid in f.read().split():
                wait_for(lambda p=pid: self.is_gone(p), f'{pid} is gone')

    def test_every__goes_on_after_a_failure_and_ends_with_a_signal(self):
        count = os.path.join(self.dir, 'count')
        p = self.start('dump', '--every', '0.1', '--exec', f'echo x >> {count}; test -e {self.dir}/good')
        self.assertIn(b'ended with status 1', self.read_until(p.stderr, b'\n'))
        with open(os.path.join(self.dir, 'good'), 'wb'):
            pass
        self.assertIn(b'again', self.read_until(p.stderr, b'\n'))
        before = os.path.getsize(count)
        wait_for(lambda: os.path.getsize(count) > before, 'another run')
        p.terminate()
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGTERM)

    def test_signal__reaches_the_command(self):
        pid = os.path.join(self.dir, 'pid')
        p = self.start('dump', '--exec', f'echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 100')
        wait_for(lambda: os.path.exists(pid), 'the command runs')
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGINT)
        with open(pid, encoding='ascii') as f:
            self.assertFalse(os.path.exists(f'/proc/{f.read().strip()}'))
        # SIGPIPE is as in any shell.
        self.ok('dump', '--exec', 'yes | head -1 > /dev/null')


class Dump(Case):
    AWKWARD = [b'plain', b'', b'q"uo\\ck', b'a\nb\r\n', b'\x1b[31mred\x07', 'Grüße 日本 🎵'.encode(), b'{a="b"}', b'x,y;z',
               '\u202eevil\u0085'.encode(), b'\x7f\x01', b'</script>', '￿'.encode()]

    def awkward(self):
        w = self.writer()
        for text in self.AWKWARD:
            w.do('label ' + text.hex() if text else 'jobs 1')
        self.ok('inc', '--strict', 'odd_total', 'text=')
        return w

    def test_terminal__is_never_steered(self):
        self.awkward()
        for args in ((), ('-f', 'json'), ('-f', 'csv')):
            code, out = self.on_terminal('dump', *args, env={'LC_ALL': 'C.UTF-8'})
            self.assertEqual(code, 0)
            self.assertFalse(re.search(rb'[\0-\x09\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae', out), out)
            self.assertIn('日本'.encode(), out)
        self.assertIn(b'\x1b[31mred', subprocess.run([CLI, 'dump'], env=self.env, capture_output=True, check=True).stdout)

    def test_killed__leaves_no_temporary_file(self):
        self.create()
        out = os.path.join(self.dir, 'out.prom')
        for _ in range(20):
            p = self.start('dump', '--every', '0.1', '-o', out)
            wait_for(lambda: os.path.exists(out), 'the file')
            p.kill()
            p.wait()
        self.ok('dump', '-o', out)
        self.assertEqual(sorted(os.listdir(self.dir)), ['out.prom', 'segment'])

    def test_text__is_what_pythons_parser_reads(self):
        self.awkward()
        self.ok('observe', '--strict', 'x_seconds', '0.3', 'a=b')
        families = {f.name: f for f in text_string_to_metric_families(self.ok('dump'))}
        found = {s.labels['text'] for s in families['odd'].samples}
        self.assertEqual(found, {t.decode() for t in self.AWKWARD})
        self.assertEqual(families['x_seconds'].type, 'histogram')

    def test_json__keeps_every_byte_and_every_integer(self):
        w = self.awkward()
        w.do('max', 'all 3', 'state 1', 'signed -0.5')
        d = self.dump('--writers')
        self.assertEqual(d['schema'], 1)
        self.assertRegex(d['time'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
        families = {f['name']: f for f in d['families']}
        self.assertEqual({s['labels']['text'] for s in families['odd_total']['series']},
                         {t.decode() for t in self.AWKWARD})
        self.assertEqual(families['huge_total']['series'][0]['value'], MAX)
        self.assertEqual(families['open_files']['series'][0]['writers'], [{'writer': 'shard-3', 'value': 3}])
        self.assertNotIn('value', families['open_files']['series'][0])
        self.assertEqual(families['connection_state']['series'][0]['writers'],
                         [{'writer': 'shard-3', 'value': 1, 'state': 'up'}])
        drift = families['drift']['series'][0]
        self.assertEqual((drift['count'], drift['sum']), (1, -0.5))
        writers = {w['name']: w for w in d['writers']}
        self.assertTrue(writers['shard-3']['alive'])
        self.assertEqual(writers['shard-3']['version'], '2.14.0')
        self.assertEqual(writers['shard-3']['metadata']['shard'], '3')

    def test_csv__is_what_pythons_parser_reads(self):
        self.awkward().do('max', 'all 3')
        self.ok('observe', '--strict', 'x_seconds', '0.3', 'a=b')
        raw = self.ok('dump', '-f', 'csv')
        rows = list(csv.reader(io.StringIO(raw, newline=''), strict=True))
        self.assertEqual(rows[0], ['time', 'name', 'kind', 'unit', 'labels', 'writer', 'value'])
        self.assertTrue(all(len(r) == 7 for r in rows))
        self.assertEqual(len(re.findall(r'\r\n', re.sub(r'"[^"]*"', '', raw))), len(rows))
        by_name = {}
        for r in rows[1:]:
            by_name.setdefault(r[1], []).append(r)
        self.assertEqual(by_name['huge_total'][0][6], str(MAX))
        self.assertEqual(by_name['open_files'][0][5:], ['shard-3', '3'])
        self.assertEqual(len(by_name['odd_total']), len(self.AWKWARD))
        self.assertIn('text="q\\"uo\\\\ck"', [r[4] for r in by_name['odd_total']])
        self.assertEqual(by_name['x_seconds_count'][0][6], '1')
        self.assertEqual(by_name['x_seconds_bucket'][-1][4], 'a="b",le="+Inf"')

    def test_output__is_replaced_at_one_stroke(self):
        self.create()
        path = os.path.join(self.dir, 'out.prom')
        old_mask = os.umask(0o077)
        try:
            self.ok('dump', '--output', path)
        finally:
            os.umask(old_mask)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o644)
        before = os.stat(path).st_ino
        p = subprocess.Popen([CLI, 'dump', '--every', '0.1', '-o', path], env=self.env, stderr=subprocess.PIPE)
        inodes = set()
        while len(inodes) < 6:
            with open(path, encoding='utf-8') as f:
                text = f.read()
                inodes.add(os.fstat(f.fileno()).st_ino)
            self.assertTrue(text.endswith('\n') and 'first_total 1\n' in text)
            self.assertIsNone(p.poll())
        self.assertEqual(len(inodes - {before}) >= 5, True)
        p.terminate()
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGTERM)
        self.assertEqual(p.stderr.read(), b'')
        p.stderr.close()
        self.assertEqual(sorted(os.listdir(self.dir)), ['out.prom', 'segment'])

    def test_every__waits_for_a_segment_and_follows_a_new_one(self):
        p = subprocess.Popen([CLI, 'dump', '-f', 'json', '--every', '0.1'], env=self.env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        self.assertIn('no segment', p.stderr.readline())
        self.create()
        first = json.loads(p.stdout.readline())
        self.assertIn('again', p.stderr.readline())
        os.unlink(self.segment)
        self.assertIn('no segment', p.stderr.readline())
        self.ok('inc', '--create', '--strict', 'second_total')
        self.assertIn('again', p.stderr.readline())
        wait_for(lambda: json.loads(p.stdout.readline())['segment']['id'] != first['segment']['id'], 'new segment')
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGINT)
        p.stdout.close()
        p.stderr.close()

    def test_no_room__the_old_file_stays(self):
        self.create()
        self.assertIn('cannot write beside', self.fails(2, 'dump', '-o', '/no/such/directory/x.prom'))
        with open('/dev/full', 'w', encoding='utf-8') as full:
            result = subprocess.run([CLI, 'dump'], env=self.env, stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b'cannot write the output', result.stderr)

    def test_reader_gone__is_no_error(self):
        w = self.writer()
        for i in range(300):
            w.do('label ' + (f'{i}' * 60).encode().hex())
        for args in (['dump'], ['ls', '-s'], ['dump', '-f', 'json'], ['dump', '-f', 'json', '--every', '0.1']):
            r, wr = os.pipe()
            os.close(r)
            result = subprocess.run([CLI, *args], env=self.env, stdout=wr, stderr=subprocess.PIPE, timeout=60,
                                    check=False)
            os.close(wr)
            self.assertEqual((result.returncode, result.stderr), (0, b''), args)


class Look(Case):
    def terminal(self, *args, locale='C.UTF-8'):
        """Output of a run on a pseudo terminal."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(CLI, [CLI, *args], dict(self.env, LC_ALL=locale))
        out = b''
        while True:
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(errors='surrogateescape')

    def test_ls__segments_by_name_and_prefix(self):
        name = f'test-cli-{os.getpid()}'
        for n in (name + '-a', name + '-b'):
            self.addCleanup(lambda n=n: os.path.exists(f'/dev/shm/shardmeter.{n}') and
                            os.unlink(f'/dev/shm/shardmeter.{n}'))
            self.ok('inc', '--create', '--strict', '-S', n, f'{n[-1]}_total')
        env = {'SHARDMETER_SEGMENT': ''}
        names = self.run_cli('ls', env=env).stdout.split('\n')
        self.assertIn(name + '-a', names)
        self.assertIn(name + '-b', names)
        result = self.run_cli('dump', env=env)
        self.assertEqual(result.returncode, 4)
        self.assertIn(f'{name}-a ', result.stderr)
        self.assertEqual(self.run_cli('dump', '-S', name, env=env).returncode, 4)
        self.assertIn('a_total 1', self.ok('dump', '-S', name + '-a', env=env))
        # The beginning of a name is enough to look, but neither to count nor to remove.
        self.ok('inc', '--create', '--strict', '-S', name + '-abc', 'c_total', env=env)
        self.addCleanup(lambda: os.path.exists(f'/dev/shm/shardmeter.{name}-abc') and
                        os.unlink(f'/dev/shm/shardmeter.{name}-abc'))
        self.assertIn('c_total 1', self.ok('dump', '-S', name + '-ab', env=env))
        self.fails(3, 'rm', '--segment', name + '-ab', env=env)
        self.ok('rm', '--segment', name + '-abc', env=env)
        self.ok('rm', '--segment=' + name + '-a', env=env)
        self.ok('rm', '--segment', '-S', name + '-b', env=env)
        self.assertNotIn(name, self.run_cli('ls', env=env).stdout)

    def test_ls__long_list_has_facts(self):
        w = self.writer()
        w.do('jobs 1')
        self.writer('shard-4').kill()
        name, live, dead, series, memory, owner, path = self.ok('ls', '-l', '-S', self.segment).rstrip('\n').split('\t')
        self.assertEqual((name, live, dead, series, path), ('segment', '1', '1', '1', self.segment))
        self.assertGreater(int(memory), 4096)
        self.assertRegex(owner, r'^0640 \S+:\S+$')
        facts = json.loads(self.ok('ls', '--json', '-S', self.segment))['segments'][0]
        self.assertEqual((facts['live_writers'], facts['dead_writers'], facts['series']), (1, 1, 1))

    def test_ls__patterns_select_series(self):
        w = self.writer()
        w.do('jobs 7', 'all 2', 'state 0')
        self.ok('inc', '--strict', 'jobs_total', 'job=a b', 'status=ok')
        self.assertEqual(self.ok('ls', 'jobs_*'), 'jobs_total{job="bot",status="ok"}\tcounter\t7\n'
                         'jobs_total{job="a b",status="ok"}\tcounter\t1\n')
        self.assertEqual(self.ok('ls', '*{*job="bot"*}'), 'jobs_total{job="bot",status="ok"}\tcounter\t7\n')
        self.assertEqual(self.ok('ls', 'open_files'), 'open_files\tgauge\tshard-3=2\n')
        self.assertEqual(self.ok('ls', 'connection_state'), 'connection_state\tstateset\tshard-3=down\n')
        self.assertEqual(self.ok('ls', '-f', 'jobs*'), 'jobs_total\tcounter\t2\t\tJobs done.\n')
        self.assertEqual(self.fails(1, 'ls', 'nothing*'), 'shardmeter ls: no series matches nothing*\n')
        self.assertIn('no family', self.fails(1, 'ls', '-f', 'nothing*'))
        found = json.loads(self.ok('ls', '--json', '*{*job="bot"*}'))['families']
        self.assertEqual([s['labels']['job'] for s in found[0]['series']], ['bot'])

    def test_terminal__is_aligned_and_never_steered(self):
        w = self.writer()
        w.do('label ' + b'\x1b]0;owned\x07'.hex(), 'label ' + '\u202ex\u009b'.encode().hex(),
             'label ' + 'Grüße日本'.encode().hex(), 'label ' + b'z'.hex())
        code, out = self.terminal('ls', '-s')
        self.assertEqual(code, 0)
        lines = out.split('\r\n')
        self.assertTrue(lines[0].startswith('SERIES'))
        self.assertNotIn('\x1b', out)
        self.assertNotIn('\x9b', out)
        self.assertNotIn('\u202e', out)
        self.assertIn('\\x1b]0;owned\\x07', out)
        self.assertIn('\\xe2\\x80\\xaex\\xc2\\x9b', out)
        self.assertIn('Grüße日本', out)
        # Two wide characters take two columns more than they have letters.
        column = lines[0].index('KIND')
        row = [x for x in lines if 'Grüße' in x][0]
        self.assertEqual(row.index('counter'), column - 2)
        _, out = self.terminal('ls', '-s', locale='C')
        self.assertIn('Gr\\xc3\\xbc\\xc3\\x9fe', out)
        self.assertTrue(out.isascii())
        code, out = self.terminal('inc', '--strict', 'x\x1b[2J')
        self.assertEqual((code, out), (2, 'shardmeter inc: "x\\x1b[2J" is not a metric name (letters, digits and _, not '
                                          'starting with a digit)\r\n'))

    def test_writers__states_ages_and_restarts(self):
        live, ended = self.writer('shard-1'), self.writer('shard-2')
        self.writer('shard-3').kill()
        ended.close()
        live.do('beat')
        self.writer('shard-4').kill()
        again = self.writer('shard-4')
        again.do('beat')
        rows = {r[0]: r for r in (line.split('\t') for line in self.ok('writers').splitlines())}
        self.assertEqual([rows[f'shard-{i}'][1] for i in (1, 2, 3, 4)], ['live', 'ended', 'dead', 'live'])
        self.assertEqual(rows['shard-1'][2], str(live.process.pid))
        self.assertLess(float(rows['shard-1'][3]), 60)
        self.assertEqual(rows['shard-4'][5], '1')
        self.assertEqual(rows['shard-1'][7], '2.14.0')
        self.assertNotIn('\x1b', rows['shard-1'][8])
        self.assertEqual(len(self.ok('writers', '-l').splitlines()), 2)
        self.assertEqual(self.fails(1, 'writers', 'nobody*'), f'shardmeter writers: no writer matches nobody* in {self.segment}\n')
        w = {w['name']: w for w in json.loads(self.ok('writers', '--json'))['writers']}
        self.assertEqual((w['shard-4']['restarts'], w['shard-4']['alive'], w['shard-3']['alive']), (1, True, False))
        self.assertGreater(w['shard-1']['usage']['resident_bytes'], 100000)


class Keep(Case):
    """check, gc, rm, size."""

    def overwrite(self, f, what, new):
        """Write over the first place of what in a sparse file."""
        at = 0
        while True:
            at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            end = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            found = os.pread(f.fileno(), end - at, at).find(what)
            if found >= 0:
                os.pwrite(f.fileno(), new, at + found)
                return
            at = end

    def test_damaged_header__the_command_that_is_named_works(self):
        self.create()
        with open(self.segment, 'r+b') as f:
            f.seek(64)
            f.write(b'\xff' * 4)
        command = f'shardmeter rm --segment={self.segment} --force'
        for args in (('get', 'first_total'), ('check',), ('gc',)):
            err = self.fails(5, *args)
            self.assertTrue(err.endswith(f'; stop its writers, then: {command}\n'), err)
        self.assertNotIn(command, self.run_cli('check').stdout)
        _, text, remedy = next(line.split('\t')[1:] for line in self.run_cli('doctor', '-e', 'none').stdout.splitlines()
                               if line.startswith('fail\tsegment'))
        self.assertNotIn('shardmeter rm', text)
        self.assertIn(command, remedy)
        self.assertIn('--force removes it\n', self.fails(5, 'rm', f'--segment={self.segment}'))
        self.ok(*command.split()[1:])
        self.assertFalse(os.path.exists(self.segment))

    def test_check__sound_damaged_and_foreign(self):
        self.writer().do('jobs 1', 'cents 5', 'signed 1')
        self.ok('inc', '--strict', 'x_total')
        self.assertEqual(self.ok('check'), f'{self.segment}: no findings\n')
        copy = os.path.join(self.dir, 'copy')
        subprocess.run(['cp', '--sparse=always', self.segment, copy], check=True)
        with open(copy, 'r+b') as f:
            header = f.read(4096)
            self.overwrite(f, b'jobs_total\0', b'\xff')
        result = self.run_cli('check', '-S', copy)
        self.assertEqual(result.returncode, 5)
        self.assertGreaterEqual(len(result.stdout.splitlines()), 1)
        self.assertIn('finding', result.stderr)
        for name, content in (('empty', b''), ('text', b'hello world\n' * 1000), ('short', header[:100])):
            path = os.path.join(self.dir, name)
            with open(path, 'wb') as f:
                f.write(content)
            self.assertIn(self.run_cli('check', '-S', path).returncode, (3, 5), name)
        with open(copy, 'r+b') as f:
            f.seek(16)
            f.write(b'\x63')
        for command in ('check', 'dump', 'writers'):
            result = self.run_cli(command, '-S', copy)
            self.assertEqual(result.returncode, 5, command)
            self.assertIn('99', result.stdout + result.stderr)
        os.symlink(self.segment, os.path.join(self.dir, 'link'))
        self.assertNotEqual(self.run_cli('dump', '-S', os.path.join(self.dir, 'link')).returncode, 0)

    def test_gc__folds_the_dead_and_keeps_their_counts(self):
        for i in range(3):
            w = self.writer(f'shard-{i}')
            w.do('jobs 10')
            w.kill()
        self.assertIn('0 dead writers folded', self.ok('gc', '--min-age', '3600'))
        self.assertIn('3 dead writers folded', self.ok('gc', '--min-age', '0'))
        self.assertEqual(self.value('jobs_total', job='bot', status='ok'), 30)
        self.assertEqual(self.ok('writers').splitlines()[0].split('\t')[0], 'common')
        self.assertEqual(len(self.ok('writers').splitlines()), 1)
        self.assertEqual(self.ok('gc', '-q'), '')

    def test_rm__series(self):
        w = self.writer()
        w.do('jobs 5')
        self.ok('inc', '--strict', 'jobs_total', 'job=x"y', 'status=ok', 'by', '9')
        self.assertIn('live writer', self.fails(2, 'rm', 'jobs_total{job="bot",status="ok"}'))
        self.ok('rm', 'jobs_total{status="ok",job="x\\"y"}')
        self.assertEqual([s['labels']['job'] for s in self.family('jobs_total')['series']], ['bot'])
        self.assertIn('no such series', self.fails(1, 'rm', 'jobs_total', 'job=x"y', 'status=ok'))
        self.assertIn('no family', self.fails(1, 'rm', 'nothing_total'))
        self.assertIn('missing: status', self.fails(2, 'rm', 'jobs_total{job="bot"}'))
        self.ok('rm', '--force', 'jobs_total{job="bot",status="ok"}')
        self.assertEqual(self.family('jobs_total')['series'], [])
        self.ok('inc', '--strict', 'jobs_total', 'job=x"y', 'status=ok')
        self.assertEqual(self.value('jobs_total', job='x"y', status='ok'), 1)

    def test_rm__segment(self):
        w = self.writer()
        self.assertIn('1 live writer', self.fails(2, 'rm', '--segment'))
        self.fails(2, 'rm', '-S', self.segment)
        self.fails(2, 'rm', '--segment', self.segment, 'jobs_total')
        self.ok('rm', '--segment', '--force')
        self.assertFalse(os.path.exists(self.segment))
        # Its writer makes a new one.
        w.do('beat')
        self.assertTrue(os.path.exists(self.segment))
        w.kill()
        self.ok('rm', '--segment')
        self.fails(3, 'rm', '--segment')
        # Nothing but a segment is removed, whatever --force says.
        other = os.path.join(self.dir, 'passwd')
        with open(other, 'wb') as f:
            f.write(b'root:x:0:0\n' * 1000)
        os.symlink(other, os.path.join(self.dir, 'link'))
        self.assertIn('is not a segment', self.fails(5, 'rm', '--segment', other, '--force'))
        self.assertIn('no regular file', self.fails(2, 'rm', '--segment', os.path.join(self.dir, 'link'), '--force'))
        self.assertIn('no regular file', self.fails(2, 'rm', '--segment', self.dir, '--force'))
        self.assertTrue(os.path.exists(other))

    def test_no_such_segment__same_words_everywhere(self):
        gone = os.path.join(self.dir, 'gone')
        for args in (['ls', '-S', gone], ['ls', '-l', '-S', gone], ['ls', '--json', '-S', gone], ['dump', '-S', gone],
                     ['rm', f'--segment={gone}']):
            result = self.run_cli(*args)
            self.assertEqual(result.returncode, 3, args)
            self.assertEqual(result.stderr, f'shardmeter {args[0]}: no segment {gone}; is the program that counts running? '
                             '"shardmeter ls" lists what is there\n')
        self.create()
        os.chmod(self.segment, 0o600)
        os.chmod(self.dir, 0o755)
        for args in (['ls', '-l'], ['rm', '--segment'], ['writers']):
            message = self.fails(6, *args, '-S', self.segment, user=NOBODY, group=NOBODY, extra_groups=[])
            self.assertEqual(message.count(self.segment), 1, message)
            self.assertIn('run as that user', message)

    def test_choosing__layout_files_are_no_segments(self):
        """By names: in the place where all segments of the machine are."""
        names = [f'cli-test-{os.getpid()}-{i}' for i in range(2)]
        paths = [f'/dev/shm/shardmeter.{n}' for n in names]
        for path in [*paths, paths[0] + '.layout9']:
            self.addCleanup(lambda p=path: os.path.exists(p) and os.unlink(p))
        for name in names:
            self.ok('inc', '--create', '--strict', '-S', name, 'x_total')
        with open(paths[0] + '.layout9', 'wb'):
            pass
        listed = self.run_cli('ls', env={'SHARDMETER_SEGMENT': ''}).stdout.splitlines()
        self.assertLessEqual(set(names), set(listed))
        self.assertFalse([n for n in listed if 'layout9' in n])
        # By default others' segments would count, too: choose by the beginning of ours.
        self.assertEqual(self.run_cli('ls', '-S', f'cli-test-{os.getpid()}-').returncode, 4)

    def test_size__parts_add_up(self):
        size = json.loads(self.ok('size', '--writers', '16', '--histograms', '360', '--json'))
        parts = [size[k] for k in ('base', 'writers', 'counters', 'gauges', 'histograms')]
        self.assertEqual(sum(parts), size['total_bytes'])
        self.assertTrue(all(p > 0 for p in parts))
        self.assertLessEqual(size['total_bytes'], 48 << 20)
        self.assertGreater(size['advised_bytes'], size['total_bytes'])
        text = self.ok('size', '--writers', '16', '--histograms', '360')
        self.assertIn(f'--shm-size={size["advised_bytes"] >> 20}m', text)
        self.assertIn('--writers: 0 is out of range (1 to 4096)', self.fails(2, 'size', '--writers', '0'))
        without = json.loads(self.ok('size', '--no-grid', '--json'))
        self.assertLess(without['histograms'], json.loads(self.ok('size', '--json'))['histograms'])


class Doctor(Case):
    def serve(self, status, body):
        """An exporter that always answers this; its address."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status if self.path == '/-/ready' else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def stop():
            server.shutdown()
            thread.join()
            server.server_close()
        self.addCleanup(stop)
        return f'127.0.0.1:{server.server_address[1]}'

    def ready(self):
        """What an exporter of our segment answers."""
        segment = self.dump()['segment']
        return json.dumps({'ready': True, 'segment_id': segment['id'], 'segment': segment['path']}).encode()

    def doctor(self, *args, **kwargs):
        """Exit code and {check: (level, text, remedy)}."""
        watch = () if '-w' in args or '--watch' in args else ('--watch', '0.05')
        result = self.run_cli('doctor', *args, *watch, **kwargs)
        self.assertEqual(result.stderr, '')
        found = {}
        for line in result.stdout.splitlines():
            level, check, text, remedy = line.split('\t')
            self.assertIn(level, ('ok', 'warn', 'fail'))
            if level == 'fail':
                self.assertTrue(remedy, line)
            if check not in found or level != 'ok':
                found[check] = (level, text, remedy)
        return result.returncode, found

    def test_all_well__is_0(self):
        self.writer().do('beat', 'jobs 1')
        code, found = self.doctor('--exporter', self.serve(200, self.ready()))
        # Two things depend on the machine: the size of /dev/shm and logind.
        bad = {k: v for k, v in found.items() if v[0] != 'ok' and k not in ('memory', 'logind')}
        self.assertEqual(bad, {})
        self.assertEqual(code, 0 if all(v[0] == 'ok' for v in found.values()) else 1)
        self.assertEqual(set(found), {'environment', 'segment', 'layout', 'rights', 'memory', 'logind', 'writers',
                                      'names', 'heartbeats', 'refused', 'fill', 'structure', 'exporter'})
        code, found = self.doctor('--exporter', self.serve(200, self.ready()), env={'SHARDMETER_DISABLE': '1'})
        self.assertEqual((code, found['environment'][0]), (1, 'warn'))

    def test_troubles__are_named_with_their_remedies(self):
        none = ('--exporter', 'none')
        code, found = self.doctor(*none)
        self.assertEqual((code, found['segment'][0]), (3, 'fail'))
        self.assertIn('memory', found)
        self.writer('same').do('beat')
        second = self.writer('same')
        second.do('beat', 'label ff')
        code, found = self.doctor(*none)
        self.assertEqual(code, 1)
        self.assertIn('same~2', found['names'][1])
        self.assertIn('SHARDMETER_WRITER', found['names'][2])
        self.assertRegex(found['refused'][1], r'^label_value: 1 to writers that live, most to same~2, none in the last 0\.\d s')
        self.assertTrue(found['refused'][2])
        # It is over when that writer is gone; the count stays.
        second.kill()
        code, found = self.doctor(*none, '--watch', '0')
        self.assertEqual((found['names'][0], found['refused'][0]), ('ok', 'ok'))
        self.assertRegex(found['refused'][1], r'^label_value: none in the last 0\.\d s; 1 since \S+Z, by writers that are gone$')
        os.chmod(self.segment, 0o666)
        self.assertEqual(self.doctor(*none)[0], 6)
        os.chmod(self.segment, 0o640)
        with open(self.segment, 'r+b') as f:
            f.write(b'\0' * 64)
        code, found = self.doctor(*none)
        self.assertEqual((code, found['segment'][0]), (5, 'fail'))

    def test_refused_just_now__is_a_warning(self):
        w = self.writer()
        p = self.start('doctor', '-e', 'none', '--watch', '1.5')
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            w.do('label ff')
        out, err = p.communicate(timeout=DEADLINE_S)
        self.assertEqual((p.returncode, err), (1, b''))
        self.assertRegex(out.decode(), r'warn\trefused\tlabel_value: \d+ in the last 1\.5 s; \d+ since \S+Z, most by shard-3\t')
        self.run_cli('inc', 'jobs_total', b'job=\xff')
        self.run_cli('inc', 'jobs_total', b'job=\xff')
        w.kill()
        self.assertIn('shell commands', self.doctor('-e', 'none', '-w', '0')[1]['refused'][1])

    def test_no_live_writer__is_a_warning(self):
        self.create()
        self.writer().kill()
        code, found = self.doctor('--exporter', 'none')
        self.assertEqual((code, found['writers'][0]), (1, 'warn'))
        self.assertIn('1 died', found['writers'][1])

    def test_exporter__each_answer(self):
        self.create()
        code, found = self.doctor('-e', self.serve(503, b'{"ready": false,\n "reason": "no segment"}\n'))
        self.assertEqual((code, found['exporter'][0]), (2, 'fail'))
        self.assertIn('"reason": "no segment"', found['exporter'][1])
        reasons = [('no_segment', 'no file "a]b\\c"'), ('damaged', ''), ('brand_new', 'x\x1b[31m')]
        body = json.dumps({'ready': False, 'segment_id': '', 'segment': '', 'reasons': [], 'warnings': []}, indent=1)
        items = ',\n  '.join(json.dumps({'code': c, 'message': m}) for c, m in reasons)
        address = self.serve(503, body.replace('"reasons": []', f'"reasons": [\n  {items}]').encode())
        lines = [line for line in self.run_cli('doctor', '-e', address, '-w', '0').stdout.splitlines() if '\texporter\t' in line]
        self.assertEqual(len(lines), 3)
        self.assertIn(f'{address} is not ready: no_segment: no file "a]b\\c"\tstart the program', lines[0])
        self.assertIn('damaged\t"shardmeter check"', lines[1])
        self.assertIn("log says more", lines[2])
        self.assertNotIn('\x1b', ''.join(lines))
        self.assertIn('status 404', self.doctor('-e', self.serve(404, b''))[1]['exporter'][1])
        path = os.path.join(self.dir, 'exporter.sock')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            p = subprocess.Popen([CLI, 'doctor', '-w', '0'], stdout=subprocess.PIPE, text=True,
                                 env=dict(self.env, SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS=f'unix:{path},:1'))
            listener.settimeout(DEADLINE_S)
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(4096)
                connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n' + self.ready())
            out = p.communicate(timeout=DEADLINE_S)[0]
            self.assertIn(b'Host: localhost\r\n', request)
            self.assertIn(f'ok\texporter\tunix:{path} is ready and serves this segment\t', out)
        self.assertIn('unix:/PATH', self.doctor('-e', 'unix:x')[1]['exporter'][1])
        with socket.socket() as silent:
            silent.bind(('127.0.0.1', 0))
            silent.listen(1)
            address = f'127.0.0.1:{silent.getsockname()[1]}'
            begin = time.monotonic()
            code, found = self.doctor('-e', address, '--timeout', '0.3')
            self.assertLess(time.monotonic() - begin, 10)
            self.assertIn('no answer in time', found['exporter'][1])
        code, found = self.doctor('-e', address)
        self.assertIn('Connection refused', found['exporter'][1])
        self.assertIn('start shardmeter-exporter', found['exporter'][2])
        code, found = self.doctor(env={'SHARDMETER_EXPORTER_WEB_LISTEN_ADDRESS': address})
        self.assertIn(address, found['exporter'][1])

    def test_exporter__of_another_segment_or_none(self):
        self.create()
        other = json.dumps({'ready': True, 'segment_id': '0' * 32, 'segment': '/run/shardmeter/else'}).encode()
        code, found = self.doctor('-e', self.serve(200, other))
        self.assertEqual((code, found['exporter'][0]), (2, 'fail'))
        self.assertIn('serves another segment: /run/shardmeter/else', found['exporter'][1])
        ours = json.loads(self.ready())
        both = json.dumps({'ready': True, 'segment_id': '0' * 32, 'segment': '/else', 'segments': [
            {'id': '0' * 32, 'path': '/else'}, {'id': ours['segment_id'], 'path': self.segment}], 'reasons': [],
            'warnings': [{'code': 'store_down', 'message': 'the disk is full'}]}).encode()
        out = self.run_cli('doctor', '-w', '0', '-e', self.serve(200, both)).stdout
        self.assertIn('is ready and serves this segment', out)
        self.assertRegex(out, r'warn\texporter\t127\S+: store_down: the disk is full\tlook at the exporter')
        code, found = self.doctor('-e', self.serve(200, b'hello\n'))
        self.assertIn('not as shardmeter-exporter does', found['exporter'][1])
        self.assertIn('something else listens', found['exporter'][2])
        self.assertIn('use ADDRESS:PORT', self.doctor('-e', 'bogus')[1]['exporter'][2])

    @unittest.skipIf(os.geteuid(), 'needs root to make a time namespace')
    def test_writer_in_another_time_namespace__is_a_warning(self):
        w = Writer(['unshare', '--time', '--boottime', '1000000', WRITER, self.segment, 'ahead'])
        self.addCleanup(w.kill)
        w.do('beat', 'jobs 1')
        out = self.ok('check')
        self.assertIn('warning: slot 1: its times lie in the future', out)
        self.assertIn('no findings, 2 warnings', out)
        found = self.doctor('-e', 'none', '-w', '0')[1]
        self.assertEqual(found['structure'][0], 'warn')
        self.assertIn('another time namespace', found['structure'][1])

    def test_json__says_the_same(self):
        self.create()
        result = self.run_cli('doctor', '--json', '-e', 'none')
        report = json.loads(result.stdout)
        self.assertEqual((report['schema'], report['exit_code']), (1, result.returncode))
        self.assertIn('structure', [c['check'] for c in report['checks']])


class History(Case):
    def exporter(self, store):
        """A running exporter; its port, when it has written some rows."""
        p = subprocess.Popen([EXPORTER, '--allow-root', '--segment', self.segment, '--web.listen-address', '127.0.0.1:0',
                              '--storage.path', store, '--storage.interval', '100ms'],
                             env=self.env, stderr=subprocess.PIPE, bufsize=0)

        def stop():
            p.terminate()
            p.wait(DEADLINE_S)
            p.stderr.close()
        self.addCleanup(stop)
        while True:
            # Not buffered: select() does not see what a buffer holds.
            ready, _, _ = select.select([p.stderr], [], [], DEADLINE_S)
            self.assertTrue(ready, 'the exporter says nothing')
            found = re.search(r'127\.0\.0\.1:([1-9]\d*)', p.stderr.readline().decode())
            if found:
                return found[1]

    def test_ticks_one_tick_and_series(self):
        w = self.writer()
        w.do('jobs 5', 'max', 'state 1', 'cents 125')
        self.ok('observe', '--strict', 'run_seconds', '0.3', 'a=b')
        store = os.path.join(self.dir, 'store')
        port = self.exporter(store)
        at = ('--dir', store)
        wait_for(lambda: len(self.run_cli('history', *at).stdout.splitlines()) >= 3, 'three ticks')
        begin = time.time()
        w.do('jobs 7')
        wait_for(lambda: '\t12\n' in self.run_cli('history', *at, '--last', 'jobs_total').stdout, 'new value')
        rows = [line.split('\t') for line in self.ok('history', *at).splitlines()]
        self.assertTrue(all(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', r[0]) for r in rows))
        self.assertEqual(sorted(r[0] for r in rows), [r[0] for r in rows])
        values = [line.split('\t')[2] for line in self.ok('history', *at, 'jobs_*').splitlines()]
        self.assertEqual(sorted(set(values), key=int), ['5', '12'])
        last = self.ok('history', *at, '--at', 'now')
        self.assertIn('\tjobs_total{job="bot",status="ok"}\t12\n', last)
        self.assertIn(f'\thuge_total\t{MAX}\n', last)
        self.assertIn('\tpaid_total\t1.25\n', last)
        self.assertIn('\tconnection_state{writer="shard-3"}\tup\n', last)
        self.assertIn('\trun_seconds{a="b"}\tcount=1 sum=0.3\n', last)
        first = self.ok('history', *at, '--at', rows[0][0], 'jobs_total')
        self.assertTrue(first.startswith(rows[0][0]) and first.endswith('\t5\n'), first)
        report = json.loads(self.ok('history', *at, '--json', '--from', str(begin), '--to', 'now', 'run_seconds'))
        self.assertEqual(report['schema'], 1)
        value = report['rows'][-1]['values'][0]
        self.assertEqual((value['count'], value['sum']), (1, 0.3))
        self.assertEqual(sum(b['count'] for b in value['buckets']), 1)
        summary = json.loads(self.ok('history', *at, '--summary', '--json'))
        self.assertGreaterEqual(summary['rows'], len(rows))
        self.assertIn('rows', self.ok('history', *at, '-s'))
        result = self.run_cli('doctor', '-e', f'127.0.0.1:{port}')
        self.assertIn(f'ok\texporter\t127.0.0.1:{port} is ready', result.stdout)

    def test_nothing__has_its_code(self):
        self.create()
        self.assertIn(self.run_cli('history', '--dir', os.path.join(self.dir, 'none')).returncode, (3,))
        store = os.path.join(self.dir, 'store')
        self.exporter(store)
        wait_for(lambda: self.run_cli('history', '--dir', store).stdout, 'a tick')
        env = {'SHARDMETER_EXPORTER_STORAGE_PATH': store}
        self.assertIn('nothing matches', self.fails(1, 'history', 'nothing_*', env=env))
        self.assertIn('no rows', self.fails(1, 'history', '--to', '2001-01-01', env=env))
        self.assertIn('--from: "soon" is no time', self.fails(2, 'history', '--from', 'soon', env=env))
        self.assertIn('--from is after --to', self.fails(2, 'history', '--from', 'now', '--to', '-1h', env=env))
        self.assertIn('exclude', self.fails(2, 'history', '--at', 'now', '--last', env=env))


class Documents(Case):
    PAGE = os.path.join(SRCDIR, 'docs/man/shardmeter.1')

    def commands(self):
        usage = self.ok('help')
        return re.findall(r'^  (\w+) ', usage[usage.index('Commands:'):usage.index('Options:')], re.M)

    def test_man_page__is_what_the_tables_say(self):
        with open(self.PAGE, encoding='utf-8') as f:
            page = f.read()
        begin, end = '.\\" BEGIN\n', '.\\" END\n'
        between = page[page.index(begin) + len(begin):page.index(end)]
        self.assertEqual(between, self.ok('help', '--man'),
                         'put the output of "shardmeter help --man" between the marks of docs/man/shardmeter.1')

    def test_every_command_and_option__is_in_both(self):
        with open(self.PAGE, encoding='utf-8') as f:
            page = f.read()
        in_page, current = {}, None
        for line in page.splitlines():
            if line.startswith('.SH'):
                current = 'common' if line == '.SH OPTIONS' else None
            elif line.startswith('.SS'):
                current = re.match(r'\.SS "(\w+)', line)[1]
            elif current and line.startswith('.B ') and '\\-\\-' in line:
                option = re.search(r'\\-\\-([a-z-]+(?:\\-[a-z-]+)*)', line)[1].replace('\\-', '-')
                in_page.setdefault(current, set()).add(option)
            if current:
                in_page.setdefault(current, set())
        in_help = {'common': set(re.findall(r'--([a-z-]+)', self.ok('help').split('\nOptions:')[1].split('Exit codes')[0]))}
        for name in self.commands():
            text = self.ok('help', name)
            options = text.split('\nOptions:')[1] if '\nOptions:' in text else ''
            in_help[name] = set(re.findall(r'^  (?:-\w, |    )--([a-z-]+)', options, re.M))
            self.assertEqual(self.ok(name, '--help'), text)
        self.assertEqual(in_page, in_help)
        self.assertEqual(len(in_help), len(self.commands()) + 1)

    def test_versions_and_usage(self):
        with open(os.path.join(SRCDIR, 'VERSION'), encoding='utf-8') as f:
            version = f.read().strip()
        self.assertRegex(self.ok('--version'), rf'^shardmeter {re.escape(version)} \(layout \d+\.\d+\)\n$')
        self.assertEqual(json.loads(self.ok('version', '--json'))['version'], version)
        self.assertEqual(self.ok('help'), self.ok('--help'))
        self.assertIn('there is no subcommand "bogus"', self.fails(2, 'bogus'))
        self.assertIn('which subcommand?', self.fails(2))


if __name__ == '__main__':
    unittest.main(verbosity=1)
