// @ts-check
// Attempts that failed.

import { html } from './vendor/preact.js';
import { count, seconds } from './format.js';
import { Fold } from './ui.js';

const FIRST = 3;

/** @param {Tasks} [tasks] */
export function failuresOf(tasks) {
  const left = tasks?.stages.reduce((all, stage) => all + (stage.failed?.task.length ?? 0), 0) ?? 0;
  return Math.max(left, tasks?.errors?.length ?? 0);
}

/** @param {{errors: TaskError[], failures: number}} props */
export function ErrorList({ errors, failures }) {
  const list = (/** @type {TaskError[]} */ some) => html`<ol class="errors">${some.map((one) => html`<li>
      <p><b>Stage ${one.stage}, task ${one.task}</b> at ${seconds(one.at / 1000)}${one.log && html` · log <code>${one.log}</code>`}</p>
      <pre tabindex="0">${one.error}</pre>
      ${one.lines && html`<details><summary>Last lines of the log</summary><pre tabindex="0">${one.lines}</pre></details>`}
    </li>`)}</ol>`;
  return html`${errors.length < failures && html`<p class="note">What the last ${count(errors.length)} of ${count(failures)} failed of.</p>`}
    ${list(errors.slice(0, FIRST))}
    ${errors.length > FIRST && html`<${Fold} summary=${`${count(errors.length - FIRST)} more`} make=${() => list(errors.slice(FIRST))} />`}`;
}
