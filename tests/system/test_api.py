#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 180
"""The API against its description (docs/openapi.yaml), its guide (docs/api.md), and the same numbers
as /metrics and shmtop --json."""
import json
import os
import re
import subprocess
import time
import urllib.parse

import jsonschema
import yaml

from exporter_util import BUILD, SRCDIR, Place, labels, run_tests
from process_util import wait_for

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
HOSTILE = 'a"\\\n\x1b[31m</script>é'
os.environ['FEEDER_METADATA'] = 'node=n"1'
QUICK = ('--storage.interval=200ms', '--allow-root')

with open(os.path.join(SRCDIR, 'docs/openapi.yaml'), encoding='utf-8') as f:
    DOC = yaml.safe_load(f)


# ---- asking -------------------------------------------------------------------------------------

def ask(exporter, path, *params, headers=None):
    query = '&'.join(f'{urllib.parse.quote(k, safe="[]")}={urllib.parse.quote(str(v), safe="")}'
                     for k, v in params)
    r = exporter.request(path=f'/api/v1/{path}' + (f'?{query}' if query else ''), headers=headers)
    assert r.getheader('Content-Type') == 'application/json; charset=utf-8', r.getheaders()
    answer = json.loads(r.text)
    assert (answer['status'] == 'success') == (r.status == 200), (r.status, answer)
    check(answer, '/api/v1/' + path, r.status)
    return r.status, answer


def data(exporter, path, *params):
    status, answer = ask(exporter, path, *params)
    assert status == 200, answer
    return answer['data']


def fails(exporter, status, error, path, *params, headers=None):
    got, answer = ask(exporter, path, *params, headers=headers)
    assert (got, answer.get('error')) == (status, error), (got, answer)
    return answer['message']


# ---- the description ----------------------------------------------------------------------------

def resolve(node):
    while '$ref' in node:
        target = DOC
        for part in node['$ref'].removeprefix('#/').split('/'):
            target = target[part]
        node = target
    return node


def schema_of(path, status):
    if status == 404:
        assert path not in DOC['paths']
        return DOC['components']['schemas']['Error']
    responses = DOC['paths'][path]['get']['responses']
    assert str(status) in responses, f'{path}: {status} is not documented'
    return resolve(responses[str(status)])['content']['application/json']['schema']


SEEN = {}       # path -> what its answers were, for the members that nobody has seen


def validate(value, schema):
    jsonschema.Draft202012Validator(
        schema, resolver=jsonschema.RefResolver('', DOC)).validate(value)


def check(answer, path, status):
    validate(answer, schema_of(path, status))
    if status == 200:
        SEEN.setdefault(path, []).append(answer)


def members(value, at=''):
    """The paths of all members in an answer."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield f'{at}.{k}'
            yield from members(v, f'{at}.{k}')
    elif isinstance(value, list):
        for v in value:
            yield from members(v, f'{at}[]')


def documented(schema, at=''):
    """The paths of all members in a schema."""
    for node in [schema] + schema.get('oneOf', []):
        here = resolve(node)
        for part in (node, here):
            for k, v in part.get('properties', {}).items():
                yield f'{at}.{k}'
                yield from documented(v, f'{at}.{k}')
        if here is not node and 'oneOf' in here:
            yield from documented(here, at)
        if isinstance(here.get('items'), dict):
            yield from documented(here['items'], f'{at}[]')


def parameters(path):
    return [resolve(p) for p in DOC['paths'][path]['get'].get('parameters', [])]


def examples():
    """Every example of an answer with its schema."""
    for item in DOC['paths'].values():
        for response in item['get']['responses'].values():
            for content in resolve(response)['content'].values():
                yield content['example'], content['schema']


# ---- a segment with a bit of everything ---------------------------------------------------------

def feed(place):
    """Two writers, one of them with numbers that are hard to get right."""
    a, b = place.feeder('shard-1'), place.feeder('shard-2')
    for outcome in ('ok', 'error'):
        a('counter', 'commands_total', labels(command='play', outcome=outcome), 7)
        b('counter', 'commands_total', labels(command='play', outcome=outcome), 5)
    b('counter', 'commands_total', labels(command=HOSTILE, outcome='ok'), 2**53 + 1)
    a('updown', 'in_flight', '-', -3)
    a('gauge', 'ping_seconds', '-', 6, 0.1)         # each writer's own
    b('gauge', 'ping_seconds', '-', 6, 1e-9)
    a('gauge', 'guilds', labels(region='eu'), 0, 120)
    b('gauge', 'guilds', labels(region='eu'), 0, 0.30000000000000004)
    a('gauge', 'worst', '-', 2, 'nan')
    a('gauge', 'best', '-', 1, '-inf')
    a('state', 'phase', '-', 'idle,busy', 1)
    for i in range(40):
        (a if i % 2 else b)('histogram', 'command_duration_seconds', labels(command='play'),
                            0.001 * 1.3 ** (i % 20))
    a('heartbeat')
    b('heartbeat')
    return a, b


def rows(exporter):
    return data(exporter, 'health')['segments'][0]['history']['rows']


def later(exporter, n):
    before = rows(exporter)
    wait_for(lambda: rows(exporter) >= before + n, f'{n} more rows of history')


# ---- tests --------------------------------------------------------------------------------------

def test_examples_are_as_described():
    n = 0
    for example, schema in examples():
        validate(example, schema)
        n += 1
    assert n > 15, n


def test_every_path_and_parameter_and_no_other():
    with Place() as place:
        e = place.exporter('--allow-root')
        index = {x['path']: x['parameters'] for x in data(e, '')['endpoints']}
        assert index.keys() == DOC['paths'].keys()
        for path, names in index.items():
            assert sorted(names) == sorted(p['name'] for p in parameters(path)), path
            for p in parameters(path):
                assert p['description'] and 'example' in p, (path, p)
        fails(e, 404, 'not_found', 'nothing')


def test_documented_parameters_are_taken():
    with Place() as place:
        feeders = feed(place)
        e = place.exporter(*QUICK)
        wait_for(lambda: rows(e) >= 2, 'rows of history')
        segment = data(e, 'health')['segments'][0]['segment']
        for path in DOC['paths']:
            name = path.removeprefix('/api/v1/')
            # What the endpoint cannot do without, and what a parameter needs beside it.
            need = [(p['name'], p['example']) for p in parameters(path) if p.get('required')]
            for p in parameters(path):
                value = segment if p['name'] == 'segment' else p['example']
                values = value if isinstance(value, list) else [value]
                values = [str(v).lower() if isinstance(v, bool) else v for v in values]
                more = [x for x in need if x[0] != p['name']]
                if name == 'query' and p['name'] != 'match[]':
                    more += [('match[]', 'command_duration_seconds')]
                if name == 'events' and p['name'] != 'kind':
                    more += [('kind', 'clock_set_back')]    # there is none: no limit is too low
                if p['name'] == 'q[]':
                    more += [('fn', 'quantile')]
                data(e, name, *more, *[(p['name'], v) for v in values])
                schema = resolve(p['schema'])
                for word in schema.get('enum', []):
                    data(e, name, *more, (p['name'], word))
                for edge in ('minimum', 'maximum'):
                    if edge in schema:
                        data(e, name, *more, (p['name'], schema[edge]))
                        beyond = schema[edge] + (1 if edge == 'maximum' else -1)
                        fails(e, 400, 'bad_parameter', name, *more, (p['name'], beyond))
            fails(e, 400, 'bad_parameter', name, ('nonsense', 1))
        assert feeders


def test_every_member_is_seen():
    with Place() as place:
        a, _ = feed(place)
        place.feeder('shard-3').end()
        a('slow', 'play', 'ok', 2500, f'00-{TRACE}-00f067aa0ba902b7-01', 'node=n1')
        a('flow', 'load', f'00-{TRACE}-00f067aa0ba902b7-01', 'search,join')
        a('health', 'database', 1, 1)
        a('refuse', 'capped_total', 3)
        e = place.exporter(*QUICK)
        wait_for(lambda: rows(e) >= 2, 'rows of history')
        data(e, 'series', ('buckets', 'true'), ('writers', 'true'))
        data(e, 'series', ('source', 'history'))
        data(e, 'query', ('match[]', 'commands_total'), ('fn', 'rate'))
        data(e, 'query', ('match[]', 'command_duration_seconds'), ('fn', 'quantile'))
        assert data(e, 'slow-operations')['total'] == 2
        assert data(e, 'flows', ('trace_id', TRACE))['total'] == 2
        data(e, 'writers')
        data(e, 'health')
        e.stop()
        time.sleep(0.5)     # ticks that nobody takes
        e = place.exporter(*QUICK)
        wait_for(lambda: any(x['kind'] == 'exporter_start' for x in data(e, 'events')['events']),
                 'a row of the new exporter')
        events = data(e, 'events')['events']
        # They start side by side: either may be the first.
        assert sorted(x['writer'] for x in events if x['kind'] == 'writer_start') == \
            ['shard-1', 'shard-2'], events
        gaps = [x for x in events if x['kind'] == 'gap' and x['why'] == ['stopped']]
        assert gaps and gaps[-1]['ticks'] >= 2, events
        assert events[-1]['kind'] == 'exporter_start', events
        for path in DOC['paths']:
            seen = set()
            for answer in SEEN.get(path, []):
                seen.update(members(answer))
            missing = {m for m in documented(schema_of(path, 200)) if m not in seen}
            assert not missing, f'{path}: never seen: {sorted(missing)}'


def test_documented_errors_happen():
    said = set()

    def failing(*args, **kwargs):
        said.add(args[2])
        return fails(*args, **kwargs)

    with Place() as place:
        a, _ = feed(place)
        a('series', 'many_total', 1000)
        e = place.exporter(*QUICK)
        wait_for(lambda: rows(e) >= 2, 'rows of history')
        failing(e, 404, 'not_found', 'serie')
        assert 'limit is 100' in failing(e, 422, 'too_many_series', 'query',
                                         ('match[]', 'many_total'))
        failing(e, 422, 'too_many_events', 'events', ('limit', 1))
        failing(e, 503, 'deadline', 'query', ('match[]', 'many_total'), ('by', ''),
                headers={'X-Prometheus-Scrape-Timeout-Seconds': '0.0000001'})
        failing(e, 400, 'bad_parameter', 'series', ('match[]', '{'))
    with Place() as place:
        e = place.exporter('--allow-root', storage=False)
        failing(e, 503, 'no_history', 'query', ('match[]', 'a'))
    with Place() as place:
        e = place.exporter('--allow-root')
        wait_for(lambda: os.path.isdir(place.store), 'a store')
        for root, _, files in os.walk(place.store):
            for name in files:
                if name.endswith('.mdb'):
                    os.unlink(os.path.join(root, name))
        failing(e, 503, 'history_unavailable', 'query', ('match[]', 'a'))
    # The rest takes more data than a test should have: tests/unit/test_api_query.c does it.
    enum = set(DOC['components']['schemas']['Error']['properties']['error']['enum'])
    assert enum - said == {'answer_too_large', 'too_many_points', 'busy'}, enum - said


# ---- the guide ----------------------------------------------------------------------------------

def shape(example, live, at='$'):
    """Has the live answer what the guide shows?"""
    if isinstance(example, dict) and at.endswith('.labels'):
        assert isinstance(live, dict), at
    elif isinstance(example, dict):
        assert example.keys() == live.keys(), f'{at}: {example.keys()} != {live.keys()}'
        for k in example:
            shape(example[k], live[k], f'{at}.{k}')
    elif isinstance(example, list):
        assert isinstance(live, list) and (live or not example), f'{at}: {live}'
        for x in live:
            if example:
                shape(example[0], x, f'{at}[]')
    elif example is not None and live is not None:
        number = (int, float)
        assert isinstance(live, number if isinstance(example, number) else type(example)), at


def test_the_guide_is_true():
    with open(os.path.join(SRCDIR, 'docs/api.md'), encoding='utf-8') as guide:
        blocks = re.findall(r'^```(sh|json)\n(.*?)^```', guide.read(), re.M | re.S)
    with Place() as place:
        feeders = feed(place)
        e = place.exporter(*QUICK)
        wait_for(lambda: rows(e) >= 2, 'rows of history')
        commands, output = 0, None
        for language, text in blocks:
            if language == 'json':
                example = json.loads(text)
                shape(example, output)
                if example['status'] == 'error':
                    assert example == output
                continue
            text = text.replace('http://127.0.0.1:10464', f'http://{e.address}')
            done = subprocess.run(['bash', '-ec', text], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=30, check=False)
            assert done.returncode == 0, (text, done.stderr)
            for line in done.stdout.splitlines():
                output = json.loads(line)
                assert output['status'] == ('error' if 'step=soon' in text else 'success'), output
                commands += 1
        assert commands >= 10 and feeders
        paths = {path for path in DOC['paths'] if any(path in text for _, text in blocks)}
        assert paths == DOC['paths'].keys(), DOC['paths'].keys() - paths


# ---- the same numbers ---------------------------------------------------------------------------

LINE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')


def unescape(text):
    return re.sub(r'\\(.)', lambda m: '\n' if m.group(1) == 'n' else m.group(1), text)


def metrics(exporter):
    """(name, labels) -> the digits, of /metrics."""
    out = {}
    for line in exporter.metrics().split('\n'):
        if m := LINE.match(line):
            pairs = {k: unescape(v) for k, v in LABEL.findall(m.group(2) or '')}
            out[m.group(1), tuple(sorted(pairs.items()))] = m.group(3)
    return out


def digits(text):
    """A JSON document with its numbers as they are written."""
    return json.loads(text, parse_int=str, parse_float=str)


def same(value, text):
    """Is what JSON says what /metrics says? Digit by digit, but for the ways to write a double."""
    if value is None:
        return text in ('NaN', '+Inf', '-Inf')
    return value == text or (not re.fullmatch(r'-?\d+', value) and float(value) == float(text))


def api_series(exporter):
    r = exporter.request(path='/api/v1/series?buckets=true')
    out = {}
    for family in digits(r.text)['data']['families']:
        for s in family['series']:
            key = family['name'], tuple(sorted(s['labels'].items()))
            assert key not in out, key
            out[key] = dict(s, kind=family['kind'], states=family.get('states'))
    return out


def shmtop_series(place):
    done = subprocess.run([os.path.join(BUILD, 'shmtop'), '--json', '-n', '1'],
                          stdout=subprocess.PIPE, env=place.env(), text=True, timeout=60, check=True)
    document = digits(done.stdout)
    out = {}
    for s in document['series']:
        pairs = dict(s['labels'])
        if s.get('writer'):
            pairs['writer'] = s['writer']
        out[s['name'], tuple(sorted(pairs.items()))] = s
    return out


def compare_histogram(key, ours, exposed, top):
    name, pairs = key
    assert ours['count'] == exposed[f'{name}_count', pairs], key
    assert float(ours['sum']) == float(exposed[f'{name}_sum', pairs]), key
    for bucket in ours['buckets']:
        le = '+Inf' if bucket['le'] is None else bucket['le']
        found = [v for (n, p), v in exposed.items()
                 if n == f'{name}_bucket' and float(dict(p)['le']) == float(le) and
                 {k: v for k, v in p if k != 'le'} == dict(pairs)]
        assert found == [bucket['count']], (key, le)
    for member in ('count', 'sum', 'p50', 'p95', 'p99'):
        assert ours[member] == top[member], (key, member, ours[member], top[member])


def test_the_same_numbers_as_metrics_and_shmtop():
    with Place() as place:
        feeders = feed(place)
        e = place.exporter(*QUICK)
        ours, exposed, top = api_series(e), metrics(e), shmtop_series(place)
        assert len(ours) >= 11
        for key, s in ours.items():
            name, pairs = key
            if s['kind'] == 'histogram':
                compare_histogram(key, s, exposed, top[key])
                continue
            if s['kind'] == 'stateset':
                for i, state in enumerate(s['states']):
                    shown = exposed[name, tuple(sorted(pairs + ((name, state),)))]
                    assert shown == ('1' if str(i) == s['value'] else '0'), (key, state, shown)
            else:
                assert same(s['value'], exposed[key]), (key, s, exposed[key])
            value = s.get('not_a_number', s['value'])
            assert value == top[key]['value'], (key, value, top[key])
        # Nothing of the programs' is missing from the API.
        for (name, _), _ in exposed.items():
            if not name.startswith(('shardmeter_', 'process_')):
                assert any(name == n or name.startswith(f'{n}_') for n, _ in ours), name
        assert ours['commands_total', (('command', HOSTILE), ('outcome', 'ok'))]['value'] == \
            '9007199254740993'
        assert feeders


def test_history_agrees_with_the_values_now():
    with Place() as place:
        a, b = feed(place)
        e = place.exporter(*QUICK)
        later(e, 2)
        name = 'commands_total{command="play",outcome="ok"}'

        def values(fn):
            one = data(e, 'query', ('match[]', name), ('from', '-1m'), ('fn', fn))['series'][0]
            return [v for v in one['values'] if v is not None]

        # The counter's increase over all, and its last value.
        a('counter', 'commands_total', labels(command='play', outcome='ok'), 1000)
        wait_for(lambda: sum(values('increase')) == 1000, 'the increase')
        now = data(e, 'series', ('match[]', name))['families'][0]['series'][0]['value']
        assert values('value')[-1] == now == 1012, now
        # Across a restart of the exporter, and a writer that died.
        e.stop()
        b.end()
        a('counter', 'commands_total', labels(command='play', outcome='ok'), 50)
        e = place.exporter(*QUICK)
        wait_for(lambda: sum(values('increase')) == 1050, 'the increase over the restart')
        later(e, 2)
        assert sum(values('increase')) == 1050


def test_several_segments():
    with Place() as place:
        first = place.segment
        a = place.feeder('shard-1')
        place.segment = os.path.join(place.shm, 'second')
        b = place.feeder('shard-1')
        for feeder, n in ((a, 3), (b, 40)):
            feeder('counter', 'commands_total', '-', n)
            feeder('slow', 'play', 'ok', 1500 + n, f'00-{TRACE}-00f067aa0ba902b7-01', '')
        second, place.segment = place.segment, first
        e = place.exporter(*QUICK, f'--segment={first}', f'--segment={second}')
        wait_for(lambda: all(s['history']['rows'] >= 2 for s in data(e, 'health')['segments']),
                 'rows of both histories')
        values = {f['segment']: f['series'][0]['value'] for f in data(e, 'series')['families']}
        assert values == {first: 3, second: 40}, values
        only = ('segment', second)
        assert [f['segment'] for f in data(e, 'series', only)['families']] == [second]
        # Never added up, not even by nothing.
        q = (('match[]', 'commands_total'), ('by', ''), ('points', 1))
        values = {s['segment']: s['values'] for s in data(e, 'query', *q)['series']}
        assert values == {first: [3], second: [40]}, values
        assert len(data(e, 'query', *q, only)['series']) == 1
        # A trace goes through both.
        trace = data(e, 'flows', ('trace_id', TRACE))['operations']
        assert {x['segment'] for x in trace} == {first, second} and len(trace) == 2, trace
        assert data(e, 'slow-operations', only)['total'] == 1
        assert {w['segment'] for w in data(e, 'writers')['writers']} == {first, second}
        assert {x['segment'] for x in data(e, 'events')['events']} == {first, second}
        assert 'no segment' in fails(e, 400, 'bad_parameter', 'series', ('segment', 'third'))
        # One that goes leaves the other as it was.
        b.end()
        os.unlink(second)
        wait_for(lambda: not data(e, 'health', only)['segments'][0]['up'], 'the second is gone')
        assert data(e, 'health')['judgement']['level'] == 'bad'
        assert [f['segment'] for f in data(e, 'series')['families']] == [first]
        assert [s['segment'] for s in data(e, 'query', *q)['series']] == [first, second]


def test_questions_hold_up_no_scrape():
    """Far more questions at once than can wait, and a scrape between them."""
    with Place() as place:
        a, _ = feed(place)
        a('series', 'many_total', 1000)
        e = place.exporter(*QUICK)
        wait_for(lambda: rows(e) >= 5, 'rows of history')
        url = (f'http://{e.address}/api/v1/query?match[]=many_total&limit=1000&fn=rate&points=100')
        asking = [subprocess.Popen(['curl', '-sS', '-g', url], stdout=subprocess.PIPE, text=True)
                  for _ in range(40)]
        began = time.monotonic()
        assert 'commands_total' in e.metrics()
        took = time.monotonic() - began
        answers = [json.loads(p.communicate(timeout=60)[0]) for p in asking]
        for answer in answers:
            if answer['status'] != 'success':
                check(answer, '/api/v1/query', 503)
        assert {x.get('error') for x in answers} <= {None, 'busy'}, answers
        assert any(x['status'] == 'success' for x in answers), answers
        assert took < 5, took


if __name__ == '__main__':
    run_tests(globals())
