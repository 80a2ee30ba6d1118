// @ts-check
// The list of runs.

import { html, useEffect, useRef, useState } from './vendor/preact.js';
import { ask, get, pathOf, pause, seen, wordsOf } from './api.js';
import { count, counted, dollars, seconds, shorten } from './format.js';
import { link, replace, useTitle } from './router.js';
import { Confirm, Moment, Scroll, StateMark } from './ui.js';

const PAGE = 50;
const EMPTY_PAGES = 5;
const active = ['queued', 'planning', 'running'];
const chips = [
  ['', 'All'],
  ['active', 'Active'],
  ['succeeded', 'Succeeded'],
  ['failed', 'Failed'],
  ['cancelled', 'Cancelled'],
];

/** A page may be empty and yet have a next one. @param {any} query @param {string | undefined} cursor @param {AbortSignal} [signal] */
async function pageOf(query, cursor, signal) {
  /** @type {RunRow[]} */
  const runs = [];
  let next = cursor;
  for (let i = 0; i < EMPTY_PAGES && !runs.length; i += 1) {
    const page = await get('runs', { limit: PAGE, state: query.state, job: query.job, cursor: next }, signal);
    runs.push(...page.runs);
    next = page.next;
    if (!next) break;
  }
  return { runs, next };
}

/** The newer of two lists is whole as far as it reaches. @param {RunRow[]} fresh @param {RunRow[]} known */
function merge(fresh, known) {
  const names = new Set(fresh.map(({ run }) => run));
  const oldest = fresh[fresh.length - 1]?.created ?? '';
  return [...fresh, ...known.filter(({ run, created }) => !names.has(run) && created <= oldest)];
}

/** @param {{query: Record<string, string>, meta?: Meta}} props */
export function RunsPage({ query, meta }) {
  useTitle('Runs');
  const { state = '', job = '' } = query;
  /** @type {[{runs: RunRow[], next?: string, filter: string} | undefined, any]} */
  const [list, setList] = useState();
  const [problem, setProblem] = useState('');
  const [notice, setNotice] = useState('');
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [busy, setBusy] = useState(false);
  const hurry = useRef(/** @type {() => void} */ (() => {}));
  const filter = `${state} ${job}`;

  useEffect(() => {
    const stop = new AbortController();
    let wait = 2000;
    setChosen(new Set());
    const watch = async () => {
      while (!stop.signal.aborted) {
        await seen(stop.signal);
        try {
          const page = await pageOf(query, undefined, stop.signal);
          setProblem('');
          setList((/** @type {any} */ last) => {
            const grown = last?.filter === filter && last.runs.length > page.runs.length;
            return { filter, runs: grown ? merge(page.runs, last.runs) : page.runs, next: grown ? last.next : page.next };
          });
        } catch (error) {
          if (stop.signal.aborted) return;
          setProblem(wordsOf(error));
        }
        const rest = new AbortController();
        hurry.current = () => {
          wait = 1000;
          rest.abort();
        };
        stop.signal.addEventListener('abort', () => rest.abort());
        await pause(wait, rest.signal);
        wait = Math.min(10000, wait * 1.4);
      }
    };
    watch();
    return () => stop.abort();
  }, [filter]);

  const more = async () => {
    setBusy(true);
    try {
      const page = await pageOf(query, list.next);
      setList((/** @type {any} */ last) => (last.filter === filter ? { filter, runs: [...last.runs, ...page.runs], next: page.next } : last));
    } catch (error) {
      setProblem(wordsOf(error));
    }
    setBusy(false);
  };

  const shown = list?.filter === filter ? list : undefined;
  const picked = shown?.runs.filter(({ run }) => chosen.has(run)) ?? [];
  const toCancel = picked.filter((row) => active.includes(row.state));
  const toRetry = picked.filter((row) => row.state === 'failed' || row.state === 'cancelled');
  const each = async (/** @type {RunRow[]} */ rows, /** @type {string} */ verb, /** @type {string} */ done) => {
    const failed = [];
    for (const { run } of rows) {
      await ask(`${pathOf('runs', run)}/${verb}`, { method: 'POST' }).catch((error) => failed.push(`${run}: ${wordsOf(error)}`));
    }
    setNotice(`${counted(rows.length - failed.length, 'run')} ${done}.${failed.length ? ` Not done: ${failed.join('; ')}` : ''}`);
    setChosen(new Set());
    hurry.current();
  };
  const pick = (/** @type {string} */ run) => {
    const next = new Set(chosen);
    if (!next.delete(run)) next.add(run);
    setChosen(next);
  };
  const pickable = shown?.runs.filter((row) => row.state !== 'succeeded') ?? [];
  const all = pickable.length > 0 && pickable.every(({ run }) => chosen.has(run));
  const mayWrite = !!meta && meta.may_write !== false;

  return html`
    <div class="head-line"><h1>Runs</h1></div>
    <div class="filters">
      <nav class="chips" aria-label="State">${chips.map(([key, name]) => html`<a key=${key} href=${link(['runs'], { state: key, job })} aria-current=${key === state ? 'true' : undefined}>${name}</a>`)}</nav>
      <${JobFilter} job=${job} change=${(/** @type {string} */ text) => replace(link(['runs'], { state, job: text }))} />
    </div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    <p class="note" role="status">${notice}</p>
    ${picked.length > 0 && html`<div class="bulk">
      <span>${counted(picked.length, 'run')} selected</span>
      ${toCancel.length > 0 && html`<${Confirm} label=${`Cancel ${toCancel.length} active`} ask=${`Cancel ${counted(toCancel.length, 'run')}?`} yes="Yes, cancel" danger=${true} act=${() => each(toCancel, 'cancel', 'cancelled')} />`}
      ${toRetry.length > 0 && html`<${Confirm} label=${`Retry ${toRetry.length} that did not succeed`} ask=${`Retry ${counted(toRetry.length, 'run')}?`} yes="Yes, retry" act=${() => each(toRetry, 'retry', 'started again')} />`}
      <button type="button" onClick=${() => setChosen(new Set())}>None</button>
    </div>`}
    ${!shown && !problem && html`<p class="note" role="status">Reading…</p>`}
    ${shown && !shown.runs.length && html`<${NoRuns} filtered=${!!(state || job)} next=${shown.next} />`}
    ${!!shown?.runs.length && html`<${Scroll} label="Runs"><table class="runs">
      <caption class="hidden">Runs, newest first</caption>
      <thead><tr>
        ${mayWrite && html`<th scope="col" class="pick"><input type="checkbox" aria-label="Select all that may be cancelled or retried" checked=${all} disabled=${!pickable.length} onChange=${() => setChosen(new Set(all ? [] : pickable.map(({ run }) => run)))} /></th>`}
        <th scope="col">State</th><th scope="col">Job and run</th><th scope="col" class="wide">Created</th>
        <th scope="col" class="number wide">Took</th><th scope="col" class="number wide">Tasks</th><th scope="col" class="number wide">Rows</th><th scope="col" class="number wide">Cost</th>
      </tr></thead>
      <tbody>${shown.runs.map((row) => html`<tr key=${row.run}>
        ${mayWrite && html`<td class="pick">${row.state !== 'succeeded' && html`<input type="checkbox" aria-label=${`Select ${row.run}`} checked=${chosen.has(row.run)} onChange=${() => pick(row.run)} />`}</td>`}
        <td><${StateMark} state=${row.state} /></td>
        <td class="run-cell"><a href=${link(['runs', row.run])}><b>${row.job}</b> <span class="id">${row.run.startsWith(`${row.job}-`) ? row.run.slice(row.job.length + 1) : row.run}</span></a>
          <span class="narrow"><${Moment} at=${row.created} />${row.seconds !== undefined && ` · ${seconds(row.seconds)} · ${dollars(row.cost_usd)}`}</span>
          ${row.reason && html`<span class="reason" title=${row.reason}>${shorten(row.reason, 160)}</span>`}
          ${row.retries && html`<span class="reason">retries <a href=${link(['runs', row.retries])}>${row.retries}</a></span>`}</td>
        <td class="when wide"><${Moment} at=${row.created} /></td>
        <td class="number wide">${seconds(row.seconds)}</td>
        <td class="number wide">${count(row.tasks)}</td>
        <td class="number wide">${count(row.rows)}</td>
        <td class="number wide">${dollars(row.cost_usd)}</td>
      </tr>`)}</tbody>
    </table><//>`}
    ${shown?.next && html`<p class="more"><button type="button" disabled=${busy} onClick=${more}>${shown.runs.length ? 'More' : 'Look further back'}</button></p>`}`;
}

/** @param {{job: string, change: (text: string) => void}} props */
function JobFilter({ job, change }) {
  const [text, setText] = useState(job);
  const timer = useRef(0);
  useEffect(() => setText(job), [job]);
  const typed = (/** @type {any} */ event) => {
    const { value } = event.currentTarget;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => change(value.trim()), 350);
  };
  return html`<label class="job-filter">Job <input type="search" value=${text} onInput=${typed} spellcheck=${false} autocomplete="off" placeholder="name" /></label>`;
}

/** @param {{filtered: boolean, next?: string}} props */
function NoRuns({ filtered, next }) {
  if (next) return html`<p class="empty">None among the newest runs.</p>`;
  if (filtered) return html`<p class="empty">No such runs. <a href="#/runs">Show all</a></p>`;
  return html`<p class="empty">No runs yet. <a href="#/sql">Run a statement</a>, or put a file under <code>jobs/</code>.</p>`;
}
