// SPDX-License-Identifier: Apache-2.0
'use strict';
/*
 * probe_writer.js SEGMENT WRITER LANG - the JavaScript writer of test_probes.py: lines as for
 * probe_writer.c, and
 *
 *  workers K      start K worker threads that count with the main thread from now on
 *  background N   count N in the workers; `wait` waits for that
 *  torn SECONDS   add 2^32 - 1 to a counter and to a histogram's sum as fast as possible
 *  bad            updates that must be refused: six of them
 */
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const fs = require('fs');
const path = require('path');
const probe = require(path.join(__dirname, '../../bindings/node/probe/probe.js'));

const [segment, writer, lang] = isMainThread ? process.argv.slice(2) : workerData;
const STEP = 2 ** 32 - 1;

probe.open(segment, writer);
const whole = new probe.Counter('probe_whole_total', lang);
const fixed = new probe.FixedCounter('probe_fixed_total', lang, 9);
const mixed = new probe.FixedCounter('probe_mixed_total', lang, 3);
const level = new probe.Gauge('probe_level', lang);
const latest = new probe.Gauge('probe_latest', lang, 4);  // mode mostrecent: updated by calls
const seconds = new probe.Histogram('probe_seconds', lang);

function count(n) {
  for (let k = 0; k < n; k++) {
    whole.inc();
    whole.add(3);
    fixed.add(k % 1000 * 0.001);
    mixed.add(2);
    seconds.observe(k * 7919 % 100003 / 8192);
  }
}

const threads = [];
let background;

/* The same message to all threads; resolves when all have answered. */
const all = message => Promise.all(threads.map(thread => new Promise((resolve, reject) => {
  thread.once('message', resolve);
  thread.once('error', reject);
  thread.postMessage(message);
})));

const commands = {
  async count(n) {
    const done = all(+n);
    count(+n);
    await done;
  },
  file(name) {
    const { buffer, byteOffset, length } = fs.readFileSync(name);
    const values = new Float64Array(buffer.slice(byteOffset, byteOffset + length));
    values.forEach(v => seconds.observe(v));
  },
  level(x) {
    level.set(+x);
    latest.set(+x);
  },
  beat() {
    if (!probe.heartbeat())
      throw new Error('the heartbeat failed');
  },
  async workers(k) {
    while (threads.length < +k)
      threads.push(new Worker(__filename, { workerData: [segment, writer, lang] }));
    await all(0);
  },
  background(n) {
    background = all(+n);
  },
  wait: () => background,
  torn(s) {
    const counter = new probe.Counter('probe_whole_total', 'torn');
    const histogram = new probe.Histogram('probe_seconds', 'torn');
    for (const end = Date.now() + 1000 * s; Date.now() < end;) {
      for (let i = 0; i < 1000; i++) {
        counter.add(STEP);
        histogram.observe(STEP / 1e9);
      }
    }
  },
  bad() {
    [NaN, -1].forEach(v => whole.add(v));
    [NaN, -1, Infinity, 4.7e9].forEach(v => seconds.observe(v));
  },
};

async function main() {
  process.stdout.write('ok\n');
  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    const [name, argument] = line.split(' ');
    await commands[name](argument);
    process.stdout.write('ok\n');
  }
  threads.forEach(thread => thread.terminate());
}

if (isMainThread) {
  main();
} else {
  parentPort.on('message', n => {
    count(n);
    parentPort.postMessage(n);
  });
}
