#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's parsers on our exposition: random registries with awkward label values.

Every sample must come back from Debian's Python parser with the labels and the value that went in, and
promtool must have nothing to say, neither of syntax nor of names.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from prometheus_client.parser import text_string_to_metric_families

ROUNDS = int(os.environ.get('ROUNDS', '25'))
PROGRAM = os.path.join(os.environ.get('BUILD', 'build/release'), 'tests/system/random_registry')


def generate(directory, seed, families):
    """The exposition and the expected samples: {(name, labels): value}."""
    segment = os.path.join(directory, f'segment-{seed}')
    wanted = os.path.join(directory, 'wanted')
    with open(wanted, 'wb') as f:
        done = subprocess.run(['sh', '-c', 'exec "$0" "$@" 3>"$WANTED"', PROGRAM, segment, str(seed), str(families)],
                              check=False, stdout=subprocess.PIPE, env=dict(os.environ, WANTED=f.name))
    if done.returncode:
        sys.exit(f'random_registry with seed {seed}: exit status {done.returncode}')
    os.unlink(segment)
    expected = {}
    with open(wanted, encoding='ascii') as f:
        for line in f:
            if line[0] == '!':
                continue
            name, rest = line.rstrip('\n').split('{', 1)
            labels, value = rest.rsplit('} ', 1)
            pairs = (p.split('=', 1) for p in labels.split(',') if p)
            key = name, frozenset((k, bytes.fromhex(v).decode('utf-8')) for k, v in pairs)
            if key in expected:
                sys.exit(f'seed {seed}: {key} is expected twice')
            expected[key] = float(value)
    return done.stdout.decode('utf-8'), expected


def close(a, b):
    return a == b or abs(a - b) <= 1e-15 * max(abs(a), abs(b))


def check_python(seed, text, expected):
    found = {}
    names = set()
    for family in text_string_to_metric_families(text):
        if family.name in names:
            sys.exit(f'seed {seed}: family {family.name} is there twice')
        names.add(family.name)
        if not family.documentation:
            sys.exit(f'seed {seed}: {family.name} has no help')
        for s in family.samples:
            key = s.name, frozenset(s.labels.items())
            if key in found:
                sys.exit(f'seed {seed}: {key} is there twice')
            found[key] = s.value
    for key, value in expected.items():
        if key not in found:
            sys.exit(f'seed {seed}: no sample {key}')
        if not close(found[key], value):
            sys.exit(f'seed {seed}: {key} is {found[key]!r}, not {value!r}')
    strangers = [k for k in found if k not in expected and not k[0].startswith('shardmeter_')]
    if strangers:
        sys.exit(f'seed {seed}: unexpected {strangers[0]}')
    return len(expected)


def check_promtool(seed, text):
    done = subprocess.run(['promtool', 'check', 'metrics'], input=text.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode or done.stdout:
        sys.exit(f'seed {seed}: promtool says {done.stdout.decode()}')


def main():
    if not shutil.which('promtool'):
        sys.exit('promtool is missing: install the package prometheus')
    samples = 0
    with tempfile.TemporaryDirectory(prefix='shardmeter-test-', dir='/dev/shm') as directory:
        for seed in range(1, ROUNDS + 1):
            text, expected = generate(directory, seed, 1 + seed * 3 % 60)
            samples += check_python(seed, text, expected)
            check_promtool(seed, text)
    print(f'{ROUNDS} registries, {samples} samples came back as they went in')
    if not samples:
        sys.exit('no samples at all')


if __name__ == '__main__':
    main()
