# SPDX-License-Identifier: Apache-2.0
"""The exporter killed in every phase: history stays readable, no acknowledged tick is lost.

A tick is acknowledged by /metrics (shardmeter_history_last_tick) or by `shardmeter history --last`. The
moment of the kill is any: before the store is there, while it is opened, between ticks, in the middle
of one, while it stops. long_history_kills.py does the same 500 times. (What happens at each system
call that writes is tests/unit/test_history_crash.c's.)
"""
import glob
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import BUILD, EXPORTER, Exporter, Place, run_tests, wait_for

KILLS = int(os.environ.get('HISTORY_KILLS', '30'))
FLAGS = ('--storage.interval=100ms', '--storage.retention=10s', '--storage.max-size=1MB')
PHASES = ('starting', 'opening', 'ticking', 'ticking', 'ticking', 'scraped', 'stopping')


def history(p, *args):
    r = subprocess.run([os.path.join(BUILD, 'shardmeter'), 'history', '--json', '--dir', p.store, *args],
                       capture_output=True, text=True, check=False, env=p.env())
    return r.returncode, r.stdout, r.stderr


class Run:
    """What must be true from one kill to the next."""

    def __init__(self, place, rng):
        self.p, self.rng = place, rng
        self.feeder = place.feeder()
        self.feeder('series', 'many_total', 300)
        self.counted = 0
        self.acknowledged, self.at_least = 0, 0     # a tick, and what was counted before it
        self.by = {'metrics': 0, 'history': 0, 'none': 0}

    def count(self):
        self.feeder('counter', 'a_total', '-', 1)
        self.counted += 1

    def acknowledge_by_metrics(self, e):
        """Until a tick is acknowledged that began after what is counted now."""
        before = wait_for(lambda: e.value('shardmeter_history_last_tick'), 'the first tick of a run')
        self.count()
        counted = self.counted
        before = e.value('shardmeter_history_last_tick') or before

        def later():
            now = e.value('shardmeter_history_last_tick') or 0
            # The tick after the next one was not under way yet.
            return now if now >= before + 2 else None
        self.acknowledged = int(wait_for(later, 'two ticks are acknowledged'))
        self.at_least = counted
        self.by['metrics'] += 1

    def acknowledge_by_history(self):
        code, out, err = history(self.p, '--last', 'a_total')
        assert code in (0, 1), (code, err)
        # The last row may be older than the counter's first count.
        rows = [row for row in json.loads(out)['rows'] if row['values']]
        if rows and rows[-1]['tick'] > self.acknowledged:
            row = rows[-1]
            self.acknowledged, self.at_least = row['tick'], row['values'][0]['value']
        self.by['history'] += 1

    def kill_once(self):
        phase = self.rng.choice(PHASES)
        moment = self.rng.random()
        if phase in ('starting', 'opening'):
            child = subprocess.Popen([EXPORTER, '--web.listen-address=127.0.0.1:0',
                                      f'--storage.path={self.p.store}', *FLAGS], env=self.p.env(),
                                     stderr=subprocess.DEVNULL)
            time.sleep(moment * (0.01 if phase == 'starting' else 0.15))    # what is varied
            child.kill()
            child.wait()
            self.by['none'] += 1
            return phase
        e = Exporter(self.p, *FLAGS)
        try:
            if moment < 0.5:
                self.acknowledge_by_metrics(e)
            else:
                self.count()
                wait_for(lambda: e.value('shardmeter_history_last_tick'), 'a tick')
                self.acknowledge_by_history()
            if phase == 'stopping':
                e.process.send_signal(signal.SIGTERM)
            if phase == 'scraped':
                host, port = e.address.rsplit(':', 1)
                with socket.create_connection((host, int(port))) as s:
                    s.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
                    time.sleep(self.rng.random() * 0.005)
                    e.kill()
                return phase
            time.sleep(self.rng.random() * (0.02 if phase == 'stopping' else 0.11))
        finally:
            e.kill()
        assert 'damaged' not in e.log() and 'error' not in e.log(), e.log()
        os.unlink(e.log_path)
        return phase

    def check(self):
        code, out, err = history(self.p, 'a_total')
        if self.acknowledged == 0 and code in (1, 3):
            return
        assert code == 0, (code, err)
        rows = json.loads(out)['rows']
        ticks = [r['tick'] for r in rows]
        assert ticks == list(range(ticks[0], ticks[-1] + 1)), ticks
        values = [v['value'] for r in rows for v in r['values']]
        assert values == sorted(values) and values[-1] <= self.counted, values
        assert ticks[-1] >= self.acknowledged, (ticks[-1], self.acknowledged)
        mine = [r for r in rows if r['tick'] == self.acknowledged]
        if mine:    # else retention was there, and only there
            assert mine[0]['values'][0]['value'] >= self.at_least, (mine, self.at_least)
        else:
            assert ticks[0] > self.acknowledged > 0, (ticks[0], self.acknowledged)


def test_killed_in_any_phase_loses_no_acknowledged_tick():
    seed = int(os.environ.get('HISTORY_SEED', '20'))
    with Place() as p:
        run = Run(p, random.Random(seed))
        phases = {}
        for _ in range(KILLS):
            phase = run.kill_once()
            phases[phase] = phases.get(phase, 0) + 1
            run.check()
        assert not glob.glob(os.path.join(p.store, '*', '*.corrupt-*'))
        print(f'{KILLS} kills, {phases}, acknowledged by {run.by}, last tick {run.acknowledged}')


if __name__ == '__main__':
    run_tests(globals())
