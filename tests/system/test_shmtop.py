#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 300
"""shmtop as its users meet it: in a terminal, in a pipe, with segments that die, move or are torn.

What is on the screen is read from tmux; that the terminal is as before is checked on a pty of our
own. The segment is written by shmtop_writer.c, which answers each line, so nothing here sleeps.
"""

import csv
import io
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import unittest

from process_util import DEADLINE_S, wait_for
from shmtop_util import HOSTILE, SHMTOP, SRCDIR, WRITER, Case, environment

MAJOR_OFFSET = 16    # see shardmeter(5)


class Text(Case):
    def test_once__in_a_pipe__is_a_plain_table(self):
        self.filled()
        for args in (['--once'], []):
            r = self.shmtop(*args, self.segment)
            self.assertEqual((r.returncode, r.stderr), (0, b''))
            self.assert_plain(r.stdout)
            text = r.stdout.decode()
            self.assertRegex(text, r'^bot  v2\.14\.0  layout \d+\.\d+  1/1 writers up  worst beat ')
            self.assertRegex(text, r'\ncommands_total\{command="play"\} +5 ')
            self.assertRegex(text, r'\ncommands_total\{command="big"\} +9007199254740993 ')
            self.assertRegex(text, r'\nopen_files\{writer="shard-1"\} +4 +-')
            self.assertRegex(text, r'\nconnection_state\{writer="shard-1"\} +up ')
            self.assertRegex(text, r'\ncommand_duration_seconds +100 .* 19\.\dms  20\.\dms')

    def test_json__any__is_exact_and_parses(self):
        w = self.filled()
        w.do('fill 50')
        r = self.shmtop('--json', '-S', self.segment)
        self.assertEqual((r.returncode, r.stderr), (0, b''))
        top = json.loads(r.stdout)
        self.assertEqual(top['schema'], 1)
        self.assertEqual(top['segment']['path'], self.segment)
        self.assertIsNone(top['interval_s'])
        self.assertEqual([(x['name'], x['state']) for x in top['writers']
                          if x['state'] != 'common'], [('shard-1', 'live')])
        values = {(s['name'], tuple(s['labels'].values())): s for s in top['series']}
        self.assertEqual(values['commands_total', ('big',)]['value'], 2**53 + 1)
        self.assertEqual(values['connection_state', ()]['state'], 'up')
        self.assertEqual(values['open_files', ()]['writer'], 'shard-1')
        self.assertEqual(values['more_total', ('49',)]['value'], 50)
        duration = values['command_duration_seconds', ()]
        self.assertEqual((duration['count'], duration['sum'], duration['unit']),
                         (100, 2, 'seconds'))
        self.assertAlmostEqual(duration['p50'], 0.02, delta=0.02 * 0.09)
        self.assertEqual(len(top['series']), 6 + 50)

    def test_json__two_samples__have_the_rate_of_the_measured_interval(self):
        w = self.filled()
        child = subprocess.Popen([SHMTOP, '-n', '3', '-d', '0.3', '--json', self.segment],
                                 stdout=subprocess.PIPE, text=True, env=environment())
        first = json.loads(child.stdout.readline())
        w.count(600, b'play')
        second = json.loads(child.stdout.readline())
        third = json.loads(child.stdout.readline())
        self.assertEqual((child.wait(), child.stdout.read()), (0, ''))
        child.stdout.close()
        plays = [next(s for s in x['series'] if s['labels'].get('command') == 'play')
                 for x in (first, second, third)]
        self.assertEqual([p['value'] for p in plays], [5, 605, 605])
        self.assertGreaterEqual(second['interval_s'], 0.25)
        self.assertAlmostEqual(plays[1]['rate'] * second['interval_s'], 600, places=5)
        self.assertEqual(plays[2]['rate'], 0)

    def test_csv__hostile_labels__parse_back(self):
        w = self.filled()
        for label in HOSTILE:
            w.count(1, label)
        r = self.shmtop('--csv', self.segment)
        self.assertEqual(r.returncode, 0)
        self.assert_plain(r.stdout)
        rows = list(csv.DictReader(io.StringIO(r.stdout.decode(), newline='')))
        self.assertEqual(len(rows), 6 + len(HOSTILE))
        labels = {row['labels']: row for row in rows}
        self.assertEqual(labels['command="big"']['value'], str(2**53 + 1))
        self.assertIn('command="quote \\" back \\\\ line \\n"', labels)
        self.assertIn('command="na\u00efve \u6f22"', labels)
        self.assertIn('command="\\x1b[2J\\x1b]0;owned\\x07"', labels)

    def test_hostile_labels__everywhere__are_escaped(self):
        w = self.writer()
        for label in HOSTILE:
            w.count(1, label)
        for args in (['--once'], ['--json'], ['-n1', '-d0.1'], ['--once', '--ascii']):
            r = self.shmtop(*args, self.segment)
            self.assertEqual(r.returncode, 0)
            self.assert_plain(r.stdout)
        top = json.loads(self.shmtop('--json', self.segment).stdout)
        self.assertEqual(sorted(s['labels']['command'] for s in top['series']
                                if s['name'] == 'commands_total'),
                         sorted(label.decode() for label in HOSTILE))

    def test_output__in_locale_c__is_ascii(self):
        w = self.filled()
        w.count(1, HOSTILE[4])
        r = self.shmtop('--once', self.segment, LC_ALL='C')
        self.assertTrue(r.stdout.isascii())
        self.assertIn(b'na\\xc3\\xafve', r.stdout)
        p = self.pty(self.segment, LC_ALL='C')
        p.expect(b'worst beat')
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        self.assertTrue(p.output.isascii(), p.output)

    def test_filter__no_match__says_so_and_is_1(self):
        self.filled()
        r = self.shmtop('--once', '-f', 'play', self.segment)
        self.assertEqual(r.returncode, 0)
        self.assertIn(b'play', r.stdout)
        self.assertNotIn(b'queue_length', r.stdout)
        r = self.shmtop('--once', '-f', 'nowhere', self.segment)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b'no series matches the filter "nowhere"', r.stderr)
        r = self.shmtop('--once', '-f', '~(', self.segment)
        self.assertEqual(r.returncode, 2)

    def test_sort__by_value__is_descending(self):
        self.filled()
        r = self.shmtop('--json', '-s', 'value', '-f', 'commands_total', self.segment)
        values = [s['value'] for s in json.loads(r.stdout)['series']]
        self.assertEqual(values, [2**53 + 1, 5])

    def test_batch__reader_closes_the_pipe__is_quiet(self):
        self.filled()
        for args in (['-b', '-d', '0.1'], ['-b', '-d', '0.1', '--json'], ['--help']):
            child = subprocess.Popen([SHMTOP, *args, self.segment], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=environment())
            child.stdout.read(1)
            child.stdout.close()
            self.assertEqual(child.stderr.read(), b'')
            self.assertEqual(child.wait(DEADLINE_S), 0)
            child.stderr.close()

    def test_batch__signal__ends_it(self):
        self.filled()
        for number in (signal.SIGINT, signal.SIGTERM):
            child = subprocess.Popen([SHMTOP, '-b', '-d', '0.1', self.segment],
                                     stdout=subprocess.PIPE, env=environment())
            child.stdout.read(1)
            child.send_signal(number)
            self.assertEqual(child.wait(DEADLINE_S), -number)
            child.stdout.close()


class Messages(Case):
    def assert_error(self, result, status, *texts):
        self.assertEqual((result.returncode, result.stdout), (status, b''), result.stderr)
        for text in texts:
            self.assertIn(text, result.stderr.decode())
        self.assertNotIn('Traceback', result.stderr.decode())

    def test_usage__wrong__is_2(self):
        self.assert_error(self.shmtop('--nonsense'), 2, '--nonsense', '--help')
        self.assert_error(self.shmtop('-d', '0', self.segment), 2, '--delay')
        self.assert_error(self.shmtop('a', 'b'), 2, 'one segment')

    def test_segment__not_there__is_3(self):
        self.assert_error(self.shmtop('--once', self.segment), 3, self.segment,
                          'is the bot running?', 'shmtop --list')
        self.assert_error(self.shmtop('--once', SHARDMETER_SEGMENT=self.segment), 3, self.segment)

    def test_segment__not_one__is_5(self):
        for content in (b'', b'x' * 100, b'\0' * 65536, os.urandom(65536)):
            with open(self.segment, 'wb') as f:
                f.write(content)
            r = self.shmtop('--once', self.segment)
            self.assertIn(r.returncode, (3, 5) if not any(content) else (5,), r.stderr)
            self.assertIn(self.segment, r.stderr.decode())
            self.assertEqual(r.stdout, b'')

    def test_segment__other_layout__is_5_with_both_versions(self):
        self.writer().close()
        shown = self.shmtop('--version').stdout.decode()
        major = int(re.search(r'layout (\d+)\.', shown).group(1))
        with open(self.segment, 'r+b') as f:
            f.seek(MAJOR_OFFSET)
            self.assertEqual(struct.unpack('H', f.read(2))[0], major)
            f.seek(MAJOR_OFFSET)
            f.write(struct.pack('H', 77))
        self.assert_error(self.shmtop('--once', self.segment), 5, '77.', f'{major}.')

    def test_segment__not_readable__is_6(self):
        self.filled()
        os.chmod(self.directory, 0o755)
        os.chmod(self.segment, 0o600)
        program = os.path.join(self.directory, 'shmtop')
        shutil.copy(SHMTOP, program)
        command = [program, '--once', self.segment]
        if os.geteuid() == 0:
            command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', *command]
        else:
            os.chmod(self.segment, 0)
        r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                           env=environment())
        self.assert_error(r, 6, self.segment)

    def test_wait__segment_comes_later__is_shown(self):
        child = subprocess.Popen([SHMTOP, '--once', '--wait', self.segment],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.addCleanup(child.kill)
        # It says what it waits for before it waits.
        wait_for(lambda: select.select([child.stderr], [], [], 0)[0], 'a message')
        self.filled()
        out, err = child.communicate(timeout=DEADLINE_S)
        self.assertEqual(child.returncode, 0)
        self.assertEqual(err.decode(), f'shmtop: waiting for the segment {self.segment}; '
                                       'Ctrl-C ends\n')
        self.assertIn(b'layout', out)

    def test_wait__in_vain__is_3(self):
        self.assert_error(self.shmtop('--once', '--wait=0.3', self.segment), 3, self.segment)

    def test_discovery__in_the_default_place__finds_the_one(self):
        script = r'''
            set -eu
            mount -t tmpfs none /dev/shm
            [ ! -d /run/shardmeter ] || mount -t tmpfs none /run
            t() { "$SHMTOP" "$@" >out 2>err && rc=0 || rc=$?; echo "$rc $(head -1 err)"; }
            cd /dev/shm
            t --once; t --list
            coproc ONE { exec "$WRITER" one shard-1; }; read -r ok <&"${ONE[0]}"
            t --once; grep -c shardmeter.one out || true; head -1 out | cut -c1-5
            t --once on; t --once nope
            "$WRITER" old shard-1 </dev/null >/dev/null
            t --once; head -1 out | cut -c1-5
            coproc TWO { exec "$WRITER" onemore shard-1; } 2>/dev/null; read -r ok <&"${TWO[0]}"
            t --once; grep -c shard err || true
            t --once one; t --once o
            t --list; cut -c1-40 out | sed 's/ *$//'
        '''
        r = subprocess.run(['unshare', '-rm' if os.geteuid() else '-m', 'bash', '-c', script],
                           env=environment(SHMTOP=os.path.abspath(SHMTOP),
                                           WRITER=os.path.abspath(WRITER)),
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                           check=False)
        lines = r.stdout.splitlines()
        self.assertGreater(len(lines), 10, r.stderr)
        self.assertTrue(lines[0].startswith('3 shmtop: there is no segment: looked in'), lines)
        self.assertTrue(lines[1].startswith('3 '), lines)
        self.assertEqual(lines[2:5], ['0 ', '0', 'one  '])
        self.assertEqual(lines[5], '0 ')                       # a unique begin
        self.assertTrue(lines[6].startswith('3 shmtop: there is no segment'), lines)
        self.assertEqual(lines[7:9], ['0 ', 'one  '])          # only one of two is alive
        self.assertEqual(lines[9], '4 shmtop: there are several segments:')
        self.assertEqual(lines[11], '0 ')                      # the whole name wins
        self.assertEqual(lines[12], '4 shmtop: there are several segments:')
        self.assertEqual(lines[13], '0 ')
        self.assertEqual([line.split(None, 1) for line in lines[14:]],
                         [['SEGMENT', 'STATE'], ['old', 'no writers'], ['one', '1 writer up'],
                          ['onemore', '1 writer up']])


class Terminal(Case):
    def start(self, *args, **kwargs):
        self.filled()
        p = self.pty('-v', 'series', *args, self.segment, **kwargs)
        p.expect(b'worst beat')
        return p

    def test_quit__by_key__restores_the_terminal(self):
        p = self.start()
        self.assertNotEqual(termios.tcgetattr(p.slave), p.before)
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        self.assertTrue(p.restored())

    def test_signals__asking_to_end__restore_the_terminal(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            p = self.start()
            p.child.send_signal(number)
            self.assertEqual(p.end(), -number)
            self.assertTrue(p.restored(), signal.Signals(number).name)

    def test_ctrl_c__typed__restores_the_terminal(self):
        p = self.start()
        p.send(b'\x03')
        self.assertEqual(p.end(), -signal.SIGINT)
        self.assertTrue(p.restored())

    def test_signals__fatal__restore_the_terminal(self):
        for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE):
            p = self.start()
            p.child.send_signal(number)
            self.assertEqual(p.end(), -number)
            self.assertTrue(p.restored(), signal.Signals(number).name)
            self.assertIn(b'the terminal is restored', p.output)

    def test_resize__any_size__goes_on(self):
        p = self.start()
        for width, height in ((1, 1), (2, 50), (300, 2), (7, 3), (40, 10), (500, 200), (80, 24)):
            p.size(width, height)
            p.expect_more()
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        self.assertTrue(p.restored())

    def test_terminal__closed__ends_it(self):
        p = self.start()
        os.close(p.master)
        os.close(p.slave)
        p.master = p.slave = -1
        # By the kernel's SIGHUP or by noticing it first: no loop on a dead terminal.
        self.assertIn(p.child.wait(DEADLINE_S), (0, -signal.SIGHUP))

    def test_term__unknown__says_what_to_do(self):
        self.filled()
        p = self.pty(self.segment, TERM='nosuch')
        self.assertEqual(p.end(), 2)
        self.assertIn(b'TERM=nosuch', p.output)
        self.assertIn(b'--once', p.output)
        self.assertEqual(termios.tcgetattr(p.slave), p.before)

    def test_term__dumb__gets_a_table(self):
        self.filled()
        p = self.pty(self.segment, TERM='dumb')
        self.assertEqual(p.end(), 0)
        self.assertIn(b'AVERAGE/s', p.output)
        self.assertNotIn(b'\x1b', p.output)

    def test_color__as_asked(self):
        colour = re.compile(rb'\x1b\[(?:\d+;)*3[0-7]m')
        for args, env, expected in (([], {}, True), ([], {'NO_COLOR': '1'}, False),
                                    ([], {'NO_COLOR': ''}, True),
                                    (['--color=always'], {'NO_COLOR': '1'}, True),
                                    (['--color=never'], {}, False)):
            p = self.start(*args, **env)
            p.send(b'q')
            self.assertEqual(p.end(), 0)
            self.assertEqual(bool(colour.search(p.output)), expected, (args, env))

    def test_hostile_labels__on_the_screen__are_escaped(self):
        w = self.writer()
        for label in HOSTILE:
            w.count(1, label)
        p = self.pty('-v', 'series', self.segment, width=150)
        p.expect(b'\\x1b[2J\\x1b]0;owned\\x07')
        p.send(b'q')
        self.assertEqual(p.end(), 0)
        self.assertNotIn(b'\x1b]0;owned', p.output)
        self.assertNotIn('\u009b'.encode(), p.output)
        self.assertNotIn('\u202e'.encode(), p.output)

    def test_segment__truncated__says_so_and_leaves_cleanly(self):
        for size in (0, 100, 4096, 65536):
            w = self.writer(f'shard-{size}')
            w.count(5, b'play')
            t_pty = self.pty('-v', 'series', '-d', '0.1', self.segment)
            t_pty.expect(b'commands_total')
            w.kill()
            os.truncate(self.segment, size)
            t_pty.expect(b'STALE')
            t_pty.send(b'q')
            self.assertEqual(t_pty.end(), 0)
            self.assertTrue(t_pty.restored())
            os.unlink(self.segment)


class Screen(Case):
    def test_table__at_80x24__shows_what_is_counted(self):
        self.filled()
        t = self.tmux('-v', 'series', '-d', '0.1', self.segment)
        screen = t.expect(r'^  command_duration_seconds')
        lines = screen.splitlines()
        self.assertRegex(lines[0], r'^bot  v2\.14\.0  .*1/1 writers up  worst beat '
                                   r'.*shard-1 .*\d\d:\d\d:\d\d$')
        self.assertRegex(lines[1], r'^all writers are well .* every 0\.1s$')
        self.assertRegex(lines[2], r'^1 Overview \[2 Series\] 3 Writers .* 6 series  \d+% used$')
        self.assertRegex(lines[3], r'^  SERIES\u25b2 +VALUE +CHANGE/s .*p95 +p99 +LAST')
        self.assertRegex(screen, r'(?m)^  commands_total\{play\} +5 ')
        self.assertRegex(lines[23], r'^h Help  / Filter')
        t.expect(r'^  commands_total\{play\} +5 +0 +\u00b7')

    def test_keys__typed__change_the_view(self):
        self.filled()
        t = self.tmux('-v', 'series', '-d', '0.1', self.segment)
        t.expect('commands_total')
        t.keys('s')
        t.expect(r'VALUE\u25bc')
        t.keys('r')
        t.expect(r'VALUE\u25b2')
        t.keys('/', 'command=pl')
        t.expect(r'^Filter: command=pl$')
        t.keys('Enter')
        screen = t.expect(r'1 of 6  /command=pl')
        self.assertNotIn('queue_length', screen)
        t.keys('Escape')
        t.expect('queue_length')
        t.keys('Space')
        t.expect('PAUSED')
        t.keys('Space', '+')
        t.expect(r'^a sample every 0\.2 s$')
        t.keys('h')
        t.expect(r'this help')
        t.keys('q')
        t.expect('queue_length')
        t.keys('q')
        t.expect(r'^status 0$')

    def test_stop__and_continue__leaves_and_takes_the_screen(self):
        self.filled()
        t = self.tmux('-v', 'series', '-d', '0.1', self.segment)
        t.expect('commands_total')
        t.keys('C-z')
        screen = t.expect('Stopped')
        self.assertNotIn('SERIES', screen)
        t.keys('stty -a', 'Enter')
        t.expect('isig icanon iexten echo ')
        t.keys('fg', 'Enter')
        screen = t.expect('SERIES')
        self.assertNotIn('Stopped', screen)
        t.keys('s')
        t.expect('VALUE\u25bc')
        t.keys('q')
        t.expect('icanon')

    def test_sizes__small_and_large__show_the_best_of_it(self):
        self.filled()
        t = self.tmux('-v', 'series', '-d', '0.1', self.segment, width=200, height=50)
        t.expect(r'^  commands_total\{command=play\} +5( +0){6} +\u00b7 +\u00b7 +\u00b7 ')
        t.resize(40, 10)
        t.expect(r'^  \S*comm\S+ +5 +0$')
        t.resize(20, 4)
        screen = t.expect(r'^  comm.*lay\} +5$|^  comm\S+ +\S+$')
        self.assertRegex(screen, r'^bot  1/1 up')
        t.resize(80, 24)
        t.expect(r'^  commands_total\{play\} +5 +0 +\u00b7')

    def test_writer__killed__keeps_its_counts(self):
        w = self.filled()
        w2 = self.writer('shard-2')
        t = self.tmux('-v', 'series', '-d', '0.1', self.segment)
        t.expect('2/2 writers up')
        w.kill()
        t.expect(r'^! shard-1 died ')
        screen = t.expect(r'1/2 writers up')
        self.assertRegex(screen, r'(?m)^  commands_total\{play\} +5 ')
        t.expect(r'^\u2715 open_files\{shard-1\} +4 +stale')
        t.expect(r'^\u2715 queue_length +3 +stale')
        # It comes back under its name and goes on.
        w = self.filled()
        t.expect(r'^all writers are well')
        t.expect(r'^  commands_total\{play\} +10 ')
        w.close()
        w2.close()
        t.expect(r'^no writer is running')

    def test_segment__replaced__is_followed(self):
        w = self.filled()
        t = self.tmux('-v', 'series', '-d', '0.1', self.segment)
        t.expect(r'^  commands_total\{play\} +5 ')
        w.kill()
        os.unlink(self.segment)
        screen = t.expect('REMOVED')
        self.assertRegex(screen, r'(?m)^  commands_total\{play\} +5 ')
        w = self.writer('shard-9')
        w.count(77, b'play')
        screen = t.expect(r'^  commands_total\{play\} +77 ')
        self.assertNotIn('REMOVED', screen)
        t.expect('1/1 writers up')

    def test_many__series__scroll(self):
        w = self.filled()
        w.do('fill 3000')
        t = self.tmux('-v', 'series', '-d', '0.5', self.segment)
        t.expect(r'1-19 of 3006$')
        t.keys('G')
        t.expect(r'2988-3006 of 3006$')
        t.keys('g')
        t.expect(r'1-19 of 3006$')
        t.keys('/', 'number=2999')
        t.expect(r'^  more_total\{2999\} +3000 ')

    def test_rates__of_a_running_counter__are_right(self):
        w = self.filled()
        t = self.tmux('-v', 'series', '-d', '0.5', '-s', 'rate', self.segment)
        t.expect(r'CHANGE/s\u25bc')
        seen = []

        def rate():
            w.count(50, b'play')
            match = re.search(r'commands_total\{play\} +\d+ +([\d.]+)', t.screen())
            if match and float(match.group(1)) > 0:
                seen.append(float(match.group(1)))
            return len(seen) > 20

        wait_for(rate, 'rates')
        self.assertGreater(max(seen), 50)


class Manual(Case):
    def manual(self):
        path = os.path.join(SRCDIR, 'docs', 'man', 'shmtop.1')
        r = subprocess.run(['man', '-l', '-Tascii', path], capture_output=True, text=True,
                           check=True, env=environment(MANWIDTH='200', LC_ALL='C'))
        return re.sub(r'\s+', ' ', re.sub('.\b', '', r.stdout))

    def test_keys__each__is_in_the_manual(self):
        text = self.manual()
        keys = self.shmtop('--dump-keys').stdout.decode().splitlines()
        self.assertGreater(len(keys), 10)
        for line in keys:
            self.assertIn(' '.join(line.split('\t')), text)

    def test_options__each__is_in_the_manual(self):
        text = self.manual()
        shown = self.shmtop('--help').stdout.decode()
        options = re.findall(r'^ +(?:-(\w), )?(--[\w-]+)(\S*) ', shown, re.M)
        self.assertGreater(len(options), 12)
        for letter, name, argument in options:
            self.assertIn(f'{name}{argument}', text)
            if letter:
                self.assertIn(f'-{letter}, {name}', text)

    def test_help__and_version__go_to_standard_output(self):
        r = self.shmtop('--help')
        self.assertEqual((r.returncode, r.stderr), (0, b''))
        self.assertLessEqual(len(r.stdout.splitlines()), 24)
        r = self.shmtop('--version')
        self.assertEqual((r.returncode, r.stderr), (0, b''))
        self.assertRegex(r.stdout, rb'^shmtop \d+\.\d+\.\d+ \(layout \d+\.\d+\)\n$')


if __name__ == '__main__':
    unittest.main()
