// @ts-check
// The page of one run.

import { html, useMemo, useState } from './vendor/preact.js';
import { ask, get, pathOf, wordsOf } from './api.js';
import { barsOf, peak } from './bars.js';
import { ErrorList, failuresOf } from './errors.js';
import { bytes, count, counted, fullTime } from './format.js';
import { Gauges } from './gauge.js';
import { StageGraph } from './graph.js';
import { limitsOf } from './limits.js';
import { useNow, useRun } from './live.js';
import { RequestFacts } from './request.js';
import { FileTable, Preview } from './results.js';
import { link, useTitle } from './router.js';
import { StageTable } from './stages.js';
import { Limits, sentenceOf, Totals } from './summary.js';
import { atOnce, Timeline } from './timeline.js';
import { Confirm, Moment, Panel, StateMark } from './ui.js';

const FILES = 100;

/** @param {{run: string, meta?: Meta}} props */
export function RunPage({ run, meta }) {
  useTitle(run);
  const { status, tasks, results, problem, resultsProblem } = useRun(run, { tasks: true, rows: FILES });
  const [notice, setNotice] = useState('');
  const going = !!status && !status.outcome;
  const now = useNow(going);
  const created = tasks?.tasks.created ?? status?.request?.created;
  const bars = useMemo(
    () => (status ? barsOf(status, tasks?.tasks, created && tasks ? tasks.at - Date.parse(created) : 0) : undefined),
    [tasks, status?.outcome, status?.stages?.length],
  );
  const limits = useMemo(() => (bars && (status.outcome || bars.end > 5000) ? limitsOf(status, bars) : []), [bars, status?.outcome]);

  if (!status) {
    return html`<h1 class="run-title">${run}</h1>
      ${problem ? html`<p class="problem" role="alert">${problem.missing ? `There is no such run. ${problem.text}` : problem.text}</p>` : html`<p class="note" role="status">Reading…</p>`}`;
  }
  const elapsed = created && going ? Math.max(0, (now - Date.parse(created)) / 1000) : undefined;
  const { outcome, request } = status;
  const limit = status.estimate?.workers?.concurrency ?? meta?.workers?.concurrency;
  const job = request?.job ?? outcome?.job ?? run.replace(/-\d{8}T\d{9}Z-[0-9a-f]+$/, '');
  const act = async (/** @type {string} */ verb) => {
    setNotice('');
    try {
      const { value } = await ask(pathOf('runs', run, verb), { method: 'POST' });
      if (verb === 'retry') location.hash = link(['runs', value.run]);
      else setNotice('Asked to end; tasks at work are let go of.');
    } catch (error) {
      setNotice(`Not done: ${wordsOf(error)}`);
    }
  };
  const errors = tasks?.tasks.errors ?? [];
  const failures = failuresOf(tasks?.tasks);
  const attempts = errors.length > 0 && html`<${Panel} id="errors" title="Failed attempts" aside=${html`<span class="aside">${count(failures)}</span>`}><${ErrorList} errors=${errors} failures=${failures} /><//>`;

  return html`
    <div class="head-line">
      <div><h1 class="run-title">${job} <${StateMark} state=${status.state} /></h1>
        <p class="id">${run}${created && html` · <${Moment} at=${created} /> · ${fullTime(created)}`}</p></div>
      ${meta && meta.may_write !== false && html`<div class="actions">
        ${going && html`<${Confirm} label="Cancel" ask="End this run?" yes="Yes, cancel" danger=${true} act=${() => act('cancel')} />`}
        ${outcome && outcome.status !== 'succeeded' && html`<${Confirm} label="Retry" ask="Run it again? What was done is taken over." yes="Yes, retry" act=${() => act('retry')} />`}
      </div>`}
    </div>
    <p class="note" role="status">${notice}</p>
    ${problem && !problem.lost && html`<p class="problem" role="alert">${problem.text}</p>`}

    <${Panel} id="now" title=${going ? 'Now' : 'How it ended'}>
      <p class=${`sentence ${status.state}`}>${sentenceOf(status)}</p>
      <p class="hidden" role="status">${`The run is ${status.state}`}</p>
      <${Gauges} status=${status} tasks=${tasks?.tasks} elapsed=${elapsed} />
      <${Limits} sentences=${limits} over=${!going} />
      <${Totals} status=${status} />
    <//>

    ${status.state === 'failed' && attempts}
    ${!!bars?.size && html`<${Panel} id="time" title="Timeline" aside=${html`<span class="aside">${counted(bars.size, 'message')} · ${atOnce(peakOf(bars), limit)}</span>`}>
      <${Timeline} bars=${bars} limit=${limit} label=${`When the tasks of ${run} ran`} />
    <//>`}

    ${status.stages.length > 0 && html`<${Panel} id="stages" title="Stages">
      <${StageGraph} stages=${status.stages} />
      <${StageTable} status=${status} bars=${bars} />
    <//>`}

    ${status.state !== 'failed' && attempts}

    ${outcome?.status === 'succeeded' && html`<${ResultPanel} run=${run} outcome=${outcome} results=${results} problem=${resultsProblem} />`}

    ${request && html`<${Panel} id="request" title="Request"><${RequestFacts} request=${request} single=${status.single} linkOf=${(/** @type {string} */ other) => link(['runs', other])} /><//>`}`;
}

/** @type {WeakMap<any, number>} */
const peaks = new WeakMap();

/** @param {ReturnType<typeof barsOf>} bars */
function peakOf(bars) {
  if (!peaks.has(bars)) peaks.set(bars, peak(bars.bands));
  return peaks.get(bars);
}

/** @param {{run: string, outcome: Outcome, results?: Results, problem: string}} props */
function ResultPanel({ run, outcome, results, problem }) {
  const [files, setFiles] = useState(/** @type {{list: ResultFile[], next?: string} | undefined} */ (undefined));
  const [trouble, setTrouble] = useState('');
  const list = files?.list ?? results?.files ?? outcome.files?.slice(0, FILES) ?? [];
  const next = files ? files.next : results?.next;
  const load = async (/** @type {string | undefined} */ cursor) => {
    setTrouble('');
    try {
      const page = await get(pathOf('runs', run, 'results'), { limit: FILES, cursor });
      setFiles({ list: cursor ? [...list, ...page.files] : page.files, next: page.next });
    } catch (error) {
      setTrouble(wordsOf(error));
    }
  };
  return html`<${Panel} id="result" title="Result" aside=${html`<span class="aside">${counted(outcome.rows, 'row')} · ${bytes(outcome.bytes)} · ${counted(outcome.files?.length ?? list.length, 'file')}</span>`}>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!!results?.preview.length && html`<${Preview} results=${results} />`}
    ${list.length > 0 && html`<h3>Files</h3><${FileTable} files=${list} />`}
    ${trouble && html`<p class="problem" role="alert">${trouble}</p>`}
    <p class="more">${next && html`<button type="button" onClick=${() => load(next)}>More files</button>`}
      ${list.some((file) => file.url) && html`<button type="button" onClick=${() => load(undefined)}>Renew the links</button>`}</p>
  <//>`;
}
