// @ts-check
// The timeline's picture: what goes where, and how it is painted.

import { overlap, COPY, FAILED, LOST, RUNNING } from './bars.js';
import { clock, count } from './format.js';

const MOST_BARS = 2000;
const OWN_ROWS = 48;
const AXIS = 22;
const AREA = 64;
const GAP = 7;

/**
 * @typedef {object} Row one stage
 * @property {number} top
 * @property {number} height
 * @property {string} name
 * @property {number[]} shown bars in view, by start; none where columns are drawn
 * @property {number[]} lanes parallel to `shown`
 * @property {number[]} idle parallel to `shown`: since when its line was free and it waited
 * @property {number} lane height of a lane
 * @property {Float64Array} ran mean of each column
 * @property {Float64Array} waited
 * @property {Uint32Array} bad failures of each column
 */

/**
 * @param {import('./timeline.js').Bars} bars @param {{from: number, to: number}} view
 * @param {number} width @param {number} [limit]
 */
export function measure(bars, view, width, limit) {
  const left = width < 560 ? 26 : 58;
  const columns = Math.max(1, Math.floor(width - left));
  const scale = columns / (view.to - view.from);
  const x = (/** @type {number} */ at) => left + (at - view.from) * scale;
  const time = (/** @type {number} */ at) => view.from + (Math.max(left, Math.min(width, at)) - left) / scale;
  const column = (/** @type {number} */ at) => Math.max(0, Math.min(columns - 1, Math.floor(at - left)));

  const inView = bars.bands.map((band) => visible(band, view));
  const total = inView.reduce((sum, shown) => sum + shown.length, 0);
  const binned = total > MOST_BARS;
  const own = total <= OWN_ROWS;
  const laid = bars.bands.map((band, i) => (binned ? { lanes: [], idle: [], size: 1 } : own ? rowsByTask(band, inView[i]) : pack(band, inView[i])));
  const lines = laid.reduce((sum, { size }) => sum + size, 0);
  const lane = Math.min(15, Math.max(lines > 150 ? 2 : 3, 380 / Math.max(1, lines)));
  const bin = Math.min(72, Math.max(20, 300 / Math.max(1, bars.bands.length)));

  let top = 4;
  /** @type {Row[]} */
  const rows = bars.bands.map((band, i) => {
    const height = binned ? bin : Math.max(14, laid[i].size * lane);
    const row = {
      top,
      height,
      name: width < 560 ? `${band.stage}` : `stage ${band.stage}`,
      shown: binned ? [] : inView[i],
      lanes: laid[i].lanes,
      idle: laid[i].idle,
      lane: binned ? bin : Math.max(lane, laid[i].size === 1 ? 14 : lane),
      ran: binned ? overlap([band], view.from, view.to, columns) : new Float64Array(0),
      waited: binned ? waitingOf(band, view, columns, bars.end) : new Float64Array(0),
      bad: binned ? failedIn(band, view, columns) : new Uint32Array(0),
    };
    top += height + GAP;
    return row;
  });
  const area = top + AXIS;
  const running = overlap(bars.bands, view.from, view.to, columns);
  const center = (/** @type {number} */ band, /** @type {number} */ place) => {
    const i = rows[band].shown[place];
    const one = bars.bands[band];
    const middle = (Math.max(view.from, one.start[i]) + Math.min(view.to, one.end[i])) / 2;
    return { band, i, x: x(middle), y: rows[band].top + (rows[band].lanes[place] + 0.5) * rows[band].lane };
  };
  return { source: bars, view, width, left, columns, x, time, column, binned, own, bands: rows, axis: top, area, height: area + AREA + 4, running, limit, center };
}

/** @param {import('./bars.js').Band} band @param {{from: number, to: number}} view */
function visible(band, view) {
  const found = [];
  for (let i = 0; i < band.size; i += 1) {
    if (band.start[i] <= view.to && band.end[i] >= view.from) found.push(i);
  }
  return found;
}

/** @param {import('./bars.js').Band} band @param {number[]} shown */
function rowsByTask(band, shown) {
  /** @type {Map<number, number>} */
  const rows = new Map();
  const lanes = shown.map((i) => {
    if (!rows.has(band.task[i])) rows.set(band.task[i], rows.size);
    return rows.get(band.task[i]);
  });
  return { lanes, idle: shown.map((i) => band.queued[i]), size: Math.max(1, rows.size) };
}

/** Each bar into the first line that is free. @param {import('./bars.js').Band} band @param {number[]} shown */
function pack(band, shown) {
  /** @type {number[]} */
  const free = [];
  /** @type {number[]} */
  const idle = [];
  const lanes = shown.map((i) => {
    let lane = free.findIndex((end) => end <= band.start[i]);
    if (lane < 0) lane = free.length;
    idle.push(Math.max(free[lane] ?? 0, band.queued[i]));
    free[lane] = band.end[i];
    return lane;
  });
  return { lanes, idle, size: Math.max(1, free.length) };
}

/** @param {import('./bars.js').Band} band @param {{from: number, to: number}} view @param {number} columns @param {number} end */
function waitingOf(band, view, columns, end) {
  const waited = overlap([band], view.from, view.to, columns, 'queued', 'start');
  if (!band.waiting) return waited;
  const span = view.to - view.from;
  for (let i = 0; i < columns; i += 1) {
    const at = view.from + (span * (i + 0.5)) / columns;
    if (at >= band.sent && at <= end) waited[i] += band.waiting;
  }
  return waited;
}

/** @param {import('./bars.js').Band} band @param {{from: number, to: number}} view @param {number} columns */
function failedIn(band, view, columns) {
  const bad = new Uint32Array(columns);
  for (let i = 0; i < band.size; i += 1) {
    if (band.how[i] !== FAILED || band.end[i] < view.from || band.end[i] > view.to) continue;
    bad[Math.min(columns - 1, Math.floor(((band.end[i] - view.from) / (view.to - view.from)) * columns))] += 1;
  }
  return bad;
}

/** What lies at a place: a bar, a column of a stage, or a moment. @param {ReturnType<typeof measure>} frame @param {number} x @param {number} y */
export function barAt(frame, x, y) {
  if (x < frame.left) return null;
  if (y >= frame.axis) return { x, y };
  const band = frame.bands.findIndex((row) => y >= row.top - GAP / 2 && y <= row.top + row.height + GAP / 2);
  if (band < 0) return null;
  const row = frame.bands[band];
  if (frame.binned) return { band, x, y };
  const lane = Math.max(0, Math.min(Math.floor((y - row.top) / row.lane), 1e6));
  const source = frame.source.bands[band];
  let best;
  row.shown.forEach((i, place) => {
    if (row.lanes[place] !== lane) return;
    const from = frame.own ? source.queued[i] : source.start[i];
    if (frame.x(from) <= x + 2 && frame.x(source.end[i]) >= x - 2) best = { band, i, x, y };
  });
  return best ?? null;
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @param {CanvasRenderingContext2D} pen @param {string} ink @param {string} ground */
function hatch(pen, ink, ground) {
  const tile = document.createElement('canvas');
  tile.width = 6;
  tile.height = 6;
  const small = tile.getContext('2d');
  small.fillStyle = ground;
  small.fillRect(0, 0, 6, 6);
  small.strokeStyle = ink;
  small.lineWidth = 2;
  small.beginPath();
  for (const shift of [-6, 0, 6]) {
    small.moveTo(shift - 1, 7);
    small.lineTo(shift + 7, -1);
  }
  small.stroke();
  return pen.createPattern(tile, 'repeat');
}

/** @param {HTMLCanvasElement} canvas @param {ReturnType<typeof measure>} frame @param {any} chosen @param {any} drag */
export function paint(canvas, frame, chosen, drag) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.height = `${frame.height}px`;
  }
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, frame.width, frame.height);
  pen.font = '11px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  const ink = Object.fromEntries(['ink', 'soft', 'line', 'panel', 'wait', 'done', 'run', 'bad', 'copy', 'large', 'accent'].map((name) => [name, colour(name)]));
  const stripes = hatch(pen, ink.bad, ink.panel);

  paintAxis(pen, frame, ink);
  frame.bands.forEach((row, band) => {
    pen.fillStyle = ink.soft;
    pen.fillText(row.name, 2, row.top + Math.min(row.height, 24) / 2);
    if (frame.binned) paintColumns(pen, frame, row, ink);
    else paintBars(pen, frame, row, frame.source.bands[band], ink, stripes);
    pen.fillStyle = ink.line;
    pen.fillRect(0, Math.round(row.top + row.height + GAP / 2) - 0.5, frame.width, 0.5);
  });
  paintArea(pen, frame, ink);

  if (chosen) {
    pen.fillStyle = ink.accent;
    pen.globalAlpha = 0.5;
    pen.fillRect(Math.round(chosen.x) - 0.5, 0, 1, frame.area + AREA);
    pen.globalAlpha = 1;
    if (chosen.i !== undefined) {
      const source = frame.source.bands[chosen.band];
      const row = frame.bands[chosen.band];
      const lane = row.lanes[row.shown.indexOf(chosen.i)];
      const x = Math.max(frame.left, frame.x(source.start[chosen.i]));
      pen.strokeStyle = ink.ink;
      pen.lineWidth = 1.5;
      pen.strokeRect(x - 1, row.top + lane * row.lane - 0.5, Math.max(3, frame.x(source.end[chosen.i]) - x + 2), row.lane + 0.5);
    }
  }
  if (drag) {
    pen.fillStyle = ink.accent;
    pen.globalAlpha = 0.18;
    pen.fillRect(drag.from, 0, drag.to - drag.from, frame.height);
    pen.globalAlpha = 1;
  }
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 144e5];

/** @param {CanvasRenderingContext2D} pen @param {ReturnType<typeof measure>} frame @param {Record<string, string>} ink */
function paintAxis(pen, frame, ink) {
  const { from, to } = frame.view;
  const most = Math.max(2, frame.columns / 95);
  const step = STEPS.find((one) => (to - from) / one <= most) ?? STEPS[STEPS.length - 1];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const x = Math.round(frame.x(at));
    pen.fillStyle = ink.line;
    pen.fillRect(x, 0, 1, frame.area + AREA);
    const text = clock(at, step);
    pen.fillStyle = ink.soft;
    if (x + pen.measureText(text).width + 4 < frame.width) pen.fillText(text, x + 4, frame.axis + AXIS / 2 - 2);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen @param {ReturnType<typeof measure>} frame @param {Row} row
 * @param {import('./bars.js').Band} source @param {Record<string, string>} ink @param {CanvasPattern} stripes
 */
function paintBars(pen, frame, row, source, ink, stripes) {
  const tall = row.lane > 4 ? row.lane - 1 : row.lane > 2.5 ? row.lane - 0.5 : row.lane;
  const right = frame.width;
  row.shown.forEach((i, place) => {
    const y = row.top + row.lanes[place] * row.lane;
    const start = Math.max(frame.left, frame.x(source.start[i]));
    const wide = Math.max(1, Math.min(right, frame.x(source.end[i])) - start);
    const queued = Math.max(frame.left, frame.x(row.idle[place]));
    pen.fillStyle = ink.wait;
    pen.fillRect(queued, y + tall * 0.3, Math.max(0, start - queued), tall * 0.4);
    const how = source.how[i];
    if (how === LOST) {
      pen.strokeStyle = ink.soft;
      pen.lineWidth = 1;
      pen.strokeRect(start + 0.5, y + 0.5, Math.max(1, wide - 1), Math.max(1, tall - 1));
      return;
    }
    pen.fillStyle = how === FAILED ? (wide > 3 ? stripes : ink.bad) : source.copy[i] === COPY ? ink.copy : how === RUNNING ? ink.run : ink.done;
    pen.fillRect(start, y, wide > 3 ? wide - 0.5 : wide, tall);
    if (how === RUNNING && tall > 4 && wide > 8) {
      pen.fillStyle = ink.panel;
      pen.fillRect(start + wide - 5, y + 2, 1.5, tall - 4);
      pen.fillRect(start + wide - 2.5, y + 2, 1.5, tall - 4);
    }
    if (how === FAILED) {
      pen.fillStyle = ink.bad;
      pen.fillRect(start + wide - 2, y, 2, tall);
    }
    if (source.copy[i] === COPY && tall > 4 && wide > 6) {
      pen.fillStyle = ink.panel;
      pen.fillRect(start + 2, y + tall / 2 - 0.75, wide - 5, 1.5);
    }
    if (source.larger[i] && how !== FAILED) {
      pen.fillStyle = ink.large;
      pen.fillRect(start, y, wide, Math.max(1.5, tall * 0.3));
    }
  });
  if (frame.own && source.waiting) {
    const from = Math.max(frame.left, frame.x(source.sent));
    pen.fillStyle = ink.wait;
    pen.fillRect(from, row.top + row.height - 1, Math.max(0, frame.x(frame.source.end) - from), 2);
  }
}

/** @param {CanvasRenderingContext2D} pen @param {ReturnType<typeof measure>} frame @param {Row} row @param {Record<string, string>} ink */
function paintColumns(pen, frame, row, ink) {
  const most = row.ran.reduce((a, b) => Math.max(a, b), 1);
  const waited = row.waited.reduce((a, b) => Math.max(a, b), 0);
  const bottom = row.top + row.height;
  for (let i = 0; i < frame.columns; i += 1) {
    if (row.waited[i] > 0) {
      pen.fillStyle = ink.wait;
      pen.globalAlpha = 0.25 + (0.75 * row.waited[i]) / waited;
      pen.fillRect(frame.left + i, row.top, 1, row.height);
      pen.globalAlpha = 1;
    }
    const tall = (row.ran[i] / most) * row.height * 0.72;
    if (tall > 0) {
      pen.fillStyle = ink.done;
      pen.fillRect(frame.left + i, bottom - Math.max(0.75, tall), 1, Math.max(0.75, tall));
    }
    if (row.bad[i]) {
      pen.fillStyle = ink.bad;
      pen.beginPath();
      pen.moveTo(frame.left + i - 3, row.top);
      pen.lineTo(frame.left + i + 3, row.top);
      pen.lineTo(frame.left + i, row.top + 6);
      pen.fill();
    }
  }
}

/** @param {CanvasRenderingContext2D} pen @param {ReturnType<typeof measure>} frame @param {Record<string, string>} ink */
function paintArea(pen, frame, ink) {
  const most = frame.running.reduce((a, b) => Math.max(a, b), 1);
  const { limit } = frame;
  const near = limit && limit <= most * 2;
  const high = Math.max(most, near ? limit : 0) * (near ? 1.3 : 1.1);
  const bottom = frame.area + AREA;
  const y = (/** @type {number} */ value) => bottom - (value / high) * AREA;
  pen.fillStyle = ink.run;
  pen.globalAlpha = 0.28;
  pen.beginPath();
  pen.moveTo(frame.left, bottom);
  for (let i = 0; i < frame.columns; i += 1) pen.lineTo(frame.left + i, y(frame.running[i]));
  pen.lineTo(frame.left + frame.columns, bottom);
  pen.fill();
  pen.globalAlpha = 1;
  pen.fillStyle = ink.line;
  pen.fillRect(frame.left, bottom, frame.columns, 1);
  pen.fillStyle = ink.soft;
  const top = Math.round(most);
  pen.textAlign = 'right';
  pen.fillText(count(top), frame.left - 4, Math.max(frame.area + 6, y(most)));
  pen.fillText('0', frame.left - 4, bottom - 4);
  if (frame.left > 40) pen.fillText('at once', frame.left - 4, (y(most) + bottom) / 2 + 2);
  if (near) {
    pen.fillText(`limit ${count(limit)}`, frame.width - 4, y(limit) - 7);
    pen.strokeStyle = ink.ink;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(frame.left, y(limit));
    pen.lineTo(frame.width, y(limit));
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.textAlign = 'left';
}
