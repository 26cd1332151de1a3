#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# ASAN: it reads what strangers send.
"""shardmeter push, to a server that takes notes."""
import base64
import http.server
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from cli_util import Case
from process_util import DEADLINE_S, wait_for
from prometheus_client.parser import text_string_to_metric_families


class Gateway:
    """Answers every request with what `answer` says and keeps it: (method, path, headers, body)."""
    def __init__(self, context=None):
        self.requests = []
        self.answer = (200, b'')
        self.headers = {}
        self.hold = threading.Event()
        self.hold.set()
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def take(self):
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                gateway.requests.append((self.command, self.path, dict(self.headers), body))
                gateway.hold.wait()
                status, answer = gateway.answer
                self.send_response(status)
                for name, value in gateway.headers.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(answer)))
                self.end_headers()
                try:
                    self.wfile.write(answer)
                except OSError:
                    pass  # it did not wait for us

            do_PUT = do_POST = do_DELETE = do_GET = take

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.hold.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Push(Case):
    def setUp(self):
        super().setUp()
        self.create()
        for name in ('http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'):
            self.env.pop(name, None)
        self.env['HOME'] = self.dir
        self.gateway = self.serve()
        self.url = f'http://127.0.0.1:{self.gateway.port}'

    def serve(self, context=None):
        gateway = Gateway(context)
        self.addCleanup(gateway.stop)
        return gateway

    def test_put__the_whole_dump(self):
        self.ok('inc', '--strict', 'odd_total', 'text=a\n"\\b')
        self.ok('push', self.url, 'job=backup', 'instance=db 1')
        (method, path, headers, body), = self.gateway.requests
        self.assertEqual((method, path), ('PUT', '/metrics/job/backup/instance@base64/' + base64.b64encode(b'db 1').decode()))
        self.assertEqual(headers['Content-Type'], 'text/plain; version=0.0.4; charset=utf-8')
        self.assertNotIn('Expect', headers)
        self.assertTrue(headers['User-Agent'].startswith('shardmeter/'))
        families = {f.name: f for f in text_string_to_metric_families(body.decode())}
        self.assertEqual(families['odd'].samples[0].labels, {'text': 'a\n"\\b'})

    def test_words_and_methods(self):
        self.ok('push', self.url)
        self.ok('push', '--add', self.url + '/prefix/', 'job=x')
        self.ok('push', '--delete', self.url, 'job=x', 'empty=')
        self.assertEqual([r[:2] for r in self.gateway.requests],
                         [('PUT', '/metrics/job/segment'), ('POST', '/prefix/metrics/job/x'),
                          ('DELETE', '/metrics/job/x/empty@base64/=')])
        self.assertEqual(self.gateway.requests[2][3], b'')

    def test_mistakes__are_2(self):
        self.assertIn('URL is missing', self.fails(2, 'push'))
        self.assertIn('must begin with http', self.fails(2, 'push', '127.0.0.1:9091'))
        self.assertIn('without /metrics', self.fails(2, 'push', self.url + '/metrics/job/x'))
        self.assertIn('expected label=value', self.fails(2, 'push', self.url, 'job'))
        self.assertIn('"foo/bar" is not a label\'s name', self.fails(2, 'push', self.url, 'foo/bar=1'))
        self.assertIn('job is empty', self.fails(2, 'push', self.url, 'job='))
        self.assertIn('--timeout', self.fails(2, 'push', '--timeout', '0', self.url))
        self.fails(3, 'push', '-S', os.path.join(self.dir, 'gone'), self.url)
        self.assertEqual(self.gateway.requests, [])

    def test_answers__are_shown_escaped_with_a_remedy(self):
        for answer, words in (((400, b'text format\nparsing \x1b[31merror\x07'), ['400 "text format parsing \\x1b[31merror\\x07"', 'labels']),
                              ((404, b''), ['404;', 'is it a Pushgateway']), ((401, b'who?'), ['401 "who?"', 'netrc']),
                              ((302, b'x'), ['redirects are not followed']), ((500, b'y' * 100000), ['500 "' + 'y' * 299]),
                              ((400, b'\0\xff'), ['\\xff'])):
            self.gateway.answer = answer
            self.gateway.headers = {'Location': self.url + '/else'} if answer[0] == 302 else {}
            message = self.fails(2, 'push', self.url, 'job=x')
            for word in words:
                self.assertIn(word, message)
            self.assertLess(len(message), 700)
            self.assertNotIn('\x1b', message)
        self.assertEqual(len(self.gateway.requests), 6)

    def test_password__from_netrc_and_never_shown(self):
        self.gateway.answer = (403, b'no')
        message = self.fails(2, 'push', self.url.replace('//', '//me:secret@'), 'job=x')
        self.assertNotIn('secret', message)
        with open(os.path.join(self.dir, 'secrets'), 'w', encoding='ascii') as f:
            f.write('machine 127.0.0.1 login me password hidden\n')
        self.gateway.answer = (202, b'')
        self.ok('push', '--netrc', os.path.join(self.dir, 'secrets'), self.url, 'job=x')
        sent = [r[2]['Authorization'] for r in self.gateway.requests]
        self.assertEqual([base64.b64decode(s.split()[1]) for s in sent], [b'me:secret', b'me:hidden'])

    def test_nobody_there__names_the_url_and_why(self):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            url = f'http://127.0.0.1:{s.getsockname()[1]}'
            self.assertRegex(self.fails(2, 'push', url, 'job=x'), rf'cannot reach {url}/metrics/job/x: .*connect')
            s.listen(1)
            begin = time.monotonic()
            self.assertIn('timed out', self.fails(2, 'push', '--timeout', '0.3', url, 'job=x'))
            self.assertLess(time.monotonic() - begin, 10)

    def test_every__reports_once_and_goes_on(self):
        self.gateway.answer = (503, b'later')
        p = self.start('push', '--every', '0.1', self.url, 'job=x')
        self.assertIn(b'503 "later"', self.read_until(p.stderr, b'\n'))
        wait_for(lambda: len(self.gateway.requests) > 3, 'more requests')
        self.gateway.answer = (200, b'')
        self.assertIn(b'pushing again', self.read_until(p.stderr, b'\n'))
        os.unlink(self.segment)
        self.assertIn(b'no segment', self.read_until(p.stderr, b'\n'))
        self.create()
        self.assertIn(b'pushing again', self.read_until(p.stderr, b'\n'))
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGINT)
        self.assertEqual({r[0] for r in self.gateway.requests}, {'PUT'})

    def test_every_delete__leaves_no_group_behind(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.gateway.requests.clear()
            p = self.start('push', '--every', '0.1', '--delete', self.url, 'job=x')
            wait_for(lambda: len(self.gateway.requests) > 1, 'requests')
            p.send_signal(sig)
            self.assertEqual(p.wait(DEADLINE_S), -sig)
            self.assertEqual([r[0] for r in self.gateway.requests if r[0] != 'PUT'], ['DELETE'])
            self.assertEqual(self.gateway.requests[-1][:2], ('DELETE', '/metrics/job/x'))

    def test_signal__ends_a_request_that_hangs(self):
        self.gateway.hold.clear()
        p = self.start('push', '--every', '1', '--timeout', '600', self.url, 'job=x')
        wait_for(lambda: self.gateway.requests, 'the request')
        p.terminate()
        self.assertEqual(p.wait(DEADLINE_S), -signal.SIGTERM)
        self.assertEqual(p.stderr.read(), b'')

    def test_endless_answer__ends_at_the_timeout(self):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            s.listen(1)

            def serve():
                c = s.accept()[0]
                try:
                    c.sendall(b'HTTP/1.1 400 no\r\n\r\n')
                    while True:
                        c.sendall(b'x' * 65536)
                except OSError:
                    c.close()
            thread = threading.Thread(target=serve)
            thread.start()
            message = self.fails(2, 'push', '--timeout', '0.5', f'http://127.0.0.1:{s.getsockname()[1]}', 'job=x')
            thread.join()
        self.assertIn('timed out', message)
        self.assertLess(len(message), 700)

    def test_no_libcurl__names_the_package(self):
        with open(os.path.join(self.dir, 'libcurl.so.4'), 'wb'):
            pass
        message = self.fails(2, 'push', self.url, 'job=x', env={'LD_LIBRARY_PATH': self.dir})
        self.assertIn('install libcurl, Debian', message)
        self.ok('inc', '--strict', 'x_total', env={'LD_LIBRARY_PATH': self.dir})

    def test_tls__is_verified(self):
        key, cert = os.path.join(self.dir, 'key.pem'), os.path.join(self.dir, 'cert.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
                        '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        gateway = self.serve(context)
        message = self.fails(2, 'push', f'https://localhost:{gateway.port}', 'job=x')
        self.assertTrue(re.search('certificate', message, re.I), message)
        self.assertIn('match', self.fails(2, 'push', '--cacert', cert, f'https://127.0.0.1:{gateway.port}', 'job=x'))
        self.assertEqual(gateway.requests, [])
        self.ok('push', '--cacert', cert, f'https://localhost:{gateway.port}', 'job=x')
        self.assertEqual([r[:2] for r in gateway.requests], [('PUT', '/metrics/job/x')])


if __name__ == '__main__':
    unittest.main(verbosity=1)
