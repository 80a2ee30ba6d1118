// @ts-check
// What a run has taken, beside its estimate and its cap, on one bar.

import { html } from './vendor/preact.js';
import { between, dollars, seconds, times } from './format.js';

/**
 * @param {{label: string, value?: number, range?: Between, cap?: number, words: (value?: number) => string, verb: string, over: boolean}} props
 * `over`: the value is final.
 */
function Gauge({ label, value, range, cap, words, verb, over }) {
  const largest = Math.max(value ?? 0, range?.[1] ?? 0);
  if (!largest && !cap) return html`<div class="gauge"><h3>${label}</h3><p class="figure">–</p><p class="words">not known yet</p></div>`;
  const capShown = cap !== undefined && (cap <= 4 * largest || !largest);
  const scale = Math.max(largest, capShown ? cap : 0) * 1.06;
  const at = (/** @type {number} */ part) => `${Math.min(100, (100 * part) / scale)}%`;
  const beyond = cap !== undefined && value > cap ? 'past' : range && value > range[1] ? 'above' : '';
  const notes = [];
  if (range) notes.push(`estimated ${between(range, words)}`);
  if (cap !== undefined) notes.push(`cap ${words(cap)}${capShown ? '' : ', far off the bar'}`);
  return html`<div class="gauge">
    <h3>${label}</h3>
    <p class="figure">${value === undefined ? '–' : words(value)} <span class="verb">${value === undefined ? 'not known yet' : verb}</span></p>
    <div class="bar" aria-hidden="true">
      ${range && html`<div class="band" style=${{ left: at(range[0]), width: `calc(${at(range[1] - range[0])} + 2px)` }}></div>`}
      ${value !== undefined && html`<div class=${`fill ${beyond}`} style=${{ width: at(value) }}></div>`}
      ${capShown && html`<div class="cap" style=${{ left: at(cap) }}></div>`}
    </div>
    <p class="words">${notes.join(' · ') || 'no estimate'}${verdict(value, range, over)}</p>
  </div>`;
}

/** @param {number | undefined} value @param {Between | undefined} range @param {boolean} over */
function verdict(value, range, over) {
  if (value === undefined || !range) return '';
  if (value > range[1] * 1.005) return ` · ${times(value, range[1])} the highest estimate`;
  if (value < range[0] * 0.995) return over ? ' · below the estimate' : '';
  return over ? ' · within the estimate' : '';
}

/** @param {{status: Status, tasks?: Tasks, elapsed?: number}} props */
export function Gauges({ status, tasks, elapsed }) {
  const { outcome } = status;
  const range = status.estimate?.total ?? outcome?.estimate;
  const spent = outcome?.actual?.cost_usd ?? tasks?.spent_usd;
  const took = outcome?.actual?.seconds ?? outcome?.seconds ?? elapsed;
  return html`<div class="gauges">
    <${Gauge} label="Cost" value=${spent} range=${range?.cost_usd} cap=${status.max_cost_usd} words=${dollars} verb=${outcome ? 'spent' : 'spent so far'} over=${!!outcome} />
    <${Gauge} label="Time" value=${took} range=${range?.seconds} cap=${undefined} words=${seconds} verb=${outcome ? 'taken' : 'so far'} over=${!!outcome} />
  </div>`;
}
