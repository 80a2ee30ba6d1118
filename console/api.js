// @ts-check
// Requests to the API, and whether it can be reached.

const token = new URLSearchParams(location.search).get('token') ?? '';

export class Refused extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

/** The server gave no answer. */
export class Unreachable extends Error {}

/** @type {Set<(lost: boolean) => void>} */
const listeners = new Set();
let lost = false;

/** @param {(lost: boolean) => void} listener */
export function onConnection(listener) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** @param {boolean} now */
function connection(now) {
  if (now === lost) return;
  lost = now;
  for (const listener of listeners) listener(now);
}

/**
 * @param {string} path below `api/`
 * @param {{method?: string, body?: any, etag?: string, wait?: number, signal?: AbortSignal}} [options]
 * @returns {Promise<{status: number, etag: string | null, value: any}>}
 */
export async function ask(path, { method = 'GET', body, etag, wait, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (etag) headers['if-none-match'] = etag;
  if (wait !== undefined) headers.prefer = `wait=${wait}`;
  let answer;
  try {
    answer = await fetch(`api/${path}`, { method, headers, signal, cache: 'no-store', body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (signal?.aborted) throw error;
    connection(true);
    throw new Unreachable('The server does not answer.');
  }
  connection(false);
  if (answer.status === 304) return { status: 304, etag: etag ?? null, value: undefined };
  const value = await answer.json().catch(() => undefined);
  if (!answer.ok || value === undefined) {
    throw new Refused({ title: `The server answered ${answer.status} ${answer.statusText}`.trim(), status: answer.status, ...value });
  }
  return { status: answer.status, etag: answer.headers.get('etag'), value };
}

/** @param {string} path @param {Record<string, string | number | undefined>} [query] @param {AbortSignal} [signal] */
export async function get(path, query = {}, signal) {
  const { value } = await ask(path + queryOf(query), { signal });
  return value;
}

/** @param {Record<string, string | number | undefined | null>} query */
export function queryOf(query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return pairs.length ? `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}` : '';
}

/** @param {string[]} parts */
export function pathOf(...parts) {
  return parts.map(encodeURIComponent).join('/');
}

/** Ends early when asked to. @param {number} ms @param {AbortSignal} [signal] */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/** A pause that ends when the server is found again. @param {number} ms @param {AbortSignal} signal */
export async function pauseUntilFound(ms, signal) {
  const early = new AbortController();
  const end = () => early.abort();
  const forget = onConnection((now) => now || end());
  signal.addEventListener('abort', end);
  await pause(ms, early.signal);
  signal.removeEventListener('abort', end);
  forget();
}

/** Until the page is to be seen. @param {AbortSignal} [signal] */
export function seen(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal?.aborted) return;
      document.removeEventListener('visibilitychange', look);
      resolve(undefined);
    };
    document.addEventListener('visibilitychange', look);
    signal?.addEventListener('abort', look);
  });
}

/** @param {any} error */
export function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}
