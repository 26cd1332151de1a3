# SPDX-License-Identifier: Apache-2.0
"""A reader of the delimited protobuf exposition, written from the format's description alone."""
import struct

TYPES = {0: 'counter', 1: 'gauge', 3: 'untyped', 4: 'histogram'}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            assert value < 2 ** 64
            return value, at


def fields(data):
    """(number, value) of a message, in order."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, = struct.unpack('<d', data[at:at + 8])
            at += 8
        else:
            assert wire == 2, wire
            size, at = varint(data, at)
            assert at + size <= len(data)
            value = data[at:at + size]
            at += size
        yield tag >> 3, value


def signed(value):
    return value >> 1 ^ -(value & 1)


def labels(message):
    found = {}
    for number, pair in fields(message):
        if number == 1:
            parts = dict(fields(pair))
            name = parts[1].decode()
            assert name not in found
            found[name] = parts.get(2, b'').decode()
    return found


def time_of(message):
    parts = dict(fields(message))
    return parts.get(1, 0) + parts.get(2, 0) / 1e9


class Histogram:
    """Both views of one."""

    def __init__(self, message):
        self.count, self.sum, self.created = 0, 0.0, None
        self.classic, self.spans, self.deltas = [], [], []
        self.schema = self.zero_threshold = None
        self.zero_count = 0
        self.exemplars = 0
        for number, value in fields(message):
            if number == 1:
                self.count = value
            elif number == 2:
                self.sum = value
            elif number == 3:
                parts = dict(fields(value))
                self.classic.append((parts[2], parts.get(1, 0)))
                self.exemplars += 3 in parts
            elif number == 5:
                self.schema = signed(value)
            elif number == 6:
                self.zero_threshold = value
            elif number == 7:
                self.zero_count = value
            elif number == 12:
                parts = dict(fields(value))
                self.spans.append((signed(parts.get(1, 0)), parts.get(2, 0)))
            elif number == 13:
                at = 0
                while at < len(value):
                    delta, at = varint(value, at)
                    self.deltas.append(signed(delta))
            elif number == 15:
                self.created = time_of(value)

    def native(self):
        """{index: count}; what a reader makes of spans and deltas."""
        found, index, count, deltas = {}, 0, 0, list(self.deltas)
        for offset, length in self.spans:
            index += offset
            for _ in range(length):
                count += deltas.pop(0)
                assert count >= 0
                found[index] = count
                index += 1
        assert not deltas
        return found


class Family:
    def __init__(self, message):
        self.name = self.help = self.unit = ''
        self.type, self.metrics = 0, []
        for number, value in fields(message):
            if number == 1:
                self.name = value.decode()
            elif number == 2:
                self.help = value.decode()
            elif number == 3:
                self.type = value
            elif number == 4:
                self.metrics.append(self.metric(value))
            elif number == 5:
                self.unit = value.decode()
        self.type = TYPES[self.type]

    @staticmethod
    def metric(message):
        """(labels, value or Histogram, created)"""
        found = labels(message)
        for number, value in fields(message):
            if number == 7:
                h = Histogram(value)
                return found, h, h.created
            if number in (2, 3, 5):
                parts = dict(fields(value))
                return found, parts[1], time_of(parts[3]) if 3 in parts else None
        raise AssertionError('a metric without a value')


def parse(data):
    found, at = [], 0
    while at < len(data):
        size, at = varint(data, at)
        assert at + size <= len(data)
        found.append(Family(data[at:at + size]))
        at += size
    return found
