// @ts-check
// What the records of a run's tasks say: one bar for each time that a message was worked on.

const DONE = 0;
export const RUNNING = 1;
export const FAILED = 2;
export const LOST = 3;
export const COPY = 1;
const SLOW = 2;
const endWords = ['committed', 'running', 'failed', 'left without an end'];

/**
 * @typedef {object} Band
 * @property {number} stage
 * @property {number} size how many bars
 * @property {Float64Array} queued when it was sent, or given back
 * @property {Float64Array} start
 * @property {Float64Array} end
 * @property {Uint32Array} task the first task of the message
 * @property {Uint32Array} last the last task of the message
 * @property {Uint16Array} attempt
 * @property {Uint8Array} how it ended: DONE, RUNNING, FAILED or LOST
 * @property {Uint8Array} copy COPY: the second attempt of a straggler; SLOW: its first
 * @property {Uint8Array} larger 1: a larger worker, after another had given it up
 * @property {Float64Array} bytes that its tasks committed
 * @property {number} waiting tasks that were sent and that nobody has begun
 * @property {number} sent
 */

/** @type {TaskTimes} */
const NONE = { task: [], at: [] };

/** @param {TaskTimes} [times] @returns {Map<number, number[]>} */
function byTask(times) {
  const found = new Map();
  for (let i = 0; i < (times?.task.length ?? 0); i += 1) {
    const list = found.get(times.task[i]);
    if (list) list.push(times.at[i]);
    else found.set(times.task[i], [times.at[i]]);
  }
  for (const list of found.values()) if (list.length > 1) list.sort((a, b) => a - b);
  return found;
}

/**
 * The bars of one stage, by start.
 * @param {StageTasks} stage @param {number | null | undefined} tasks how many the stage has
 * @param {number} now @param {boolean} over
 * @returns {Band}
 */
function bandOf(stage, tasks, now, over) {
  const { started = NONE, committed = NONE } = stage;
  const size = started.task.length;
  const starts = byTask(started);
  const failures = byTask(stage.failed);
  const copies = byTask(stage.again);
  const moved = byTask(stage.given_up);
  const leaders = Float64Array.from(starts.keys()).sort();
  const groups = leaders.length;
  /** @type {Map<number, number>} */
  const groupOf = new Map();
  leaders.forEach((task, i) => groupOf.set(task, i));

  const last = Float64Array.from(leaders);
  const done = new Float64Array(groups).fill(-1);
  const written = new Float64Array(groups);
  let covered = groups;
  for (let i = 0; i < committed.task.length; i += 1) {
    const task = committed.task[i];
    let group = groupOf.get(task);
    if (group === undefined) {
      covered += 1;
      group = below(leaders, task);
      if (group < 0) continue;
      last[group] = Math.max(last[group], task);
    }
    done[group] = Math.max(done[group], committed.at[i]);
    written[group] += stage.bytes?.[i] ?? 0;
  }

  const order = Uint32Array.from({ length: size }, (_, i) => i);
  order.sort((a, b) => started.at[a] - started.at[b] || started.task[a] - started.task[b]);
  const sent = stage.sent ?? (size ? started.at[order[0]] : 0);
  /** @type {Band} */
  const band = {
    stage: stage.stage,
    size,
    queued: new Float64Array(size),
    start: new Float64Array(size),
    end: new Float64Array(size),
    task: new Uint32Array(size),
    last: new Uint32Array(size),
    attempt: new Uint16Array(size),
    how: new Uint8Array(size),
    copy: new Uint8Array(size),
    larger: new Uint8Array(size),
    bytes: new Float64Array(size),
    waiting: over || stage.sent === undefined ? 0 : Math.max(0, (tasks ?? 0) - covered),
    sent,
  };
  const seen = new Uint16Array(groups);
  for (let i = 0; i < size; i += 1) {
    const task = started.task[order[i]];
    const start = started.at[order[i]];
    const group = groupOf.get(task);
    const mine = starts.get(task);
    const attempt = (seen[group] += 1);
    const next = mine[attempt];
    const copied = next !== undefined && some(copies, task, (at) => at > start && at <= next);
    const failed = failures.get(task)?.find((at) => at >= start);
    const commit = done[group] >= start ? done[group] : undefined;

    band.task[i] = task;
    band.last[i] = last[group];
    band.start[i] = start;
    band.attempt[i] = attempt;
    band.queued[i] = Math.min(start, sent);
    if (attempt > 1) {
      const before = (/** @type {number} */ at) => at <= start;
      const back = [copies, moved, failures].flatMap((times) => times.get(task) ?? []).filter(before);
      band.queued[i] = Math.max(mine[attempt - 2], ...back);
      band.larger[i] = some(moved, task, before) ? 1 : 0;
      band.copy[i] = some(copies, task, (at) => at > mine[attempt - 2] && at <= start) ? COPY : 0;
    }
    if (copied) band.copy[i] = SLOW;
    if (failed !== undefined && failed <= (commit ?? failed) && (copied || failed <= (next ?? failed))) {
      band.end[i] = failed;
      band.how[i] = FAILED;
    } else if (next !== undefined && !copied && next <= (commit ?? next)) {
      band.end[i] = next;
      band.how[i] = LOST;
    } else if (commit !== undefined) {
      band.end[i] = commit;
      band.how[i] = DONE;
      if (band.copy[i] !== COPY) band.bytes[i] = written[group];
    } else {
      band.end[i] = done[group] >= 0 ? start : Math.max(now, start);
      band.how[i] = done[group] >= 0 || over ? LOST : RUNNING;
    }
  }
  return band;
}

/** The last of the numbers that is not above `task`, or -1. @param {Float64Array} sorted @param {number} task */
function below(sorted, task) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= task) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** @param {Map<number, number[]>} times @param {number} task @param {(at: number) => boolean} test */
function some(times, task, test) {
  return times.get(task)?.some(test) ?? false;
}

/**
 * @param {Status} status @param {Tasks | undefined} tasks @param {number} now ms since the run was created
 * @returns {{bands: Band[], end: number, size: number}}
 */
export function barsOf(status, tasks, now) {
  const ended = endOf(status, tasks);
  const planned = new Map((status.stages ?? []).map((stage) => [stage.stage, stage.tasks]));
  const bands = (tasks?.stages ?? []).map((stage) => bandOf(stage, planned.get(stage.stage), ended ?? now, ended !== undefined));
  let end = ended ?? now;
  let size = 0;
  for (const band of bands) {
    size += band.size;
    for (let i = 0; i < band.size; i += 1) if (band.end[i] > end) end = band.end[i];
  }
  return { bands, end: Math.max(end, 1), size };
}

/** When the run ended, in ms since it was created. @param {Status} status @param {Tasks} [tasks] */
function endOf(status, tasks) {
  const { outcome } = status;
  if (!outcome) return undefined;
  if (outcome.ended && tasks) return Math.max(1, Date.parse(outcome.ended) - Date.parse(tasks.created));
  return outcome.seconds * 1000;
}

/**
 * How many bars overlap each of `columns` equal parts of a time, on the average of the part.
 * @param {Band[]} bands @param {number} from @param {number} to @param {number} columns
 * @param {'queued' | 'start'} low @param {'start' | 'end'} high
 */
export function overlap(bands, from, to, columns, low = 'start', high = 'end') {
  const whole = new Float64Array(columns + 1);
  const parts = new Float64Array(columns + 1);
  const scale = columns / (to - from);
  for (const band of bands) {
    const [lows, highs] = [band[low], band[high]];
    for (let i = 0; i < band.size; i += 1) {
      if (highs[i] < from || lows[i] > to) continue;
      const start = Math.max(0, (lows[i] - from) * scale);
      const end = Math.min(columns, (highs[i] - from) * scale);
      const first = Math.floor(start);
      const last = Math.floor(end);
      if (first === last) {
        parts[first] += end - start;
      } else {
        parts[first] += first + 1 - start;
        parts[last] += end - last;
        whole[first + 1] += 1;
        whole[last] -= 1;
      }
    }
  }
  for (let i = 1; i <= columns; i += 1) whole[i] += whole[i - 1];
  for (let i = 0; i < columns; i += 1) parts[i] += whole[i];
  return parts.subarray(0, columns);
}

/** The most bars at one time. @param {Band[]} bands */
export function peak(bands) {
  const { starts, ends } = edges(bands);
  let most = 0;
  for (let i = 0, j = 0; i < starts.length; i += 1) {
    while (ends[j] <= starts[i]) j += 1;
    most = Math.max(most, i - j + 1);
  }
  return most;
}

/** @param {Band[]} bands */
export function edges(bands) {
  const size = bands.reduce((sum, band) => sum + band.size, 0);
  const starts = new Float64Array(size);
  const ends = new Float64Array(size);
  let at = 0;
  for (const band of bands) {
    starts.set(band.start, at);
    ends.set(band.end, at);
    at += band.size;
  }
  starts.sort();
  ends.sort();
  return { starts, ends };
}

/** Seconds of the messages of a stage that committed. @param {Band} band */
export function spread(band) {
  const took = [];
  for (let i = 0; i < band.size; i += 1) {
    if (band.how[i] === DONE && band.copy[i] !== COPY) took.push((band.end[i] - band.start[i]) / 1000);
  }
  if (!took.length) return undefined;
  const sorted = Float64Array.from(took).sort();
  const median = sorted[(sorted.length - 1) >> 1];
  const max = sorted[sorted.length - 1];
  return { min: sorted[0], median, max, skew: median > 0 ? max / median : undefined };
}

/** Everything that a table or a tip says of one bar. @param {Band} band @param {number} i */
export function barFacts(band, i) {
  return {
    stage: band.stage,
    task: band.task[i],
    last: band.last[i],
    attempt: band.attempt[i],
    waited: (band.start[i] - band.queued[i]) / 1000,
    start: band.start[i] / 1000,
    took: (band.end[i] - band.start[i]) / 1000,
    end: endWords[band.how[i]],
    copy: band.copy[i] === COPY,
    slow: band.copy[i] === SLOW,
    larger: band.larger[i] === 1,
    bytes: band.bytes[i],
  };
}

/** The bars that took longest, at most `limit`. @param {Band[]} bands @param {number} limit */
export function slowest(bands, limit) {
  /** @type {{band: Band, i: number, took: number}[]} */
  let kept = [];
  let floor = -1;
  for (const band of bands) {
    for (let i = 0; i < band.size; i += 1) {
      const took = band.end[i] - band.start[i];
      if (took <= floor) continue;
      kept.push({ band, i, took });
      if (kept.length >= 2 * limit + 64) {
        kept = kept.sort((a, b) => b.took - a.took).slice(0, limit);
        floor = kept[limit - 1].took;
      }
    }
  }
  return kept.sort((a, b) => b.took - a.took).slice(0, limit).map(({ band, i }) => barFacts(band, i));
}
