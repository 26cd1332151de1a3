#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""shardmeter push against Debian's Pushgateway: groups, awkward values, refusals."""
import os
import shutil
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

from cli_util import MAX, Case
from process_util import DEADLINE_S, wait_for
from prometheus_client.parser import text_string_to_metric_families


class Pushgateway(Case):
    def setUp(self):
        super().setUp()
        program = shutil.which('prometheus-pushgateway')
        self.assertTrue(program, 'prometheus-pushgateway is missing (scripts/install-deps full)')
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            self.address = '127.0.0.1:%d' % s.getsockname()[1]
        self.url = 'http://' + self.address
        self.env['no_proxy'] = '127.0.0.1'
        p = subprocess.Popen([program, '--web.listen-address=' + self.address, '--log.level=error',
                              '--persistence.file='])  # Debian's would keep what this test leaves
        self.addCleanup(lambda: (p.terminate(), p.wait(DEADLINE_S)))
        wait_for(lambda: self.metrics() is not None, 'the Pushgateway listens')

    def metrics(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + '/metrics', timeout=DEADLINE_S) as f:
                return {family.name: family for family in text_string_to_metric_families(f.read().decode())}
        except urllib.error.URLError:
            return None

    def test_groups__come_are_replaced_and_go(self):
        w = self.writer()
        w.do('jobs 5', 'max', 'cents 125', 'all 3', 'state 1')
        awkward = ['a/b', '', '.', '..', 'ü\n"\\', '%2f?#', ' ', 'x' * 200]
        for i, value in enumerate(awkward):
            self.ok('push', self.url, f'job={value or "empty"}', f'group={value}', f'number={i}')
        groups = {s.labels['number']: s for s in self.metrics()['jobs'].samples}
        self.assertEqual(len(groups), len(awkward))
        for i, value in enumerate(awkward):
            labels = groups[str(i)].labels
            self.assertEqual((labels.get('group', ''), groups[str(i)].value), (value, 5))
        self.assertEqual(self.metrics()['huge'].samples[0].value, float(MAX))
        self.ok('rm', '--force', '--all', 'paid_total')
        for n in range(len(awkward)):
            before = 'paid' in self.metrics()
            self.ok('push', self.url, f'job={awkward[n] or "empty"}', f'group={awkward[n]}', f'number={n}')
            self.assertTrue(before)
        self.assertNotIn('paid', self.metrics())
        for i, value in enumerate(awkward):
            self.ok('push', '--delete', self.url, f'job={value or "empty"}', f'group={value}', f'number={i}')
        self.assertNotIn('jobs', self.metrics())

    def test_add__keeps_other_families(self):
        self.create()
        self.ok('push', self.url, 'job=x')
        other = os.path.join(self.dir, 'other')
        self.ok('inc', '--create', '--strict', '-S', other, 'second_total')
        self.ok('push', '--add', '-S', other, self.url, 'job=x')
        self.assertLessEqual({'first', 'second'}, set(self.metrics()))
        self.ok('push', '-S', other, self.url, 'job=x')
        self.assertNotIn('first', self.metrics())

    def test_refusal__is_the_servers_own_words(self):
        self.ok('inc', '--create', '--strict', 'jobs_total', 'host=a')
        self.ok('inc', '--strict', 'jobs_total', 'host=b')
        self.ok('push', self.url, 'job=y', 'group=fine')
        # The group's label takes the place of the metric's: two series become one.
        message = self.fails(2, 'push', self.url, 'job=y', 'host=c')
        self.assertIn('answered 400 "', message)
        self.assertIn('must not be labels of the metrics', message)


if __name__ == '__main__':
    unittest.main(verbosity=1)
