#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Completion: what the program offers, and real shells that have sourced its functions."""
import os
import re
import subprocess
import unittest

from cli_util import BUILD, CLI, SRCDIR, Case, Shell


class Words(Case):
    """shardmeter completion words LINE."""
    def setUp(self):
        super().setUp()
        for job, host in (('a b', 'x'), ('backup', 'y'), ('\x1b[31m', 'z')):
            self.ok('inc', '--create', '--strict', 'jobs_total', f'job={job}', f'host={host}')
        self.ok('observe', '--strict', 'job_seconds', '1')
        self.ok('set', '--strict', 'level', '1')

    def words(self, line):
        """The directive and the candidates."""
        lines = self.ok('completion', 'words', line).splitlines()
        return lines[0].split('\t')[0], [c.split('\t')[0] for c in lines[1:]]

    def test_commands_and_options__are_those_of_the_tables(self):
        usage = self.ok('help')
        commands = re.findall(r'^  (\w+) ', usage[usage.index('Commands:'):usage.index('Options:')], re.M)
        self.assertEqual(self.words('shardmeter '), ('none', commands))
        self.assertEqual(self.words('shardmeter help '), ('none', commands))
        for name in commands:
            text = self.ok('help', name)
            text = text.split('\nOptions:')[1] if '\nOptions:' in text else ''
            options = re.findall(r'^  (?:-\w, |    )(--[a-z-]+)', text, re.M)
            self.assertEqual(self.words(f'shardmeter {name} --')[1][:len(options)], options)
        self.assertEqual(self.words('shardmeter -')[1], ['--segment', '--quiet', '--help', '--version'])
        self.assertEqual(self.words('shardmeter completion ')[1], ['bash', 'zsh'])
        self.assertEqual(self.words('shardmeter nosuch '), ('none', []))

    def test_series__come_from_the_segment(self):
        for line, expected in (('get ', ['job_seconds', 'jobs_total', 'level']), ('get job_', ['job_seconds']),
                               ('inc ', ['jobs_total', 'level']), ('set ', ['level']), ('observe ', ['job_seconds']),
                               ('rm jobs_total ', ['job=', 'host=']), ('rm jobs_total job=x ', ['host=']),
                               ('get jobs_total job=', ['job=a b', 'job=backup']), ('get jobs_total job!=b', ['job!=backup']),
                               ("get 'jobs_total' host=", ['host=x', 'host=y', 'host=z']),
                               ('get -f p50 jobs_total job=ba', ['job=backup']), ('inc level nope=', []),
                               ('watch level jobs_total h', ['host=']), ('writers ', ['common']),
                               ('ls l', ['level']), ('ls level ', [])):
            self.assertEqual(self.words('shardmeter ' + line)[1], expected, line)
        self.assertEqual(self.words('shardmeter rm jobs_total ')[0], 'nospace')
        env = {'SHARDMETER_SEGMENT': os.path.join(self.dir, 'gone')}
        for where in ('-S {0}', '--segment {0}', '--segment={0}', "-S'{0}'"):
            line = f'sudo {CLI} {where.format(self.segment)} get le'
            out = self.ok('completion', 'words', line, env=env).splitlines()
            self.assertEqual(out[1:], ['level\t'] if not where.startswith("-S'") else [], line)
        self.assertEqual(self.ok('completion', 'words', 'shardmeter get ', env=env), 'none\t\n')

    def test_arguments_of_options(self):
        for line, expected in (('dump --format ', ('none', ['text', 'json', 'csv'])), ('dump -f j', ('none', ['json'])),
                               ('dump --format=c', ('none', ['--format=csv'])), ('dump -o ', ('files', [])),
                               ('dump --output=', ('files', [])), ('inc --type ', ('none', ['counter', 'updown', 'gauge'])),
                               ('set --mode m', ('none', ['min', 'max', 'mostrecent'])), ('watch -n ', ('none', [])),
                               ('-S /dev/', ('files', [])), ('time x_seconds -- ', ('commands', []))):
            self.assertEqual(self.words('shardmeter ' + line), expected, line)
        name = f'cli-complete-{os.getpid()}'
        self.addCleanup(lambda: os.unlink(f'/dev/shm/shardmeter.{name}'))
        self.ok('inc', '--create', '--strict', '-S', name, 'x_total')
        for line in ('get -S cli-complete', '--segment cli-complete', 'rm --segment=cli-complete', 'ls --segment=cli-complete'):
            found = self.words('shardmeter ' + line)[1]
            self.assertEqual([f.replace('--segment=', '') for f in found if str(os.getpid()) in f], [name], line)

    def test_odd_lines__never_fail(self):
        for line in ('', ' ', 'x', '|', "'", '"', '\\', 'shardmeter', 'shardmeter "', "shardmeter get '", 'shardmeter get x{',
                     'shardmeter -S', 'shardmeter -S ', 'shardmeter --segment=', 'shardmeter - ', 'shardmeter get = ',
                     'shardmeter get a=b', 'shardmeter time -- ', 'shardmeter ' + 'x ' * 1000, 'x' * 100000,
                     'shardmeter get ' + '\xff\x01', 'a;shardmeter ge', 'shardmeter completion bash '):
            directive = self.words(line)[0]
            self.assertIn(directive, ('none', 'nospace', 'files', 'commands'), line)
        self.assertIn('which shell', self.fails(2, 'completion'))
        self.assertIn('none of bash, zsh', self.fails(2, 'completion', 'fish'))


class Bash(Case):
    def setUp(self):
        super().setUp()
        self.ok('inc', '--create', '--strict', 'jobs_total', 'job=a b', 'host=x')
        self.ok('inc', '--strict', 'jobs_total', 'job=ab', 'host=y')
        self.env['PATH'] = BUILD + ':' + self.env['PATH']
        self.env['TERM'] = 'dumb'
        self.env['PS1'] = 'READY> '
        self.shell = Shell(['bash', '--norc', '--noprofile', '-i'], self.env)
        self.addCleanup(self.shell.close)
        self.shell.read_until('READY> ')
        self.shell.run('set -u; source <(shardmeter completion bash); echo sour""ced', 'sourced\n')

    def completes(self, keys, result):
        """What is typed and TAB gives result; the line is thrown away."""
        self.shell.type('\x15' + keys + '\t')
        self.shell.type('\x01printf "<%s>" \x05\n')
        found = self.shell.read_until(r'((?:<[^>]*>)+)READY> ')
        self.assertEqual(re.findall('<([^>]*)>', found[1]), result.split('|'))

    def test_tab__completes(self):
        self.completes('shardmeter doc', 'shardmeter|doctor')
        self.completes('shardmeter dump --form', 'shardmeter|dump|--format')
        self.completes('shardmeter dump --format js', 'shardmeter|dump|--format|json')
        self.completes('shardmeter dump --format=js', 'shardmeter|dump|--format=json')
        self.completes('shardmeter get jo', 'shardmeter|get|jobs_total')
        self.completes('shardmeter get jobs_total ho', 'shardmeter|get|jobs_total|host=')
        self.completes('shardmeter get jobs_total host=x job=a\\ ', 'shardmeter|get|jobs_total|host=x|job=a b')
        self.completes(f'shardmeter dump -o {self.dir}/segm', f'shardmeter|dump|-o|{self.segment}')
        self.completes('shardmeter get jobs_total host=x job=', 'shardmeter|get|jobs_total|host=x|job=a')
        self.completes('shardmeter get jobs_total "job=a ', 'shardmeter|get|jobs_total|job=a b')
        self.completes('shmtop --filt', 'shmtop|--filter')
        self.completes('shardmeter-exporter --web.telem', 'shardmeter-exporter|--web.telemetry-path')

    def test_functions__do_not_touch_the_shell(self):
        self.shell.run('echo "[$COMP_WORDBREAKS]" | od -c | head -2', r'"')
        self.shell.run('declare -F | grep -c shardmeter', r'\n2\n')


class Install(Case):
    def test_make_install__puts_them_where_shells_look(self):
        root = os.path.join(self.dir, 'root')
        subprocess.run(['make', '-s', '-C', SRCDIR, f'BUILD={os.path.dirname(BUILD)}', f'CONFIG={os.path.basename(BUILD)}',
                        '-o', 'all', f'DESTDIR={root}', 'prefix=/usr', 'install'], check=True, capture_output=True, timeout=100)
        where = os.path.join(root, 'usr/share/bash-completion/completions')
        with open(os.path.join(where, 'shmtop'), encoding='utf-8') as f:
            self.assertEqual(f.read(), self.ok('completion', 'bash'))
        self.assertEqual(sorted(os.listdir(where)), ['shardmeter', 'shardmeter-exporter', 'shmtop'])
        with open(os.path.join(root, 'usr/share/zsh/site-functions/_shardmeter'), encoding='utf-8') as f:
            self.assertEqual(f.read(), self.ok('completion', 'zsh'))


if __name__ == '__main__':
    unittest.main(verbosity=1)
