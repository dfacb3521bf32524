import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { InsightsData } from '../insightsData.ts';

const intervalMs = 5_000;
const timeoutMs = 10_000;

export interface Insights {
  readonly data: InsightsData | undefined;
  /** Why the newest data could not be read. */
  readonly problem: string | undefined;
  readonly isPaused: boolean;
  setPaused(isPaused: boolean): void;
  /** A part of the names of the operations in the data. */
  readonly search: string;
  setSearch(search: string): void;
  refresh(): void;
}

/** Reads the data every five seconds while the page is visible, unless the data before has not arrived yet. */
export function useInsights(): Insights {
  const [data, setData] = useState<InsightsData>();
  const [problem, setProblem] = useState<string>();
  const [isPaused, setPaused] = useState(false);
  const [search, setSearch] = useState('');

  const running = useRef<AbortController>(undefined);
  const refresh = useCallback(async () => {
    // Older data must not replace newer data.
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    try {
      const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(timeoutMs)]);
      const response = await fetch(`insights/data${search && `?${new URLSearchParams({ search })}`}`, {
        signal,
      });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const read = (await response.json()) as InsightsData | null;
      // Such as from a proxy that answers for the gateway.
      if (typeof read !== 'object' || read === null) throw new Error('the response is not an object');
      setData(read);
      setProblem(undefined);
    } catch (error) {
      if (!controller.signal.aborted) setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      if (running.current === controller) running.current = undefined;
    }
  }, [search]);

  useEffect(() => {
    void refresh();
    if (isPaused) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible' && running.current === undefined) void refresh();
    }, intervalMs);
    return () => clearInterval(timer);
  }, [isPaused, refresh]);

  return { data, problem, isPaused, setPaused, search, setSearch, refresh: () => void refresh() };
}
