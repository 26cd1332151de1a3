# SPDX-License-Identifier: Apache-2.0
"""Make tests/fuzz/corpus/history/: rows by hand, and a store that the exporter wrote.

    BUILD=build/release python3 tests/fuzz/make_history_corpus.py

The first byte of a file says what fuzz_history.c reads it as. Records of the dictionary and words
(1, 2, 4) are not made here: their format has not changed since they were.
"""
import glob
import os
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../system'))
from exporter_util import Place, labels, wait_for

CORPUS = os.path.join(HERE, 'corpus/history')


def varint(n):
    out = b''
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def row(values, writers=(), count=None, id_limit=1000, version=2):
    """A row as row.h has it; the checksum is the target's to put right."""
    named = b''.join(struct.pack('<H', len(n)) + n + varint(inc) + struct.pack('<Q', start)
                     for n, inc, start in writers)
    body = named + b''.join(values)
    head = struct.pack('<IHHQQ16sQIIII', 0, version, 2, 1700000000000000000, 5000000000,
                       bytes(range(16)), 7, len(writers),
                       len(values) if count is None else count, id_limit, len(body))
    head += struct.pack('<QQIIIHH16sII', 12, 1700000000000, 10000, 3, 2, 5, 1, bytes(16),
                        len(writers), len(named))
    return head + body


def number(step, kind, units, decimals=0):
    return varint(step) + bytes([kind | decimals << 3]) + varint(units)


def histogram(step, buckets, total):
    out = varint(step) + bytes([4 | 9 << 3]) + varint(len(buckets))
    return out + b''.join(varint(s) + varint(n) for s, n in buckets) + b'\1' + varint(total)


def write(name, kind, data):
    with open(os.path.join(CORPUS, name), 'wb') as f:
        f.write(bytes([kind]) + data)


def rows():
    values = [number(1, 1, 2 ** 64 - 1), number(1, 2, 13, 9),
              varint(5) + bytes([3]) + struct.pack('<d', -0.25),
              histogram(1, [(0, 5), (3, 2 ** 63), (200, 1)], 2 ** 100)]
    writers = [(b'shard-1', 3, 1690000000000000000), ('m\u00fcsic'.encode(), 2 ** 63, 0)]
    write('row', 0, row(values, writers))
    write('row-unsealed', 0x80, row(values, writers))
    write('row-empty', 0, row([]))
    write('row-count', 0, row(values, writers, count=2 ** 32 - 1))
    write('row-ids', 0, row(values, id_limit=3))
    write('row-buckets', 0, row([histogram(1, [(1024, 1), (1024, 1)], 1)]))
    write('row-other-version', 0, row(values, version=3))
    write('row-bad-writer', 0, row(values, [(b'\xff\xfe', 1, 1)]))
    write('row-key', 0, struct.pack('>IQQ', 1, 1700000000000, 12))


def store():
    with Place() as p:
        f = p.feeder()
        f('counter', 'a_total', labels(shard='1'), 5)
        f('histogram', 'latency_seconds', '-', 0.25)
        e = p.exporter('--storage.interval=100ms')
        wait_for(lambda: (e.value('shardmeter_history_last_tick') or 0) >= 3, 'three rows')
        e.stop()
        found = glob.glob(os.path.join(p.store, '**/history.mdb'), recursive=True)
        with open(found[0], 'rb') as data:
            whole = data.read()
    write('store', 5, whole)
    write('file', 3, whole)
    write('store-cut', 5, whole[:len(whole) // 2])
    write('store-no-page-size', 5, whole[:40] + bytes(4) + whole[44:4136] + bytes(4) + whole[4140:])
    # Records of the first leaf that lies about a size.
    damaged = bytearray(whole)
    for page in range(2, len(whole) // 4096):
        at = page * 4096
        if struct.unpack_from('<H', whole, at + 10)[0] == 2:
            first = struct.unpack_from('<H', whole, at + 16)[0]
            damaged[at + first + 1] ^= 0x7f
    write('store-sizes', 5, bytes(damaged))


if __name__ == '__main__':
    began = time.monotonic()
    rows()
    store()
    print(f'{len(os.listdir(CORPUS))} files, {time.monotonic() - began:.1f} s')
