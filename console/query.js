// @ts-check
// A statement: what it would take, and its rows.

import { html, useEffect, useRef, useState } from './vendor/preact.js';
import { ask, pathOf, Refused, wordsOf } from './api.js';
import { between, bytes, count, counted, dollars, seconds } from './format.js';
import { useNow, useRun } from './live.js';
import { link, replace, useTitle } from './router.js';
import { Gauges } from './gauge.js';
import { sentenceOf } from './summary.js';
import { Preview } from './results.js';
import { Confirm, Facts, Panel, StateMark } from './ui.js';

const KEPT = 'tidemill.statement';
const WAIT = 2;

/** @returns {{sql: string, partitions: string, cap: string}} */
function kept() {
  try {
    return { sql: '', partitions: '', cap: '', ...JSON.parse(sessionStorage.getItem(KEPT) ?? '{}') };
  } catch {
    return { sql: '', partitions: '', cap: '' };
  }
}

/** @param {{query: Record<string, string>, meta?: Meta}} props */
export function QueryPage({ query, meta }) {
  useTitle('SQL');
  const [form, setForm] = useState(() => ({ ...kept(), ...(query.sql ? { sql: query.sql } : {}) }));
  const [busy, setBusy] = useState('');
  const [problem, setProblem] = useState(/** @type {Problem | undefined} */ (undefined));
  const [asked, setAsked] = useState(/** @type {{run: string, explain: boolean, whole?: Status} | undefined} */ (undefined));
  const field = useRef(null);
  useEffect(() => {
    if (query.sql) replace('#/sql');
    field.current?.focus();
  }, []);
  useEffect(() => {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(form));
    } catch {
      return;
    }
  }, [form]);

  const send = async (/** @type {boolean} */ explain) => {
    if (busy) return;
    setBusy(explain ? 'Explaining…' : 'Sending…');
    setProblem(undefined);
    setAsked(undefined);
    /** @type {Record<string, any>} */
    const options = {};
    if (form.partitions) options.partitions = number(form.partitions);
    if (form.cap) options.max_cost_usd = number(form.cap);
    try {
      const body = { sql: form.sql, options: Object.keys(options).length ? options : undefined };
      const { status, value } = await ask(explain ? 'explain' : 'runs', { method: 'POST', wait: explain ? 20 : WAIT, body });
      setAsked({ run: value.run, explain, whole: status === 200 ? { stages: [], ...value } : undefined });
    } catch (error) {
      setProblem(error instanceof Refused ? error.problem : { title: wordsOf(error), status: 0 });
    }
    setBusy('');
  };
  const keyed = (/** @type {any} */ event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send(event.shiftKey);
  };
  const change = (/** @type {string} */ name) => (/** @type {any} */ event) => setForm({ ...form, [name]: event.currentTarget.value });
  const faultOf = (/** @type {string} */ pointer) => problem?.errors?.find((one) => one.pointer === pointer)?.detail;
  const faults = { sql: faultOf('/sql'), partitions: faultOf('/options/partitions'), cap: faultOf('/options/max_cost_usd') };
  const atFields = problem?.errors?.length > 0 && problem.errors.every(({ pointer }) => ['/sql', '/options/partitions', '/options/max_cost_usd'].includes(pointer));
  const fault = (/** @type {'sql' | 'partitions' | 'cap'} */ name) => faults[name] && html`<p class="problem field" id=${`${name}-fault`}>${faults[name]}</p>`;
  const marks = (/** @type {'sql' | 'partitions' | 'cap'} */ name) => ({ 'aria-invalid': faults[name] ? 'true' : undefined, 'aria-describedby': faults[name] ? `${name}-fault` : undefined });

  return html`<h1>SQL</h1>
    <div class="query" onKeyDown=${keyed}>
      <label for="sql">Statement</label>
      <textarea id="sql" ref=${field} rows="9" spellcheck=${false} autocapitalize="off" autocomplete="off" value=${form.sql} onInput=${change('sql')} ...${marks('sql')}></textarea>
      ${fault('sql')}
      <div class="query-line">
        <div class="buttons">
          <button type="button" class="primary" disabled=${!form.sql.trim() || !!busy || meta?.may_write === false} onClick=${() => send(false)} title="Ctrl or Cmd and Enter">Run</button>
          <button type="button" disabled=${!form.sql.trim() || !!busy || meta?.may_write === false} onClick=${() => send(true)} title="Ctrl or Cmd, Shift and Enter">Explain</button>
        </div>
        <div class="field-pair"><label for="partitions">Partitions</label><input id="partitions" inputmode="numeric" autocomplete="off" placeholder="as planned" value=${form.partitions} onInput=${change('partitions')} ...${marks('partitions')} />${fault('partitions')}</div>
        <div class="field-pair"><label for="cap">Cost cap, $</label><input id="cap" inputmode="decimal" autocomplete="off" placeholder="none" value=${form.cap} onInput=${change('cap')} ...${marks('cap')} />${fault('cap')}</div>
      </div>
      <p class="note">Ctrl or Cmd + Enter runs, with Shift it explains.${meta?.may_write === false ? ' This console may only read.' : ''}</p>
    </div>
    <p class="note" role="status">${busy}</p>
    ${problem && !atFields && html`<div class="problem" role="alert"><p><b>${problem.title}</b>${problem.detail && problem.detail !== problem.title ? html`<br />${problem.detail}` : ''}</p>
      ${problem.errors?.map((one) => html`<p><code>${one.pointer}</code> ${one.detail}</p>`)}</div>`}
    ${problem && atFields && html`<p class="problem" role="alert">${problem.detail || problem.title}</p>`}
    ${asked && html`<${Answer} key=${asked.run} ...${asked} />`}`;
}

/** What is no number goes as it is: the server says what is wrong with it. @param {string} text */
function number(text) {
  const value = Number(text.trim().replace(',', '.'));
  return Number.isNaN(value) ? text : value;
}

/** @param {{run: string, explain: boolean, whole?: Status}} props */
function Answer({ run, explain, whole }) {
  const live = useRun(whole ? undefined : run, { rows: 1 });
  const status = whole ?? live.status;
  const results = whole?.results ?? live.results;
  const going = !status?.outcome;
  const now = useNow(going);
  const created = status?.request?.created;
  const elapsed = going && created ? Math.max(0, (now - Date.parse(created)) / 1000) : undefined;
  const [notice, setNotice] = useState('');
  const cancel = () => ask(pathOf('runs', run, 'cancel'), { method: 'POST' }).then(() => setNotice('Asked to end.'), (error) => setNotice(wordsOf(error)));
  const failed = status?.outcome && status.outcome.status !== 'succeeded';
  return html`<${Panel} id="answer" title=${explain ? 'What it would take' : 'Answer'} aside=${html`<a href=${link(['runs', run])}>Page of the run</a>`}>
    ${status && (!explain || going || failed) && html`<p class="line"><${StateMark} state=${status.state} /> ${going && html`<${Confirm} label="Cancel" ask="End this run?" yes="Yes, cancel" danger=${true} act=${cancel} />`}</p>`}
    <p class="hidden" role="status">${status ? `The run is ${status.state}` : ''}</p>
    <p class=${failed ? 'problem' : 'note'}>${[notice, live.problem?.text ?? live.resultsProblem, status ? (explain && !going && !failed ? '' : sentenceOf(status)) : 'Queued.'].filter(Boolean).join(' ')}</p>
    ${explain ? html`<${Explained} price=${status?.explained} results=${results} />` : html`
      ${status && !failed && html`<${Gauges} status=${status} elapsed=${elapsed} />`}
      ${results && !failed && html`<${Rows} results=${results} />`}`}
  <//>`;
}

/** @param {{results: Results}} props */
function Rows({ results }) {
  if (!results.preview.length) return html`<p class="note">${results.rows ? `${counted(results.rows, 'row')}, ${bytes(results.bytes)}.` : 'No rows.'}</p>`;
  return html`<${Preview} results=${results} />`;
}

/** @param {{price?: Estimate, results?: Results}} props */
function Explained({ price, results }) {
  const total = price?.total;
  const lines = results?.preview.map((row) => row[1] ?? row[0] ?? '') ?? [];
  return html`
    ${total && html`<p class="price">${between(total.cost_usd, dollars)}</p>
      <${Facts} pairs=${[
        ['Time', between(total.seconds, seconds)],
        ['Tasks', between(total.tasks, count)],
        ['Stages', count(price.stages.length)],
        ['Read from tables', between(total.table_bytes, bytes)],
        ['Between stages', between(total.exchange_bytes, bytes)],
        ['Requests', between(total.requests, count)],
      ]} />`}
    ${lines.length > 0 && html`<pre class="sql" tabindex="0" aria-label="The plan">${lines.join('\n')}</pre>`}`;
}
