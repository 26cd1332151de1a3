# SPDX-License-Identifier: Apache-2.0
"""Stores among others: several segments, several exporters, files that are not ours, files that go."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import BUILD, EXPORTER, Place, labels, run_tests, wait_for
from test_history import FAST, Lmdb, Watch, data_file, history, rows, set_aside, wait_for_rows

FLAG = '--storage.interval=100ms'


def test_foreign_database_is_set_aside_whole():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e)
        e.stop()
        os.unlink(data_file(p))
        os.unlink(data_file(p) + '-lock')
        theirs = Lmdb(data_file(p))
        with theirs as db:
            db.put(None, b'their key', b'their value')
        with open(data_file(p), 'rb') as f:
            before = f.read()
        assert 'not a history' in history(p, code=5)
        e = p.exporter(FAST)
        wait_for_rows(e)
        assert "another program's database" in e.log(), e.log()
        with open(set_aside(p)[0], 'rb') as f:
            assert f.read() == before
        assert e.stop() == 0


def test_store_deleted_under_the_exporter_begins_anew():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e, 3)
        with Watch(e):
            for what in (p.store, os.path.dirname(data_file(p)), data_file(p)):
                if os.path.isdir(what):
                    shutil.rmtree(what)
                else:
                    os.unlink(what)
                wait_for_rows(e)
                wait_for(lambda: len(rows(p)) >= 2, 'the new store is read')
        assert e.log().count('removed or replaced') == 3, e.log()
        assert e.value('shardmeter_store_up') == 1
        # Nobody else may write what this one does.
        second = subprocess.run([EXPORTER, '--web.listen-address=127.0.0.1:0',
                                 f'--storage.path={p.store}'], capture_output=True, text=True,
                                env=p.env(), timeout=20, check=False)
        assert second.returncode == 2 and 'in use' in second.stderr, second
        assert e.stop() == 0


def test_store_taken_over_by_another_is_left_to_it():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        first = p.exporter(FAST)
        wait_for_rows(first)
        shutil.move(p.store, p.store + '-moved')
        second = p.exporter(FLAG)      # at the same path, a new lock
        wait_for_rows(second)
        wait_for(lambda: first.value('shardmeter_store_up') == 0, 'the first one notices')
        assert 'in use' in first.log(), first.log()
        wait_for_rows(second, 3)
        assert second.value('shardmeter_store_errors_total') == 0
        second.stop()
        wait_for(lambda: first.value('shardmeter_store_up') == 1, 'the first one takes it back')
        wait_for_rows(first)
        assert not set_aside(p)


def test_stopped_tool_neither_pins_nor_counts():
    with Place() as p:
        f = p.feeder()
        for n in range(6):
            f('series', f'many{n}_total', 900)
        e = p.exporter(FAST, '--storage.max-size=1MB')
        wait_for_rows(e, 5)
        read, write = os.pipe()
        tool = subprocess.Popen([os.path.join(BUILD, 'shardmeter'), 'history', '--dir', p.store,
                                 'many*'], stdout=write, env=p.env())
        os.close(write)
        try:
            assert os.read(read, 100)       # it reads, and its pipe is full soon
            tool.send_signal(signal.SIGSTOP)
            wait_for(lambda: (e.value('shardmeter_store_evicted_rows_total') or 0) > 5, 'evictions')
            size = os.path.getsize(data_file(p))
            wait_for_rows(e, 20)
            assert os.path.getsize(data_file(p)) <= size + (256 << 10)
            assert size < 8 << 20
            tool.send_signal(signal.SIGCONT)
            while os.read(read, 1 << 16):
                pass
            assert tool.wait(timeout=20) == 0
        finally:
            os.close(read)
            tool.kill()
            tool.wait()
        assert e.stop() == 0


def test_reading_needs_permission_to_read_only():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e, 3)
        with open(data_file(p), 'rb') as f:
            whole = f.read()
        e.stop()
        apart = os.path.join(p.disk, 'apart')
        os.mkdir(apart)
        with open(os.path.join(apart, 'history.mdb'), 'wb') as f:
            f.write(whole)
        os.chmod(os.path.join(apart, 'history.mdb'), 0o444)
        os.chmod(apart, 0o555)
        assert len(rows(p, store=apart)) >= 2
        assert os.listdir(apart) == ['history.mdb']
        os.chmod(apart, 0o755)


def test_gap_is_told_with_its_reason():
    with Place() as p:
        f = p.feeder()
        f('counter', 'a_total', '-', 1)
        e = p.exporter(FAST)
        wait_for_rows(e, 2)
        e.process.send_signal(signal.SIGSTOP)       # a tick that takes ten intervals
        time.sleep(1.05)                            # is what is tested
        e.process.send_signal(signal.SIGCONT)
        wait_for_rows(e, 2)
        e.stop()
        time.sleep(0.5)                             # and so is this
        e = p.exporter(FAST)
        wait_for_rows(e, 2)
        e.stop()
        found = rows(p)
        assert [r['tick'] for r in found] == list(range(1, len(found) + 1))
        assert found[0]['run'] == 1 and found[-1]['run'] == 2
        gaps = [(r['missed'], r['missed_why']) for r in found if r['missed']]
        late = [n for n, why in gaps if why == ['late']]
        stopped = [n for n, why in gaps if why == ['stopped']]
        assert late and 8 <= max(late) <= 60, gaps
        assert len(stopped) == 1 and 3 <= stopped[0] <= 200, gaps
        printed = subprocess.run([os.path.join(BUILD, 'shardmeter'), 'history', '--dir', p.store],
                                 capture_output=True, text=True, check=True).stdout
        assert f'\tgap\t{stopped[0]}\tstopped\n' in printed, printed


def test_check_and_copy_while_it_is_written():
    with Place() as p:
        f = p.feeder()
        f('series', 'many_total', 900)
        f('histogram', 'latency_seconds', '-', 0.25)
        e = p.exporter(FAST)
        wait_for_rows(e, 5)
        copies = [os.path.join(p.disk, f'copy-{n}') for n in range(5)]
        with Watch(e):
            for to in copies:
                checked = history(p, '--check')
                assert checked['finding'] == '' and checked['damaged_rows'] == 0, checked
                assert checked['rows'] >= 5 and checked['values'] >= 5 * 901, checked
                r = subprocess.run([os.path.join(BUILD, 'shardmeter'), 'history', '--dir', p.store,
                                    '--copy', to], capture_output=True, text=True, env=p.env(),
                                   check=False)
                assert r.returncode == 0, r
                wait_for_rows(e, 1)
        assert e.value('shardmeter_store_errors_total') == 0
        e.stop()
        all_ticks = [r['tick'] for r in rows(p)]
        for to in copies:
            assert history(p, '--check', store=to)['finding'] == ''
            ticks = [r['tick'] for r in rows(p, store=to)]
            assert ticks == all_ticks[:len(ticks)] and len(ticks) >= 5
        assert 'File exists' in history(p, '--copy', copies[0], code=2)
        # A copy is a store to go on with.
        where = os.path.dirname(data_file(p))
        shutil.rmtree(where)
        shutil.copytree(copies[-1], where)
        e = p.exporter(FAST)
        wait_for_rows(e, 2)
        e.stop()
        assert [r['tick'] for r in rows(p)][:len(ticks)] == ticks
        # What is wrong with one is said.
        with open(os.path.join(copies[0], 'history.mdb'), 'r+b') as f:
            f.seek(4096 * 5 + 14)
            f.write(b'\xff\xff')
        assert 'damaged' in history(p, '--check', code=5, store=copies[0])


def test_segments_have_stores_of_their_own():
    with Place() as p:
        p.feeder()('counter', 'a_total', labels(of='one'), 1)
        other = os.path.join(p.shm, 'other')
        env = p.env(SHARDMETER_WRITER='w')
        env['SHARDMETER_SEGMENT'] = other
        subprocess.run([os.path.join(BUILD, 'shardmeter'), 'inc', '--create', 'b_total'],
                       env=env, check=True, capture_output=True)
        e = p.exporter(FAST, f'--segment={p.segment}', f'--segment={other}')
        name = 'shardmeter_history_last_tick{segment="%s"}'
        for segment in (p.segment, other):
            wait_for(lambda s=segment: (e.value(name % s) or 0) >= 2, 'two rows of each')
        assert len(glob.glob(os.path.join(p.store, '*@*', 'history.mdb'))) == 2
        for segment, family in ((p.segment, 'a_total'), (other, 'b_total')):
            r = subprocess.run([os.path.join(BUILD, 'shardmeter'), '-S', segment, 'history', '--json',
                                '--last', '--dir', p.store], capture_output=True, text=True,
                               env=p.env(), check=True)
            values = json.loads(r.stdout)['rows'][0]['values']
            assert [v['series'].split('{')[0] for v in values] == [family], values
        env = {k: v for k, v in p.env().items() if k != 'SHARDMETER_SEGMENT'}
        r = subprocess.run([os.path.join(BUILD, 'shardmeter'), 'history', '--dir', p.store],
                           capture_output=True, text=True, env=env, check=False)
        assert r.returncode == 4 and 'other@' in r.stderr, r
        assert e.stop() == 0


if __name__ == '__main__':
    run_tests({k: v for k, v in globals().items() if getattr(v, '__module__', '') == '__main__'})
