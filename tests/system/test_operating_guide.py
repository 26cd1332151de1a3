# SPDX-License-Identifier: Apache-2.0
"""docs/operating.md names every metric about Shardmeter itself and only log lines that there are."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from exporter_util import SRCDIR, Place, run_tests


def read(*path):
    with open(os.path.join(SRCDIR, *path), encoding='utf-8') as f:
        return f.read()


GUIDE = read('docs', 'operating.md')
SOURCES = ''.join(read(os.path.relpath(p, SRCDIR)) for p in sorted(
    glob.glob(os.path.join(SRCDIR, 'exporter', '**', '*.[ch]'), recursive=True)
    + glob.glob(os.path.join(SRCDIR, 'libshm', '*.[ch]'))))
# Adjacent literals are one string.
STRINGS = re.sub(r'"\s*\n\s*"', '', SOURCES)


def named():
    return set(re.findall(r'`(shardmeter_[a-z_]+)[`{]', GUIDE))


def test_every_metric_is_in_the_guide():
    sources = set(re.findall(r'"(shardmeter_[a-z_]+)"', SOURCES))
    assert len(sources) > 40, sources
    assert not sources - named(), sorted(sources - named())
    assert not named() - sources, sorted(named() - sources)


def test_what_is_exposed_is_in_the_guide():
    with Place() as p:
        e = p.exporter()
        p.feeder()('counter', 'a_total', '-', 1)
        found = set(re.findall(r'^# TYPE (shardmeter_\w+)', e.metrics(), re.M))
        assert len(found) > 40, found
        assert not found - named(), sorted(found - named())


def test_log_lines_are_real():
    section = GUIDE.split('## Log lines that matter')[1].split('\n## ')[0]
    lines = re.findall(r'^\| `([^`]+)` \|', section, re.M)
    assert len(lines) > 10, lines
    for line in lines:
        assert f'"{line}' in STRINGS, f'nothing logs {line!r}'


def test_flags_are_real():
    for flag in set(re.findall(r'`--((?:web|storage|log|config)[a-z.-]*)', GUIDE)):
        assert f'"{flag}"' in STRINGS, f'there is no flag --{flag}'


if __name__ == '__main__':
    run_tests(globals())
