# SPDX-License-Identifier: Apache-2.0
"""What the tests of the environment share: proc_helper as a process that one talks to."""
import os
import selectors
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get('BUILD', 'build/release')
HELPER = os.path.join(BUILD, 'tests/system/proc_helper')
ANSWER_S = 30
SKIP = 77


def skip(reason):
    print(reason)
    sys.exit(SKIP)


def check(truth, what):
    if not truth:
        raise AssertionError(what)


def equal(have, want, what='value'):
    check(have == want, f'{what} is {have!r}, not {want!r}')


class Refused(Exception):
    """An answer "error NUMBER MESSAGE"."""

    def __init__(self, number, message):
        super().__init__(f'{number} {message}')
        self.number = number
        self.message = message


class Helper:
    """A running proc_helper. Ends with the `with` block."""

    def __init__(self, prefix=(), env=None, helper=None, **kwargs):
        clean = {k: v for k, v in os.environ.items() if not k.startswith('SHARDMETER_')}
        clean.update(env or {})
        self.child = subprocess.Popen([*prefix, helper or HELPER], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, bufsize=1, env=clean, **kwargs)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.child.stdout, selectors.EVENT_READ)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(ANSWER_S)
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            self.child.stdout.close()

    def kill(self):
        self.child.kill()
        self.child.wait()

    def send(self, *words):
        self.child.stdin.write(' '.join(str(w) for w in words) + '\n')

    def answer(self):
        check(self.selector.select(ANSWER_S), f'no answer for {ANSWER_S} s')
        line = self.child.stdout.readline()
        check(line, f'the helper ended with {self.child.poll()}')
        word, _, rest = line.rstrip('\n').partition(' ')
        if word == 'ok':
            return rest
        number, _, message = rest.partition(' ')
        raise Refused(int(number), message)

    def do(self, *words):
        self.send(*words)
        return self.answer()

    def refused(self, number, *words):
        """Do what must be refused with this errno; its message."""
        try:
            answer = self.do(*words)
        except Refused as e:
            equal(e.number, -number, f'{words} failed with "{e.message}"; error')
            check(e.message and '\n' not in e.message, f'{words}: message {e.message!r}')
            return e.message
        raise AssertionError(f'{words} was not refused: {answer!r}')


class Directory:
    """An empty directory in shared memory, removed at the end."""

    def __init__(self, mode=0o755):
        self.mode = mode

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='shardmeter-test-', dir='/dev/shm')
        os.chmod(self.path, self.mode)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def main(cases):
    """Run the functions, in order; the names of those that fail."""
    failed = 0
    for case in cases:
        try:
            case()
            print(f'ok      {case.__name__}', flush=True)
        except (AssertionError, Refused, OSError, subprocess.SubprocessError) as e:
            print(f'FAILED  {case.__name__}: {e}', flush=True)
            failed += 1
    sys.exit(1 if failed else 0)
