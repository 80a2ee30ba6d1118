// @ts-check
// What a run does, or how it ended, in a sentence.

import { html } from './vendor/preact.js';
import { bytes, count, counted, seconds } from './format.js';
import { Facts } from './ui.js';

/** @param {Status} status */
export function sentenceOf(status) {
  const { outcome } = status;
  if (outcome) {
    const took = ` after ${seconds(outcome.seconds)}`;
    if (outcome.status === 'succeeded') return `Succeeded${took}: ${counted(outcome.rows, 'row')}${outcome.into ? ` added to ${outcome.into}` : ''}.`;
    if (outcome.status === 'cancelled') return `Cancelled${took}${outcome.reason ? `: ${outcome.reason}` : ''}.`;
    return `Failed${took}: ${outcome.reason ?? 'no reason was recorded'}`;
  }
  if (status.state === 'queued') return 'Queued: the planner has not begun.';
  if (status.state === 'planning') return 'Being planned: no tasks have been sent yet.';
  const open = status.stages.filter((stage) => stage.tasks && stage.committed < stage.tasks);
  const done = status.stages.filter((stage) => stage.reused || (stage.tasks && stage.committed >= stage.tasks)).length;
  const parts = open.map((stage) => `stage ${stage.stage}, ${count(stage.committed)} of ${counted(stage.tasks, 'task')}`);
  return `Running: ${parts.join('; ') || 'between stages'}. ${count(done)} of ${counted(status.stages.length, 'stage')} done.`;
}

/** @param {number} value */
export function gbSeconds(value) {
  return value < 100 ? value.toFixed(1) : count(Math.round(value));
}

/** @param {{status: Status}} props */
export function Totals({ status }) {
  const { outcome } = status;
  if (!outcome) return null;
  const { usage, actual } = outcome;
  return html`<${Facts} pairs=${[
    ['Rows', count(outcome.rows)],
    ['Bytes written', bytes(outcome.bytes)],
    ['Tasks', count(outcome.tasks)],
    ['Read', usage && bytes(usage.read_bytes)],
    ['Requests', actual ? count(actual.requests) : usage && count(usage.requests)],
    ['GB-seconds', actual?.gb_seconds === undefined ? undefined : gbSeconds(actual.gb_seconds)],
    ['Spilled', usage?.spilled_bytes ? bytes(usage.spilled_bytes) : undefined],
    ['Peak memory', usage?.peak_memory_bytes ? bytes(usage.peak_memory_bytes) : undefined],
    ['Bad rows', outcome.bad_rows ? count(outcome.bad_rows) : undefined],
  ]} />`;
}

/** @param {{sentences: string[], over?: boolean}} props */
export function Limits({ sentences, over = true }) {
  const [first, ...others] = sentences;
  if (!first) return null;
  return html`<div class="limits"><h3>What ${over ? 'limited it' : 'limits it so far'}</h3><p>${first}</p>
    ${others.length > 0 && html`<ul>${others.slice(0, 2).map((text) => html`<li>${text}</li>`)}</ul>`}</div>`;
}
