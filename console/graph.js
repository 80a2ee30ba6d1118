// @ts-check
// The stages of a run, left to right, with what flows between them.

import { html } from './vendor/preact.js';
import { bytes, count, counted, shorten } from './format.js';
import { Scroll } from './ui.js';

const WIDE = 196;
const TALL = 66;
const ACROSS = 84;
const DOWN = 20;

/** How far a stage is from the tables. @param {Stage[]} stages */
function depths(stages) {
  const byId = new Map(stages.map((stage) => [stage.stage, stage]));
  /** @type {Map<number, number>} */
  const found = new Map();
  const depth = (/** @type {number} */ id) => {
    if (found.has(id)) return found.get(id);
    found.set(id, 0);
    const inputs = byId.get(id)?.inputs ?? [];
    const value = inputs.length ? 1 + Math.max(...inputs.map(depth)) : 0;
    found.set(id, value);
    return value;
  };
  for (const stage of stages) depth(stage.stage);
  return found;
}

/** @param {Stage} stage */
function progressOf(stage) {
  if (stage.reused) return 'taken over from the earlier run';
  if (stage.tasks === null || stage.tasks === undefined) return 'not laid out yet';
  if (stage.committed >= stage.tasks) return counted(stage.tasks, 'task');
  return `${count(stage.committed)} of ${counted(stage.tasks, 'task')}`;
}

/** @param {{stages: Stage[]}} props */
export function StageGraph({ stages }) {
  const depth = depths(stages);
  const filled = new Map();
  const place = new Map();
  for (const stage of stages) {
    const column = depth.get(stage.stage);
    const row = filled.get(column) ?? 0;
    filled.set(column, row + 1);
    place.set(stage.stage, { x: 2 + column * (WIDE + ACROSS), y: 2 + row * (TALL + DOWN) });
  }
  const width = Math.max(...[...place.values()].map(({ x }) => x)) + WIDE + 4;
  const height = Math.max(...[...place.values()].map(({ y }) => y)) + TALL + 4;
  const edges = stages.flatMap((stage) => stage.inputs.filter((input) => place.has(input)).map((input) => ({ from: input, to: stage.stage })));
  const source = new Map(stages.map((stage) => [stage.stage, stage]));
  return html`<${Scroll} label="Graph of stages">
    <svg class="graph" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${sentence(stages)}>
      ${edges.map(({ from, to }) => {
        const [a, b] = [place.get(from), place.get(to)];
        const [x1, y1, x2, y2] = [a.x + WIDE, a.y + TALL / 2, b.x, b.y + TALL / 2];
        const middle = (x1 + x2) / 2;
        const size = source.get(from).bytes;
        return html`<g class="edge">
          <path d=${`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2 - 6} ${y2}`} />
          <path class="tip" d=${`M${x2 - 7} ${y2 - 4}l6 4l-6 4z`} />
          ${size !== undefined && html`<text x=${x1 + 6} y=${y1 - 6}>${bytes(size)}</text>`}
        </g>`;
      })}
      ${stages.map((stage) => {
        const { x, y } = place.get(stage.stage);
        const part = stage.reused ? 1 : stage.tasks ? stage.committed / stage.tasks : 0;
        return html`<g class=${`node ${part >= 1 ? 'whole' : part > 0 ? 'part' : 'none'}`} transform=${`translate(${x} ${y})`}>
          <title>${`Stage ${stage.stage}: ${stage.operators}`}</title>
          <rect class="box" width=${WIDE} height=${TALL} rx="5" />
          <text class="name" x="10" y="18">${`${stage.stage} · ${shorten(stage.operators, 19)}`}</text>
          <text x="10" y="35">${progressOf(stage)}${stage.worker !== 'normal' ? ` · ${stage.worker}` : ''}</text>
          <text x="10" y="50">${stage.rows === undefined ? '' : counted(stage.rows, 'row')}</text>
          <rect class="track" x="10" y=${TALL - 9} width=${WIDE - 20} height="3" />
          <rect class="fill" x="10" y=${TALL - 9} width=${(WIDE - 20) * part} height="3" />
        </g>`;
      })}
    </svg>
  <//>`;
}

/** @param {Stage[]} stages */
function sentence(stages) {
  const parts = stages.map((stage) => `stage ${stage.stage}${stage.inputs.length ? ` reads ${stage.inputs.join(' and ')}` : ' reads tables'}`);
  return `${counted(stages.length, 'stage')}: ${shorten(parts.join(', '), 400)}. The table of stages has the figures.`;
}
