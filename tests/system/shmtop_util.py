# SPDX-License-Identifier: Apache-2.0
"""What the tests of shmtop share: its writer, a pseudo terminal, a terminal whose screen can be read."""

import fcntl
import os
import pty
import re
import resource
import shlex
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

from process_util import Writer, wait_for

SRCDIR = os.environ.get('SRCDIR', os.path.join(os.path.dirname(__file__), '..', '..'))
BUILD = os.environ.get('BUILD', os.path.join(SRCDIR, 'build', 'release'))
SHMTOP = os.path.join(BUILD, 'shmtop')
WRITER = os.path.join(BUILD, 'tests', 'system', 'shmtop_writer')
HOSTILE = [b'\x1b[2J\x1b]0;owned\x07', 'c1 \u009b2J'.encode(), 'bidi \u202e\u2066'.encode(),
           b'quote " back \\ line \n', 'na\u00efve \u6f22'.encode(), 'tag \U000e0041'.encode()]


def environment(**extra):
    env = {'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8', 'TERM': 'xterm-256color', 'TZ': 'UTC'}
    env.update(extra)
    return env


class TopWriter(Writer):
    def count(self, n, label):
        self.do(f'count {n} {label.hex()}')


class Pty:
    """shmtop on a pseudo terminal of its own, as the leader of a session."""

    def __init__(self, *args, width=80, height=24, **env):
        self.output = b''
        self.master, self.slave = pty.openpty()
        self.size(width, height)
        self.before = termios.tcgetattr(self.slave)

        def in_child():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        self.child = subprocess.Popen([SHMTOP, *args], stdin=self.slave, stdout=self.slave,
                                      stderr=self.slave, env=environment(**env),
                                      start_new_session=True, preexec_fn=in_child)
        os.set_blocking(self.master, False)

    def size(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', height, width, 0, 0))

    def read(self):
        try:
            while True:
                data = os.read(self.master, 65536)
                if not data:
                    break
                self.output += data
        except OSError:
            pass
        return self.output

    def expect(self, what):
        return wait_for(lambda: what in self.read(), f'{what!r} in {self.read()[-3000:]!r}')

    def expect_more(self):
        """Something was drawn since."""
        size = len(self.read())
        wait_for(lambda: len(self.read()) > size, 'a redraw')

    def send(self, data):
        os.write(self.master, data)

    def end(self):
        """The exit status, once everything that was written has been read."""
        wait_for(lambda: (self.read(), self.child.poll() is not None)[1], 'the end of shmtop')
        self.read()
        return self.child.returncode

    def restored(self):
        return (termios.tcgetattr(self.slave) == self.before
                and self.output.rfind(b'\x1b[?1049l') > self.output.rfind(b'\x1b[?1049h') >= 0)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


class Tmux:
    """A terminal whose screen can be read."""

    def __init__(self, directory, *args, width=80, height=24, **env):
        self.base = ['tmux', '-S', os.path.join(directory, 'tmux'), '-f', '/dev/null']
        variables = [f'{k}={v}' for k, v in environment(**env).items() if k != 'TERM']
        subprocess.run([*self.base, 'new-session', '-d', '-x', str(width), '-y', str(height),
                        'env', *variables, 'bash', '--norc', '-i'],
                       check=True, env=environment())
        # A shell with job control: Ctrl-Z works only under one.
        self.keys(f"PS1='$ '; clear; {shlex.join([SHMTOP, *args])}; echo status $?", 'Enter')

    def run(self, *args):
        return subprocess.run([*self.base, *args], check=True, capture_output=True,
                              env=environment()).stdout.decode()

    def screen(self):
        return self.run('capture-pane', '-p')

    def keys(self, *keys):
        self.run('send-keys', *keys)

    def resize(self, width, height):
        self.run('resize-window', '-x', str(width), '-y', str(height))

    def expect(self, pattern):
        last = ['']

        def there():
            last[0] = self.screen()
            return re.search(pattern, last[0], re.M) and last[0]

        try:
            return wait_for(there, pattern)
        except AssertionError as e:
            raise AssertionError(f'{e}\n{last[0]}') from None

    def close(self):
        subprocess.run([*self.base, 'kill-server'], check=False, capture_output=True,
                       env=environment())


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix='shmtop-', dir='/dev/shm')
        self.addCleanup(shutil.rmtree, self.directory)
        self.segment = os.path.join(self.directory, 'shardmeter.bot')

    def writer(self, name='shard-1'):
        w = TopWriter([WRITER, self.segment, name])
        self.addCleanup(w.close)
        return w

    @staticmethod
    def writer_program():
        return WRITER

    def pty(self, *args, **kwargs):
        p = Pty(*args, **kwargs)
        self.addCleanup(p.close)
        return p

    def tmux(self, *args, **kwargs):
        t = Tmux(self.directory, *args, **kwargs)
        self.addCleanup(t.close)
        return t

    def shmtop(self, *args, **env):
        return subprocess.run([SHMTOP, *args], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60, env=environment(**env), check=False)

    def filled(self):
        w = self.writer()
        w.count(5, b'play')
        w.count(2**53 + 1, b'big')
        w.do('gauge 3', 'all 4', 'state 1', 'observe 0.02 100', 'beat')
        return w

    def assert_plain(self, output):
        for byte in output:
            if byte < 0x20 and byte not in b'\r\n' or byte == 0x7f:
                raise AssertionError(f'control character {byte:#x} in {output!r}')
        self.assertNotRegex(output.decode(), '[\u0080-\u009f\u202a-\u202e\u2066-\u2069]')
