# SPDX-License-Identifier: Apache-2.0
# TIMEOUT: 240
# ASAN
"""The exporter as a server: slow clients, limits, sockets of all kinds, settings, systemd, the end."""
import glob
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import EXPORTER, Place, labels, run_tests, wait_for
from server_util import Drippers, Handover, Load, Notified, scrape_times


def address(e):
    host, port = e.address.rsplit(':', 1)
    return host, int(port)


def connect(e, source=None):
    return socket.create_connection(address(e), timeout=20,
                                    source_address=(source, 0) if source else None)


def talk(e, *parts, read=65536):
    """Send raw bytes, return all that comes back until the end of the connection."""
    with connect(e) as s:
        for part in parts:
            s.sendall(part)
        answer = b''
        while True:
            try:
                more = s.recv(read)
            except ConnectionError:
                return answer
            if not more:
                return answer
            answer += more


def status_of(e, head):
    answer = talk(e, head + b'Connection: close\r\n\r\n')
    return int(answer.split(b' ')[1]) if answer else 0


# --- what a request may look like ---------------------------------------------------------------

def test_malformed_requests_are_refused():
    with Place() as p:
        e = p.exporter(storage=False)
        get = b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n'
        for bad in (b'Content-Length: 0\r\nContent-Length: 0\r\n',
                    b'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n',
                    b'Content-Length: 5\r\n', b'Content-Length: -1\r\n', b'Content-Length: +0\r\n',
                    b'Transfer-Encoding: identity\r\n', b'Host: localhost\r\n',
                    b'X: a\0b\r\n', b'X-\x01: a\r\n', b'X: \x7f\r\n'):
            assert status_of(e, get + bad) == 400, bad
        for target, status in ((b'/metrics%00', 400), (b'/%', 400), (b'/%zz', 400),
                               (b'/metrics\0', 400), (b'/metrics\0?x', 400),
                               (b'/metrics?a=%00', 400), (b'/%6detrics', 200), (b'/metrics?', 200),
                               (b'http://localhost/metrics', 400), (b'*', 400), (b'//metrics', 404),
                               (b'/metrics?' + b'&'.join(b'a=%d' % i for i in range(100)), 400),
                               (b'/metrics?' + b'&'.join(b'a=%d' % i for i in range(1200)), 400)):
            assert status_of(e, b'GET ' + target + b' HTTP/1.1\r\nHost: localhost\r\n') == status, \
                target
        for host in (b'localhost\0.evil.example', b'localhost\0', b'\0', b'a' * 300,
                     b'localhost:80:80', b'localhost/', b'[::1', b'localhost\t.evil.example'):
            assert status_of(e, b'GET /metrics HTTP/1.1\r\nHost: ' + host + b'\r\n') in (400, 421), \
                host
        # What the library does not tell: a NUL as the end of a value, a line that ends in LF alone.
        for bad in (b'Host: localhost\0.evil\r\nX: y\r\n', b'X: y\r\nHost: localhost\0.evil\r\n',
                    b'Host: localhost\nX: y\r\n', b'Host: localhost\r\nX: y\nZ: a\r\n',
                    b'Host: localhost\r\nX: y\0\0z\r\n', b'Host: localhost\r\nX: \0z\r\nY: z\r\n'):
            assert status_of(e, b'GET /metrics HTTP/1.1\r\n' + bad) == 400, bad
        for good in (b'Host: localhost \r\nX: y  \t\r\nZ:\r\n', b'Host:localhost\r\nX:\r\n',
                     b'X:  \r\nHost: \t localhost\r\nAccept: */*\t\r\n', b'host: localhost\r\n'):
            assert status_of(e, b'GET /metrics HTTP/1.1\r\n' + good) == 200, good
        for host in (b'10.1.2.3:9', b'[fe80::1]', b'LOCALHOST'):
            assert status_of(e, b'GET /metrics HTTP/1.1\r\nHost: ' + host + b'\r\n') == 200, host
        assert status_of(e, get) == 200


def test_landing_page_names_everything():
    with Place() as p:
        e = p.exporter(f'--segment={p.segment}<b>', f'--segment={p.shm}/second',
                       '--web.telemetry-path=/values', storage=False)
        r = e.request(path='/')
        assert r.status == 200 and 'Shardmeter exporter' in r.text
        assert '<b>' not in r.text and '&#60;b&#62;' in r.text and f'{p.shm}/second' in r.text
        assert 'http' not in r.text.replace('http-equiv', ''), 'the page works offline'
        assert "default-src 'none'" in r.headers['Content-Security-Policy']
        links = re.findall('href="([^"]+)"', r.text)
        assert '/values' in links
        for link in links:
            assert e.request(path=link).status in (200, 503), link
            head = e.request('HEAD', link)
            assert head.status in (200, 503) and head.text == '', link
            post = e.request('POST', link)
            assert post.status == 405 and post.headers['Allow'] == 'GET, HEAD', link
        assert e.request(path='/metrics').status == 404


# --- several segments ---------------------------------------------------------------------------

def test_several_segments():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 5)
        first = p.segment
        e = p.exporter(f'--segment={first}', f'--segment={p.shm}/second')
        assert e.ready()[0] == 503
        p.segment = p.shm + '/second'
        p.feeder()('counter', 'a_total', '-', 7)
        wait_for(lambda: e.ready()[0] == 200, 'both are there')
        text = e.metrics()
        assert re.search(r'^a_total\{segment="[^"]*/segment"\} 5$', text, re.M), text
        assert re.search(r'^a_total\{segment="[^"]*/second"\} 7$', text, re.M), text
        # Each has a store of its own.
        wait_for(lambda: len(glob.glob(p.store + '/*/history.mdb')) == 2, 'two stores')
        assert e.stop() == 0
        r = subprocess.run([EXPORTER, f'--segment={first}', f'--segment={first}', '--no-storage'],
                           env=p.env(), capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode == 2 and 'the same file' in r.stderr, r


# --- slow clients and limits --------------------------------------------------------------------

def test_header_deadline_is_from_the_first_byte():
    with Place() as p:
        e = p.exporter('--web.header-timeout=1s', storage=False)
        # A byte now and then keeps no connection: it is cut, on a new one and on one that was idle.
        for warm in (False, True):
            with connect(e) as s:
                if warm:
                    s.sendall(b'GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n')
                    assert s.recv(4096).startswith(b'HTTP/1.1 200')
                began = time.monotonic()
                s.settimeout(0.1)
                ended = False
                for byte in b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ' + b'x' * 200:
                    try:
                        s.sendall(bytes([byte]))
                        ended = s.recv(1) == b''
                    except TimeoutError:
                        continue
                    except ConnectionError:
                        ended = True
                    if ended:
                        break
                assert ended and 0.8 < time.monotonic() - began < 5, (warm, time.monotonic() - began)
        assert e.request().status == 200


def test_answer_has_to_be_taken_in_time():
    with Place() as p:
        p.feeder()('series', 'm' * 180 + '_total', 50000)
        e = p.exporter('--web.response-timeout=30s', storage=False)
        with connect(e) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n'
                      b'X-Prometheus-Scrape-Timeout-Seconds: 1.5\r\n\r\n')
            s.recv(100)
            began = time.monotonic()
            wait_for(lambda: not open_to(e, s), 'the connection is cut')
            assert 0.5 < time.monotonic() - began < 6
        assert e.request().status == 200


def open_to(e, s):
    """Is the connection still one of the exporter's descriptors?"""
    port = s.getsockname()[1]
    with open('/proc/net/tcp', encoding='ascii') as f:
        rows = [line.split() for line in f][1:]
    mine = f':{address(e)[1]:04X}'
    return any(r[1].endswith(mine) and r[2].endswith(f':{port:04X}') and r[3] == '01' for r in rows)


def test_scrape_timeout_is_a_deadline():
    with Place() as p:
        p.feeder()('counter', 'a_total', '-', 5)
        e = p.exporter(storage=False)
        for value, status in (('10', 200), ('0.5', 200), ('1e-9', 503), ('nonsense', 200),
                              ('-1', 200), ('nan', 200), ('1e300', 200), ('', 200)):
            r = e.request(headers={'X-Prometheus-Scrape-Timeout-Seconds': value})
            assert r.status == status, (value, r.status)
        assert r.headers.get('Retry-After') is None


def test_slow_clients_do_not_keep_others_out():
    """Far more clients than there is room for, each sending a byte now and then."""
    with Place() as p:
        p.feeder()('series', 'a_total', 200)
        e = p.exporter('--web.max-connections=64', '--web.max-connections-per-ip=32', storage=False)
        idle = [http.client.HTTPConnection(e.address, timeout=20) for _ in range(10)]
        for c in idle:
            c.request('GET', '/-/healthy')
            c.getresponse().read()
        quiet = scrape_times(e.address, 100)
        with Drippers(address(e), 200, ['127.0.0.1', '127.0.0.2', '127.0.0.3']) as drippers:
            loaded = scrape_times(e.address, 100)
            assert drippers.sent > 200
        print(f'p99 of a scrape: {quiet[98] * 1e3:.2f} ms, with slow clients {loaded[98] * 1e3:.2f} ms')
        # Idle connections stay: those who wait go first.
        for c in idle:
            c.request('GET', '/-/healthy')
            assert c.getresponse().read()
            c.close()
        assert e.value('process_open_fds') < 64 + 40


def outside_address():
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(('192.0.2.1', 9))
        except OSError as e:
            raise unittest.SkipTest(f'no address besides loopback: {e}') from e
        return s.getsockname()[0]


def test_whoever_comes_from_outside_leaves_room_for_this_machine():
    outside = outside_address()
    with Place() as p:
        p.feeder()('series', 'm' * 180 + '_total', 50000)
        e = p.exporter('--web.listen-address=0.0.0.0:0', '--web.max-connections=16',
                       '--web.max-connections-per-ip=16', '--web.max-requests=16', storage=False)
        port = int(wait_for(lambda: re.search(r'address=0\.0\.0\.0:(\d+)', e.log()), 'it listens')[1])
        slow = []
        try:
            # Whoever takes no answer cannot be cut for room: 14 of 16 may be from outside.
            for _ in range(14):
                s = socket.create_connection((outside, port), timeout=20)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.sendall(b'GET /metrics HTTP/1.1\r\nHost: ' + outside.encode() + b'\r\n\r\n')
                assert s.recv(15) == b'HTTP/1.1 200 OK'
                slow.append(s)
            with socket.create_connection((outside, port), timeout=20) as s:
                try:
                    s.sendall(b'GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n')
                    assert s.recv(1) == b''
                except ConnectionError:
                    pass
            for _ in range(5):
                assert e.request(path='/-/healthy').status == 200
                assert e.request().status == 200
        finally:
            for s in slow:
                s.close()


def test_too_many_scrapes_get_503():
    with Place() as p:
        p.feeder()('series', 'm' * 180 + '_total', 50000)
        e = p.exporter('--web.max-requests=2', storage=False)
        slow = []
        try:
            for _ in range(2):
                s = connect(e)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
                assert s.recv(15) == b'HTTP/1.1 200 OK'
                slow.append(s)
            r = e.request()
            assert r.status == 503 and r.headers['Retry-After'] == '1', r.status
            assert e.request(path='/-/healthy').status == 200
            # Who does not take his answer has to make room.
            wait_for(lambda: e.request().status == 200, 'somebody was cut')
            assert e.request().status == 200
        finally:
            for s in slow:
                s.close()


# --- sockets ------------------------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('anything', timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def ask_unix(path, what='/-/healthy'):
    c = UnixConnection(path)
    c.request('GET', what)
    status = c.getresponse().status
    c.close()
    return status


def test_unix_socket():
    with Place() as p:
        path = p.disk + '/http.sock'
        e = p.exporter(f'--web.listen-address=unix:{path}', '--web.socket-mode=0600', storage=False)
        wait_for(lambda: f'unix:{path}' in e.log(), 'it listens')
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert ask_unix(path) == 200 and e.request().status == 200
        # Another one does not take it from a live process ...
        r = subprocess.run([EXPORTER, f'--web.listen-address=unix:{path}', '--no-storage'],
                           env=p.env(), capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode == 2 and 'another process listens there' in r.stderr, r
        # ... but from a dead one.
        e.kill()
        assert os.path.exists(path)
        e = p.exporter(f'--web.listen-address=unix:{path}', storage=False)
        wait_for(lambda: f'unix:{path}' in e.log(), 'it listens')
        assert ask_unix(path, '/metrics') == 200
        assert e.stop() == 0
        assert not os.path.exists(path)
        with open(path, 'w', encoding='ascii') as f:
            f.write('mine')
        r = subprocess.run([EXPORTER, f'--web.listen-address=unix:{path}', '--no-storage'],
                           env=p.env(), capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode == 2 and 'not a socket' in r.stderr, r
        with open(path, encoding='ascii') as f:
            assert f.read() == 'mine'


def test_several_addresses():
    with Place() as p:
        e = p.exporter('--web.listen-address=127.0.0.2:0', '--web.listen-address=localhost:0', storage=False)
        found = wait_for(lambda: len(m := re.findall('msg=listening address=(\\S+)', e.log())) == 3 and m,
                         'three addresses')
        for a in found:
            c = http.client.HTTPConnection(a, timeout=20)
            c.request('GET', '/-/healthy')
            assert c.getresponse().status == 200, a
            c.close()
        assert e.stop() == 0


def test_socket_activation():
    """systemd-socket-activate starts the exporter at the first connection, which is answered."""
    with Place() as p:
        path = p.disk + '/activated.sock'
        with open(p.disk + '/log', 'wb') as log:
            process = subprocess.Popen(
                ['systemd-socket-activate', '-l', path, '-E', f'SHARDMETER_SEGMENT={p.segment}',
                 '-E', 'SHARDMETER_EXPORTER_ALLOW_ROOT=1', EXPORTER, '--web.systemd-socket',
                 '--no-storage'], stdin=subprocess.DEVNULL, stderr=log, stdout=log, env=p.env())
        try:
            wait_for(lambda: os.path.exists(path), 'the socket is there')
            assert ask_unix(path) == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            assert os.path.exists(path), "systemd's socket is not ours to remove"
        finally:
            process.kill()
            process.wait()
        r = subprocess.run([EXPORTER, '--web.systemd-socket', '--no-storage'], env=p.env(),
                           capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode == 2 and 'handed over no socket' in r.stderr, r


def test_restarts_under_load_fail_no_scrape():
    restarts = int(os.environ.get('RESTARTS', '5'))
    with Place() as p:
        p.feeder()('series', 'a_total', 1000)
        with Handover(p) as handover, Load(handover.port) as load:
            handover.start()
            wait_for(lambda: load.scrapes > 20, 'scrapes')
            for _ in range(restarts):
                handover.restart()
                before = load.scrapes
                wait_for(lambda b=before: handover.runs() and load.scrapes > b + 20,
                         'scrapes go on')
            assert not load.failures, load.failures[:5]
            print(f'{restarts} restarts, {load.scrapes} scrapes, {load.retried} on a connection that '
                  'was closed while idle')


# --- settings -----------------------------------------------------------------------------------

def write(path, text):
    with open(path + '.new', 'w', encoding='utf-8') as f:
        f.write(text)
    os.rename(path + '.new', path)


def test_reload_keeps_the_last_good_settings():
    with Place() as p:
        config = p.disk + '/exporter.yml'
        write(config, 'web:\n  allowed-hosts: [one.lan]\n')
        e = p.exporter(f'--config={config}', storage=False)

        def hup(message):
            n = e.log().count(message)
            e.process.send_signal(signal.SIGHUP)
            wait_for(lambda: e.log().count(message) > n, message)

        def hosts():
            return [e.request(headers={'Host': h}).status for h in ('one.lan', 'two.lan')]

        assert hosts() == [200, 421]
        assert e.value('shardmeter_config_last_reload_successful') == 1
        loaded = e.value('shardmeter_config_last_reload_success_timestamp_seconds')
        assert abs(loaded - time.time()) < 20
        write(config, 'web:\n  allowed-hosts: two.lan\nlog: {level: debug}\n')
        hup('settings reloaded')
        assert hosts() == [421, 200]
        newer = e.value('shardmeter_config_last_reload_success_timestamp_seconds')
        assert newer > loaded
        for bad in ('web:\n  allowed-hosts: [three.lan\n', 'web:\n  nonsense: 1\n',
                    'web: {allowed-hosts: x}\nlog: {level: loud}\n'):
            write(config, bad)
            hup('settings not reloaded')
            assert hosts() == [421, 200]
            assert e.value('shardmeter_config_last_reload_successful') == 0
            assert e.value('shardmeter_config_last_reload_success_timestamp_seconds') == newer
        assert re.search(r'error="[^"]*exporter.yml:2:13: log.level|exporter.yml:2:\d+', e.log())
        write(config, 'storage: {interval: 1s}\n')
        hup('changes with a restart only')
        assert 'setting=storage.interval' in e.log()
        assert e.value('shardmeter_config_last_reload_successful') == 1
        os.unlink(config)
        hup('settings not reloaded')
        assert e.stop() == 0


GOOD = {
    'nothing': '', 'comment': '# nothing\n', 'null': '~\n', 'document': '---\nlog:\n  level: debug\n...\n',
    'dotted': 'web.max-requests: 3\n', 'list of one': 'segment: one\n', 'list': 'segment: [one, two]\n',
    'flow': '{web: {openmetrics: {created: true}, disable-exporter-metrics: no}}\n',
    'deep': 'web:\n  openmetrics:\n    created: true\nstorage:\n  max-size: 1GB\nno-storage: true\n',
    'quoted': 'web:\n  "listen-address": ["[::1]:1", \'unix:/tmp/x\']\n',
}
BAD = {
    'syntax': ('web: [', '2:1', 'not YAML'), 'tab': ('web:\n\tx: 1\n', '2:1', 'not YAML'),
    'unknown': ('nonsense: 1\n', '1:1', 'unknown setting "nonsense"'),
    'unknown below': ('web:\n  nonsense: 1\n', '2:3', 'unknown setting "web.nonsense"'),
    'value for section': ('web: 1\n', '1:6', 'settings are expected below "web"'),
    'section for value': ('log:\n  level:\n    x: 1\n', '3:5', 'single value'),
    'list for value': ('log: {level: [info]}\n', '1:14', 'single value'),
    'twice': ('log:\n  level: info\n  level: debug\n', '3:3', 'given twice'),
    'no value': ('log:\n  level:\n', '2:9', 'needs a value'),
    'alias': ('a: &x 1\nlog: {level: *x}\n', '2:14', 'aliases'),
    'tag': ('log: {level: !x info}\n', '1:14', 'tags'),
    'scalar': ('just text\n', '1:1', 'settings are expected'),
    'sequence': ('- a\n', '1:1', 'settings are expected'),
    'documents': ('log: {level: info}\n---\nlog: {level: info}\n', '2:1', 'second document'),
    'action': ('once: true\n', '1:1', 'unknown setting "once"'),
    'range': ('web:\n  max-requests: 0\n', '2:17', 'too small'),
    'segment': ('segment: ["ok", "not ok"]\n', '1:17', 'not a segment'),
    'escape': ('"a\\e[31m": 1\n', '1:1', 'cannot be a setting'),
}


def test_config_check_tells_every_mistake():
    with Place() as p:
        path = p.disk + '/c.yml'

        def check(text):
            with open(path, 'wb') as f:
                f.write(text if isinstance(text, bytes) else text.encode())
            return subprocess.run([EXPORTER, '--config.check', f'--config={path}'], env=p.env(),
                                  capture_output=True, text=True, timeout=20, check=False)

        for name, text in GOOD.items():
            r = check(text)
            assert r.returncode == 0 and r.stderr == '', (name, r)
        for name, (text, where, what) in BAD.items():
            r = check(text)
            assert r.returncode == 2 and f'{path}:{where}' in r.stderr and what in r.stderr, (name, r)
            assert '\x1b' not in r.stderr
        r = check('\n'.join(f'nonsense{i}: 1' for i in range(20)))
        assert r.returncode == 2 and r.stderr.count('unknown setting') == 20, r
        for text in (b'\xff\xfe', b'a: "\\x00"\n', b'log: {level: "in\\0fo"}\n', b'[' * 100000,
                     b'{a: ' * 5000, b'\0', b'x: 1\n' * 300000):
            r = check(text)
            assert r.returncode == 2 and r.stderr, (text[:20], r)
        r = subprocess.run([EXPORTER, '--config.check', '--config=/nowhere.yml', '--nonsense'],
                           env=p.env(), capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode == 2 and r.stderr.count('\n') == 2, r
        r = check('segment: [a, a]\n')
        assert r.returncode == 2 and 'same file' in r.stderr and not r.stdout, r
        env = dict(p.env(), SHARDMETER_EXPORTER_FOO='secret')
        r = subprocess.run([EXPORTER, '--config.check'], env=env, capture_output=True, text=True, timeout=20,
                           check=False)
        assert r.returncode == 0 and 'variable=SHARDMETER_EXPORTER_FOO' in r.stderr, r
        assert 'secret' not in r.stderr and 'set nothing' in r.stdout, r


def test_not_as_root_unless_told():
    if os.geteuid() != 0:
        return
    with Place() as p:
        env = p.env()
        del env['SHARDMETER_EXPORTER_ALLOW_ROOT']
        r = subprocess.run([EXPORTER, '--no-storage', '--web.listen-address=127.0.0.1:0'], env=env,
                           capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode == 2 and '--allow-root' in r.stderr, r
        r = subprocess.run([EXPORTER, '--once'], env=env, capture_output=True, text=True, timeout=20,
                           check=False)
        assert r.returncode == 3 and 'shardmeter_segment_up' in r.stdout, r


def test_once_to_a_file_replaces_it_as_a_whole():
    with Place() as p:
        p.feeder()('counter', 'a_total', labels(x='1'), 5)
        path = p.disk + '/shardmeter.prom'

        def once(*flags):
            return subprocess.run([EXPORTER, '--once', f'--output={path}', *flags], env=p.env(),
                                  capture_output=True, text=True, timeout=20, check=False)

        assert once().returncode == 0
        with open(path, encoding='utf-8') as before:
            assert 'a_total{x="1"} 5\n' in before.read()
            assert once().returncode == 0
            assert os.stat(path).st_ino != os.fstat(before.fileno()).st_ino
        assert os.listdir(p.disk) == ['shardmeter.prom']
        path = p.disk + '/none/shardmeter.prom'
        r = once()
        assert r.returncode == 2 and 'No such file' in r.stderr, r


# --- systemd ------------------------------------------------------------------------------------

def test_service_manager_is_told():
    with Place() as p, Notified(p) as n:
        e = p.exporter(storage=False, env={'NOTIFY_SOCKET': n.path, 'WATCHDOG_USEC': '600000'})
        assert n.wait('READY=1')
        n.wait('WATCHDOG=1')
        n.wait('WATCHDOG=1')
        e.process.send_signal(signal.SIGHUP)
        reloading = n.wait('RELOADING=1')
        assert re.search(r'MONOTONIC_USEC=\d+', reloading), reloading
        n.wait('READY=1')
        # Stopped, nothing is fed; nothing is made up for afterwards.
        e.process.send_signal(signal.SIGSTOP)
        n.drain()
        assert not n.within(1.0), 'a stopped process gives no sign of life'
        e.process.send_signal(signal.SIGCONT)
        n.wait('WATCHDOG=1')
        e.process.send_signal(signal.SIGTERM)
        n.wait('STOPPING=1')
        assert e.process.wait(timeout=20) == 0


def test_watchdog_is_not_fed_when_a_serving_thread_hangs():
    """Stop one thread of libmicrohttpd with a debugger's means; the rest of the process runs on."""
    with Place() as p, Notified(p) as n:
        e = p.exporter(storage=False, env={'NOTIFY_SOCKET': n.path, 'WATCHDOG_USEC': '800000'})
        n.wait('WATCHDOG=1')
        with n.stopped_thread(e.process.pid):
            n.drain()
            wait_for(lambda: 'a serving thread does not answer' in e.log(), 'it is noticed')
            assert not [m for m in n.drain() if 'WATCHDOG=1' in m][1:], 'it is not fed any more'
        n.wait('WATCHDOG=1')
        assert e.stop() == 0


def test_readiness_is_503_while_draining():
    with Place() as p:
        p.feeder()('series', 'm' * 180 + '_total', 50000)
        e = p.exporter(storage=False)
        keep = http.client.HTTPConnection(e.address, timeout=20)
        with connect(e) as slow, connect(e) as early:
            # A connection whose request is still on its way when the end begins is answered.
            slow.sendall(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
            assert slow.recv(15) == b'HTTP/1.1 200 OK'
            early.sendall(b'GET /-/ready HTTP/1.1\r\nHost: loc')
            e.process.send_signal(signal.SIGTERM)
            wait_for(lambda: 'stopping' in e.log(), 'it stops')
            early.sendall(b'alhost\r\n\r\n')
            answer = b''
            while more := early.recv(65536):
                answer += more
            assert answer.startswith(b'HTTP/1.1 503') and b'Connection: close' in answer, answer
            body = json.loads(answer.split(b'\r\n\r\n', 1)[1])
            assert 'stopping' in [r['code'] for r in body['reasons']], body
            while slow.recv(1 << 20):
                pass
        assert e.process.wait(timeout=20) == 0
        keep.close()


def test_threads_do_not_multiply_memory():
    """Many scrapes on all threads: the exporter does not keep a copy for each."""
    with Place() as p:
        p.feeder()('series', 'a_total', 10000)
        e = p.exporter(storage=False)
        threads = [threading.Thread(target=scrape_times, args=(e.address, 20)) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        with open(f'/proc/{e.process.pid}/status', encoding='ascii') as f:
            kb = int(re.search(r'RssAnon:\s+(\d+)', f.read()).group(1))
        print(f'RssAnon with 10,000 series after 160 scrapes on 8 connections: {kb / 1024:.1f} MB')
        assert kb < 64 * 1024 or os.environ.get('CONFIG') == 'asan', kb


if __name__ == '__main__':
    run_tests(globals())
