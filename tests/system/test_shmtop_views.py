#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 200
"""shmtop's views and pages, by scripts without a terminal; its outputs in several locales; the linear
mode; settings and the mouse on a pseudo terminal.

UPDATE=1 writes the golden outputs in shmtop_golden/ anew: read what changed before you commit it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from process_util import DEADLINE_S, wait_for
from shmtop_util import SHMTOP, SRCDIR, Case, environment

GOLDEN = os.path.join(SRCDIR, 'tests', 'system', 'shmtop_golden')
CLOCK = 1767323045    # 2026-01-02 03:04:05 UTC


class ScriptCase(Case):
    def script(self, *lines, args=(), rc=0, **env):
        path = os.path.join(self.directory, 'script')
        with open(path, 'w', encoding='utf-8') as f:
            f.write('\n'.join(lines) + '\n')
        r = self.shmtop('--script', path, *args, self.segment, **env)
        self.assertEqual(r.returncode, rc, r.stderr)
        return r.stdout.decode()

    def live(self, *args):
        """shmtop under a script that comes line by line: samples between what writers do."""
        fifo = os.path.join(self.directory, 'fifo')
        os.mkfifo(fifo)
        child = subprocess.Popen([SHMTOP, '--script', fifo, *args, self.segment],
                                 stdout=subprocess.PIPE, env=environment())
        self.addCleanup(lambda: (child.stdout.close(), child.kill(), child.wait()))
        pipe = open(fifo, 'w', encoding='utf-8', buffering=1)
        self.addCleanup(pipe.close)

        def do(*lines, height=24):
            pipe.write('\n'.join(lines) + '\ndump -\n')
            return b''.join(child.stdout.readline() for _ in range(height)).decode()

        return do


class Views(ScriptCase):
    def test_overview__of_flows__has_rate_errors_durations(self):
        w = self.writer()
        w.do('flow /a success', 'flow /a error')
        do = self.live()
        do(f'clock {CLOCK}', 'tick 1')
        w.do(*['flow /a success'] * 36, *['flow /a error'] * 4)
        screen = do('tick 1')
        self.assertRegex(screen, r'(?m)^\[1 Overview\] 2 Series')
        self.assertRegex(screen, r'(?m)^! request /a +40 +10\.0 .*10% fail$')
        self.assertRegex(screen, r'(?m)^! /a 10% fail')
        self.assertRegex(screen, r'(?m) 03:04:07$')
        page = do('keys <Enter>', 'tick 1')
        self.assertIn('request_duration_seconds{route=/a}', page)
        self.assertRegex(page, r'(?m)^  status +COUNT')
        self.assertRegex(page, r'(?m)^  error +5 ')
        self.assertRegex(page, r'(?m)^  success +37 ')

    def test_detail__of_a_series__has_a_row_for_each_writer(self):
        w1, w2 = self.writer('shard-1'), self.writer('shard-2')
        w1.count(3, b'play')
        w2.count(4, b'play')
        do = self.live('-v', 'series', '-f', 'command=play')
        do('keys <Enter>', 'tick 1')
        w2.count(30, b'play')
        page = do('tick 1')
        self.assertIn('commands_total{command="play"}', page)
        self.assertIn('Commands.', page)
        self.assertRegex(page, r'value 37  now 30\.?0?/s')
        self.assertRegex(page, r'(?m)^  shard-1 +3 +0$')
        self.assertRegex(page, r'(?m)^  shard-2 +34 +30\.?0?$')
        w1.kill()
        page = do('tick 2')
        self.assertRegex(page, r'(?m)^\u2715 shard-1 +3 +stale \d')
        self.assertRegex(page, r'(?m)^  shard-2 +34 +0$')

    def test_detail__of_a_histogram__has_quantiles_and_buckets(self):
        w = self.writer()
        w.do('observe 0.02 100', 'observe 0.3 4')
        page = self.script('keys <Enter>', 'resize 100 50', 'tick 1', 'dump -',
                           args=['-v', 'histograms'])
        self.assertRegex(page, r'histogram . seconds')
        self.assertRegex(page, r'(?m)^  count 104')
        self.assertRegex(page, r'p50 19\.\dms')
        self.assertRegex(page, r'(?m)^  shard-1 +104 +0 +~19')
        self.assertRegex(page, r'(?m)^  BUCKET +COUNT +%$')
        self.assertRegex(page, r'(?m)\u2588 +100 +96\.2$')

    def test_writers__alive_and_dead__are_listed(self):
        w1, w2 = self.writer('shard-1'), self.writer('shard-2')
        w1.do('beat')
        w2.kill()
        out = self.script('keys 3', 'dump -', 'keys j<Enter>', 'dump -')
        self.assertRegex(out, r'(?m)^  shard-1  +live +\d\.\ds +')
        self.assertRegex(out, r'(?m)^\u2715 shard-2  +died \d')
        self.assertRegex(out, r'(?m)^  pid +%d$' % w1.process.pid)
        self.assertRegex(out, r'(?m)^  version +2\.14\.0$')

    def test_slow__operations__have_steps_and_notes(self):
        w = self.writer()
        w.do('flow /a success', 'flow /b error')
        out = self.script('keys 5', 'dump -', 'keys <Enter>', 'dump -', 'keys <Esc>/route=/a',
                          'dump -')
        self.assertRegex(out, r'(?m)^\d\d:\d\d:\d\d  request .*route=/b guil')
        self.assertRegex(out, r'(?m)^  WHERE THE TIME WENT')
        self.assertRegex(out, r'(?m)^  database +[\d.]+\S+ +[\d.]+%')
        self.assertIn('1 of 2  /route=/a', out)

    def test_health__not_well__is_judged(self):
        w = self.writer()
        w.do('state 1', 'health 2')
        self.assertRegex(self.script('dump -'), r'(?m)^all writers are well')
        w.do('health 1')
        self.assertRegex(self.script('dump -'), r'(?m)^! database degraded')
        w.do('state 0', 'health 0')
        self.assertRegex(self.script('dump -'), r'(?m)^! shard-1 down . database critical|'
                                                r'^! database critical . shard-1 down')

    def test_zeros__are_hidden_until_d_or_a_filter(self):
        w = self.writer()
        w.count(0, b'never')
        w.count(1, b'play')
        out = self.script('keys 2', 'dump -')
        self.assertNotIn('never', out)
        self.assertIn('2 zero hidden', out)
        self.assertIn('never', self.script('keys 2d', 'dump -'))
        self.assertIn('never', self.script('keys 2/nev', 'dump -'))
        self.assertIn('never', self.shmtop('--once', self.segment).stdout.decode())

    def test_segment__made_anew__is_said_for_five_seconds(self):
        w = self.filled()
        do = self.live('-v', 'series')
        do('tick 1')
        w.kill()
        os.unlink(self.segment)
        w = self.writer('shard-9')
        w.count(77, b'play')
        screen = do('tick 1')
        self.assertRegex(screen, r'(?m)^  commands_total\{play\} +77')
        self.assertIn('the segment was made anew: values start over', screen)
        self.assertIn('made anew', do('tick 4'))
        self.assertNotIn('made anew', do('tick 1'))

    def test_counter__that_goes_back__is_a_reset(self):
        # A removed series of the same name, or a new file in its place: no negative rate.
        w = self.writer()
        w.count(50, b'play')
        do = self.live('-v', 'series')
        do('tick 2')
        w.kill()
        os.unlink(self.segment)
        w = self.writer()
        w.count(5, b'play')
        screen = do('tick 2')
        self.assertRegex(screen, r'(?m)^. commands_total\{play\} +5 ')
        self.assertNotRegex(screen, r'-\d')

    def test_script__wrong_line__says_which(self):
        self.filled()
        self.script('nonsense', rc=2)
        self.assertIn(b'nonsense', self.shmtop('--script', os.path.join(self.directory, 'script'),
                                               self.segment).stderr)
        r = self.shmtop('--script', self.directory + '/missing', self.segment)
        self.assertEqual(r.returncode, 2)

    def test_list__other_layout_beside__is_no_segment_of_its_own(self):
        script = r'''
            set -eu
            mount -t tmpfs none /dev/shm
            [ ! -d /run/shardmeter ] || mount -t tmpfs none /run
            "$WRITER" one shard-1 </dev/null >/dev/null
            cp /dev/shm/shardmeter.one /dev/shm/shardmeter.one.layout7
            cp /dev/shm/shardmeter.one /dev/shm/shardmeter.two.layout7
            cp /dev/shm/shardmeter.one /dev/shm/shardmeter.one.layoutx
            "$SHMTOP" --list
        '''
        r = subprocess.run(['unshare', '-rm' if os.geteuid() else '-m', 'bash', '-c', script],
                           env=environment(SHMTOP=os.path.abspath(SHMTOP),
                                           WRITER=os.path.abspath(self.writer_program())),
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                           check=False)
        self.assertEqual([line.split()[0] for line in r.stdout.splitlines()],
                         ['SEGMENT', 'one', 'one.layoutx', 'two.layout7'], r.stderr)


class Locales(ScriptCase):
    """The same bytes whatever the locale says about numbers and words."""

    @classmethod
    def setUpClass(cls):
        cls.locales = tempfile.mkdtemp(prefix='shmtop-locale-')
        cls.addClassCleanup(shutil.rmtree, cls.locales)
        subprocess.run(['localedef', '--no-archive', '-i', 'de_DE', '-f', 'UTF-8',
                        os.path.join(cls.locales, 'de_DE.UTF-8')], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The locale is there and has a comma: else this would prove nothing.
        shown = subprocess.run(['locale', 'decimal_point'], capture_output=True, text=True,
                               check=True, env={'PATH': os.environ['PATH'],
                                                'LOCPATH': cls.locales, 'LC_ALL': 'de_DE.UTF-8'})
        if shown.stdout != ',\n':
            raise AssertionError(f'decimal point {shown.stdout!r}')

    def mask(self, text):
        text = text.replace(self.segment, 'PATH')
        text = re.sub(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', 'TIME', text)
        text = re.sub(r'"(average|heartbeat_age_s|interval_s|pid)":[-\d.e+]+', r'"\1":N', text)
        text = re.sub(r'"id":"[0-9a-f]+"', '"id":"ID"', text)
        text = re.sub(r'"program":"[^"]*"', '"program":"P"', text)
        text = re.sub(r'worst beat \S+', 'worst beat AGE', text)
        text = re.sub(r'up \d\S*', 'up AGE', text)
        text = re.sub(r'(?m)^(TIME(?:,.*)?,0),[\d.e+-]+,', r'\1,N,', text)          # CSV average
        text = re.sub(r'since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d', 'since TIME', text)
        return text

    def outputs(self, **env):
        result = {}
        for name, args in (('once.txt', ['--once']), ('batch.txt', ['-n', '1', '-d', '0.1']),
                           ('json.txt', ['--json', '-n', '1', '-d', '0.1']),
                           ('csv.txt', ['--csv', '-n', '1', '-d', '0.1']),
                           ('openmetrics.txt', ['--openmetrics']),):
            r = self.shmtop(*args, self.segment, **env)
            self.assertEqual((r.returncode, r.stderr), (0, b''))
            result[name] = self.mask(r.stdout.decode())
            if name.endswith('once.txt'):
                # The average over an age that is not ours to choose.
                result[name] = re.sub(r'(?m)^(\w+(?:\{\S+\})? +\S+) +[\d.]+[MGTPE]?(?= |$)',
                                      r'\1 N', result[name])
        result['screen.txt'] = self.mask(self.script(f'clock {CLOCK}', 'keys 2', 'tick 3', 'dump -',
                                                     'keys 4<Enter>', 'tick 1', 'dump -', **env))
        return result

    def test_outputs__in_each_locale__are_the_golden_ones(self):
        w = self.writer()
        w.count(5, b'play')
        w.count(2**53 + 1, b'big')
        # No heartbeat: a slow machine shall not make it silent.
        w.do('observe 0.02 100', 'observe 1.5 3', 'gauge 2.25', 'all 4', 'state 1')
        utf8 = self.outputs()
        for name, text in utf8.items():
            path = os.path.join(GOLDEN, name)
            if os.environ.get('UPDATE'):
                with open(path, 'w', encoding='utf-8', newline='') as f:
                    f.write(text)
            with open(path, encoding='utf-8', newline='') as f:
                self.assertEqual(text, f.read(), path)
        german = self.outputs(LC_ALL='de_DE.UTF-8', LOCPATH=self.locales)
        self.assertEqual(german, utf8)
        plain = self.outputs(LC_ALL='C')
        for name in ('once.txt', 'batch.txt', 'json.txt', 'csv.txt', 'openmetrics.txt'):
            self.assertEqual(plain[name], utf8[name])
        self.assertTrue(plain['screen.txt'].isascii())
        self.assertIn('2.25', plain['screen.txt'])


class Machine(Case):
    def test_openmetrics__any__parses(self):
        # The same numbers as --json, read by somebody else's parser.
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        w = self.filled()
        w.count(7, b'q"uo\\te\n')
        text = self.shmtop('--openmetrics', self.segment).stdout.decode()
        self.assertTrue(text.endswith('# EOF\n'))
        families = {f.name: f for f in text_string_to_metric_families(text)}
        top = json.loads(self.shmtop('--json', self.segment).stdout)
        series = {(s['name'], tuple(s['labels'].values())): s for s in top['series']}
        counts = {s.labels['command']: s.value for s in families['commands'].samples}
        self.assertEqual(counts['q"uo\\te\n'], 7)
        self.assertEqual(len(counts), 3)
        for command, value in counts.items():
            self.assertEqual(series['commands_total', (command,)]['value'], value)
        histogram = series['command_duration_seconds', ()]
        samples = {(s.name, s.labels.get('le')): s.value
                   for s in families['command_duration_seconds'].samples}
        self.assertEqual(samples['command_duration_seconds_count', None], histogram['count'])
        self.assertEqual(samples['command_duration_seconds_sum', None], histogram['sum'])
        buckets = {le: v for (name, le), v in samples.items() if name.endswith('_bucket')}
        self.assertEqual(buckets, histogram['buckets'])
        states = {s.labels['connection_state']: s.value
                  for s in families['connection_state'].samples}
        self.assertEqual(states, {'down': 0, 'up': 1})

    def test_batch_json__two_samples__are_two_lines(self):
        self.filled()
        out = self.shmtop('-b', '-n', '2', '-d', '0.1', '--json', self.segment).stdout
        self.assertEqual([json.loads(line)['schema'] for line in out.splitlines()], [1, 1])


class Linear(Case):
    def start(self, *args, **env):
        child = subprocess.Popen([SHMTOP, *args, '-d', '0.1', self.segment],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, env=environment(**env))
        self.addCleanup(lambda: (child.kill(), child.stdout.close(), child.wait()))
        return child

    def test_accessible__a_writer_dies__is_one_line(self):
        w = self.filled()
        other = self.writer('shard-2')
        child = self.start('--accessible')
        self.assertRegex(child.stdout.readline(), rb'^segment bot, version 2\.14\.0, 2 of 2 writers up')
        self.assertEqual(child.stdout.readline()[:21], b'all writers are well\n'[:21])
        # What is not a summary any more is a change.
        w.kill()
        line = child.stdout.readline()
        while b'per second' in line:
            line = child.stdout.readline()
        self.assertRegex(line, rb'^\d\d:\d\d:\d\d shard-1: died\n$')
        self.filled()
        self.assertRegex(child.stdout.readline(), rb'^\d\d:\d\d:\d\d shard-1: attached\n$')
        other.close()
        self.assertRegex(child.stdout.readline(), rb'^\d\d:\d\d:\d\d shard-2: ended\n$')
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(DEADLINE_S), -signal.SIGINT)

    def test_accessible__on_a_terminal__draws_nothing(self):
        self.filled()
        p = self.pty('-d', '0.1', self.segment, ACCESSIBLE='1')
        p.expect(b'all writers are well')
        p.send(b'\x03')
        self.assertEqual(p.end(), -signal.SIGINT)
        self.assertNotIn(b'\x1b', p.output)

    def test_accessible__with_a_count__ends(self):
        self.filled()
        r = self.shmtop('--accessible', '-n', '2', '-d', '0.1', self.segment)
        self.assertEqual((r.returncode, r.stderr), (0, b''))
        self.assert_plain(r.stdout)


class Keys(Case):
    def test_settings__saved__come_back(self):
        self.filled()
        config = os.path.join(self.directory, 'config')
        p = self.pty(self.segment, XDG_CONFIG_HOME=config)
        p.expect(b'[1 Overview]')
        p.send(b'2s')
        p.expect('VALUE\u25bc'.encode())
        p.send(b'W')
        path = os.path.join(config, 'shardmeter', 'shmtop.conf')
        wait_for(lambda: (p.read(), os.path.exists(path))[1], path)
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        with open(path, encoding='utf-8') as f:
            self.assertIn('sort.series=value\n', f.read())
        p = self.pty(self.segment, XDG_CONFIG_HOME=config)
        p.expect('VALUE\u25bc'.encode())
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        # What programs read does not depend on it.
        r = self.shmtop('--once', self.segment, XDG_CONFIG_HOME=config)
        self.assertLess(r.stdout.index(b'command_duration_seconds'), r.stdout.index(b'commands_total'))

    def test_mouse__off_until_asked_for(self):
        self.filled()
        p = self.pty('-v', 'series', self.segment)
        p.expect(b'[2 Series]')
        self.assertNotIn(b'1000h', p.read())
        p.send(b'm')
        p.expect(b'1000h')
        # A click on a view, in the protocol that the terminal was asked for.
        p.send(b'\x1b[<0;3;3M\x1b[<0;3;3m' if b'1006' in p.read() else b'\x1b[M ##')
        p.expect(b'[1 Overview]')
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        self.assertTrue(p.restored())
        self.assertIn(b'1000l', p.output[p.output.rindex(b'1000h'):])

    def test_cpu__idle__is_next_to_nothing(self):
        w = self.filled()
        w.do('fill 900')
        p = self.pty('-v', 'series', self.segment)
        p.expect(b'[2 Series]')

        def run_s():
            with open(f'/proc/{p.child.pid}/schedstat', encoding='ascii') as f:
                return int(f.read().split()[0]) / 1e9

        p.expect_more()
        before = run_s()
        p.expect_more()
        # A second of which it may take 1 %; the machine may be busy, so allow for cold caches.
        self.assertLess(run_s() - before, 0.03)
        p.send(b'q')
        self.assertEqual(p.end(), 0)


if __name__ == '__main__':
    unittest.main()
