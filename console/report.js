// @ts-check
// One run, or two of them side by side, in a page that needs nothing else.

import { html, render } from './vendor/preact.js';
import { bytes, count, counted, dollars, fullTime, seconds, times } from './format.js';
import { Facts, Panel, Scroll, StateMark } from './ui.js';
import { barsOf, peak, slowest } from './bars.js';
import { limitsOf } from './limits.js';
import { Gauges } from './gauge.js';
import { StageGraph } from './graph.js';
import { StageTable } from './stages.js';
import { AttemptsTable, atOnce, Timeline } from './timeline.js';
import { ErrorList, failuresOf } from './errors.js';
import { RequestFacts } from './request.js';
import { FileTable, Preview } from './results.js';
import { gbSeconds, Limits, sentenceOf, Totals } from './summary.js';

const SLOWEST = 20;
const MOST_FILES = 500;

/** @param {{data: ReportData}} props */
function Report({ data }) {
  const { status, tasks, results, compare } = data;
  const bars = barsOf(status, tasks, lastOf(tasks));
  const other = compare && { ...compare, bars: barsOf(compare.status, compare.tasks, lastOf(compare.tasks)) };
  const until = other ? Math.max(bars.end, other.bars.end) : undefined;
  const job = status.request?.job ?? status.outcome?.job ?? status.run;
  return html`
    <header class="top"><span class="brand">Tidemill</span><span class="where">report of a run in <b>${data.bucket}</b>, made ${fullTime(data.made)} by version ${data.version}</span></header>
    <main id="main">
      <div class="head-line"><div><h1 class="run-title">${job} <${StateMark} state=${status.state} /></h1>
        <p class="id">${status.run} · ${fullTime(tasks.created)}</p></div></div>
      <${Panel} id="now" title=${status.outcome ? 'How it ended' : 'What it does'}><${Ending} status=${status} tasks=${tasks} bars=${bars} /><//>
      ${other && html`<${Panel} id="other" title="Compared with" aside=${html`<${StateMark} state=${other.status.state} />`}>
        <p class="id">${other.status.run} · ${fullTime(other.tasks.created)}</p>
        <${Ending} status=${other.status} tasks=${other.tasks} bars=${other.bars} />
        <${Compared} left=${status} right=${other.status} />
      <//>`}
      <div class=${other ? 'compare' : ''}>
        <${Times} id="time" title=${other ? 'Timeline: this run' : 'Timeline'} status=${status} bars=${bars} until=${until} />
        ${other && html`<${Times} id="other-time" title="Timeline: the other" status=${other.status} bars=${other.bars} until=${until} />`}
      </div>
      ${status.stages.length > 0 && html`<${Panel} id="stages" title="Stages"><${StageGraph} stages=${status.stages} /><${StageTable} status=${status} bars=${bars} /><//>`}
      ${other?.status.stages.length > 0 && html`<${Panel} id="other-stages" title="Stages of the other"><${StageTable} status=${other.status} bars=${other.bars} caption="Stages of the other" /><//>`}
      ${bars.size > 0 && html`<${Panel} id="slowest" title="Slowest tasks"><${AttemptsTable} rows=${slowest(bars.bands, SLOWEST)} caption=${`The ${SLOWEST} that took longest`} /><//>`}
      <${Repeats} tasks=${tasks} />
      ${results && results.preview.length > 0 && html`<${Panel} id="rows" title="Rows"><${Preview} results=${results} /><//>`}
      <${Files} files=${status.outcome?.files ?? []} />
      ${status.request && html`<${Panel} id="request" title="Request"><${RequestFacts} request=${status.request} single=${status.single} /><//>`}
      <${Environment} data=${data} />
    </main>`;
}

/** The last time that the records name, for a run that has not ended. @param {Tasks} tasks */
function lastOf(tasks) {
  return tasks.stages.reduce((last, { sent = 0, started, committed }) => [sent, started?.at ?? [], committed?.at ?? []].flat().reduce((a, b) => Math.max(a, b), last), 0);
}

/** @param {{status: Status, tasks: Tasks, bars: ReturnType<typeof barsOf>}} props */
function Ending({ status, tasks, bars }) {
  return html`<p class=${`sentence ${status.state}`}>${sentenceOf(status)}</p>
    <${Gauges} status=${status} tasks=${tasks} />
    <${Limits} sentences=${limitsOf(status, bars)} />
    <${Totals} status=${status} />`;
}

/** @param {{id: string, title: string, status: Status, bars: ReturnType<typeof barsOf>, until?: number}} props */
function Times({ id, title, status, bars, until }) {
  if (!bars.size) return null;
  const limit = status.estimate?.workers?.concurrency;
  return html`<${Panel} id=${id} title=${title} aside=${html`<span class="aside">${counted(bars.size, 'message')} · ${atOnce(peak(bars.bands), limit)}</span>`}>
    <${Timeline} bars=${bars} limit=${limit} until=${until} label=${`When the tasks of ${status.run} ran`} />
  <//>`;
}

/** @param {{left: Status, right: Status}} props */
function Compared({ left, right }) {
  /** @type {[string, (outcome?: Outcome) => number | undefined, (value?: number) => string][]} */
  const figures = [
    ['Time', (one) => one?.seconds, seconds],
    ['Cost', (one) => one?.actual?.cost_usd, dollars],
    ['GB-seconds', (one) => one?.actual?.gb_seconds, (value) => (value === undefined ? '–' : gbSeconds(value))],
    ['Tasks', (one) => one?.tasks, count],
    ['Rows', (one) => one?.rows, count],
    ['Bytes written', (one) => one?.bytes, bytes],
    ['Bytes of tables', (one) => one?.actual?.table_bytes, bytes],
    ['Bytes between stages', (one) => one?.actual?.exchange_bytes, bytes],
    ['Requests', (one) => one?.actual?.requests, count],
    ['Work', (one) => (one?.usage ? one.usage.milliseconds / 1000 : undefined), seconds],
    ['Peak memory', (one) => one?.usage?.peak_memory_bytes, bytes],
    ['Spilled', (one) => one?.usage?.spilled_bytes, bytes],
  ];
  return html`<${Scroll} label="Figures of both runs"><table class="figures">
    <caption class="hidden">Figures of both runs</caption>
    <thead><tr><th scope="col">Figure</th><th scope="col" class="number">This run</th><th scope="col" class="number">The other</th><th scope="col" class="number">This / other</th></tr></thead>
    <tbody>${figures.map(([name, of, words]) => {
      const [a, b] = [of(left.outcome), of(right.outcome)];
      return html`<tr><th scope="row">${name}</th><td class="number">${words(a)}</td><td class="number">${words(b)}</td><td class="number">${a === undefined || !b ? '–' : times(a, b)}</td></tr>`;
    })}</tbody>
  </table><//>`;
}

/** @param {{tasks: Tasks}} props */
function Repeats({ tasks }) {
  const sum = (/** @type {'failed' | 'again' | 'given_up'} */ kind) => tasks.stages.reduce((all, stage) => all + (stage[kind]?.task.length ?? 0), 0);
  const [failed, again, moved] = [sum('failed'), sum('again'), sum('given_up')];
  const errors = tasks.errors ?? [];
  return html`<${Panel} id="errors" title="Retries and errors">
    ${failed + again + moved + errors.length === 0
      ? html`<p>None: each task was done at its first attempt.</p>`
      : html`<p class="note">${counted(failed, 'failed attempt')}, ${counted(again, 'straggler')} given to a second worker, ${counted(moved, 'message')} given up or sent on to a larger worker.</p><${ErrorList} errors=${errors} failures=${failuresOf(tasks)} />`}
  <//>`;
}

/** @param {{files: ResultFile[]}} props */
function Files({ files }) {
  if (!files.length) return null;
  return html`<${Panel} id="files" title="Files" aside=${html`<span class="aside">${count(files.length)}</span>`}>
    ${files.length > MOST_FILES && html`<p class="note">The first ${count(MOST_FILES)}.</p>`}
    <${FileTable} files=${files.slice(0, MOST_FILES)} />
  <//>`;
}

/** @param {{data: ReportData}} props */
function Environment({ data }) {
  const workers = data.status.estimate?.workers;
  const memory = (/** @type {number | undefined} */ mib) => (mib ? `${count(mib)} MiB` : undefined);
  return html`<${Panel} id="environment" title="Environment"><${Facts} pairs=${[
    ['Bucket', data.bucket],
    ['Version', data.version],
    ['Workers at once', workers && count(workers.concurrency)],
    ['Worker', memory(workers?.mib)],
    ['Larger worker', memory(workers?.large_mib)],
    ['Python worker', memory(workers?.python_mib)],
    ['Larger Python worker', memory(workers?.large_python_mib)],
    ['Worker for SQL with Python', memory(workers?.python_sql_mib)],
  ]} /><//>`;
}

/** @type {ReportData} */
const reportData = JSON.parse(document.getElementById('data').textContent);
document.title = `${reportData.status.run} · Tidemill`;
render(html`<${Report} data=${reportData} />`, document.getElementById('app'));
