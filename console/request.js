// @ts-check
// What was asked for.

import { html } from './vendor/preact.js';
import { bytes } from './format.js';
import { Facts } from './ui.js';

/** @param {any} value */
function text(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** @param {{request: RunRequest, single?: string, linkOf?: (run: string) => string}} props */
export function RequestFacts({ request, single, linkOf }) {
  const { spec, source, input, retries } = request;
  const some = (/** @type {any} */ map) => (map && Object.keys(map).length ? Object.entries(map).map(([name, value]) => html`<div><code>${name}</code> = <code>${text(value)}</code></div>`) : undefined);
  return html`
    ${spec?.sql && html`<pre class="sql" tabindex="0"><code>${spec.sql}</code></pre>`}
    ${spec?.calls && html`<pre class="sql" tabindex="0"><code>${JSON.stringify(spec.calls, null, 2)}</code></pre>`}
    ${spec === null && html`<p class="note">The job file was not valid.</p>`}
    <${Facts} pairs=${[
      ['Parameters', some(spec?.params)],
      ['Options', some(spec?.options)],
      ['Tables', some(spec?.tables)],
      ['Into', spec?.into && html`<code>${spec.into}</code>`],
      ['One task, because', single],
      ['Job file', html`<code>${source.key}</code>`],
      ['Pipeline', source.pipeline],
      ['Input', input && html`<code>${input.key}</code> ${bytes(input.size)}`],
      ['Retries', retries && (linkOf ? html`<a href=${linkOf(retries)}>${retries}</a>` : html`<code>${retries}</code>`)],
    ]} />`;
}
