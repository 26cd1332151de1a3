// SPDX-License-Identifier: Apache-2.0
'use strict';
/*
 * probe.js - counters, gauges and histograms whose updates are stores into the lane of this thread.
 *
 * A cell has 64 bits and is stored as a whole, so it is an element of a BigUint64Array: adding 1n
 * takes a nanosecond, since optimised code keeps such sums in registers. BigInt(number) takes 15.
 * So a whole number n < 2^52 becomes a BigInt through the bits of the double n + 2^52, which are
 * 0x4330000000000000 + n.
 *
 * `word` changes when cells move, whoever caused it: see sm_lane_view() in shardmeter.h. That it is
 * a constant, and compared by XOR with a field, halves what inc() takes.
 */
const native = require(process.env.SHARDMETER_PROBE || './probe.node');

const COUNTER = 1, GAUGE = 2, HISTOGRAM = 4;  // enum sm_kind
const U64 = 0, FIXED = 1;  // enum sm_number
const WHOLE = 2 ** 52, WHOLE_BITS = 0x4330000000000000n;
const UNSET = 0x7ff4d5e7a11e57edn;  // a gauge's cell holds the double's bits XOR this

const scratch = new ArrayBuffer(8);
const asDouble = new Float64Array(scratch), asBits = new BigUint64Array(scratch);
const asHalves = new Uint32Array(scratch);  // [1] has sign and exponent: little-endian machines

const word = new Int32Array(native.word || 1);
const nowhere = new BigUint64Array(2048);  // cells of null handles
const metrics = [];
let lane = nowhere, shared = nowhere, expected = -1, asked = -1;  // nothing is mapped yet

/* Cells have moved, or there were none: find them. False: there is no lane or cell, make calls. */
function find(beat, metric) {
  if (!beat && asked === word[0])
    return false;
  asked = word[0];
  const view = native.view(+beat);
  if (view) {
    [lane, shared, expected] = [new BigUint64Array(view[0]), new BigUint64Array(view[1]), view[2]];
    metrics.forEach(metric => metric.place());
  }
  return view !== undefined && !(metric && metric.expected === 0);
}

class Metric {
  constructor(kind, handle) {
    [this.kind, this.handle] = [kind, handle];
    metrics.push(this);
    this.place();
  }

  place() {
    const cell = native.where(this.handle, this.kind)[0];
    this.cells = cell < 0 ? nowhere : this.kind === GAUGE ? shared : lane;
    this.cell = cell < 0 ? 0 : cell;
    this.expected = cell === -2 ? 0 : expected;  // 0 never comes: always a call
  }

  /* What a store cannot do: the library refuses the value, or has a place for it. */
  call(v) {
    native.update(this.handle, this.kind, v);
  }
}

class Counter extends Metric {
  constructor(name, lang, decimals) {
    const number = decimals === undefined ? U64 : FIXED;
    super(COUNTER, native.resolve(COUNTER, name, lang, number, decimals));
    this.scale = number === FIXED ? 10 ** decimals : 1;
  }

  inc() {
    if ((word[0] ^ this.expected) === 0)
      this.cells[this.cell] += 1n;
    else
      this.add(1);
  }

  add(v) {
    const units = Math.floor(v * this.scale + 0.5);
    if (!(v >= 0 && units < WHOLE) || ((word[0] ^ this.expected) !== 0 && !find(false, this)))
      return this.call(v);
    asDouble[0] = units + WHOLE;
    this.cells[this.cell] += asBits[0] - WHOLE_BITS;
  }
}

class FixedCounter extends Counter {
  inc() {
    this.add(1);
  }
}

class Gauge extends Metric {
  constructor(name, lang, mode = 0) {
    super(GAUGE, native.resolve(GAUGE, name, lang, mode));
  }

  set(v) {
    if ((word[0] ^ this.expected) !== 0 && !find(false, this))
      return this.call(v);
    asDouble[0] = v;
    this.cells[this.cell] = asBits[0] ^ UNSET;
  }
}

/* As libshm/buckets.c: a guide table over exponent and five mantissa bits, then comparisons. */
class Histogram extends Metric {
  constructor(name, lang) {
    super(HISTOGRAM, native.resolve(HISTOGRAM, name, lang));
    const [, scale, bounds] = native.where(this.handle, HISTOGRAM);
    this.bounds = Float64Array.from([...new Float64Array(bounds), Infinity]);
    this.sum = this.bounds.length;
    this.scale = scale;
    this.limit = scale ? (WHOLE - 1) / scale : 0;
    this.min = this.key(this.bounds.find(bound => bound > 0)) - 1;
    this.max = Math.max(this.key(this.bounds[this.sum - 2]) - this.min, 0);
    this.compares = 1;
    this.guide = Uint16Array.from({ length: this.max + 2 }, (_, cell) => {
      [asHalves[0], asHalves[1]] = [0, (this.min + cell) << 15];
      return this.bounds.findIndex(bound => cell === 0 || bound >= asDouble[0]);
    });
    for (let cell = 0; cell <= this.max; cell++)
      this.compares = Math.max(this.compares, this.guide[cell + 1] - this.guide[cell]);
  }

  key(v) {
    asDouble[0] = v;
    return asHalves[1] >>> 15;
  }

  observe(v) {
    if (!(v >= 0 && v < this.limit) || ((word[0] ^ this.expected) !== 0 && !find(false, this)))
      return this.call(v);
    const bounds = this.bounds, key = this.key(v) - this.min;
    let i = this.guide[key < 0 ? 0 : key > this.max ? this.max : key];
    for (let more = this.compares; more; more--)
      i += +(v > bounds[i]);  // without branches: values are not predictable
    this.cells[this.cell + i] += 1n;
    asDouble[0] = Math.floor(v * this.scale + 0.5) + WHOLE;
    this.cells[this.cell + this.sum] += asBits[0] - WHOLE_BITS;
  }
}

function open(segment, writer) {
  native.open(0, segment, writer);
  find(true);
}

module.exports = { Counter, FixedCounter, Gauge, Histogram, open, heartbeat: () => find(true) };
