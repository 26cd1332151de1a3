# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 240
"""History on disk: what is written, what survives, and that nothing of it ever costs a scrape."""
import ctypes
import ctypes.util
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import BUILD, EXPORTER, Place, labels, run_tests, wait_for

FAST = '--storage.interval=100ms'


def history(p, *args, code=0, store=None):
    """What `shardmeter history --json` says."""
    r = subprocess.run([os.path.join(BUILD, 'shardmeter'), 'history', '--json', '--dir',
                        store or p.store, *args], capture_output=True, text=True, check=False,
                       env=p.env())
    assert r.returncode == code, (args, r.returncode, r.stdout[:500], r.stderr)
    return json.loads(r.stdout) if code == 0 else r.stderr


def rows(p, **kwargs):
    return history(p, **kwargs)['rows']


def data_file(p):
    found = glob.glob(os.path.join(p.store, 'segment@*'))
    return os.path.join(found[0] if found else p.store, 'history.mdb')


def set_aside(p):
    return sorted(glob.glob(data_file(p) + '.corrupt-*'))


def wait_for_rows(e, n=2):
    """Until the exporter has written n more rows."""
    before = e.value('shardmeter_history_last_tick_timestamp_seconds') or 0
    for _ in range(n):
        before = wait_for(lambda b=before: newer(e, b), 'a row is written')


def newer(e, than):
    now = e.value('shardmeter_history_last_tick_timestamp_seconds') or 0
    return now if now > than else None


class Watch:
    """Ask /metrics all the while; every answer must be 200."""

    def __init__(self, exporter):
        self.exporter, self.answers, self.wrong, self.slowest = exporter, 0, [], 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                status = self.exporter.request().status
            except OSError as err:
                status = err
            if status != 200:
                self.wrong.append(status)
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *exc):
        self.stop.set()
        self.thread.join()
        if kind is None:
            assert not self.wrong and self.answers > 0, (self.wrong[:5], self.answers)
            assert self.slowest < 3, self.slowest


# --- what is written --------------------------------------------------------------------------

def test_rows_have_what_metrics_show():
    with Place() as p:
        e = p.exporter(FAST)
        a, b = p.feeder('shard-1'), p.feeder('shard-2')
        for f, n in ((a, 3), (b, 4)):
            f('counter', 'commands_total', labels(command='pl"ay\n\x1b'), n)
            f('gauge', 'voice', '-', 6, n / 8)
            f('updown', 'calls_open', '-', -n)
            f('histogram', 'latency_seconds', '-', n / 1000)
        wait_for_rows(e)
        values = {v['series']: v for v in history(p, '--last')['rows'][-1]['values']}
        assert values['commands_total{command="pl\\"ay\\n\x1b"}']['value'] == 7, values
        assert values['calls_open']['value'] == -7
        assert values['voice{writer="shard-1"}']['value'] == 3 / 8
        assert values['voice{writer="shard-2"}']['value'] == 4 / 8
        latency = values['latency_seconds']
        assert latency['count'] == 2 and latency['sum'] == 0.007
        assert [b['count'] for b in latency['buckets']] == [1, 1]
        assert len(values) == 5
        printed = subprocess.run([os.path.join(BUILD, 'shardmeter'), 'history', '--dir', p.store,
                                  '--last'], capture_output=True, text=True, check=True).stdout
        assert '\x1b' not in printed
        assert re.search(r'^.*calls_open.*\s-7$', printed, re.M), printed
        assert re.search(r'^.*commands_total.*\s7$', printed, re.M), printed
        assert e.value('shardmeter_store_up') == 1
        assert e.value('shardmeter_store_series') == 5
        assert e.value('shardmeter_store_rows') >= 2
        assert e.value('shardmeter_store_errors_total') == 0
        e.stop()
        summary = history(p, '--summary')
        assert summary['series'] == 5 and summary['families'] == 4
        # LMDB's own tool agrees that it is a database.
        subprocess.run(['mdb_stat', '-n', '-a', data_file(p)], capture_output=True, check=True)


def test_restart_keeps_the_history():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e, 3)
        assert e.stop() == 0
        before = [r['time'] for r in rows(p)]
        assert len(before) >= 3
        e = p.exporter(FAST)
        wait_for_rows(e, 3)
        assert e.stop() == 0
        after = [r['time'] for r in rows(p)]
        assert after[:len(before)] == before and len(after) >= len(before) + 3
        assert history(p, '--summary')['series'] == 1
        assert not set_aside(p)


def test_no_segment_no_rows():
    with Place() as p:
        e = p.exporter(FAST)
        wait_for(lambda: e.value('shardmeter_store_up') == 1, 'the store is open')
        assert e.value('shardmeter_history_last_tick_timestamp_seconds') is None
        p.feeder()('counter', 'a_total', '-', 1)
        wait_for_rows(e, 1)


def test_no_storage():
    with Place() as p:
        e = p.exporter(storage=False)
        assert 'shardmeter_store' not in e.metrics()


def test_one_exporter_per_store():
    with Place() as p:
        first = p.exporter()
        second = subprocess.run([EXPORTER, '--web.listen-address=127.0.0.1:0',
                                 f'--storage.path={p.store}'], capture_output=True, text=True,
                                env=p.env(), timeout=20, check=False)
        assert second.returncode == 2, second
        assert f'pid {first.process.pid}' in second.stderr and p.store in second.stderr, second
        first.process.kill()
        first.process.wait()
        third = p.exporter()
        wait_for(lambda: third.value('shardmeter_store_up') == 1, 'the store is free again')


# --- what survives ----------------------------------------------------------------------------

def test_killed_at_any_moment_nothing_breaks():
    rng = random.Random(7)
    with Place() as p:
        f = p.feeder()
        f('series', 'many_total', 500)
        last, kills = None, 25
        for _ in range(kills):
            e = p.exporter(FAST)
            wait_for_rows(e, 1)
            f('counter', 'a_total', '-', 1)
            threading.Event().wait(rng.random() * 0.2)  # the moment is what is varied
            e.kill()
            times = [r['time'] for r in rows(p)]
            assert times == sorted(set(times)) and (last is None or last in times)
            last = times[-1]
            assert 'error' not in e.log(), e.log()
        assert not set_aside(p)
        assert len(rows(p)) >= kills


def test_damaged_at_rest_is_set_aside():
    rng = random.Random(11)

    def garbage(f, size):
        f.write(b'\x5a' * 4096)

    def random_bytes(f, size):
        for _ in range(50):
            f.seek(rng.randrange(size))
            f.write(bytes([rng.randrange(256)]))
        f.seek(4096 * 3)        # and a page for certain
        f.write(rng.randbytes(64))
        f.seek(0)
        f.write(rng.randbytes(64))

    def zeros(f, size):
        f.write(b'\0' * size)

    def cut(f, size):
        f.truncate(size // 2)

    with Place() as p:
        p.feeder()('series', 'many_total', 300)
        for n, damage in enumerate((garbage, random_bytes, zeros, cut)):
            e = p.exporter(FAST)
            wait_for_rows(e, 3)
            e.stop()
            with open(data_file(p), 'r+b') as f:
                damage(f, os.path.getsize(data_file(p)))
            e = p.exporter(FAST)
            with Watch(e):
                wait_for_rows(e)
            assert e.log().count('beginning a new one') == 1, e.log()
            assert e.value('shardmeter_store_errors_total') == 1
            assert len(set_aside(p)) == min(n + 1, 3), set_aside(p)
            e.stop()


def test_damaged_while_running_begins_anew():
    with Place() as p:
        p.feeder()('series', 'many_total', 300)
        e = p.exporter(FAST)
        wait_for_rows(e, 3)
        with Watch(e):
            os.truncate(data_file(p), 0)
            wait_for(lambda: 'beginning a new one' in e.log(), 'the damage is found')
            wait_for_rows(e)
            # Garbage in the middle of a running store: whatever LMDB makes of it.
            with open(data_file(p), 'r+b') as f:
                f.write(b'\x5a' * os.path.getsize(data_file(p)))
            wait_for(lambda: e.log().count('beginning a new one') == 2, 'the damage is found')
            wait_for_rows(e)
        assert e.value('shardmeter_store_up') == 1
        assert len(set_aside(p)) == 2
        assert e.stop() == 0


def test_later_format_is_left_alone():
    with Place() as p:
        e = p.exporter(FAST)
        wait_for(lambda: e.value('shardmeter_store_up') == 1, 'the store is open')
        e.stop()
        with Lmdb(data_file(p)) as db:
            db.put(b'meta', b'format', (99).to_bytes(8, 'big'))
        with open(data_file(p), 'rb') as f:
            before = f.read()
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for(lambda: 'later version' in e.log(), 'the version is noticed')
        assert e.metrics() and e.value('shardmeter_store_up') == 0
        assert e.ready()[1]['warnings'][0]['code'] == 'store_down'
        assert e.ready()[0] == 200
        e.stop()
        with open(data_file(p), 'rb') as f:
            assert f.read() == before
        assert 'later version' in history(p, code=5)
        assert not set_aside(p)


# --- what is in the way -----------------------------------------------------------------------

def mount_namespace():
    """A command prefix that can mount, or a reason why not."""
    for flags in (['unshare', '-m'], ['unshare', '-rm']):
        if subprocess.run([*flags, 'mount', '-t', 'tmpfs', 'none', '/mnt'], check=False,
                          capture_output=True).returncode == 0:
            return flags
    raise unittest.SkipTest('mounting is not allowed here')


def with_mount(p, options):
    """The exporter sees a tmpfs of its own at the store's place."""
    os.makedirs(p.store, exist_ok=True)
    return [*mount_namespace(), 'sh', '-c',
            f'mount -t tmpfs -o {options} none {p.store} && exec "$@"', 'sh']


def test_full_disk_is_waited_for():
    with Place() as p:
        p.feeder()('series', 'many_total', 2000)
        e = p.exporter(FAST, wrapper=with_mount(p, 'size=2m'))
        inside = f'/proc/{e.process.pid}/root{p.store}'
        wait_for_rows(e, 2)
        with Watch(e):
            with open(os.path.join(inside, 'junk'), 'wb', buffering=0) as f:
                try:
                    while f.write(b'x' * 4096):
                        pass
                except OSError:
                    pass
            wait_for(lambda: e.value('shardmeter_store_up') == 0, 'the disk is full')
            errors = e.value('shardmeter_store_errors_total')
            wait_for(lambda: e.value('shardmeter_store_errors_total') > errors + 3, 'more tries')
            assert e.log().count('history is not written') == 1, e.log()
            assert 'the disk is full' in e.log()
            status, ready = e.ready()
            assert status == 200 and ready['warnings'][0]['code'] == 'store_down', ready
            os.unlink(os.path.join(inside, 'junk'))
            wait_for(lambda: e.value('shardmeter_store_up') == 1, 'there is room again')
            wait_for_rows(e, 2)
            gaps = [r for r in rows(p, store=inside) if r['missed']]
            assert any(r['missed'] > 3 and 'store' in r['missed_why'] for r in gaps), gaps
            assert history(p, '--check', store=inside)['finding'] == ''
        assert e.log().count('history is written again') == 1
        assert 'beginning a new one' not in e.log()
        assert e.stop() == 0


def test_full_disk_from_the_start():
    with Place() as p:
        p.feeder()('series', 'many_total', 2000)
        e = p.exporter(FAST, wrapper=with_mount(p, 'size=16k'))
        wait_for(lambda: e.value('shardmeter_store_up') == 0, 'the disk is full')
        assert e.metrics().count('\n') > 2000
        assert e.stop() == 0


def test_read_only_disk():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST, wrapper=with_mount(p, 'ro'))
        with Watch(e):
            wait_for(lambda: e.value('shardmeter_store_up') == 0, 'the disk is read-only')
            errors = e.value('shardmeter_store_errors_total')
            wait_for(lambda: e.value('shardmeter_store_errors_total') > errors + 1, 'more tries')
        assert e.log().count('Read-only file system') == 1, e.log()
        assert e.value('a_total') == 1
        assert e.stop() == 0


def test_path_that_cannot_be():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        with open(p.store, 'wb'):
            pass
        e = p.exporter(FAST)
        wait_for(lambda: 'Not a directory' in e.log(), 'the store cannot be')
        assert e.value('shardmeter_store_up') == 0
        assert e.log().count('Not a directory') == 1, e.log()
        assert e.value('a_total') == 1
        os.unlink(p.store)
        wait_for_rows(e)
        assert e.value('shardmeter_store_up') == 1


class Lmdb:
    """As much of LMDB as a foreign program needs to be in the way."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(ctypes.util.find_library('lmdb'))
        self.env = ctypes.c_void_p()
        assert self.lib.mdb_env_create(ctypes.byref(self.env)) == 0
        assert self.lib.mdb_env_set_mapsize(self.env, ctypes.c_size_t(64 << 30)) == 0
        assert self.lib.mdb_env_set_maxdbs(self.env, 8) == 0
        assert self.lib.mdb_env_open(self.env, path.encode(), 0x4000, 0o640) == 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.lib.mdb_env_close(self.env)

    def begin(self, flags=0):
        txn = ctypes.c_void_p()
        assert self.lib.mdb_txn_begin(self.env, None, flags, ctypes.byref(txn)) == 0
        return txn

    def abort(self, txn):
        self.lib.mdb_txn_abort(txn)

    def put(self, tree, key, value):
        class Val(ctypes.Structure):
            _fields_ = [('size', ctypes.c_size_t), ('data', ctypes.c_char_p)]
        txn, dbi = self.begin(), ctypes.c_uint()
        assert self.lib.mdb_dbi_open(txn, tree, 0, ctypes.byref(dbi)) == 0     # None: the main one
        assert self.lib.mdb_put(txn, dbi, ctypes.byref(Val(len(key), key)),
                                ctypes.byref(Val(len(value), value)), 0) == 0
        assert self.lib.mdb_txn_commit(txn) == 0


def test_store_that_hangs_holds_up_nothing_but_itself():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e)
        with Lmdb(data_file(p)) as db:
            txn = db.begin()        # the exporter's thread waits for this writer now
            with Watch(e):
                last = e.value('shardmeter_history_last_tick_timestamp_seconds')
                wait_for(lambda: time.time() > last + 2, 'two seconds')
            assert e.value('shardmeter_history_last_tick_timestamp_seconds') <= last + 0.2
            began = time.monotonic()
            assert e.stop() == 2    # the last row could not be written
            assert time.monotonic() - began < 12
            assert 'may be lost' in e.log()
            db.abort(txn)
        e = p.exporter(FAST)
        wait_for_rows(e)
        assert not set_aside(p)


def test_stuck_reader_holds_up_nothing():
    with Place() as p:
        p.feeder()('series', 'many_total', 200)
        e = p.exporter(FAST, '--storage.retention=10s')
        wait_for_rows(e)
        with Lmdb(data_file(p)) as db:
            txn = db.begin(0x20000)     # read-only, and kept
            with Watch(e):
                wait_for_rows(e, 10)
            db.abort(txn)
        # A reader that was killed leaves its slot behind; the exporter cleans up with its next row.
        child = subprocess.Popen([sys.executable, '-c', KILLED_READER, data_file(p)],
                                 stdout=subprocess.PIPE,
                                 cwd=os.path.dirname(os.path.abspath(__file__)))
        assert child.stdout.readline() == b'reading\n'
        child.kill()
        child.wait()
        child.stdout.close()
        wait_for_rows(e)
        # (mdb_stat -r always exits 1.)
        readers = subprocess.run(['mdb_stat', '-n', '-r', data_file(p)], capture_output=True,
                                 text=True, check=False).stdout
        assert 'Reader Table Status' in readers and f'{child.pid} ' not in readers, readers
        assert e.stop() == 0


KILLED_READER = '''
import signal
import sys
from test_history import Lmdb
db = Lmdb(sys.argv[1])
txn = db.begin(0x20000)
print('reading', flush=True)
signal.pause()
'''


def test_stop_writes_to_disk_what_there_is():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e)
        e.process.send_signal(signal.SIGTERM)
        assert e.process.wait(timeout=20) == 0
        assert len(rows(p)) >= 2


if __name__ == '__main__':
    run_tests(globals())
