# SPDX-License-Identifier: Apache-2.0
"""What the tests of the exporter share: starting it, feeding a segment, asking, waiting."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
import urllib.parse

from process_util import DEADLINE_S, wait_for

BUILD = os.environ.get('BUILD', 'build/release')
SRCDIR = os.environ.get('SRCDIR', '.')
EXPORTER = os.path.join(BUILD, 'shardmeter-exporter')
FEEDER = os.path.join(BUILD, 'tests/system/feeder')


class Place:
    """A directory for a segment and one for a store, gone at the end, with all processes."""

    def __enter__(self):
        self.shm = tempfile.mkdtemp(prefix='shardmeter-test-', dir='/dev/shm')
        self.disk = tempfile.mkdtemp(prefix='shardmeter-test-')
        self.segment = os.path.join(self.shm, 'segment')
        self.store = os.path.join(self.disk, 'store')
        self.processes = []
        return self

    def __exit__(self, *exc):
        for p in self.processes:
            p.kill()
        shutil.rmtree(self.shm, ignore_errors=True)
        shutil.rmtree(self.disk, ignore_errors=True)

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith('SHARDMETER_')}
        env.update(SHARDMETER_SEGMENT=self.segment, SHARDMETER_EXPORTER_ALLOW_ROOT='1', **more)
        return env

    def exporter(self, *flags, **kwargs):
        e = Exporter(self, *flags, **kwargs)
        self.processes.append(e)
        return e

    def feeder(self, writer='shard-1'):
        f = Feeder(self, writer)
        self.processes.append(f)
        return f


class Feeder:
    """A writer; see feeder.c for what it understands."""

    def __init__(self, place, writer):
        self.process = subprocess.Popen([FEEDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=place.env(SHARDMETER_WRITER=writer))
        self.name = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        assert line.startswith('ok'), f'feeder says {line!r}'
        return line[3:].strip()

    def __call__(self, *words):
        self.process.stdin.write(' '.join(str(w) for w in words) + '\n')
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        """End without closing, as a program that crashes."""
        self.process.kill()
        self.process.wait()

    def kill(self):
        self.end()
        self.process.stdin.close()
        self.process.stdout.close()


def labels(**pairs):
    return ','.join(f'{k}={urllib.parse.quote(v, safe="")}' for k, v in pairs.items()) or '-'


class Exporter:
    """A running exporter on a free port, with its log in a file."""

    def __init__(self, place, *flags, env=None, storage=True, wrapper=()):
        self.log_path = os.path.join(place.disk, f'log-{len(place.processes)}')
        args = [*wrapper, EXPORTER, '--web.listen-address=127.0.0.1:0']
        args += [f'--storage.path={place.store}'] if storage else ['--no-storage']
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(args + list(flags), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=log,
                                            env=place.env(**(env or {})))
        self.address = wait_for(self.listening, 'the exporter listens')

    def listening(self):
        m = re.search(r'msg"?[=:]"?listening"? ?,?"?address"?[=:]"?([^ "]+)', self.log())
        assert m or self.process.poll() is None, f'the exporter ended: {self.log()}'
        return m.group(1) if m else None

    def log(self):
        with open(self.log_path, encoding='utf-8') as f:
            return f.read()

    def request(self, method='GET', path='/metrics', headers=None, body=None):
        c = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        try:
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            r.body = r.read()
            is_text = 'protobuf' not in r.headers.get('Content-Type', '') and \
                not r.headers.get('Content-Encoding')
            r.text = r.body.decode() if is_text else None
            return r
        finally:
            c.close()

    def metrics(self):
        r = self.request()
        assert r.status == 200, (r.status, r.text)
        return r.text

    def value(self, sample):
        """The value of a sample by name and labels as they are printed, or None."""
        m = re.search('^' + re.escape(sample) + r' (\S+)$', self.metrics(), re.M)
        return float(m.group(1)) if m else None

    def ready(self):
        r = self.request(path='/-/ready')
        return r.status, json.loads(r.text)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(timeout=DEADLINE_S)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run_tests(namespace):
    """Run every test_* function of a module; print what failed."""
    failed = 0
    for name, test in list(namespace.items()):
        if not name.startswith('test_') or not callable(test):
            continue
        began = time.monotonic()
        try:
            test()
        except unittest.SkipTest as why:
            print(f'skipped {name}: {why}')
        except Exception:  # the report is the point, whatever it is
            traceback.print_exc()
            failed += 1
            print(f'FAILED {name}')
        else:
            print(f'ok     {name} ({time.monotonic() - began:.1f} s)')
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
