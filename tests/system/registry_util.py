# SPDX-License-Identifier: Apache-2.0
"""Random registries in every format of /metrics, read by other people's parsers.

generate() gives registries as random_exposition made them; check() compares one with what went in: the
texts by Debian's Python parsers, protobuf by protobuf_util.py (and by Prometheus itself, in registries.py).
"""
import gzip
import math
import os
import subprocess
import tempfile

import protobuf_util
from prometheus_client import openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

PROGRAM = os.path.join(os.environ.get('BUILD', 'build/release'), 'tests/system/random_exposition')
EXEMPLAR = {'trace_id': '4bf9"2f\n35'}
MIN_GZIP = 1024


class Registry:
    """What must be in it, and its four expositions."""

    def __init__(self, seed, expected, text, text1, om, proto):
        self.seed = seed
        self.samples, self.native = parse_expected(expected)
        self.gzipped = seed % 2 == 1
        self.text, self.text1, self.openmetrics = (self.unpack(b).decode() for b in (text, text1, om))
        self.protobuf = self.unpack(proto)

    def unpack(self, body):
        if not self.gzipped or not body:
            return body
        if body[:2] == b'\x1f\x8b':
            return gzip.decompress(body)
        assert len(body) < MIN_GZIP, f'seed {self.seed}: {len(body)} bytes were not compressed'
        return body


def parse_key(text):
    name, rest = text.split('{', 1)
    pairs = (p.split('=', 1) for p in rest.split(',') if p)
    return name, frozenset((k, bytes.fromhex(v).decode()) for k, v in pairs)


def parse_expected(text):
    """{(name, labels): value} and, of histograms with a fine grid, {(name, labels): [ns]}."""
    samples, native = {}, {}
    for line in text.decode('ascii').splitlines():
        key, value = line.lstrip('!').rsplit('}', 1)
        key = parse_key(key)
        assert key not in (native if line[0] == '!' else samples), key
        if line[0] == '!':
            native[key] = [int(ns) for ns in value.split()]
        else:
            samples[key] = float(value)
    return samples, native


def generate(first, last):
    with tempfile.TemporaryDirectory(prefix='shardmeter-test-', dir='/dev/shm') as directory:
        process = subprocess.Popen([PROGRAM, os.path.join(directory, 'segment'), str(first), str(last)],
                                   stdout=subprocess.PIPE)
        with process.stdout as out:
            for line in out:
                seed, *lengths = (int(n) for n in line.split())
                yield Registry(seed, *[out.read(n) for n in lengths])
        assert process.wait() == 0, 'random_exposition failed'


# ---- protobuf ---------------------------------------------------------------------------------

def messages_without_ours(data):
    """The messages of all families but shardmeter_*."""
    at, kept = 0, []
    while at < len(data):
        length, begin = protobuf_util.varint(data, at)
        end = begin + length
        if not dict(protobuf_util.fields(data[begin:end]))[1].startswith(b'shardmeter_'):
            kept.append(data[at:end])
        at = end
    return b''.join(kept)


def le_text(bound):
    """As a canonical `le`: what Go's %g says, with a point."""
    return '+Inf' if math.isinf(bound) else openmetrics.exposition.floatToGoString(bound)


def samples_of(family):
    """{(sample name, labels): value}, {labels: Histogram} of those with a native view."""
    samples, native = {}, {}
    for labels, value, _ in family.metrics:
        key = frozenset(labels.items())
        if family.type != 'histogram':
            samples[family.name, key] = value
            continue
        last = 0
        for bound, cumulative in value.classic:
            assert cumulative >= last, (family.name, labels)
            last = cumulative
            samples[family.name + '_bucket', key | {('le', le_text(bound))}] = cumulative
        samples.setdefault((family.name + '_bucket', key | {('le', '+Inf')}), value.count)
        samples[family.name + '_count', key] = value.count
        samples[family.name + '_sum', key] = value.sum
        if value.schema is not None:
            assert value.spans, f'{family.name} {labels}: not seen as native'
            native[key] = value
    return samples, native


# ---- comparing --------------------------------------------------------------------------------

def close(a, b):
    return a == b or abs(a - b) <= 1e-15 * max(abs(a), abs(b))


def compare(registry, what, found):
    """found: {(name, labels): value} without our own metrics."""
    where = f'seed {registry.seed}, {what}'
    for key, value in registry.samples.items():
        assert key in found, f'{where}: no sample {key}'
        assert close(found[key], value), f'{where}: {key} is {found[key]!r}, not {value!r}'
    strangers = [k for k in found if k not in registry.samples]
    assert not strangers, f'{where}: unexpected {strangers[0]}'


def collect(registry, what, families, created_allowed=False):
    found, names = {}, set()
    for family in families:
        assert family.name not in names, f'seed {registry.seed}, {what}: {family.name} twice'
        names.add(family.name)
        if family.name.startswith('shardmeter_'):
            continue
        assert family.documentation, f'seed {registry.seed}, {what}: {family.name} has no help'
        for s in family.samples:
            if created_allowed and s.name.endswith('_created'):
                continue
            key = s.name, frozenset(s.labels.items())
            assert key not in found, f'seed {registry.seed}, {what}: {key} twice'
            found[key] = s.value
            if s.exemplar:
                assert s.exemplar.labels == EXEMPLAR, (registry.seed, s)
    return found


def bucket_of(ns, schema):
    """The native bucket that a duration belongs to: the least i with ns / 1e9 <= 2^(i / 2^schema)."""
    v = ns / 1e9
    i = math.ceil(math.log2(v) * 2 ** schema)
    while 2 ** ((i - 1) / 2 ** schema) >= v:
        i -= 1
    while 2 ** (i / 2 ** schema) < v:
        i += 1
    return i


def check_native(registry, name, labels, native):
    where = f'seed {registry.seed}: native {name} {sorted(labels)}'
    values = registry.native[name, labels]
    assert native.count == len(values), f'{where}: count {native.count} of {len(values)}'
    assert native.zero_threshold == 2 ** -20, where
    assert native.zero_count == sum(ns / 1e9 <= 2 ** -20 for ns in values), where
    wanted = {}
    for ns in values:
        if ns / 1e9 > 2 ** -20:
            i = bucket_of(ns, native.schema)
            wanted[i] = wanted.get(i, 0) + 1
    found = {i: n for i, n in native.native().items() if n}
    assert found == wanted, f'{where}: {found} instead of {wanted}'


def check_protobuf(registry):
    samples, names, natives = {}, set(), 0
    for family in protobuf_util.parse(registry.protobuf):
        assert family.name not in names, f'seed {registry.seed}, protobuf: {family.name} twice'
        names.add(family.name)
        if family.name.startswith('shardmeter_'):
            continue
        own, native = samples_of(family)
        samples.update(own)
        for labels, h in native.items():
            check_native(registry, family.name, labels, h)
            natives += 1
    compare(registry, 'protobuf', samples)
    assert natives == len(registry.native), \
        f'seed {registry.seed}: {natives} of {len(registry.native)} native histograms'
    return natives


def check(registry):
    """All formats of one registry. Returns how many samples and native histograms were compared."""
    compare(registry, 'text 0.0.4', collect(registry, 'text 0.0.4', parse_text(registry.text)))
    compare(registry, 'text 1.0.0', collect(registry, 'text 1.0.0', parse_text(registry.text1)))
    compare(registry, 'OpenMetrics', collect(registry, 'OpenMetrics', parse_openmetrics(registry.openmetrics), True))
    return len(registry.samples), check_protobuf(registry)


def check_all(first, last):
    samples = natives = 0
    for registry in generate(first, last):
        s, n = check(registry)
        samples += s
        natives += n
        yield registry
    assert samples > last - first and natives > 0, 'nothing was compared'
    print(f'{last - first + 1} registries: {samples} samples in four formats and {natives} native '
          'histograms came back as they went in')


def check_promtool(texts):
    """Many registries at once: their names differ."""
    body = '\n'.join(t.rstrip('\n') for t in texts) + '\n'
    done = subprocess.run(['promtool', 'check', 'metrics'], input=body.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0 and not done.stdout, f'promtool says {done.stdout.decode()}'


def without_ours(text):
    """A text without our own metrics, which every registry has."""
    lines = []
    for line in text.split('\n'):
        name = line.split(' ', 3)[2] if line.startswith('# ') and len(line.split(' ')) > 2 else line
        if line and not name.startswith('shardmeter_') and line != '# EOF':
            lines.append(line)
    return '\n'.join(lines)
