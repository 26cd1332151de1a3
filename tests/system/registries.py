# SPDX-License-Identifier: Apache-2.0
"""The test of random registries in every format, short (test_registries.py) or long (long_registries.py).

Each registry goes through the parsers of registry_util.py. Besides, GROUP of them at a time are put
together and scraped by Prometheus with native histograms on, as protobuf and as OpenMetrics: no scrape
may fail, each must have as many samples as went in, and those of the first few groups are compared one by
one.
"""
import http.server
import math
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import registry_util
from exporter_util import Place
from process_util import wait_for
from prometheus_util import Prometheus

GROUP = 25
COMPARED = 4	# groups

PROTOBUF = ('application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; '
            'encoding=delimited')
OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

CONFIG = '''
global:
  scrape_interval: {interval}s
  scrape_timeout: {interval}s
scrape_configs:
'''
JOB = '''
  - job_name: {name}
    honor_labels: true
    static_configs:
{targets}
'''
TARGET = '''
      - targets: ["{address}"]
        labels: {{__metrics_path__: "/{format}/{number}", group: "{number}"}}
'''
# Counted by Prometheus before they are dropped.
DROP = '''
    metric_relabel_configs: [{action: drop, regex: .+, source_labels: [__name__]}]
'''


class Group:
    """Registries of different names in one exposition."""

    def __init__(self):
        self.registries = []

    def add(self, registry):
        self.registries.append(registry)

    def openmetrics(self):
        texts = [registry_util.without_ours(r.openmetrics) for r in self.registries]
        return '\n'.join(t for t in texts if t) + '\n# EOF\n'

    def protobuf(self):
        return b''.join(registry_util.messages_without_ours(r.protobuf) for r in self.registries)

    def openmetrics_samples(self):
        return sum(not line.startswith('#') for line in self.openmetrics().rstrip('\n').split('\n'))

    def protobuf_samples(self):
        """A native histogram is one sample; the classic ones beside it are left out."""
        n = 0
        for r in self.registries:
            n += len(r.native)
            for name, labels in r.samples:
                n += not is_of_native(r, name, labels)
        return n


def is_of_native(registry, name, labels):
    for suffix in ('_bucket', '_count', '_sum'):
        key = name.removesuffix(suffix), frozenset((k, v) for k, v in labels if k != 'le')
        if name.endswith(suffix) and key in registry.native:
            return True
    return False


def serve(groups):
    bodies = {}
    for i, g in enumerate(groups):
        bodies[f'/openmetrics/{i}'] = OPENMETRICS, g.openmetrics().encode()
        bodies[f'/protobuf/{i}'] = PROTOBUF, g.protobuf()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_GET(self):
            kind, body = bodies[self.path]
            self.send_response(200)
            self.send_header('Content-Type', kind)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *args):
            """Prometheus ends with connections open."""

    server = Server(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def config(address, ngroups, interval):
    text = CONFIG.format(interval=interval)
    for fmt in ('openmetrics', 'protobuf'):
        for name, numbers, more in ((fmt, range(min(COMPARED, ngroups)), ''),
                                    (fmt + '_counted', range(COMPARED, ngroups), DROP)):
            targets = ''.join(TARGET.format(address=address, format=fmt, number=n) for n in numbers)
            text += JOB.format(name=name, targets=targets) + more if targets else ''
    return text


def close(a, b):
    return a == b or abs(a - b) <= 1e-15 * max(abs(a), abs(b)) or (math.isnan(a) and math.isnan(b))


def labels_of(result):
    return frozenset((k, v) for k, v in result['metric'].items()
                     if k not in ('__name__', 'job', 'instance', 'group'))


def compare_group(prom, job, number, group):
    """Every sample of a group, as Prometheus has it."""
    wanted, natives = {}, {}
    for r in group.registries:
        for (name, labels), value in r.samples.items():
            if job == 'openmetrics' or not is_of_native(r, name, labels):
                # An empty label is the same as none to Prometheus.
                wanted[name, frozenset(l for l in labels if l[1])] = value
        if job == 'protobuf':
            natives.update(((name, frozenset(l for l in labels if l[1])), ns)
                           for (name, labels), ns in r.native.items())
    found = set()
    for result in prom.vector(f'{{job="{job}", group="{number}", __name__=~"r[0-9].*"}}'):
        key = result['metric']['__name__'], labels_of(result)
        if key[0].endswith('_created') and key not in wanted:
            continue
        if 'histogram' in result:
            h = result['histogram'][1]
            assert int(float(h['count'])) == len(natives[key]), (key, h)
            check_buckets(key, natives[key], h)
        else:
            assert close(float(result['value'][1]), wanted[key]), (key, result['value'], wanted[key])
        found.add(key)
    missing = (set(wanted) | set(natives)) - found
    assert not missing, f'{job}, group {number}: {len(missing)} are missing, such as {min(missing)}'
    return len(found)


def check_buckets(key, values, h):
    for _, low, high, count in h.get('buckets', []):
        low, high = float(low), float(high)
        inside = sum((low < ns / 1e9 or low <= 0) and ns / 1e9 <= high * (1 + 1e-12) for ns in values)
        assert inside == float(count), (key, low, high, count, inside)


def run(rounds, interval):
    groups = [Group()]
    for registry in registry_util.check_all(1, rounds):
        if len(groups[-1].registries) == GROUP:
            groups.append(Group())
        groups[-1].add(registry)
    for g in groups:
        registry_util.check_promtool([registry_util.without_ours(r.text) for r in g.registries])
    server = serve(groups)
    with Place() as p:
        address = f'127.0.0.1:{server.server_address[1]}'
        prom = Prometheus(p, config(address, len(groups), interval), '--enable-feature=native-histograms')

        def all_scraped():
            targets = prom.targets()
            return len(targets) == 2 * len(groups) and all(t['lastScrape'][:4] != '0001' for t in targets)
        wait_for(all_scraped, 'all groups are scraped', 3 * interval + 60)
        for t in prom.targets():
            assert t['health'] == 'up' and not t['lastError'], t
        scraped = {}
        for result in prom.vector('scrape_samples_scraped'):
            labels = result['metric']
            scraped[labels['job'].removesuffix('_counted'), int(labels['group'])] = int(result['value'][1])
        assert len(scraped) == 2 * len(groups), scraped
        compared = 0
        for i, g in enumerate(groups):
            assert scraped['openmetrics', i] == g.openmetrics_samples(), (i, scraped['openmetrics', i])
            assert scraped['protobuf', i] == g.protobuf_samples(), (i, scraped['protobuf', i])
            if i < COMPARED:
                compared += compare_group(prom, 'openmetrics', i, g)
                compared += compare_group(prom, 'protobuf', i, g)
        print(f'{len(groups)} groups scraped by Prometheus, {compared} samples of it compared')
        assert compared
    server.shutdown()
