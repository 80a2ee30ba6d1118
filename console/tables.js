// @ts-check
// Tables: folders of files.

import { html, useEffect, useState } from './vendor/preact.js';
import { ask, get, pathOf, wordsOf } from './api.js';
import { bytes, count, counted } from './format.js';
import { useRun } from './live.js';
import { link, useTitle } from './router.js';
import { sentenceOf } from './summary.js';
import { Moment, Panel, SortTable } from './ui.js';

/** @param {string} name */
function quoted(name) {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Pages of a list, one after the other. @param {string} path @param {string} field */
function usePages(path, field) {
  const [state, setState] = useState(/** @type {any} */ ({}));
  const load = async (/** @type {any} */ known) => {
    setState({ ...known, busy: true, problem: '' });
    try {
      const page = await get(path, { limit: 100, cursor: known.next });
      setState({ first: known.first ?? page, rows: [...(known.rows ?? []), ...page[field]], next: page.next });
    } catch (error) {
      setState({ ...known, problem: wordsOf(error) });
    }
  };
  useEffect(() => {
    load({});
  }, [path]);
  return { ...state, more: state.next && !state.busy ? () => load(state) : undefined };
}

export function TablesPage() {
  useTitle('Tables');
  const { rows, problem, more } = usePages('tables', 'tables');
  /** @type {import('./ui.js').Head[]} */
  const heads = [
    { key: 'table', label: 'Table', sort: (row) => row.table, cell: (row) => html`<a href=${link(['tables', row.table])}><b>${row.table}</b></a>` },
    { key: 'files', label: 'Files', number: true, sort: (row) => row.files, cell: (row) => `${count(row.files)}${row.more ? ' or more' : ''}` },
    { key: 'bytes', label: 'Bytes', number: true, sort: (row) => row.bytes, cell: (row) => `${bytes(row.bytes)}${row.more ? ' or more' : ''}` },
  ];
  return html`<div class="head-line"><h1>Tables</h1></div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!rows && !problem && html`<p class="note" role="status">Reading…</p>`}
    ${rows?.length === 0 && html`<p class="empty">No tables. A folder under <code>tables/</code> is a table: put Parquet, CSV or JSON files there.</p>`}
    ${!!rows?.length && html`<div class="panel"><${SortTable} heads=${heads} rows=${rows} caption="Tables" first="table" /></div>`}
    ${more && html`<p class="more"><button type="button" onClick=${more}>More</button></p>`}`;
}

/** @param {{table: string}} props */
export function TablePage({ table }) {
  useTitle(table);
  const { rows, problem, more, first } = usePages(pathOf('tables', table), 'files');
  /** @type {[Column[] | undefined, any]} */
  const [columns, setColumns] = useState();
  const [reading, setReading] = useState('');
  const [asked, setAsked] = useState(/** @type {string | undefined} */ (undefined));
  const run = useRun(asked, { rows: 1 });
  const read = async () => {
    setReading('Reading the columns: a run that reads no rows.');
    try {
      const { status, value } = await ask('runs', { method: 'POST', wait: 20, body: { sql: `SELECT * FROM ${quoted(table)} LIMIT 0`, job: 'columns' } });
      if (value.results) setColumns(value.results.columns);
      else if (status === 201) setAsked(value.run);
      else setReading(`No columns: ${value.outcome?.reason ?? value.state}`);
    } catch (error) {
      setReading(wordsOf(error));
    }
  };
  const known = first?.columns ?? columns ?? run.results?.columns;
  const failed = run.status?.outcome && run.status.outcome.status !== 'succeeded';
  /** @type {import('./ui.js').Head[]} */
  const columnHeads = [
    { key: 'name', label: 'Column', sort: (row) => row.name, cell: (row) => row.name },
    { key: 'type', label: 'Type', sort: (row) => row.type, cell: (row) => html`<code>${row.type}</code>` },
  ];
  /** @type {import('./ui.js').Head[]} */
  const fileHeads = [
    { key: 'key', label: 'Key', sort: (row) => row.key, cell: (row) => html`<code>${row.key}</code>` },
    { key: 'bytes', label: 'Bytes', number: true, sort: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
    { key: 'modified', label: 'Modified', sort: (row) => row.modified, cell: (row) => html`<${Moment} at=${row.modified} />` },
  ];
  return html`
    <div class="head-line"><div><h1>${table}</h1><p class="id">${first?.location ?? `tables/${table}/`}</p></div>
      <div class="actions"><a class="button" href=${link(['sql'], { sql: `SELECT * FROM ${quoted(table)} LIMIT 100` })}>Query it</a></div></div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!rows && !problem && html`<p class="note" role="status">Reading…</p>`}
    ${rows && html`
      <${Panel} id="columns" title="Columns" aside=${known && html`<span class="aside">${count(known.length)}</span>`}>
        ${known
          ? html`<${SortTable} heads=${columnHeads} rows=${known} caption="Columns" />`
          : html`<p>The columns are not declared; they are read from the files. <button type="button" onClick=${read}>Read columns</button></p><p class="note" role="status">${failed ? sentenceOf(run.status) : run.problem?.text ?? reading}</p>`}
      <//>
      <${Panel} id="files" title="Files" aside=${html`<span class="aside">${counted(rows.length, 'file')}${more ? ' shown' : ''}</span>`}>
        ${rows.length ? html`<${SortTable} heads=${fileHeads} rows=${rows} caption="Files" first="key" />` : html`<p class="empty">No files.</p>`}
        ${more && html`<p class="more"><button type="button" onClick=${more}>More files</button></p>`}
      <//>`}`;
}
