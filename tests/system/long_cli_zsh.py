#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Completion in a real zsh, sourced and from a directory of functions."""
import os
import re
import shutil
import unittest

from cli_util import BUILD, Case, Shell


class Zsh(Case):
    def setUp(self):
        super().setUp()
        self.assertTrue(shutil.which('zsh'), 'zsh is missing (scripts/install-deps full)')
        self.ok('inc', '--create', '--strict', 'jobs_total', 'job=a b', 'host=x')
        self.env['PATH'] = BUILD + ':' + self.env['PATH']
        self.env.update(TERM='vt100', ZDOTDIR=self.dir)

    def shell(self, setup):
        shell = Shell(['zsh', '-f', '-i'], self.env)
        self.addCleanup(shell.close)
        shell.run(f"PS1='READY> '; PROMPT_SP= ; unsetopt prompt_sp zle_bracketed_paste; autoload -U compinit; {setup}; echo sour''ced",
                  'sourced')
        shell.run('bindkey -e; unsetopt automenu; echo o""k', 'ok')
        return shell

    def completes(self, shell, keys, result):
        shell.type(keys + '\t')
        shell.type("\x01printf '<%s>' \x05; echo; echo e''nd\n")
        found = shell.read_until(r'((?:<[^>\n]*>)+)\s*\n*end')
        self.assertEqual(re.findall('<([^>]*)>', found[1]), result.split('|'))

    def check(self, shell):
        self.completes(shell, 'shardmeter doc', 'shardmeter|doctor')
        self.completes(shell, 'shardmeter dump --format js', 'shardmeter|dump|--format|json')
        self.completes(shell, 'shardmeter get jo', 'shardmeter|get|jobs_total')
        self.completes(shell, 'shardmeter get jobs_total ho', 'shardmeter|get|jobs_total|host=')
        self.completes(shell, 'shardmeter get jobs_total job=', 'shardmeter|get|jobs_total|job=a b')
        self.completes(shell, 'shmtop --filt', 'shmtop|--filter')

    def test_tab__completes_when_sourced(self):
        self.check(self.shell('compinit -u -d $ZDOTDIR/dump; source <(shardmeter completion zsh)'))

    def test_tab__completes_from_a_directory(self):
        functions = os.path.join(self.dir, 'functions')
        os.mkdir(functions)
        with open(os.path.join(functions, '_shardmeter'), 'w', encoding='utf-8') as f:
            f.write(self.ok('completion', 'zsh'))
        self.check(self.shell(f'fpath=({functions} $fpath); compinit -u -d $ZDOTDIR/dump'))


if __name__ == '__main__':
    unittest.main(verbosity=1)
