// @ts-check
// The console: its frame, and which page is shown.

import { html, render, useEffect, useErrorBoundary, useRef, useState } from './vendor/preact.js';
import { get, onConnection, wordsOf } from './api.js';
import { link, useRoute, useTitle } from './router.js';
import { RunsPage } from './runs.js';
import { RunPage } from './run.js';
import { TablesPage, TablePage } from './tables.js';
import { QueryPage } from './query.js';
import { PipelinesPage } from './pipelines.js';

const sections = [
  ['runs', 'Runs'],
  ['sql', 'SQL'],
  ['tables', 'Tables'],
  ['pipelines', 'Pipelines'],
];

function Console() {
  const { path, query } = useRoute();
  /** @type {[Meta | undefined, any]} */
  const [meta, setMeta] = useState();
  const [problem, setProblem] = useState('');
  const [lost, setLost] = useState(false);
  const first = useRef(true);
  useEffect(() => onConnection(setLost), []);
  useEffect(() => {
    if (lost) {
      const timer = setInterval(() => get('meta').catch(() => {}), 3000);
      return () => clearInterval(timer);
    }
    if (!meta) get('meta').then(setMeta, (error) => setProblem(wordsOf(error)));
  }, [lost]);
  useEffect(() => {
    if (!path.length) location.replace('#/runs');
  }, [path.length]);
  useEffect(() => {
    if (!first.current && !document.activeElement?.closest('main')) document.getElementById('main').focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [path.join('/')]);

  return html`
    <a class="skip" href="#main" onClick=${(/** @type {any} */ event) => (event.preventDefault(), document.getElementById('main').focus())}>Skip to the page</a>
    <header class="top">
      <a class="brand" href="#/runs"><svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path d="M2 9c3.3-3 6.7-3 10 0s6.7 3 10 0M2 16c3.3-3 6.7-3 10 0s6.7 3 10 0" /></svg>Tidemill</a>
      <nav aria-label="Pages">${sections.map(([key, name]) => html`<a key=${key} href=${link([key])} aria-current=${path[0] === key ? 'page' : undefined}>${name}</a>`)}</nav>
      <span class="where" title=${meta?.endpoint ?? 'AWS'}>${meta && html`<b>${meta.bucket}</b> ${meta.endpoint ? 'local' : 'AWS'}`}</span>
    </header>
    ${lost && html`<div class="banner" role="alert">The server does not answer. What is shown may be old; trying again.</div>`}
    ${problem && !lost && !meta && html`<div class="banner" role="alert">${problem}</div>`}
    <main id="main" tabindex="-1"><${Guard} key=${path.join('/')}><${Page} path=${path} query=${query} meta=${meta} /><//></main>
    <footer>${meta && `Tidemill ${meta.version}`}</footer>`;
}

/** @param {{path: string[], query: Record<string, string>, meta?: Meta}} props */
function Page({ path, query, meta }) {
  const [section, name] = path;
  if (section === 'runs' || section === undefined) {
    return name ? html`<${RunPage} run=${name} meta=${meta} />` : html`<${RunsPage} query=${query} meta=${meta} />`;
  }
  if (section === 'tables') return name ? html`<${TablePage} table=${name} />` : html`<${TablesPage} />`;
  if (section === 'sql') return html`<${QueryPage} query=${query} meta=${meta} />`;
  if (section === 'pipelines') return html`<${PipelinesPage} />`;
  return html`<${Missing} />`;
}

function Missing() {
  useTitle('No such page');
  return html`<h1>No such page</h1><p><a href="#/runs">All runs</a></p>`;
}

/** A fault of one page leaves the others. @param {{children?: any}} props */
function Guard({ children }) {
  const [error] = useErrorBoundary();
  if (!error) return children;
  console.error(error);
  return html`<h1>This page has failed</h1><p class="problem">${wordsOf(error)}</p><p><a href="#/runs">All runs</a></p>`;
}

const root = document.getElementById('app');
root.textContent = '';
render(html`<${Console} />`, root);
