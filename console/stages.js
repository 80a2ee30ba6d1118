// @ts-check
// The table of stages.

import { html } from './vendor/preact.js';
import { spread } from './bars.js';
import { between, bytes, count, dollars, seconds } from './format.js';
import { SortTable } from './ui.js';

/**
 * @param {{status: Status, bars: ReturnType<import('./bars.js').barsOf>, caption?: string}} props
 */
export function StageTable({ status, bars, caption = 'Stages' }) {
  const taken = new Map(bars.bands.map((band) => [band.stage, spread(band)]));
  const rows = status.stages.map((stage) => ({
    ...stage,
    took: taken.get(stage.stage),
    price: status.estimate?.stages[stage.stage]?.cost_usd,
  }));
  const some = (/** @type {(row: any) => any} */ value) => rows.some((row) => value(row) !== undefined);
  /** @param {string} key @param {string} label @param {string} says @param {(row: any) => number | undefined} value @param {(value?: number) => string} words */
  const figure = (key, label, says, value, words) => ({ key, label, says, number: true, sort: value, cell: (/** @type {any} */ row) => words(value(row)) });
  const usage = (/** @type {keyof Usage} */ name) => (/** @type {any} */ row) => row.usage?.[name];
  /** @type {import('./ui.js').Head[]} */
  const heads = [
    figure('stage', 'Stage', 'Its number in the plan', (row) => row.stage, count),
    { key: 'operators', label: 'Operators', says: 'What its tasks do, in order', cell: (row) => html`<span class="operators" title=${row.operators}>${row.operators}</span>` },
    { key: 'worker', label: 'Worker', says: 'The function that runs its tasks', sort: (row) => row.worker, cell: (row) => row.worker },
    figure('tasks', 'Tasks', 'How many tasks the stage was cut into', (row) => row.tasks ?? undefined, count),
    { key: 'done', label: 'Done', says: 'Tasks that have committed', number: true, sort: (row) => row.committed, cell: (row) => (row.reused ? 'taken over' : count(row.committed)) },
  ];
  if (some((row) => row.took)) {
    heads.push(
      figure('min', 'Min', 'The shortest time that a message of the stage took, from start to commit; small tasks share a message', (row) => row.took?.min, seconds),
      figure('median', 'Median', 'The median time that a message of the stage took, from start to commit', (row) => row.took?.median, seconds),
      figure('max', 'Max', 'The longest time that a message of the stage took, from start to commit', (row) => row.took?.max, seconds),
      figure('skew', 'Skew', 'Max divided by median: near 1 is even', (row) => row.took?.skew, (value) => (value === undefined ? '–' : value.toFixed(1))),
    );
  }
  if (some((row) => row.usage)) {
    heads.push(
      figure('rows', 'Rows', 'Rows that its tasks wrote', (row) => row.rows, count),
      figure('bytes', 'Bytes out', 'Bytes that its tasks wrote', (row) => row.bytes, bytes),
      figure('read', 'Read', 'Bytes read from the bucket, of tables and of other stages', usage('read_bytes'), bytes),
      figure('spilled', 'Spilled', 'Bytes written to the disk of the workers for want of memory', usage('spilled_bytes'), bytes),
      figure('peak', 'Peak memory', 'The most memory that one of its tasks held', usage('peak_memory_bytes'), bytes),
      figure('work', 'Work', 'The time that its tasks worked, summed up', (row) => (row.usage ? row.usage.milliseconds / 1000 : undefined), seconds),
    );
  }
  if (some((row) => row.price)) {
    heads.push({ key: 'price', label: 'Estimated', says: 'What the stage was estimated to cost', number: true, sort: (row) => row.price?.[1], cell: (row) => (row.price ? between(row.price, dollars, '–') : '–') });
  }
  return html`<${SortTable} heads=${heads} rows=${rows} caption=${caption} first="stage" />`;
}
