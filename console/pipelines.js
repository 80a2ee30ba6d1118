// @ts-check
// The standing jobs.

import { html, useEffect, useState } from './vendor/preact.js';
import { get, wordsOf } from './api.js';
import { useTitle } from './router.js';
import { SortTable } from './ui.js';

export function PipelinesPage() {
  useTitle('Pipelines');
  /** @type {[any[] | undefined, any]} */
  const [pipelines, setPipelines] = useState();
  const [problem, setProblem] = useState('');
  useEffect(() => {
    get('pipelines').then(({ pipelines: found }) => setPipelines(found), (error) => setProblem(wordsOf(error)));
  }, []);
  /** @type {import('./ui.js').Head[]} */
  const heads = [
    { key: 'name', label: 'Name', sort: (row) => row.name, cell: (row) => html`<b>${row.name}</b>` },
    { key: 'files', label: 'Runs on', says: 'Files under this prefix, with this ending', sort: (row) => row.prefix, cell: (row) => html`<code>${row.prefix}${row.suffix ? `*${row.suffix}` : ''}</code>` },
    { key: 'into', label: 'Into', says: 'The table that its rows are added to', sort: (row) => row.into, cell: (row) => row.into ?? 'results' },
    { key: 'sql', label: 'Statement', cell: (row) => (row.problem ? html`<span class="problem">not valid: ${row.problem}</span>` : html`<code class="sql-line" title=${row.sql}>${row.sql}</code>`) },
  ];
  return html`<div class="head-line"><h1>Pipelines</h1></div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!pipelines && !problem && html`<p class="note" role="status">Reading…</p>`}
    ${pipelines?.length === 0 && html`<p class="empty">No pipelines. A pipeline is a file <code>pipelines/NAME.json</code>: its statement runs on each file that lands under its prefix in <code>inbox/</code>.</p>`}
    ${!!pipelines?.length && html`<div class="panel"><${SortTable} heads=${heads} rows=${pipelines} caption="Pipelines" first="name" /></div>`}`;
}
