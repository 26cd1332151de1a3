# SPDX-License-Identifier: Apache-2.0
"""What the tests of the shardmeter command share: a segment of their own, and the program run on it."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import termios
import time
import unittest

from process_util import DEADLINE_S, Writer

BUILD = os.path.abspath(os.environ.get('BUILD', 'build/release'))
SRCDIR = os.environ.get('SRCDIR', os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CLI = os.path.join(BUILD, 'shardmeter')
EXPORTER = os.path.join(BUILD, 'shardmeter-exporter')
WRITER = os.path.join(BUILD, 'tests/system/cli_writer')
NOBODY = 65534
MAX = 2**64 - 1


class Case(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='test-cli.', dir='/dev/shm')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.segment = os.path.join(self.dir, 'segment')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('SHARDMETER_')}
        self.env['SHARDMETER_SEGMENT'] = self.segment

    def run_cli(self, *args, env=None, **kwargs):
        """Run it; the streams as text, line ends as they are."""
        result = subprocess.run([CLI, *args], env=dict(self.env, **(env or {})), capture_output=True,
                                timeout=60, check=False, **kwargs)
        result.stdout = result.stdout.decode()
        result.stderr = result.stderr.decode()
        return result

    def ok(self, *args, **kwargs):
        """Must succeed without a word on standard error; its output."""
        result = self.run_cli(*args, **kwargs)
        self.assertEqual((result.returncode, result.stderr), (0, ''), args)
        return result.stdout

    def fails(self, code, *args, **kwargs):
        """Must end with code and one line that is not the usage; the line."""
        result = self.run_cli(*args, **kwargs)
        self.assertEqual(result.returncode, code, (args, result.stderr))
        self.assertEqual(result.stderr.count('\n'), 1, result.stderr)
        self.assertNotIn('usage:', result.stderr)
        return result.stderr

    def create(self):
        self.ok('inc', '--create', '--strict', 'first_total')

    def writer(self, name='shard-3'):
        w = Writer([WRITER, self.segment, name])
        self.addCleanup(w.kill)
        return w

    def dump(self, *args):
        return json.loads(self.ok('dump', '--format', 'json', *args))

    def family(self, name):
        found = [f for f in self.dump()['families'] if f['name'] == name]
        self.assertEqual(len(found), 1, name)
        return found[0]

    def value(self, name, **labels):
        found = [s for s in self.family(name)['series'] if s['labels'] == labels]
        self.assertEqual(len(found), 1, (name, labels))
        return found[0].get('value', found[0].get('count'))

    def comma_locale(self):
        """The environment of somebody who writes 0,5; made here, since few systems have it ready."""
        made = subprocess.run(['localedef', '-i', 'de_DE', '-f', 'UTF-8', os.path.join(self.dir, 'de_DE.UTF-8')],
                              capture_output=True, check=False)
        env = {'LOCPATH': self.dir, 'LC_ALL': 'de_DE.UTF-8'}
        probe = subprocess.run(['locale', 'decimal_point'], env=dict(os.environ, **env), capture_output=True, check=True)
        self.assertEqual(probe.stdout, b',\n', made.stderr)
        return env

    def start(self, *args, **kwargs):
        """The command in the background: a process that the end of the test kills."""
        p = subprocess.Popen([CLI, *args], env=self.env, stdin=kwargs.pop('stdin', subprocess.DEVNULL),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **kwargs)

        def stop():
            p.kill()
            p.wait()
            for f in (p.stdin, p.stdout, p.stderr):
                if f:
                    f.close()
        self.addCleanup(stop)
        return p

    def read_until(self, f, part):
        """What comes from a pipe of start() until part is in it."""
        data, end = b'', time.monotonic() + DEADLINE_S
        while part not in data:
            ready, _, _ = select.select([f], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, (part, data))
            more = os.read(f.fileno(), 65536)
            self.assertTrue(more, (part, data))
            data += more
        return data

    def on_terminal(self, *args, env=None, columns=80):
        """Run it on a terminal of its own; exit code and all that it printed."""
        pid, fd = pty.fork()
        if pid == 0:
            termios.tcsetwinsize(0, (24, columns))
            os.execve(CLI, [CLI, *args], dict(self.env, **(env or {})))
        data = b''
        while True:
            ready, _, _ = select.select([fd], [], [], DEADLINE_S)
            self.assertTrue(ready, data)
            try:
                more = os.read(fd, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), data


class Shell:
    """An interactive shell on a terminal of its own."""
    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        self.data = ''

    def read_until(self, pattern):
        end = time.monotonic() + DEADLINE_S
        while True:
            clean = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r|\x07', '', self.data)
            found = re.search(pattern, clean)
            if found:
                self.data = ''
                return found
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f'no {pattern!r} in {clean!r}')
            self.data += os.read(self.fd, 65536).decode(errors='replace')

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def run(self, line, pattern):
        self.type(line + '\n')
        return self.read_until(pattern)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)
