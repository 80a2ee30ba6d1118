// @ts-check
// A run as it goes on: its status by long poll, its tasks less often.

import { useEffect, useRef, useState } from './vendor/preact.js';
import { ask, pathOf, pause, pauseUntilFound, Refused, seen, Unreachable, wordsOf } from './api.js';

const WAIT = 20;
const STATUS_PAUSE = 1000;
const TASKS_PAUSE = 2000;

/**
 * @param {string | undefined} run
 * @param {{tasks?: boolean, rows?: number}} wanted
 */
export function useRun(run, { tasks: wantsTasks = false, rows = 0 } = {}) {
  /** @type {[Status | undefined, any]} */
  const [status, setStatus] = useState();
  /** @type {[{tasks: Tasks, at: number} | undefined, any]} */
  const [tasks, setTasks] = useState();
  /** @type {[Results | undefined, any]} */
  const [results, setResults] = useState();
  /** @type {[{text: string, missing: boolean, lost: boolean} | undefined, any]} */
  const [problem, setProblem] = useState();
  const [resultsProblem, setResultsProblem] = useState('');
  const over = useRef(false);

  useEffect(() => {
    if (!run) return undefined;
    const stop = new AbortController();
    const { signal } = stop;
    over.current = false;
    setStatus(undefined);
    setTasks(undefined);
    setResults(undefined);
    setProblem(undefined);
    setResultsProblem('');

    let watching = false;
    const follow = async () => {
      let etag;
      let rest = 1000;
      while (!signal.aborted) {
        await seen(signal);
        try {
          const asked = Date.now();
          const answer = await ask(`${pathOf('runs', run)}${etag ? `?wait=${WAIT}` : ''}`, { etag, signal });
          setProblem(undefined);
          rest = 1000;
          if (answer.status !== 304) {
            etag = answer.etag ?? undefined;
            setStatus({ stages: [], ...answer.value });
            if (wantsTasks && !watching) {
              watching = true;
              over.current = !!answer.value.outcome;
              followTasks();
            }
            if (answer.value.outcome) {
              over.current = true;
              if (rows && answer.value.outcome.status === 'succeeded') fetchResults();
              return;
            }
          }
          await pause(asked + STATUS_PAUSE - Date.now(), signal);
        } catch (error) {
          if (signal.aborted) return;
          setProblem({ text: wordsOf(error), missing: error instanceof Refused && error.problem.status === 404, lost: error instanceof Unreachable });
          if (error instanceof Refused && error.problem.status < 500 && error.problem.status !== 429) return;
          await pauseUntilFound(rest, signal);
          rest = Math.min(30000, rest * 2);
        }
      }
    };
    const fetchResults = async () => {
      try {
        const { value } = await ask(`${pathOf('runs', run, 'results')}?limit=${rows}`, { signal });
        setResults(value);
      } catch (error) {
        if (!signal.aborted) setResultsProblem(wordsOf(error));
      }
    };
    const followTasks = async () => {
      while (!signal.aborted) {
        await seen(signal);
        const last = over.current;
        const asked = performance.now();
        try {
          const { value } = await ask(pathOf('runs', run, 'tasks'), { signal });
          setTasks({ tasks: value, at: Date.now() });
          if (last) return;
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Refused && error.problem.status < 500 && error.problem.status !== 429 && last) return;
        }
        const took = performance.now() - asked;
        const until = Date.now() + Math.max(TASKS_PAUSE, 20 * took);
        while (Date.now() < until && !signal.aborted && over.current === last) await pause(200, signal);
      }
    };
    follow();
    return () => stop.abort();
  }, [run]);
  return { status, tasks, results, problem, resultsProblem };
}

/** The present, every second while it matters. @param {boolean} running */
export function useNow(running) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => document.hidden || setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
