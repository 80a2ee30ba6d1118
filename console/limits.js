// @ts-check
// What held a run up, as far as its records tell.

import { edges, FAILED, LOST, COPY, spread, peak } from './bars.js';
import { count, counted, percent, seconds } from './format.js';

/**
 * Sentences, the weightiest first; none where the records do not tell.
 * @param {Status} status @param {ReturnType<import('./bars.js').barsOf>} bars
 * @returns {string[]}
 */
export function limitsOf(status, { bands, end, size }) {
  if (!size) return [];
  /** @type {{share: number, text: string}[]} */
  const found = [];
  const most = peak(bands);
  const workers = status.estimate?.workers?.concurrency;
  const known = workers >= most * 0.95;
  const reached = known && most >= 0.95 * workers;
  const first = Math.min(...bands.filter((band) => band.size).map((band) => band.sent));
  if (first / end > 0.2) {
    found.push({
      share: first / end,
      text: `Planning, until the first tasks were sent, took ${seconds(first / 1000)}, ${percent(first, end)} of the time.`,
    });
  }
  const { full, starved, idle } = shares(bands, first, end, (reached ? 0.95 : 0.85) * most);
  if (full / end > 0.1) {
    const time = `${seconds(full / 1000)}, ${percent(full, end)} of the time`;
    const allowed = known ? `, though ${count(workers)} are allowed` : '';
    found.push({
      share: full / end,
      text: reached
        ? `All ${count(workers)} workers were in use for ${time}, while tasks waited.`
        : `Never more than ${count(most)} ran at once${allowed}: about that many for ${time}, while tasks waited.`,
    });
  }
  if (starved / end > 0.15) {
    found.push({
      share: starved / end,
      text: `Tasks waited to be started for ${seconds(starved / 1000)}, ${percent(starved, end)} of the time, while fewer workers were in use than before or after: workers that start, the queue, or one that died before it left a record.`,
    });
  }
  if (idle / end > 0.15) {
    found.push({
      share: idle / end,
      text: `Nothing ran for ${seconds(idle / 1000)}, ${percent(idle, end)} of the time, after planning: between stages, or at the end.`,
    });
  }
  for (const band of bands) {
    const took = spread(band);
    if (!took?.skew || band.size < 4 || took.skew < 2) continue;
    const last = band.end.reduce((a, b) => Math.max(a, b), 0);
    const whole = last - band.sent;
    const part = (took.max * 1000) / whole;
    if (part < 0.5 || whole / end < 0.2) continue;
    found.push({
      share: ((took.max - took.median) * 1000) / end,
      text: `The longest task of stage ${band.stage} took ${seconds(took.max)}, ${percent(part, 1)} of that stage and ${took.skew.toFixed(1)} × its median.`,
    });
  }
  const repeats = repeated(bands);
  if (repeats.share > 0.05) {
    found.push({
      share: repeats.share,
      text: `Repeated work took ${percent(repeats.share, 1)} of the time of all tasks: ${counted(repeats.lost, 'attempt')} without a commit, ${counted(repeats.copies, 'straggler')} given to a second worker.`,
    });
  }
  return found.sort((a, b) => b.share - a.share).map(({ text }) => text);
}

/**
 * For how long as many as `high` ran while others waited; fewer ran and some waited; nothing ran.
 * @param {import('./bars.js').Band[]} bands @param {number} from @param {number} end @param {number} high
 */
function shares(bands, from, end, high) {
  const { starts, ends } = edges(bands);
  const size = starts.length;
  const queued = new Float64Array(size);
  let at = 0;
  let unsent = 0;
  for (const band of bands) {
    queued.set(band.queued, at);
    at += band.size;
    if (band.waiting) unsent = Math.max(unsent, band.sent);
  }
  const waits = queued.sort();
  const sums = { full: 0, starved: 0, idle: 0 };
  let [q, s, e, now] = [0, 0, 0, from];
  while (now < end) {
    while (q < size && waits[q] <= now) q += 1;
    while (s < size && starts[s] <= now) s += 1;
    while (e < size && ends[e] <= now) e += 1;
    const next = Math.min(end, waits[q] ?? end, starts[s] ?? end, ends[e] ?? end);
    const running = s - e;
    const waiting = q > s || (unsent > 0 && now >= unsent);
    if (running >= high && waiting) sums.full += next - now;
    else if (waiting) sums.starved += next - now;
    else if (running === 0) sums.idle += next - now;
    now = next > now ? next : end;
  }
  return sums;
}

/** @param {import('./bars.js').Band[]} bands */
function repeated(bands) {
  let [all, wasted, lost, copies] = [0, 0, 0, 0];
  for (const band of bands) {
    for (let i = 0; i < band.size; i += 1) {
      const took = band.end[i] - band.start[i];
      all += took;
      if (band.copy[i] === COPY) copies += 1;
      else if (band.how[i] === FAILED || band.how[i] === LOST) lost += 1;
      else continue;
      wasted += took;
    }
  }
  return { share: all ? wasted / all : 0, lost, copies };
}
