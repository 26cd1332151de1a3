# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
"""Debian's Prometheus scrapes the exporter: what it makes of our text is what counts."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import Place, labels, run_tests, wait_for
from prometheus_util import Prometheus

CONFIG = '''
global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
scrape_configs:
  - job_name: shardmeter
    static_configs:
      - targets: ["{target}"]
'''


AWKWARD = ['', 'with "quotes"', 'back\\slash', 'new\nline', 'grüße 日本語', '\t\x1b', '\\n', 'a}b{c,d=']


def test_prometheus_scrapes():
    with Place() as p:
        e = p.exporter()
        prom = Prometheus(p, CONFIG.format(target=e.address))
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
        target = prom.targets()[0]
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


if __name__ == '__main__':
    run_tests(globals())
