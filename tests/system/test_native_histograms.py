# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
"""Prometheus' histogram_quantile() on our native histograms against the exact quantiles of what was observed.

Within 3 % for five shapes, within a bucket (9 %) when everything falls on one point. An empty histogram stays a
native one.
"""
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import Place, labels, run_tests, wait_for
from prometheus_util import Prometheus

N = 10000
CONFIG = '''
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - job_name: shardmeter
    static_configs: [{{targets: ["{target}"]}}]
'''


def bimodal(r):
    return r.lognormvariate(math.log(0.02), 0.3) if r.random() < 0.7 else r.lognormvariate(math.log(0.8), 0.2)


SHAPES = {
    'uniform': lambda r: r.uniform(0.01, 0.5),
    'exponential': lambda r: r.expovariate(20) + 1e-4,
    'lognormal': lambda r: r.lognormvariate(math.log(0.05), 0.8),
    'bimodal': bimodal,
    'pareto': lambda r: 0.005 * r.paretovariate(1.5),
}


def exact(values, q):
    return sorted(values)[math.ceil(q * len(values)) - 1]


def observe(feeder, shape, values):
    # Many at a time: one round trip each would be slow.
    for v in values:
        feeder.process.stdin.write(f"histogram latency_seconds {labels(shape=shape)} {v!r}\n")
    feeder.process.stdin.flush()
    for _ in values:
        feeder.answer()


def test_quantiles():
    r = random.Random(42)
    with Place() as p:
        e = p.exporter(storage=False)
        prom = Prometheus(p, CONFIG.format(target=e.address), '--enable-feature=native-histograms')
        f = p.feeder()
        drawn = {shape: [draw(r) for _ in range(N)] for shape, draw in SHAPES.items()}
        drawn['point'] = [0.0421] * N
        for shape, values in drawn.items():
            for i in range(0, N, 500):
                observe(f, shape, values[i:i + 500])
        f('histogram', 'latency_seconds', labels(shape='none'), 'NaN')
        wait_for(lambda: prom.one('histogram_count(sum(latency_seconds))') == N * len(drawn), 'all are there')
        worst = {}
        for shape, values in drawn.items():
            for q in (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99):
                got = prom.one(f'histogram_quantile({q}, latency_seconds{{shape="{shape}"}})')
                error = abs(got / exact(values, q) - 1)
                worst[shape] = max(worst.get(shape, 0), error)
        print('worst error: ' + ', '.join(f'{s} {100 * w:.1f} %' for s, w in worst.items()))
        for shape, error in worst.items():
            assert error <= (0.09 if shape == 'point' else 0.03), (shape, error)
        # All shapes at once, merged by Prometheus.
        everything = [v for values in drawn.values() for v in values]
        got = prom.one('histogram_quantile(0.9, sum(latency_seconds))')
        assert abs(got / exact(everything, 0.9) - 1) <= 0.03, got
        # Never observed: a native histogram without observations, not three classic series.
        empty = prom.vector('latency_seconds{shape="none"}')
        assert len(empty) == 1 and empty[0]['histogram'][1]['count'] == '0', empty
        assert prom.vector('{__name__=~"latency_seconds_(bucket|count|sum)"}') == []


if __name__ == '__main__':
    run_tests(globals())
