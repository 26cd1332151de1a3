# SPDX-License-Identifier: Apache-2.0
"""Clients for tests of the exporter as a server: slow ones, steady ones, a service manager."""
import contextlib
import ctypes
import http.client
import os
import resource
import select
import signal
import socket
import subprocess
import threading
import time

from exporter_util import EXPORTER
from process_util import DEADLINE_S, wait_for

PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 16, 17, 0x4206, 0x4207


def scrape_times(address, n):
    """Seconds that n scrapes took, each on a connection of its own, sorted; all must succeed."""
    times = []
    for _ in range(n):
        began = time.monotonic()
        c = http.client.HTTPConnection(address, timeout=DEADLINE_S)
        c.request('GET', '/metrics')
        r = c.getresponse()
        body = r.read()
        assert r.status == 200 and len(body) == int(r.headers['Content-Length']), r.status
        c.close()
        times.append(time.monotonic() - began)
    return sorted(times)


class Drippers:
    """n clients that send a request a byte at a time and come again when they are cut."""

    REQUEST = b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ' + b'x' * 4000

    def __init__(self, address, n, sources, pause_s=0.2):
        self.address, self.n, self.sources, self.pause_s = address, n, sources, pause_s
        self.sent = self.connections = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 2 * n + 200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * n + 200), hard))

    def open(self, i):
        s = socket.socket()
        s.setblocking(False)
        s.bind((self.sources[i % len(self.sources)], 0))
        s.connect_ex(self.address)
        self.connections += 1
        return [s, 0]

    def run(self):
        clients = [self.open(i) for i in range(self.n)]
        while not self.done.wait(self.pause_s):
            for i, client in enumerate(clients):
                s, at = client
                try:
                    s.send(self.REQUEST[at:at + 1])
                    self.sent += 1
                    client[1] = at + 1
                except BlockingIOError:
                    pass
                except OSError:
                    s.close()
                    clients[i] = self.open(i)
        for s, _ in clients:
            s.close()

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.sent > self.n, 'slow clients are at work')
        return self

    def __exit__(self, *exc):
        self.done.set()
        self.thread.join()


class Handover:
    """Holds a listening socket as systemd does, and hands it to one exporter after the other."""

    def __init__(self, place):
        self.place = place
        self.socket = socket.socket()
        self.socket.bind(('127.0.0.1', 0))
        self.socket.listen(128)
        self.port = self.socket.getsockname()[1]
        self.process = None

    def start(self):
        log = open(self.place.disk + '/handover-log', 'ab')
        # LISTEN_PID is known only in the child; the socket goes to descriptor 3.
        script = f'exec 3<&{self.socket.fileno()}; export LISTEN_PID=$$; exec "$@"'
        self.process = subprocess.Popen(
            ['bash', '-c', script, 'bash', EXPORTER, '--web.systemd-socket',
             f'--storage.path={self.place.store}', '--storage.interval=100ms'],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[self.socket.fileno()],
            env=self.place.env(LISTEN_FDS='1'))
        log.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=DEADLINE_S)
        assert code == 0, code

    def restart(self):
        self.stop()
        self.start()

    def runs(self):
        assert self.process.poll() is None, f'the exporter ended: {self.process.returncode}'
        return True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()


class Load:
    """Scrapes without a pause: two clients connect for each, two keep their connection."""

    def __init__(self, port):
        self.port = port
        self.scrapes = self.retried = 0
        self.failures = []
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 0,)) for i in range(4)]

    def scrape(self, connection):
        connection.request('GET', '/metrics')
        r = connection.getresponse()
        body = r.read()
        assert r.status == 200 and len(body) == int(r.headers['Content-Length']), r.status
        return r.headers.get('Connection') == 'close'

    def run(self, keep):
        c, used = None, 0
        while not self.done.is_set():
            c = c or http.client.HTTPConnection('127.0.0.1', self.port, timeout=DEADLINE_S)
            try:
                closed = self.scrape(c)
                with self.lock:
                    self.scrapes += 1
                used += 1
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as e:
                # An idle connection may end just when it is used again: then Prometheus, as
                # every client that keeps connections, asks once more on a new one.
                with self.lock:
                    if used:
                        self.retried += 1
                    else:
                        self.failures.append(repr(e))
                closed = True
            except Exception as e:      # whatever it is, it is a failed scrape
                with self.lock:
                    self.failures.append(repr(e))
                closed = True
            if closed or not keep:
                c.close()
                c, used = None, 0

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.done.set()
        for t in self.threads:
            t.join()


class Notified:
    """A service manager's end of the notification socket."""

    def __init__(self, place):
        self.path = place.disk + '/notify'
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def within(self, seconds):
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        return self.socket.recv(4096).decode()

    def wait(self, what):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            message = self.within(max(0, deadline - time.monotonic()))
            if message and what in message:
                return message
        raise AssertionError(f'the service manager was not told {what}')

    def drain(self):
        messages = []
        while message := self.within(0):
            messages.append(message)
        return messages

    @contextlib.contextmanager
    def stopped_thread(self, pid):
        """Hold a thread that waits in epoll, which is one of libmicrohttpd's."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        tid = next(t for t in sorted(map(int, os.listdir(f'/proc/{pid}/task'))) if t != pid and
                   'epoll' in read(f'/proc/{pid}/task/{t}/wchan'))
        assert libc.ptrace(PTRACE_SEIZE, tid, None, None) == 0, os.strerror(ctypes.get_errno())
        try:
            assert libc.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
            os.waitpid(tid, 0x40000000)     # __WALL: it is not a child
            yield
        finally:
            libc.ptrace(PTRACE_DETACH, tid, None, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


def read(path):
    with open(path, encoding='ascii') as f:
        return f.read()
