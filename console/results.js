// @ts-check
// Rows of a result, as text, and its files.

import { html } from './vendor/preact.js';
import { bytes, count, counted, fullTime } from './format.js';
import { Scroll } from './ui.js';

/** @param {{results: Results}} props */
export function Preview({ results: { columns, preview, rows } }) {
  const numbers = columns.map((column) => (/int|double|float|decimal|real|numeric/i.test(column.type) ? 'number' : ''));
  return html`
    ${preview.length < rows && html`<p class="note">The first ${count(preview.length)} of ${counted(rows, 'row')}.</p>`}
    <${Scroll} label="Rows of the result" tall=${true}><table class="values">
      <thead><tr>${columns.map((column, i) => html`<th scope="col" class=${numbers[i]}>${column.name}<span class="type">${column.type}</span></th>`)}</tr></thead>
      <tbody>${preview.map((row) => html`<tr>${row.map((value, i) => html`<td class=${numbers[i]}>${value === null ? html`<span class="null">null</span>` : html`<span class="value">${value}</span>`}</td>`)}</tr>`)}</tbody>
    </table><//>`;
}

/** @param {{files: ResultFile[]}} props */
export function FileTable({ files }) {
  return html`<${Scroll} label="Files of the result" tall=${true}><table>
    <thead><tr><th scope="col">Key</th><th scope="col" class="number">Rows</th><th scope="col" class="number">Bytes</th></tr></thead>
    <tbody>${files.map((file) => html`<tr key=${file.key}>
      <td>${file.url ? html`<a href=${safe(file.url)} target="_blank" rel="noopener noreferrer" title=${file.expires ? `This link works until ${fullTime(file.expires)}` : ''}>${file.key}</a>` : html`<code>${file.key}</code>`}</td>
      <td class="number">${count(file.rows)}</td><td class="number">${bytes(file.bytes)}</td>
    </tr>`)}</tbody>
  </table><//>`;
}

/** A link of another kind than http is none. @param {string} url */
function safe(url) {
  return /^https?:\/\//.test(url) ? url : undefined;
}
