#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/run-demo: its help, and a segment that an earlier run left behind."""
import os
import socket
import subprocess
import unittest

from cli_util import BUILD, CLI, SRCDIR, Case


class Demo(Case):
    def demo(self, *args, **more):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        env = dict(self.env, BUILD=BUILD, DEMO_SEGMENT=self.segment, DEMO_PORT=str(port),
                   DEMO_STATE=os.path.join(self.dir, 'state'))
        env.update(more)
        return subprocess.run([os.path.join(SRCDIR, 'scripts/run-demo'), *args], env=env, capture_output=True,
                              text=True, timeout=60, check=False)

    def test_help__starts_and_makes_nothing(self):
        result = self.demo('--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        for word in ('DEMO_SEGMENT', 'DEMO_PORT', 'DEMO_STATE', '--seconds'):
            self.assertIn(word, result.stdout)
        self.assertNotIn('is running', result.stdout)
        self.assertEqual(os.listdir(self.dir), [])

    def test_segment_of_an_earlier_run__is_used_again(self):
        for _ in range(2):
            result = self.demo('--seconds', '2')
            self.assertEqual((result.returncode, result.stderr), (0, ''))
        restarts = [w['restarts'] for w in self.dump()['writers'] if w['name'].startswith('shard-')]
        self.assertEqual(restarts, [1] * 4)

    def test_unusable_segment__is_one_line_with_a_command_that_works(self):
        self.create()
        with open(self.segment, 'r+b') as f:
            f.seek(64)
            f.write(b'\xff' * 4)
        result = self.demo('--seconds', '2')
        self.assertEqual((result.returncode, result.stdout), (2, ''))
        self.assertEqual(result.stderr.count('\n'), 1, result.stderr)
        command = result.stderr.rstrip('\n').split(': ')[-1].split()
        self.assertEqual(command[0], CLI)
        subprocess.run(command, check=True, env=self.env)
        self.assertEqual(self.demo('--seconds', '2').returncode, 0)

    def test_unusable_segment_of_the_usual_name__another_is_taken(self):
        program = os.path.join(self.dir, 'shardmeter-demo')
        with open(program, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\nif [ $1 != --probe ]; then exit 0; fi\n'
                    'if [ $SHARDMETER_SEGMENT = demo ]; then echo damaged; exit 1; fi\n')
        os.chmod(program, 0o755)
        result = self.demo(BUILD=self.dir, DEMO_SEGMENT='')
        self.assertEqual((result.returncode, result.stderr),
                         (0, 'run-demo: damaged\nrun-demo: counting into demo-2 instead\n'))
        self.assertIn('segment "demo-2"', result.stdout)


if __name__ == '__main__':
    unittest.main()
