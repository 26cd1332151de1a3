# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
"""Debian's Prometheus scrapes the exporter: what it makes of our text is what counts."""
import json
import os
import random
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import Place, labels, run_tests, wait_for

CONFIG = '''
global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
scrape_configs:
  - job_name: shardmeter
    static_configs:
      - targets: ["{target}"]
'''


class Prometheus:
    def __init__(self, p, target, *flags):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            self.address = f'127.0.0.1:{s.getsockname()[1]}'
        config = os.path.join(p.disk, 'prometheus.yml')
        with open(config, 'w', encoding='utf-8') as f:
            f.write(CONFIG.format(target=target))
        with open(os.path.join(p.disk, 'prometheus.log'), 'wb') as log:
            self.process = subprocess.Popen(
                ['prometheus', f'--config.file={config}', '--log.level=warn',
                 f'--storage.tsdb.path={p.disk}/tsdb', f'--web.listen-address={self.address}',
                 *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        p.processes.append(self)
        wait_for(self.is_ready, 'Prometheus is ready', 60)

    def kill(self):
        self.process.terminate()
        self.process.wait()

    def is_ready(self):
        try:
            return self.get('/-/ready')
        except OSError:
            return None

    def get(self, path):
        with urllib.request.urlopen(f'http://{self.address}{path}', timeout=20) as r:
            return r.read()

    def api(self, path, **params):
        answer = json.loads(self.get(f'/api/v1/{path}?{urllib.parse.urlencode(params)}'))
        assert answer['status'] == 'success', answer
        return answer['data']

    def query(self, expression):
        """{labels without name, job and instance: value}"""
        found = {}
        for r in self.api('query', query=expression)['result']:
            key = tuple(sorted((k, v) for k, v in r['metric'].items()
                               if k not in ('__name__', 'job', 'instance')))
            found[key] = float(r['value'][1])
        return found

    def one(self, expression):
        found = self.query(expression)
        return list(found.values())[0] if len(found) == 1 else None

    def target(self):
        return self.api('targets')['activeTargets'][0]


AWKWARD = ['', 'with "quotes"', 'back\\slash', 'new\nline', 'grüße 日本語', '\t\x1b', '\\n', 'a}b{c,d=']


def test_prometheus_scrapes():
    with Place() as p:
        e = p.exporter()
        prom = Prometheus(p, e.address)
        one, two = p.feeder('shard-1'), p.feeder('shard-2')
        for i, text in enumerate(AWKWARD):
            one('counter', 'awkward_total', labels(text=text, n=str(i)), 2 ** 50 + i)
        for f, n in ((one, 30), (two, 12)):
            f('counter', 'commands_total', labels(command='play'), n)
            f('gauge', 'voice', '-', 6, n)
            f('updown', 'calls_open', '-', -n)
            f('state', 'gateway', '-', 'connecting,ready', 1)
            for i in range(100):
                f('histogram', 'latency_seconds', labels(command='play'), 0.001 * (i + 1))
        wait_for(lambda: prom.one('commands_total') == 42, 'Prometheus has the counter')
        target = prom.target()
        assert target['health'] == 'up' and target['lastError'] == '', target
        for i, text in enumerate(AWKWARD):
            key = tuple(sorted((k, v) for k, v in (('text', text), ('n', str(i))) if v))
            assert prom.query('awkward_total').get(key) == 2 ** 50 + i, (text, key)
        assert prom.one('calls_open') == -42
        assert prom.query('voice') == {(('writer', 'shard-1'),): 30, (('writer', 'shard-2'),): 12}
        assert prom.one('sum(gateway{gateway="ready"})') == 2
        assert prom.one('sum(latency_seconds_count)') == 200
        assert abs(prom.one('sum(latency_seconds_sum)') - 10.1) < 1e-9
        median = prom.one('histogram_quantile(0.5, sum by (le) (latency_seconds_bucket))')
        assert 0.04 < median < 0.06, median
        assert prom.one('shardmeter_segment_up') == 1
        assert prom.one('up') == 1
        metadata = prom.api('targets/metadata', metric='latency_seconds')[0]
        assert metadata['type'] == 'histogram' and metadata['help'] == 'A family of the feeder.'
        # It asks for OpenMetrics, where a counter's family has no _total.
        assert prom.api('targets/metadata', metric='commands')[0]['type'] == 'counter'

        # A program dies: its gauges are gone at the next scrape, its counts stay.
        two.end()
        wait_for(lambda: prom.query('voice') == {(('writer', 'shard-1'),): 30}, 'its gauge is gone')
        assert prom.one('commands_total') == 42
        wait_for(lambda: prom.one('shardmeter_writer_up{writer="shard-2"}') == 0, 'it is down')
        again = p.feeder('shard-2')
        again('counter', 'commands_total', labels(command='play'), 8)
        wait_for(lambda: prom.one('commands_total') == 50, 'its successor goes on')
        assert prom.one('resets(commands_total[5m])') == 0

        # The segment goes away and comes back; the scrape never fails.
        os.unlink(p.segment)
        one.end()
        again.end()
        wait_for(lambda: prom.one('shardmeter_segment_up') == 0, 'Prometheus sees it gone')
        p.feeder('shard-3')('counter', 'commands_total', labels(command='play'), 5)
        wait_for(lambda: prom.one('commands_total') == 5, 'the new segment is there')
        assert prom.one('min_over_time(up[5m])') == 1

        # A restart of the exporter changes no value of the segment's.
        address = e.address
        assert e.stop() == 0
        p.exporter(f'--web.listen-address={address}')
        p.processes[-2]('counter', 'commands_total', labels(command='play'), 1)
        wait_for(lambda: prom.one('commands_total') == 6, 'scraped after the restart')
        wait_for(lambda: prom.one('shardmeter_store_up') == 1, 'the store is open')


SHAPES = {
    'lognormal': lambda r: r.lognormvariate(-3, 1),
    'uniform': lambda r: r.uniform(0.01, 0.5),
    'exponential': lambda r: r.expovariate(20),
    'two_humps': lambda r: r.gauss(0.02, 0.002) if r.random() < 0.7 else r.gauss(0.4, 0.03),
    'long_tail': lambda r: 0.005 * r.paretovariate(1.5),
}


def test_native_histograms():
    """Prometheus asks for protobuf; its quantiles are near the exact ones."""
    rng = random.Random(7)
    with Place() as p:
        e = p.exporter(storage=False)
        prom = Prometheus(p, e.address, '--enable-feature=native-histograms')
        f = p.feeder('shard-1')
        exact = {}
        for name, draw in SHAPES.items():
            drawn = sorted(max(draw(rng), 1e-6) for _ in range(10000))
            for v in drawn:
                f('histogram', f'{name}_seconds', '-', repr(v))
            exact[name] = drawn
        for _ in range(10000):
            f('histogram', 'point_seconds', '-', 0.0371)
        f('histogram', 'beyond_seconds', '-', 5000)
        f('counter', 'done_total', '-', 1)
        wait_for(lambda: prom.one('done_total') == 1, 'all is scraped', 60)
        target = prom.target()
        assert target['health'] == 'up' and target['lastError'] == '', target
        for name, drawn in exact.items():
            for q in (0.5, 0.9, 0.99):
                found = prom.one(f'histogram_quantile({q}, {name}_seconds)')
                real = drawn[int(q * len(drawn))]
                assert found and abs(found / real - 1) < 0.03, (name, q, found, real)
            assert prom.one(f'histogram_count({name}_seconds)') == 10000
            total = prom.one(f'histogram_sum({name}_seconds)')
            assert abs(total / sum(drawn) - 1) < 1e-6, (total, sum(drawn))
        found = prom.one('histogram_quantile(0.5, point_seconds)')
        assert found and abs(found / 0.0371 - 1) < 0.09, found
        assert prom.one('histogram_count(beyond_seconds)') == 1
        # A series that was never observed is a native histogram, too, and empty.
        assert prom.query('histogram_count(beyond_seconds) > 1') == {}


if __name__ == '__main__':
    run_tests(globals())
