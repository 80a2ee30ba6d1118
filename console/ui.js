// @ts-check
// Small parts that every page and the report are made of.

import { html, useLayoutEffect, useRef, useState } from './vendor/preact.js';
import { fullTime, ago } from './format.js';

const shapes = {
  queued: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11z',
  planning: 'M3 4.5h10M3 8h10M3 11.5h6',
  running: 'M5 3l8 5l-8 5z',
  succeeded: 'M3 8.5l3.5 3.5L13 4.5',
  failed: 'M4 4l8 8M12 4l-8 8',
  cancelled: 'M4 4h8v8h-8z',
};

/** A state by word and shape. @param {{state: State}} props */
export function StateMark({ state }) {
  return html`<span class=${`state ${state}`}>
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d=${shapes[state]} /></svg>${state}
  </span>`;
}

/** @param {{at?: string}} props */
export function Moment({ at }) {
  if (!at) return '–';
  return html`<time datetime=${at} title=${fullTime(at)}>${ago(at)}</time>`;
}

/** @param {{title: any, id: string, aside?: any, children?: any}} props */
export function Panel({ title, id, aside, children }) {
  return html`<section class="panel" aria-labelledby=${`${id}-title`} id=${id}>
    <div class="panel-head"><h2 id=${`${id}-title`}>${title}</h2>${aside}</div>
    ${children}
  </section>`;
}

/** Wide or tall content that scrolls by itself, by keyboard, too. @param {{label: string, tall?: boolean, children?: any}} props */
export function Scroll({ label, tall, children }) {
  return html`<div class=${tall ? 'scroll tall' : 'scroll'} role="group" aria-label=${label} tabindex="0">${children}</div>`;
}

/** Made only once it is open. @param {{summary: any, make: () => any, open?: boolean}} props */
export function Fold({ summary, make, open = false }) {
  const [shown, show] = useState(open);
  const toggled = (/** @type {any} */ event) => show(event.currentTarget.open);
  return html`<details open=${shown} onToggle=${toggled}><summary>${summary}</summary>${shown && make()}</details>`;
}

/**
 * A button that asks before it acts.
 * @param {{label: string, ask: string, yes: string, act: () => Promise<any> | void, danger?: boolean, disabled?: boolean}} props
 */
export function Confirm({ label, ask, yes, act, danger, disabled }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const first = useRef(null);
  const opener = useRef(null);
  const used = useRef(false);
  useLayoutEffect(() => {
    if (asking) first.current?.focus();
    else if (used.current) opener.current?.focus();
    used.current = asking;
  }, [asking]);
  if (!asking) {
    return html`<button ref=${opener} type="button" disabled=${disabled || busy} onClick=${() => setAsking(true)}>${label}</button>`;
  }
  const go = async () => {
    setBusy(true);
    try {
      await act();
    } finally {
      setBusy(false);
      setAsking(false);
    }
  };
  const left = (/** @type {any} */ event) => event.key === 'Escape' && setAsking(false);
  return html`<span class="confirm" role="group" aria-label=${ask} onKeyDown=${left}>
    <span>${ask}</span>
    <button ref=${first} type="button" class=${danger ? 'danger' : 'primary'} disabled=${busy} onClick=${go}>${yes}</button>
    <button type="button" onClick=${() => setAsking(false)}>No</button>
  </span>`;
}

/**
 * @typedef {object} Head
 * @property {string} key
 * @property {string} label
 * @property {string} [says] what the number is
 * @property {boolean} [number]
 * @property {(row: any) => any} [sort] what to sort by; without it the column cannot be sorted
 * @property {(row: any) => any} cell
 */

/**
 * @param {{heads: Head[], rows: any[], caption: string, first?: string, down?: boolean}} props
 */
export function SortTable({ heads, rows, caption, first, down = false }) {
  const [by, setBy] = useState({ key: first, down });
  const head = heads.find((one) => one.key === by.key);
  const sorted = head?.sort
    ? [...rows].sort((a, b) => order(head.sort(a), head.sort(b)) * (by.down ? -1 : 1))
    : rows;
  const title = (/** @type {Head} */ one) => {
    if (!one.sort) return one.label;
    const turn = () => setBy({ key: one.key, down: by.key === one.key ? !by.down : !!one.number });
    return html`<button type="button" class="sort" title=${one.says} onClick=${turn}>${one.label}</button>`;
  };
  const direction = (/** @type {Head} */ one) => (one.key !== by.key ? undefined : by.down ? 'descending' : 'ascending');
  return html`<${Scroll} label=${caption}>
    <table>
      <caption class="hidden">${caption}</caption>
      <thead><tr>${heads.map((one) => html`<th key=${one.key} scope="col" class=${one.number ? 'number' : ''} title=${one.says} aria-sort=${direction(one)}>${title(one)}</th>`)}</tr></thead>
      <tbody>${sorted.map((row, i) => html`<tr key=${i}>${heads.map((one) => html`<td key=${one.key} class=${one.number ? 'number' : ''}>${one.cell(row)}</td>`)}</tr>`)}</tbody>
    </table>
  <//>`;
}

/** What is missing comes first. @param {any} a @param {any} b */
function order(a, b) {
  const [left, right] = [a ?? -Infinity, b ?? -Infinity];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Pairs of a name and a value. @param {{pairs: [string, any][]}} props */
export function Facts({ pairs }) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== '');
  return html`<dl class="facts">${known.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
