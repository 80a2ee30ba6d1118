// @ts-check
// When each task waited and ran, and how many ran at once, on a canvas.

import { html, useEffect, useMemo, useRef, useState } from './vendor/preact.js';
import { barFacts, slowest, overlap, peak } from './bars.js';
import { bytes, count, counted, seconds } from './format.js';
import { Fold, SortTable } from './ui.js';
import { measure, paint, barAt } from './picture.js';

/** @typedef {ReturnType<import('./bars.js').barsOf>} Bars */

const HINT = 'Point at a bar, or use the arrow keys. Drag, or press + and −, to look closer; 0 shows the whole run.';
const TABLE_ROWS = 200;

/** @param {ReturnType<typeof barFacts>} fact */
function taskWords(fact) {
  return fact.last > fact.task ? `${fact.task} to ${fact.last}` : `${fact.task}`;
}

/** @param {ReturnType<typeof barFacts>} fact */
function noteOf(fact) {
  const notes = [];
  if (fact.copy) notes.push('second attempt of a straggler');
  if (fact.slow) notes.push('straggler');
  if (fact.larger) notes.push('after a smaller worker gave it up');
  return notes.join(', ');
}

/** @param {ReturnType<typeof barFacts>} fact */
function barSentence(fact) {
  const note = noteOf(fact);
  const many = fact.last > fact.task;
  return [
    `Stage ${fact.stage}, ${many ? 'tasks' : 'task'} ${taskWords(fact)}${fact.attempt > 1 ? `, attempt ${fact.attempt}` : ''}`,
    `${fact.end}${note ? ` (${note})` : ''}`,
    `waited ${seconds(fact.waited)}`,
    `ran ${seconds(fact.took)}, from ${seconds(fact.start)} to ${seconds(fact.start + fact.took)}`,
    ...(fact.bytes ? [bytes(fact.bytes)] : []),
  ].join(' · ');
}

/**
 * @param {{bars: Bars, limit?: number, until?: number, label: string}} props
 * `until`: the end of the axis in ms, where two pictures share one.
 */
export function Timeline({ bars, limit, until, label }) {
  const box = useRef(null);
  const canvas = useRef(null);
  const live = useRef({ view: null, chosen: null, drag: null, frame: null, drawn: null });
  const [tip, setTip] = useState({ text: '', spoken: false });
  const [zoomed, setZoomed] = useState(false);
  const whole = Math.max(bars.end, until ?? 0);

  const draw = (fresh = true) => {
    const { current } = live;
    const width = box.current?.clientWidth;
    if (!width) return;
    const view = current.view ?? { from: 0, to: whole * 1.01 };
    if (fresh || !current.frame) current.frame = measure(bars, view, width, limit);
    paint(canvas.current, current.frame, current.chosen, current.drag);
    current.drawn = bars;
  };
  const drawing = useRef(draw);
  drawing.current = draw;

  useEffect(() => {
    live.current.chosen = null;
    draw();
  }, [bars, limit, whole]);
  useEffect(() => {
    const again = () => drawing.current();
    const watch = new ResizeObserver(() => box.current?.clientWidth !== live.current.frame?.width && again());
    watch.observe(box.current);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', again);
    return () => {
      watch.disconnect();
      dark.removeEventListener('change', again);
    };
  }, []);

  const look = (/** @type {{from: number, to: number} | null} */ view) => {
    if (view) {
      const span = Math.max(2, Math.min(view.to - view.from, whole * 1.01));
      const from = Math.max(0, Math.min(view.from, whole * 1.01 - span));
      view = span >= whole ? null : { from, to: from + span };
    }
    live.current.view = view;
    live.current.chosen = null;
    setZoomed(!!view);
    draw();
  };
  const zoom = (/** @type {number} */ factor) => {
    const { frame, chosen } = live.current;
    const { from, to } = frame.view;
    const middle = chosen ? frame.time(chosen.x) : (from + to) / 2;
    look({ from: middle - (middle - from) * factor, to: middle + (to - middle) * factor });
  };
  const choose = (/** @type {any} */ chosen, spoken = false) => {
    live.current.chosen = chosen;
    draw(false);
    setTip({ text: chosen ? words(live.current.frame, chosen, bars) : '', spoken });
  };

  const place = (/** @type {any} */ event) => {
    const edge = canvas.current.getBoundingClientRect();
    return { x: event.clientX - edge.left, y: event.clientY - edge.top };
  };
  const pressed = (/** @type {any} */ event) => {
    if (event.button !== 0) return;
    const { x } = place(event);
    live.current.drag = { from: x, to: x };
    canvas.current.setPointerCapture(event.pointerId);
  };
  const moved = (/** @type {any} */ event) => {
    const at = place(event);
    if (live.current.drag) {
      live.current.drag.to = at.x;
      draw(false);
    } else if (live.current.frame) {
      choose(barAt(live.current.frame, at.x, at.y));
    }
  };
  const released = (/** @type {any} */ event) => {
    const { drag, frame } = live.current;
    live.current.drag = null;
    if (!drag) return;
    const [left, right] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (right - left > 5) look({ from: frame.time(left), to: frame.time(right) });
    else choose(barAt(frame, place(event).x, place(event).y));
  };
  const keyed = (/** @type {any} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { frame, chosen } = live.current;
    const span = frame.view.to - frame.view.from;
    const step = event.key === 'ArrowLeft' ? -1 : 1;
    if (event.key === '+' || event.key === '=') zoom(0.5);
    else if (event.key === '-' || event.key === '−') zoom(2);
    else if (event.key === '0') look(null);
    else if (event.key === 'Escape') choose(null);
    else if (event.key.startsWith('Arrow') && event.shiftKey) look({ from: frame.view.from + (step * span) / 4, to: frame.view.to + (step * span) / 4 });
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') choose(beside(frame, chosen, step), true);
    else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') choose(above(frame, chosen, event.key === 'ArrowUp' ? -1 : 1), true);
    else return;
    event.preventDefault();
  };

  const kinds = useMemo(() => kindsOf(bars), [bars]);
  return html`<div class="timeline">
    <div class="tools">
      <ul class="legend" aria-label="Legend">${kinds.map(([kind, word]) => html`<li><span class=${`key ${kind}`}></span>${word}</li>`)}</ul>
      <div class="buttons">
        <button type="button" onClick=${() => zoom(0.5)} aria-label="Look closer">+</button>
        <button type="button" onClick=${() => zoom(2)} aria-label="Look from further away">−</button>
        <button type="button" onClick=${() => look(null)} disabled=${!zoomed}>Whole run</button>
      </div>
    </div>
    <div ref=${box} class="picture" tabindex="0" role="application" aria-roledescription="timeline" aria-label=${`${label}. ${HINT}`} onKeyDown=${keyed}>
      <canvas ref=${canvas} onPointerDown=${pressed} onPointerMove=${moved} onPointerUp=${released} onPointerCancel=${released} onPointerLeave=${() => live.current.drag || choose(null)}></canvas>
    </div>
    <p class="tip" aria-live=${tip.spoken ? 'polite' : 'off'}>${tip.text || HINT}</p>
    <${Fold} summary="As tables" make=${() => html`<${TimelineTables} bars=${bars} />`} />
  </div>`;
}

/** The legend names what is to be seen. @param {Bars} bars @returns {[string, string][]} */
function kindsOf({ bands }) {
  const any = (/** @type {(band: import('./bars.js').Band) => boolean} */ test) => bands.some(test);
  /** @type {[string, string, boolean][]} */
  const all = [
    ['wait', 'waited', true],
    ['done', 'ran', true],
    ['run', 'running', any((band) => band.how.includes(1))],
    ['bad', 'failed', any((band) => band.how.includes(2))],
    ['lost', 'left without an end', any((band) => band.how.includes(3))],
    ['copy', 'second attempt of a straggler', any((band) => band.copy.includes(1))],
    ['large', 'larger worker', any((band) => band.larger.includes(1))],
  ];
  return all.filter(([, , seen]) => seen).map(([kind, word]) => [kind, word]);
}

/** @param {ReturnType<typeof measure>} frame @param {any} chosen @param {Bars} bars */
function words(frame, chosen, bars) {
  const at = frame.time(chosen.x);
  if (chosen.band === undefined) {
    const [ran] = overlap(bars.bands, at, at + (frame.view.to - frame.view.from) / frame.columns, 1);
    return `At ${seconds(at / 1000)}: ${count(Math.round(ran))} ran at once`;
  }
  if (chosen.i !== undefined) return barSentence(barFacts(bars.bands[chosen.band], chosen.i));
  const band = frame.bands[chosen.band];
  const column = frame.column(chosen.x);
  return `Stage ${bars.bands[chosen.band].stage} at ${seconds(at / 1000)}: ${count(Math.round(band.ran[column]))} ran, ${count(Math.round(band.waited[column]))} waited${band.bad[column] ? `, ${count(band.bad[column])} failed` : ''}`;
}

/** @param {ReturnType<typeof measure>} frame @param {any} chosen @param {number} step */
function beside(frame, chosen, step) {
  const band = chosen?.band ?? Math.max(0, frame.bands.findIndex((one) => one.shown.length || frame.binned));
  const row = frame.bands[band];
  if (!row) return null;
  if (frame.binned) {
    const x = Math.max(frame.left, Math.min(frame.width - 1, (chosen?.x ?? frame.left) + step * 8));
    return { band, x, y: row.top + row.height / 2 };
  }
  if (!row.shown.length) return chosen;
  const now = chosen?.i === undefined ? (step > 0 ? -1 : row.shown.length) : row.shown.indexOf(chosen.i);
  return frame.center(band, Math.max(0, Math.min(row.shown.length - 1, now + step)));
}

/** @param {ReturnType<typeof measure>} frame @param {any} chosen @param {number} step */
function above(frame, chosen, step) {
  let band = chosen?.band ?? -1;
  do band += step;
  while (frame.bands[band] && !frame.binned && !frame.bands[band].shown.length);
  if (!frame.bands[band]) return chosen;
  return frame.binned ? { band, x: chosen?.x ?? frame.left, y: frame.bands[band].top } : frame.center(band, 0);
}

/** @param {{bars: Bars}} props */
function TimelineTables({ bars }) {
  const rows = slowest(bars.bands, TABLE_ROWS);
  return html`
    ${bars.size > rows.length && html`<p class="note">The ${count(rows.length)} that took longest, of ${count(bars.size)}.</p>`}
    <${AttemptsTable} rows=${rows} caption="Attempts at tasks" />
    <${AtOnceTable} bars=${bars} />`;
}

/** @param {{rows: ReturnType<typeof slowest>, caption: string}} props */
export function AttemptsTable({ rows, caption }) {
  /** @type {import('./ui.js').Head[]} */
  const heads = [
    { key: 'stage', label: 'Stage', number: true, sort: (row) => row.stage, cell: (row) => row.stage },
    { key: 'task', label: 'Tasks', number: true, says: 'Small tasks share one message', sort: (row) => row.task, cell: taskWords },
    { key: 'attempt', label: 'Attempt', number: true, sort: (row) => row.attempt, cell: (row) => row.attempt },
    { key: 'waited', label: 'Waited', number: true, says: 'From when it was sent, or given back, until a worker began', sort: (row) => row.waited, cell: (row) => seconds(row.waited) },
    { key: 'start', label: 'Began', number: true, says: 'Since the run was created', sort: (row) => row.start, cell: (row) => seconds(row.start) },
    { key: 'took', label: 'Took', number: true, says: 'From its start to its last commit, failure or next attempt', sort: (row) => row.took, cell: (row) => seconds(row.took) },
    { key: 'end', label: 'End', sort: (row) => row.end, cell: (row) => [row.end, noteOf(row)].filter(Boolean).join(', ') },
    { key: 'bytes', label: 'Committed', number: true, says: 'Bytes of its commit objects', sort: (row) => row.bytes, cell: (row) => (row.bytes ? bytes(row.bytes) : '–') },
  ];
  return html`<${SortTable} heads=${heads} rows=${rows} caption=${caption} first="took" down=${true} />`;
}

/** @param {number} most @param {number} [limit] */
export function atOnce(most, limit) {
  return `at most ${count(most)}${limit >= most ? ` of ${count(limit)}` : ''} at once`;
}

/** @param {{bars: Bars}} props */
function AtOnceTable({ bars }) {
  const parts = 24;
  const ran = overlap(bars.bands, 0, bars.end, parts);
  const rows = [...ran].map((value, i) => ({ from: (bars.end * i) / parts / 1000, to: (bars.end * (i + 1)) / parts / 1000, value }));
  /** @type {import('./ui.js').Head[]} */
  const heads = [
    { key: 'from', label: 'From', number: true, cell: (row) => seconds(row.from) },
    { key: 'to', label: 'To', number: true, cell: (row) => seconds(row.to) },
    { key: 'ran', label: 'Ran at once, mean', number: true, cell: (row) => row.value.toFixed(1) },
  ];
  return html`<p class="note">${counted(peak(bars.bands), 'worker')} at once at most.</p>
    <${SortTable} heads=${heads} rows=${rows} caption="How many ran at once" />`;
}
