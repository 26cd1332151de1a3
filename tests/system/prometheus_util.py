# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus as a program under a test's control."""
import json
import os
import socket
import subprocess
import urllib.parse
import urllib.request

from process_util import wait_for


class Prometheus:
    def __init__(self, p, config, *flags):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            self.address = f'127.0.0.1:{s.getsockname()[1]}'
        path = os.path.join(p.disk, 'prometheus.yml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(config)
        with open(os.path.join(p.disk, 'prometheus.log'), 'wb') as log:
            self.process = subprocess.Popen(
                ['prometheus', f'--config.file={path}', '--log.level=warn',
                 f'--storage.tsdb.path={p.disk}/tsdb', f'--web.listen-address={self.address}', *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        p.processes.append(self)
        wait_for(self.is_ready, 'Prometheus is ready', 60)

    def kill(self):
        self.process.terminate()
        self.process.wait()

    def is_ready(self):
        try:
            return self.get('/-/ready')
        except OSError:
            return None

    def get(self, path):
        with urllib.request.urlopen(f'http://{self.address}{path}', timeout=20) as r:
            return r.read()

    def api(self, path, **params):
        answer = json.loads(self.get(f'/api/v1/{path}?{urllib.parse.urlencode(params)}'))
        assert answer['status'] == 'success', answer
        return answer['data']

    def vector(self, expression):
        return self.api('query', query=expression)['result']

    def query(self, expression):
        """{labels without name, job and instance: value}"""
        found = {}
        for r in self.vector(expression):
            key = tuple(sorted((k, v) for k, v in r['metric'].items()
                               if k not in ('__name__', 'job', 'instance')))
            found[key] = float(r['value'][1])
        return found

    def one(self, expression):
        found = self.query(expression)
        return list(found.values())[0] if len(found) == 1 else None

    def targets(self):
        return self.api('targets')['activeTargets']
