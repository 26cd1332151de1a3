#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seed corpus of fuzz_reader: tests/fuzz/make_reader_corpus.py [DIRECTORY]

Each seed is a small segment as patches (see fuzz_reader.c) that reaches another part of the reader.
Offsets and sizes here are those of libshm/layout.h, written out by hand: run this again when the
layout changes. The seeds are committed, so nothing needs this script to run the tests.
"""
import os
import struct
import sys

HEADER, SLOTS, PAGEMAPS, INDEX, FAMILIES, SERIES, STRINGS, EXEMPLARS, HOLDS, RINGS, LANES = range(11)
COUNTER, GAUGE, UPDOWN, HISTOGRAM, INFO, STATESET = range(1, 7)
ADD, SET, LIVE = range(3)
ODD, SEAL, CUT = 1, 2, 4
GRID, SUM_DOUBLE, KEEP, EXEMPLAR, SIGNED = 1, 2, 4, 8, 16
UNSET = 0x7ff4d5e7a11e57ed
LIVE_STATE = 2


def size_class(n):
    c = 16
    while c < n:
        c *= 2
    return c


def bits(v):
    return struct.unpack('<Q', struct.pack('<d', v))[0]


class Seed:
    """A segment of 4 slots with 3 lanes, 16 families, 64 series, 2048 ADD cells, 4 ring entries."""

    def __init__(self, mode=ODD):
        self.head = bytes([mode, 2, 1, 15, 63, 1, 2])
        self.patches = b''
        self.lanes_per_slot = 3
        self.zone_first = [0, 2048, 2560]
        self.cells = 3072
        self.families = self.series = self.exemplars = 0
        self.strings = 16
        self.cells_used = [8, 8, 8]
        self.patch(SLOTS, 0, struct.pack('<IIQQQ', 4, 0, 1, 0, 1))
        self.patch(SLOTS, 448, b'common')

    def patch(self, area, offset, data):
        for i in range(0, len(data), 255):
            part = data[i:i + 255]
            self.patches += bytes([area]) + struct.pack('<I', offset + i)[:3] + bytes([len(part)]) + part

    def text(self, data):
        at = self.strings
        self.patch(STRINGS, at, data)
        self.strings += size_class(len(data))
        return at, size_class(len(data))

    def family(self, kind, name, help_='', unit='', labels=(), states=(), bounds=(), nbuckets=0, mode=0,
               flags=0, decimals=0, sum_decimals=0, grid=(0, 0)):
        data = b''.join(t.encode() + b'\0' for t in (name, help_, unit, *labels, *states))
        at, room = self.text(data)
        bounds_at = bounds_room = 0
        if bounds:
            bounds_at, bounds_room = self.text(struct.pack(f'<{len(bounds)}d', *bounds))
        rec = struct.pack('<IIQQQQIIII7H', LIVE_STATE, kind, 1, 17 * 10**17, 2000, 0, at, room, bounds_at,
                          bounds_room, len(name), len(help_), len(unit), len(labels), len(states),
                          len(bounds), nbuckets)
        rec += struct.pack('<BBBbbBIIIIIQQII', mode, decimals, sum_decimals, grid[0], grid[1], 0, flags, 0,
                           1000, 0, 0, 0, 0, len(data), 0)
        self.patch(FAMILIES, 256 * self.families, rec)
        self.families += 1
        return self.families - 1

    def add_series(self, family, zone, ncells, *values, counter=False, exemplars=0):
        data = b''.join((v if isinstance(v, bytes) else v.encode()) + b'\0' for v in values)
        at, room = self.text(data)
        cell = self.zone_first[zone] + self.cells_used[zone]
        self.cells_used[zone] += ncells
        cells = [cell, cell + 1, cell + 2, 0] if counter else [cell, 0, 0, 0]
        first = self.exemplars + 1 if exemplars else 0
        self.exemplars += exemplars
        rec = struct.pack('<IIQQQQQQIIII4III', LIVE_STATE, family, 1, 1, 0, 17 * 10**17, 3000, 0, at, room,
                          len(data), 0 if counter else ncells, *cells, zone, first)
        rec += struct.pack('<I', exemplars)
        self.patch(SERIES, 128 * self.series, rec)
        self.series += 1
        return cell

    def counter(self, family, *values):
        return self.add_series(family, ADD, 3, *values, counter=True)

    def writer(self, slot, name, state=LIVE_STATE, fold=0, metadata=b''):
        self.patch(SLOTS, 1024 * slot, struct.pack('<IIQQQQ', state, len(metadata), 1, fold, 7, 0))
        self.patch(SLOTS, 1024 * slot + 64, struct.pack('<QQQQQQQ', 1000, 1, 10**6 * slot, 17 * 10**17, 5000, 5000, 6000))
        self.patch(SLOTS, 1024 * slot + 448, name)
        self.patch(SLOTS, 1024 * slot + 512, b'1.2.3')
        if metadata:
            self.patch(SLOTS, 1024 * slot + 576, metadata)

    def cell(self, lane, cell, *values):
        """lane: number of the lane in the file; 0 and 1 are the retired ones."""
        for page in range(cell // 512, (cell + len(values) - 1) // 512 + 1):
            self.patch(PAGEMAPS, lane * 8 + page // 8, bytes([0x3f]))
        self.patch(LANES, (lane * self.cells + cell) * 8, struct.pack(f'<{len(values)}Q', *values))

    def lane(self, slot, lane):
        return 2 + slot * self.lanes_per_slot + lane

    def done(self, **marks):
        used = dict(families=self.families, series=self.series, strings=self.strings, exemplars=self.exemplars,
                    cells=self.cells_used, g=0)
        used.update(marks)
        self.patch(HEADER, 640, struct.pack('<4I3I', used['families'], used['series'], used['strings'],
                                            used['exemplars'], *used['cells']))
        self.patch(HEADER, 704, struct.pack('<Q', used['g']))
        return self.head + self.patches


def seeds():
    yield 'empty', Seed().done()
    yield 'raw-empty', b'\0'
    yield 'raw-zeros', bytes(4097)
    magic = struct.pack('<QIIHHI', 0x3152544d44524853, 0x01020304, 4096, 1, 0, 1)
    yield 'raw-magic', b'\0' + magic
    yield 'raw-header', b'\0' + magic + bytes(4096 - len(magic))
    yield 'raw-other-layout', b'\0' + struct.pack('<QIIHHI', 0x3152544d44524853, 0x01020304, 4096, 7, 3, 1) + bytes(4072)
    yield 'raw-other-endian', b'\0' + struct.pack('<QIIHHI', 0x3152544d44524853, 0x04030201, 4096, 1, 0, 1) + bytes(4072)

    s = Seed()
    f = s.family(COUNTER, 'commands_total', 'Commands.', labels=('command', 'status'), decimals=9)
    c = s.counter(f, 'play', 'ok')
    s.counter(f, 'a\\b"c\nd', 'caf\u00e9')
    s.writer(1, b'shard-1', metadata=b'shard=1\0region=eu\0')
    s.cell(s.lane(1, 1), c, 5, 1500000000, bits(0.25))
    s.cell(0, c, 100, 1, bits(1e300))
    yield 'counters', s.done()
    yield 'cut', bytes([ODD | CUT]) + s.done()[1:]
    yield 'sealed-geometry', bytes([ODD | SEAL]) + s.done()[1:] + bytes([HEADER]) + b'\x44\0\0\x04' + b'\xff\0\0\0'

    s = Seed()
    for mode in range(7):
        f = s.family(GAUGE, f'gauge_{mode}', mode=mode, flags=KEEP if mode < 3 else 0)
        c = s.add_series(f, SET, 3 if mode == 4 else 1)
        s.cell(s.lane(0, 0), c, *([2, bits(3.5) ^ UNSET, 77] if mode == 4 else [bits(mode) ^ UNSET]))
        s.cell(0, c, *([2, bits(4.5) ^ UNSET, 99] if mode == 4 else [bits(-mode) ^ UNSET]))
    f = s.family(GAUGE, 'torn', mode=4)
    s.cell(s.lane(0, 0), s.add_series(f, SET, 3), 7, bits(1) ^ UNSET, 5)
    yield 'gauges', s.done()

    s = Seed()
    c = s.add_series(s.family(UPDOWN, 'queue'), LIVE, 1)
    s.cell(s.lane(0, 0), c, 2**64 - 3)
    c = s.add_series(s.family(INFO, 'build_info', labels=('v',)), SET, 1, '1')
    s.cell(s.lane(0, 0), c, 1)
    c = s.add_series(s.family(STATESET, 'mode', states=('idle', 'busy')), SET, 1)
    s.cell(s.lane(0, 0), c, 2)
    c = s.add_series(s.family(STATESET, 'other', states=('idle',)), SET, 1)
    s.cell(s.lane(0, 0), c, 2**63)
    yield 'states', s.done()

    s = Seed()
    f = s.family(HISTOGRAM, 'wait_seconds', unit='seconds', bounds=(0.1, 1.0, 10.0), nbuckets=4, sum_decimals=9)
    s.writer(1, b'a')
    s.writer(2, b'b')
    c = s.add_series(f, ADD, 5)
    for lane in (s.lane(1, 0), s.lane(1, 1), s.lane(2, 1), 0):
        s.cell(lane, c, 1, 2, 3, 4, 2**64 - 1)
    f = s.family(HISTOGRAM, 'signed', bounds=(-1.0, 0.0, 1.0), nbuckets=4, flags=SIGNED | SUM_DOUBLE)
    c = s.add_series(f, ADD, 5)
    s.cell(s.lane(1, 1), c, 9, 8, 7, 6, bits(-2.5))
    f = s.family(HISTOGRAM, 'no_bounds', nbuckets=1)
    s.cell(s.lane(1, 1), s.add_series(f, ADD, 2), 3, 4)
    yield 'histograms', s.done()

    s = Seed()
    f = s.family(HISTOGRAM, 'fine', nbuckets=82, flags=GRID, grid=(-5, 5), sum_decimals=9)
    c = s.add_series(f, ADD, 83)
    s.cell(s.lane(0, 0), c, *[i % 7 for i in range(82)], 10**9)
    f = s.family(HISTOGRAM, 'wide', nbuckets=1018, flags=GRID, grid=(-64, 63))
    c = s.add_series(f, ADD, 1019)
    s.cell(s.lane(0, 0), c, 1)
    s.cell(s.lane(0, 0), c + 1016, 1)
    yield 'grids', s.done()

    s = Seed()
    f = s.family(COUNTER, 'n_total')
    c = s.counter(f)
    s.writer(1, b'live')
    s.writer(2, b'folded', fold=1)
    s.writer(3, b'folding', fold=2)
    for lane in (0, 1, s.lane(1, 1), s.lane(2, 1), s.lane(3, 1)):
        s.cell(lane, c, lane + 1)
    yield 'folds', s.done(g=1)

    s = Seed()
    s.writer(1, b'claiming', state=1)
    s.writer(2, b'adopting', state=3)
    s.writer(3, b'\xff\x1b[31m' * 12, state=9, metadata=b'=\0a\0b=\xff\0' * 40)
    yield 'slots', s.done()

    s = Seed()
    s.writer(1, b'same')
    s.writer(2, b'same', metadata=b'a=1\0a-=2\0a.=3\0__x=4')
    s.writer(3, b'n' * 64)
    yield 'writers', s.done()

    s = Seed()
    s.writer(1, b'slow')
    s.patch(SLOTS, 1024 + 256, struct.pack('<Q', 3))
    for number in range(3):
        e = struct.pack('<4Q16s8s8sQIIII', 2 * (number + 1), 10**18, 10**9, 5, b'trace' * 3, b'span', b'parent', 1,
                        16 if number else 2000, 512 if number else 2**31, number, 0)
        e += b'operation'.ljust(64, b'\0') + b'success'.ljust(32, b'\0')
        e += b''.join(struct.pack('<Q24s', i, b'stage' * 5) for i in range(16))
        e += (b'key=value\0' * 60)[:512]
        s.patch(RINGS, (1 * 4 + number) * 1280, e)
    yield 'ring', s.done()

    s = Seed()
    f = s.family(HISTOGRAM, 'h', bounds=(1.0, 2.0), nbuckets=3, flags=EXEMPLAR)
    s.add_series(f, ADD, 4, exemplars=3)
    for i, labels in enumerate((b'trace_id\0abc\0', b'a\0b\0a\0c\0', b'\xff' * 512)):
        s.patch(EXEMPLARS, 576 * i, struct.pack('<QQQII', 1 << 17, bits(1.5), 17 * 10**17, len(labels), 0) + labels)
    f = s.family(COUNTER, 'c_total', flags=EXEMPLAR)
    s.add_series(f, ADD, 3, counter=True, exemplars=2000)
    yield 'exemplars', s.done(exemplars=3)

    s = Seed()
    f = s.family(COUNTER, 'twin_total', labels=('l',))
    s.counter(f, 'same')
    s.counter(f, 'same')
    s.counter(f, b'\xff')
    s.family(GAUGE, 'twin_total')
    s.family(HISTOGRAM, 'h', nbuckets=1)
    s.family(GAUGE, 'h_sum')
    s.family(GAUGE, 'le"} 1\nx')
    s.family(GAUGE, 'shardmeter_up')
    yield 'twins', s.done()

    for name, marks in (('families', dict(families=2**32 - 1)), ('series', dict(series=65)),
                        ('strings', dict(strings=2**31)), ('cells', dict(cells=[2**32 - 1, 8, 8]))):
        s = Seed()
        s.counter(s.family(COUNTER, 'n_total'))
        yield f'marks-{name}', s.done(**marks)


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), 'corpus', 'reader')
    os.makedirs(directory, exist_ok=True)
    for name, data in seeds():
        with open(os.path.join(directory, name), 'wb') as f:
            f.write(data)


if __name__ == '__main__':
    main()
