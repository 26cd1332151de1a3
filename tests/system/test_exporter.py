# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 240
"""The exporter as a client sees it: pages, formats, hosts, segments that come and go, the end."""
import http.client
import json
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import (EXPORTER, SRCDIR, Place, labels, run_tests, wait_for)

from prometheus_client.parser import text_string_to_metric_families


def parse(text):
    """All samples of a text by name and labels; families must not come twice."""
    samples, names = {}, set()
    for family in text_string_to_metric_families(text):
        assert family.name not in names, f'family {family.name} twice'
        names.add(family.name)
        for s in family.samples:
            key = (s.name, tuple(sorted(s.labels.items())))
            assert key not in samples, f'sample {key} twice'
            samples[key] = s.value
    return samples


def one(samples, name, **pairs):
    return samples.get((name, tuple(sorted(pairs.items()))))


def check_text(text):
    """promtool's opinion. It warns of some names that are as they should be, and exits 3 then."""
    r = subprocess.run(['promtool', 'check', 'metrics'], input=text, text=True,
                       capture_output=True, check=False)
    assert r.returncode == 0, r.stdout + r.stderr


# --- pages ------------------------------------------------------------------------------------

def test_pages_without_a_segment():
    with Place() as p:
        e = p.exporter()
        r = e.request()
        assert r.status == 200
        assert r.headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
        assert int(r.headers['Content-Length']) == len(r.text.encode())
        check_text(r.text)
        samples = parse(r.text)
        assert one(samples, 'shardmeter_segment_up') == 0
        assert one(samples, 'shardmeter_build_info', version=read_version()) == 1
        assert one(samples, 'process_threads') >= 3
        assert 0 <= one(samples, 'process_cpu_seconds_total') < 60
        assert abs(one(samples, 'process_start_time_seconds') - time.time()) < 60
        head = e.request('HEAD')
        assert head.status == 200 and head.text == ''
        assert abs(int(head.headers['Content-Length']) - len(r.text)) < 200
        assert e.request(path='/-/healthy').status == 200
        status, ready = e.ready()
        assert status == 503 and ready['ready'] is False
        assert [r['code'] for r in ready['reasons']] == ['no_segment'], ready
        assert p.segment in ready['reasons'][0]['message']
        r = e.request(path='/')
        assert r.status == 200 and 'href="/metrics"' in r.text
        assert "default-src 'none'" in r.headers['Content-Security-Policy']
        assert e.request(path='/nothing').status == 404
        assert e.request(path='/metrics/').status == 404


def read_version():
    with open(os.path.join(SRCDIR, 'VERSION'), encoding='utf-8') as f:
        return f.read().strip()


def test_methods_bodies_hosts():
    with Place() as p:
        e = p.exporter('--web.allowed-hosts=metrics.lan', storage=False)
        for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'BREW'):
            r = e.request(method)
            assert r.status == 405 and r.headers['Allow'] == 'GET, HEAD', (method, r.status)
        assert e.request('GET', body='x').status == 400
        assert e.request('POST', body='x').status == 400
        assert e.request('GET', headers={'Transfer-Encoding': 'chunked'}).status == 400
        port = e.address.split(':')[1]
        for host, status in ((f'localhost:{port}', 200), ('127.0.0.1', 200), ('[::1]:1', 200),
                             ('metrics.lan', 200), ('METRICS.LAN.', 200), ('evil.example', 421),
                             ('metrics.lan.evil.example', 421), ('localhost@evil.example', 421),
                             ('', 421)):
            assert e.request(headers={'Host': host}).status == status, host
        assert raw(e, b'GET /metrics HTTP/1.1\r\n\r\n').startswith(b'HTTP/1.1 400 ')
        assert raw(e, b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n') \
            .startswith(b'HTTP/1.1 400 ')
        assert b' 200 OK\r\n' in raw(e, b'GET /metrics HTTP/1.0\r\n\r\n')[:20]
        assert e.request(path='/' + 'x' * 40000).status == 414
        assert e.request(headers={'X': 'x' * 40000}).status == 431


def raw(e, request):
    host, port = e.address.split(':')
    with socket.create_connection((host, int(port)), timeout=20) as s:
        s.sendall(request)
        answer = b''
        while b'\r\n\r\n' not in answer:
            more = s.recv(65536)
            if not more:
                break
            answer += more
        return answer


def test_random_bytes_do_no_harm():
    rng = random.Random(1)
    words = [b'GET ', b'/metrics', b' HTTP/1.1\r\n', b'Host: localhost\r\n', b'\r\n', b'\0', b'\n',
             b'Content-Length: -1\r\n', b'Transfer-Encoding: chunked\r\n', b'Connection: Upgrade\r\n',
             b'%', b'%00', b'?a=b', b'HEAD ', b'POST ', b'\xff' * 50, b': ', b'A' * 3000]
    with Place() as p:
        e = p.exporter('--web.idle-timeout=1s', storage=False)
        host, port = e.address.split(':')
        for _ in range(100):
            with socket.create_connection((host, int(port)), timeout=20) as s:
                try:
                    s.sendall(b''.join(rng.choice(words) for _ in range(rng.randrange(1, 12))))
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        assert e.request().status == 200
        assert e.stop() == 0


def test_keep_alive_and_idle_timeout():
    with Place() as p:
        e = p.exporter('--web.idle-timeout=1s', storage=False)
        host, port = e.address.split(':')
        with socket.create_connection((host, int(port)), timeout=20) as half:
            half.sendall(b'GET /metrics HTTP/1.1\r\nHo')
            c = http.client.HTTPConnection(e.address, timeout=20)
            c.request('GET', '/-/healthy')
            c.getresponse().read()
            began = time.monotonic()
            assert half.recv(1) == b''      # the half request is cut ...
            assert 0.5 < time.monotonic() - began < 10
            c.request('GET', '/-/healthy')  # ... an idle connection that asked properly is not
            assert c.getresponse().status == 200
            c.close()


def test_who_comes_beyond_the_limit_takes_the_place_of_the_longest_idle():
    with Place() as p:
        e = p.exporter('--web.max-connections-per-ip=3', storage=False)
        idle = [http.client.HTTPConnection(e.address, timeout=20) for _ in range(3)]
        for c in idle:
            c.request('GET', '/-/healthy')
            assert c.getresponse().read()
        assert e.request().status == 200
        assert idle[0].sock.recv(1) == b''
        for c in idle[1:]:
            c.request('GET', '/-/healthy')
            assert c.getresponse().status == 200
        for c in idle:
            c.close()


# --- the segment ------------------------------------------------------------------------------

AWKWARD = ['', 'plain', 'with "quotes"', 'back\\slash', 'new\nline', 'a,b=c', '{}', ' spaces ',
           'grüße', '日本語', '\U0001f600', '\\n', '"', '\\"', '\t\x1b[31m', '__other__']


def test_every_kind_and_awkward_labels():
    with Place() as p:
        e = p.exporter(storage=False)
        one_writer, two = p.feeder('shard-1'), p.feeder('shard-2')
        for i, text in enumerate(AWKWARD):
            one_writer('counter', 'awkward_total', labels(text=text), 1000 + i)
        for f, n in ((one_writer, 10), (two, 5)):
            f('counter', 'commands_total', labels(command='play'), n)
            f('gauge', 'queue', '-', 0, n)
            f('gauge', 'voice', '-', 6, n + 0.5)
            f('updown', 'calls_open', '-', n - 7)
            f('histogram', 'latency_seconds', labels(command='play'), n / 100)
            f('state', 'gateway', '-', 'connecting,ready', int(n == 5))
        text = e.metrics()
        check_text(text)
        samples = parse(text)
        for i, value in enumerate(AWKWARD):
            assert one(samples, 'awkward_total', text=value) == 1000 + i, value
        assert one(samples, 'shardmeter_segment_up') == 1
        assert one(samples, 'commands_total', command='play') == 15
        assert one(samples, 'queue') == 15
        assert one(samples, 'voice', writer='shard-1') == 10.5
        assert one(samples, 'voice', writer='shard-2') == 5.5
        assert one(samples, 'calls_open') == 1
        assert one(samples, 'gateway', writer='shard-2', gateway='ready') == 1
        assert one(samples, 'latency_seconds_count', command='play') == 2
        assert one(samples, 'latency_seconds_sum', command='play') == 0.15
        assert one(samples, 'latency_seconds_bucket', command='play', le='0.05') == 1
        assert one(samples, 'latency_seconds_bucket', command='play', le='+Inf') == 2
        two.end()
        samples = parse(e.metrics())
        assert one(samples, 'commands_total', command='play') == 15
        assert one(samples, 'queue') == 10
        assert one(samples, 'voice', writer='shard-2') is None
        assert one(samples, 'shardmeter_writer_up', writer='shard-2') == 0
        status, ready = e.ready()
        segment_id = ready.pop('segment_id')
        assert re.fullmatch('[0-9a-f]{32}', segment_id), ready
        assert (status, ready) == (200, {'ready': True, 'segment': p.segment, 'reasons': [], 'warnings': [],
                                         'segments': [{'id': segment_id, 'path': p.segment}]})


def test_programs_may_have_process_metrics():
    with Place() as p:
        e = p.exporter(storage=False)
        p.feeder()('gauge', 'process_open_fds', '-', 0, 4242)
        text = e.metrics()
        check_text(text)
        assert one(parse(text), 'process_open_fds') == 4242


def test_segment_removed_and_made_again():
    with Place() as p:
        e = p.exporter(storage=False)
        stays, moves = p.feeder('stays'), p.feeder('moves')
        for f in (stays, moves):
            f('counter', 'a_total', labels(x='1'), 100)
            f('gauge', 'g_added', '-', 0, 10)
            f('gauge', 'g_all', '-', 6, 1)
            f('histogram', 'h_seconds', '-', 0.3)
            f('state', 'st', '-', 'a,b', 1)
        before = strip_own(e.metrics())
        os.unlink(p.segment)
        # Nobody has noticed yet: all is as before, and a warning says why.
        assert strip_own(e.metrics()) == before
        status, ready = e.ready()
        assert status == 200 and ready['warnings'][0]['code'] == 'segment_removed', ready
        moves('heartbeat')
        assert os.path.exists(p.segment)
        moves('counter', 'a_total', labels(x='1'), 7)
        moves('counter', 'b_total', '-', 1)
        moves('gauge', 'g_added', '-', 0, 11)
        moves('gauge', 'g_all', '-', 6, 2)
        moves('histogram', 'h_seconds', '-', 0.4)
        text = e.metrics()
        check_text(text)
        samples = parse(text)
        assert one(samples, 'shardmeter_segment_files', state='current') == 1
        assert one(samples, 'shardmeter_segment_files', state='removed') == 1
        assert one(samples, 'a_total', x='1') == 207
        assert one(samples, 'b_total') == 1
        assert one(samples, 'g_added') == 21, one(samples, 'g_added')
        assert one(samples, 'g_all', writer='moves') == 2
        assert one(samples, 'g_all', writer='stays') == 1
        assert one(samples, 'h_seconds_count') == 3
        assert one(samples, 'h_seconds_sum') == 1.0
        assert one(samples, 'shardmeter_writer_up', writer='stays') == 1
        assert e.ready()[0] == 200
        # The last program of the old file ends: what it counted goes with the file.
        stays.end()
        moves.end()
        samples = parse(e.metrics())
        assert one(samples, 'shardmeter_segment_files', state='removed') == 0
        assert one(samples, 'a_total', x='1') == 7
        # A third file in its place.
        os.unlink(p.segment)
        p.feeder('third')('counter', 'a_total', labels(x='1'), 3)
        assert one(parse(e.metrics()), 'a_total', x='1') == 3
        os.unlink(p.segment)
        p.processes[-1].end()
        assert one(parse(e.metrics()), 'shardmeter_segment_up') == 0
        assert e.ready()[0] == 503


def strip_own(text):
    return [line for line in text.splitlines() if not line.startswith(('shardmeter_', 'process_', '#'))]


def test_merged_text_is_the_librarys_text():
    """A second, empty file of the name: the merging writer must print what the library's printed."""
    with Place() as p:
        e = p.exporter(storage=False)
        f = p.feeder('stays')
        for i, text in enumerate(AWKWARD):
            f('counter', 'awkward_total', labels(text=text), 10 ** i)
            f('gauge', 'g_seconds', labels(text=text), 1, 10.0 ** (i - 9) / 3)
            f('gauge', 'g_all', labels(text=text), 6, -i)
        f('updown', 'u', '-', -5)
        f('histogram', 'h_seconds', labels(text='x"y'), 1e-7)
        f('histogram', 'h_seconds', labels(text='x"y'), 1234567)
        f('state', 'st', labels(text='x'), 'a,b', 1)
        # Replies are from the same cells: families and samples must be the same lines.
        before = families(e.metrics())
        os.unlink(p.segment)
        other = p.feeder('other')
        after = families(e.metrics())
        assert e.value('shardmeter_segment_files{state="removed"}') == 1
        for name, lines in before.items():
            if not name.startswith(('shardmeter_', 'process_')):
                assert after[name] == lines, (name, lines, after[name])
        other.end()


def families(text):
    found, name = {}, None
    for line in text.splitlines():
        if line.startswith('# HELP '):
            name = line.split()[2]
            assert name not in found, name
        found.setdefault(name, []).append(line)
    return found


def test_broken_segments_are_named():
    with Place() as p:
        e = p.exporter(storage=False)
        with open(p.segment, 'wb') as f:
            f.write(b'not a segment at all' * 1000)
        for _ in range(3):
            assert e.value('shardmeter_segment_up') == 0
        status, ready = e.ready()
        assert status == 503 and ready['reasons'][0]['code'] == 'damaged', ready
        assert e.log().count('state=damaged') == 1, e.log()
        os.unlink(p.segment)
        feeder = p.feeder()
        feeder('counter', 'a_total', '-', 1)
        assert e.value('a_total') == 1
        # Truncated under the exporter.
        os.truncate(p.segment, 4096)
        assert e.value('shardmeter_segment_up') == 0
        assert e.ready()[1]['reasons'][0]['code'] == 'damaged'
        feeder.process.kill()
        os.unlink(p.segment)
        # Another layout.
        feeder = p.feeder()
        feeder.end()
        with open(p.segment, 'r+b') as f:
            f.seek(16)
            f.write(b'\x63\x00')
        status, ready = e.ready()
        assert status == 503 and ready['reasons'][0]['code'] == 'incompatible', ready
        assert '99.' in ready['reasons'][0]['message'], ready
        os.unlink(p.segment)
        os.symlink('/dev/null', p.segment)
        assert e.ready()[1]['reasons'][0]['code'] == 'damaged'
        os.unlink(p.segment)
        p.feeder()('counter', 'a_total', '-', 2)
        assert e.value('a_total') == 2


def test_the_log_says_at_the_start_what_there_is():
    """Before any request."""
    with Place() as p:
        e = p.exporter(storage=False)
        wait_for(lambda: 'waiting for the segment' in e.log(), 'state of the segment')
        assert re.search('level=info msg="waiting for the segment.*state=no_segment', e.log()), e.log()
        with open(p.segment, 'wb') as f:
            f.write(b'not a segment at all' * 1000)
        e = p.exporter(storage=False)
        wait_for(lambda: 'cannot read the segment' in e.log(), 'state of the segment')
        assert re.search('level=warn msg="cannot read.*state=damaged.*remedy=', e.log()), e.log()


def test_no_permission_is_named():
    if os.geteuid() != 0:
        raise unittest.SkipTest('root is needed to become another user')
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 1)
        os.chmod(p.shm, 0o755)
        os.chmod(p.disk, 0o777)
        os.chmod(p.segment, stat.S_IRUSR | stat.S_IWUSR)
        e = p.exporter(storage=False, wrapper=['setpriv', '--reuid=65534', '--regid=65534',
                                               '--clear-groups'])
        status, ready = e.ready()
        assert status == 503 and ready['reasons'][0]['code'] == 'no_permission', ready
        assert e.value('shardmeter_segment_up') == 0
        assert 'root is not needed' not in e.log()
        os.chmod(p.segment, 0o644)
        assert e.value('a_total') == 1


# --- start and end ----------------------------------------------------------------------------

def run(*flags, env=None):
    return subprocess.run([EXPORTER, *flags], env=env, capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL, check=False)


def test_once():
    with Place() as p:
        r = run('--once', env=p.env())
        assert r.returncode == 3 and 'shardmeter_segment_up 0' in r.stdout, r
        assert 'state=no_segment' in r.stderr
        p.feeder()('counter', 'a_total', '-', 5)
        r = run('--once', env=p.env())
        assert r.returncode == 0 and r.stderr == '', r
        check_text(r.stdout)
        assert one(parse(r.stdout), 'a_total') == 5
        assert not os.path.exists(p.store)
        with open(p.segment, 'r+b') as f:
            f.write(b'garbage')
        assert run('--once', env=p.env()).returncode == 5


def test_help_version_and_usage():
    with Place() as p:
        r = run('--help')
        assert r.returncode == 0 and '--web.listen-address=ADDRESS:PORT' in r.stdout
        r = run('--version')
        assert r.returncode == 0 and read_version() in r.stdout
        r = run('--nonsense')
        assert r.returncode == 2 and r.stderr.count('\n') == 1 and '--nonsense' in r.stderr
        r = run('--web.listen-address=nowhere', '--no-storage')
        assert r.returncode == 2 and 'ADDRESS:PORT' in r.stderr
        r = run('--segment=bad name!', '--no-storage')
        assert r.returncode == 2 and 'bad name!' in r.stderr
        e = p.exporter('--log.format=json', env={'SHARDMETER_EXPORTER_LOGLEVEL': 'debug'},
                       storage=False)
        lines = [json.loads(line) for line in e.log().splitlines()]
        assert any('LOGLEVEL' in line.get('variable', '') for line in lines)
        r = run(f'--web.listen-address={e.address}', '--no-storage', env=p.env())
        assert r.returncode == 2 and 'Address already in use; --web.listen-address' in r.stderr, r


def test_manual_page_lists_every_flag():
    made = run('--help-man').stdout
    with open(os.path.join(SRCDIR, 'docs/man/shardmeter-exporter.8'), encoding='utf-8') as f:
        page = f.read()
    assert made in page, 'OPTIONS of shardmeter-exporter.8 are not what --help-man prints'


LONG_NAME = 'm' * 180 + '_total'     # for an answer that no socket buffer holds


def test_stop_lets_a_running_answer_finish():
    with Place() as p:
        feeder = p.feeder()
        feeder('series', LONG_NAME, 50000)
        e = p.exporter(storage=False)
        size = len(e.metrics())
        assert size > 8_000_000
        host, port = e.address.split(':')
        idle = socket.create_connection((host, int(port)), timeout=20)
        with socket.create_connection((host, int(port)), timeout=20) as s:
            s.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
            answer = s.recv(1000)
            e.process.send_signal(signal.SIGTERM)
            wait_for(lambda: 'stopping' in e.log(), 'the exporter stops')
            while True:
                more = s.recv(1 << 20)
                if not more:
                    break
                answer += more
        length = int(answer.split(b'Content-Length: ')[1].split(b'\r\n')[0])
        assert len(answer.split(b'\r\n\r\n', 1)[1]) == length
        assert e.process.wait(timeout=20) == 0
        assert idle.recv(1) == b''
        idle.close()


def test_stop_is_not_held_up_by_a_client_that_takes_nothing():
    with Place() as p:
        p.feeder()('series', LONG_NAME, 50000)
        e = p.exporter(storage=False)
        host, port = e.address.split(':')
        with socket.create_connection((host, int(port)), timeout=20) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
            s.recv(100)
            began = time.monotonic()
            assert e.stop() == 0
            assert time.monotonic() - began < 8
            assert 'were cut' in e.log()


def test_signals():
    with Place() as p:
        e = p.exporter()
        e.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'settings reloaded' in e.log(), 'SIGHUP is noticed')
        e.process.send_signal(signal.SIGPIPE)
        assert e.request().status == 200
        assert e.stop(signal.SIGINT) == 0
        assert 'msg=stopped' in e.log()


def test_labels_that_are_not_allowed_are_left_out():
    with Place() as p:
        f = p.feeder()
        f('counter', 'a_total', labels(command='play'), 1)
        f('counter', 'b_total', labels(command='play', who='42'), 1)
        f('counter', 'c_total', labels(job_type='x'), 1)
        f('counter', 'd_total', '-', 1)
        e = p.exporter('--labels.allowed=command,*_type', storage=False)
        for name, there in (('a', 1), ('b', 0), ('c', 1), ('d', 1)):
            assert (f'\n{name}_total' in e.metrics()) == there, name
        assert e.value('shardmeter_exposition_families_left_out') == 1
        assert e.value('shardmeter_exposition_family_left_out{family="b_total",reason="label"}') == 1


if __name__ == '__main__':
    run_tests(globals())
