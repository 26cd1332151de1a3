// SPDX-License-Identifier: Apache-2.0
'use strict';
/*
 * probes.js SEGMENT - what an update costs in JavaScript, for extra_probes.py: the Node probe, and
 * prom-client if require() finds it (NODE_PATH), in turn. Prints CPU time of the process, the loop
 * included: {figure: {ours: [ns ...], peer: [ns ...] or null}}.
 */
const path = require('path');
const probe = require(path.join(__dirname, '../bindings/node/probe/probe.js'));

const REPETITIONS = 11;
const UPDATES = 4e6, PEER_UPDATES = 4e5;

let prom = null;
try {
  prom = require('prom-client');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND')
    throw error;
}

/* Durations that no branch predictor learns: log-normal. */
const normal = () =>
  Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const values = Float64Array.from({ length: 65536 }, () => Math.exp(-5 + 1.2 * normal()));

probe.open(process.argv[2], 'bench-js');
const counters = Array.from({ length: 16 }, (_, i) =>
  new probe.Counter('probe_units_total', String(i)));
const fixed = new probe.FixedCounter('probe_fixed_total', 'js', 9);
const gauge = new probe.Gauge('probe_level', 'js');
const histogram = new probe.Histogram('probe_seconds', 'js');
const one = counters[0];

/* A function of its own for each: none spoils what the compiler knows of the others. */
const ours = {
  inc: n => { for (let i = 0; i < n; i++) one.inc(); },
  inc16: n => { for (let i = 0; i < n; i++) counters[i & 15].inc(); },
  fixed: n => { for (let i = 0; i < n; i++) fixed.add(values[i & 65535]); },
  set: n => { for (let i = 0; i < n; i++) gauge.set(values[i & 65535]); },
  observe: n => { for (let i = 0; i < n; i++) histogram.observe(values[i & 65535]); },
};

function peers() {
  const options = name => ({ name, help: name, labelNames: ['lang'] });
  const counter = new prom.Counter(options('units_total'));
  const real = new prom.Counter(options('real_total'));
  const child = Array.from({ length: 16 }, (_, i) => counter.labels(String(i)));
  const level = new prom.Gauge(options('level')).labels('js');
  const seconds = new prom.Histogram(options('seconds')).labels('js'), amount = real.labels('js');
  return {
    inc: n => { for (let i = 0; i < n; i++) child[0].inc(); },
    inc16: n => { for (let i = 0; i < n; i++) child[i & 15].inc(); },
    fixed: n => { for (let i = 0; i < n; i++) amount.inc(values[i & 65535]); },
    set: n => { for (let i = 0; i < n; i++) level.set(values[i & 65535]); },
    observe: n => { for (let i = 0; i < n; i++) seconds.observe(values[i & 65535]); },
  };
}

function cpu_ns(update, n) {
  const before = process.cpuUsage();
  update(n);
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000 / n;
}

const peer = prom ? peers() : null;
const result = {};
for (const name of Object.keys(ours)) {
  ours[name](UPDATES);
  if (peer)
    peer[name](PEER_UPDATES);
  result[name] = { ours: [], peer: peer ? [] : null };
}
for (let r = 0; r < REPETITIONS; r++) {
  for (const name of Object.keys(ours)) {
    result[name].ours.push(cpu_ns(ours[name], UPDATES));
    if (peer)
      result[name].peer.push(cpu_ns(peer[name], PEER_UPDATES));
  }
}
console.log(JSON.stringify(result));
