// @ts-check
// Numbers, sizes, times and money as words.

const grouped = new Intl.NumberFormat('en-US');

/** @param {number} [value] */
export function count(value) {
  return value === undefined || value === null ? '–' : grouped.format(value);
}

/** @param {number} value @param {number} digits */
function significant(value, digits) {
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(places, 12));
}

/** @param {number} [value] */
export function bytes(value) {
  if (value === undefined || value === null) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${significant(value, 3)} ${units[unit]}`;
}

/** @param {number} [value] */
export function dollars(value) {
  if (value === undefined || value === null) return '–';
  if (value === 0) return '$0';
  if (value >= 1) return `$${value.toFixed(2)}`;
  return value < 0.000001 ? '< $0.000001' : `$${significant(value, 2).replace(/(\.\d\d\d*?)0+$/, '$1')}`;
}

/** @param {number} [value] */
export function seconds(value) {
  if (value === undefined || value === null) return '–';
  if (value < 0) value = 0;
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 99.5) return `${significant(value, 3)} s`;
  const minutes = Math.floor(Math.round(value) / 60);
  const rest = String(Math.round(value) % 60).padStart(2, '0');
  if (minutes < 60) return `${minutes} min ${rest} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** A mark on an axis: as many digits as its step needs. @param {number} ms @param {number} step */
export function clock(ms, step) {
  if (ms === 0) return '0';
  const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(digits)} s`;
  const rest = ((ms % 60000) / 1000).toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  const minutes = Math.floor(ms / 60000);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
}

/** Two equal ends are one number. @param {Between} range @param {(value: number) => string} words */
export function between(range, words, to = ' to ') {
  const [low, high] = range.map(words);
  return low === high ? low : `${low}${to}${high}`;
}

/** @param {number} part @param {number} whole */
export function percent(part, whole) {
  const value = (100 * part) / whole;
  return value > 0 && value < 1 ? '< 1 %' : `${Math.round(value)} %`;
}

/** @param {number} value @param {number} base */
export function times(value, base) {
  if (!base) return '–';
  const ratio = value / base;
  return ratio >= 100 ? `${count(Math.round(ratio))} ×` : `${significant(ratio, 2)} ×`;
}

/** @param {number} value @param {string} one @param {string} [many] */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** @param {string} moment @param {number} [now] */
export function ago(moment, now = Date.now()) {
  const passed = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (passed < 5) return 'now';
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  const days = Math.floor(passed / 86400);
  return days < 30 ? `${counted(days, 'day')} ago` : moment.slice(0, 10);
}

/** @param {string} moment */
export function fullTime(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? moment : date.toISOString().replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC');
}

/** @param {string} text @param {number} length */
export function shorten(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
