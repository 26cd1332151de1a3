# SPDX-License-Identifier: Apache-2.0
"""What system tests in Python share: waiting for something, and a program that does lines."""
import subprocess
import time

DEADLINE_S = 20


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Call condition until it returns something true; that is the result."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f'not within {deadline_s} s: {what}')
        time.sleep(0.02)


class Writer:
    """A program that does what lines on its stdin say and answers "ok" to each, and once when it is
    ready. begin() and end() are the halves of do()."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.end()

    def begin(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def end(self):
        line = self.process.stdout.readline()
        if line != 'ok\n':
            raise AssertionError(f'{self.process.args} said {line!r}')

    def do(self, *lines):
        for line in lines:
            self.begin(line)
            self.end()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()
        return self.process.wait(3 * DEADLINE_S)

    def kill(self):
        self.process.kill()
        self.close()
