# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 240
"""Every format of random registries, read by other people's parsers: the same numbers in all of them.

ROUNDS registries; each is asked for as text 0.0.4, OpenMetrics and protobuf, plain and compressed.
"""
import gzip
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import protobuf_util
from exporter_util import BUILD, Place, labels, run_tests

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

ROUNDS = int(os.environ.get('ROUNDS', '20'))
REGISTRY = os.path.join(BUILD, 'tests/system/random_registry')

TEXT = 'text/plain;version=0.0.4'
TEXT_1 = 'text/plain;version=1.0.0'
OPENMETRICS = 'application/openmetrics-text;version=1.0.0'
PROTOBUF = ('application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;'
            'encoding=delimited')


def get(e, accept, path='/metrics', coding='identity'):
    r = e.request(path=path, headers={'Accept': accept, 'Accept-Encoding': coding})
    assert r.status == 200, (r.status, r.body)
    assert r.headers['Vary'] == 'Accept, Accept-Encoding', r.headers
    assert int(r.headers['Content-Length']) == len(r.body)
    return r


def is_measured(name):
    """What is another number at each scrape."""
    return name.startswith(('process_', 'shardmeter_writer_', 'shardmeter_scrape_',
                            'shardmeter_collection_', 'shardmeter_http_', 'shardmeter_history_',
                            'shardmeter_store_'))


def samples_of(families):
    found = {}
    for family in families:
        for s in family.samples:
            key = s.name, frozenset(s.labels.items())
            assert key not in found, key
            if not is_measured(s.name):
                found[key] = s.value
    return found


def number_text(bound):
    """Canonical `le`."""
    if math.isinf(bound):
        return '+Inf'
    text_of = repr(bound)
    return {'1e-07': '1e-07', '1000000.0': '1e+06'}.get(text_of, text_of)


def samples_of_protobuf(families):
    found, names = {}, set()

    def add(name, pairs, value):
        key = name, frozenset(pairs.items())
        assert key not in found, key
        if not is_measured(name):
            found[key] = value

    for family in families:
        assert family.name not in names, family.name
        names.add(family.name)
        for pairs, value, created in family.metrics:
            if family.type != 'histogram':
                add(family.name, pairs, value)
                continue
            for bound, count in value.classic:
                add(family.name + '_bucket', {**pairs, 'le': number_text(bound)}, count)
            add(family.name + '_sum', pairs, value.sum)
            add(family.name + '_count', pairs, value.count)
            assert created and created > 1.5e9
            if value.schema is not None:
                assert value.spans, 'not seen as native'
                assert sum(value.native().values()) + value.zero_count == value.count
    return found


def compare(a, b, what):
    for key in sorted(set(a) | set(b), key=str):
        x, y = a.get(key), b.get(key)
        assert x is not None and y is not None, f'{what}: {key} is {x} and {y}'
        same = x == y or (math.isnan(x) and math.isnan(y)) or \
            abs(x - y) <= 1e-15 * max(abs(x), abs(y))
        assert same, f'{what}: {key} is {x!r} and {y!r}'


def all_formats(e, path='/metrics'):
    """The samples of text 0.0.4, after every other format was found to have the same."""
    plain = get(e, TEXT, path)
    found = samples_of(text(plain.body.decode()))
    for coding in ('identity', 'gzip'):
        for accept, parse in ((TEXT_1, lambda b: samples_of(text(b.decode()))),
                              (OPENMETRICS, lambda b: samples_of(openmetrics(b.decode()))),
                              (PROTOBUF, lambda b: samples_of_protobuf(protobuf_util.parse(b)))):
            r = get(e, accept, path, coding)
            packed = r.headers['Content-Encoding'] == 'gzip'
            assert packed == (coding == 'gzip' and len(plain.body) > 1024)
            assert r.headers['Content-Type'].split(';')[0] == accept.split(';')[0]
            body = gzip.decompress(r.body) if packed else r.body
            compare(found, parse(body), f'{accept} {coding}')
    return found


def test_random_registries():
    total = 0
    with Place() as p:
        e = p.exporter(storage=False)
        for seed in range(1, ROUNDS + 1):
            registry = subprocess.Popen(
                ['sh', '-c', 'exec "$0" "$@" 3>/dev/null', REGISTRY, p.segment, str(seed),
                 str(1 + seed * 3 % 60), 'stay'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            try:
                printed = samples_of(text(registry.stdout.read().decode()))
                found = all_formats(e)
                theirs = {k: v for k, v in found.items() if not k[0].startswith('shardmeter_')}
                printed = {k: v for k, v in printed.items() if not k[0].startswith('shardmeter_')}
                compare(printed, theirs, f'seed {seed}: the library and the exporter')
                total += len(theirs)
            finally:
                registry.stdin.close()
                registry.stdout.close()
                registry.wait()
            os.unlink(p.segment)
    assert total > 20 * ROUNDS, total
    print(f'{ROUNDS} registries, {total} samples')


def test_one_writer_and_several_segments():
    with Place() as p:
        other = os.path.join(p.shm, 'other')
        e = p.exporter(f'--segment={p.segment}', f'--segment={other}', storage=False)
        one, two = p.feeder('shard-1'), p.feeder('shard-2')
        for f, n in ((one, 3), (two, 4)):
            f('counter', 'a_total', labels(x='1'), n)
            f('gauge', 'g', '-', 0, n + 0.5)
            f('histogram', 'h_seconds', '-', n / 100)
            f('state', 'st', '-', 'a,b', 1)
        found = all_formats(e)
        segment = ('segment', p.segment)
        assert found['a_total', frozenset([('x', '1'), segment])] == 7, found
        assert found['shardmeter_segment_up', frozenset([('segment', other)])] == 0
        found = all_formats(e, '/metrics?aggregate=none')
        assert found['a_total', frozenset([('x', '1'), segment, ('writer', 'shard-1')])] == 3
        assert found['h_seconds_sum', frozenset([segment, ('writer', 'shard-2')])] == 0.04
        found = all_formats(e, '/metrics?writer[]=shard-2&name[]=a_total&name[]=g')
        assert found == {('a_total', frozenset([('x', '1'), segment, ('writer', 'shard-2')])): 4,
                         ('g', frozenset([segment, ('writer', 'shard-2')])): 4.5}, found
        r = e.request(path='/metrics?writer=shard-2')
        assert r.status == 400 and 'no such parameter' in r.text, r.text


def test_removed_file_is_added_in_every_format():
    with Place() as p:
        e = p.exporter(storage=False)
        stays, moves = p.feeder('stays'), p.feeder('moves')
        for f in (stays, moves):
            f('counter', 'a_total', labels(x='1'), 100)
            f('gauge', 'g_all', '-', 6, 1)
            f('histogram', 'h_seconds', '-', 0.3)
        e.metrics()
        os.unlink(p.segment)
        moves('heartbeat')
        moves('counter', 'a_total', labels(x='1'), 7)
        moves('histogram', 'h_seconds', '-', 0.4)
        moves('gauge', 'g_all', '-', 6, 2)
        found = all_formats(e)
        assert found['a_total', frozenset([('x', '1')])] == 207, found
        assert found['h_seconds_count', frozenset()] == 3
        found = all_formats(e, '/metrics?aggregate=none')
        assert found['a_total', frozenset([('x', '1'), ('writer', 'moves')])] == 107, found
        assert found['g_all', frozenset([('writer', 'moves')])] == 2


if __name__ == '__main__':
    run_tests(globals())
