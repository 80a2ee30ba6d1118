// @ts-check
// The address is the state: `#/runs?state=failed`.

import { useEffect, useState } from './vendor/preact.js';
import { queryOf } from './api.js';

/** @returns {{path: string[], query: Record<string, string>}} */
function read() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return { path: path.split('/').filter(Boolean).map(decode), query: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const changed = () => setRoute(read());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

/** @param {string[]} path @param {Record<string, string | undefined>} [query] */
export function link(path, query = {}) {
  return `#/${path.map(encodeURIComponent).join('/')}${queryOf(query)}`;
}

/** Changes the address without a step in the history. @param {string} target */
export function replace(target) {
  history.replaceState(null, '', target);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** @param {string} title */
export function useTitle(title) {
  useEffect(() => {
    document.title = `${title} · Tidemill`;
  }, [title]);
}
