import { useCallback, useEffect, useState } from 'preact/hooks';
import type { InsightsData } from '../insightsData.ts';

const intervalMs = 5_000;
const timeoutMs = 10_000;

export interface Insights {
  readonly data: InsightsData | undefined;
  /** Why the newest data could not be read. */
  readonly problem: string | undefined;
  readonly isPaused: boolean;
  setPaused(isPaused: boolean): void;
  refresh(): void;
}

/** Reads the data every five seconds while the page is visible. */
export function useInsights(): Insights {
  const [data, setData] = useState<InsightsData>();
  const [problem, setProblem] = useState<string>();
  const [isPaused, setPaused] = useState(false);

  const refresh = useCallback(async () => {
    try {
      const response = await fetch('insights/data', { signal: AbortSignal.timeout(timeoutMs) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      setData((await response.json()) as InsightsData);
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }, []);

  useEffect(() => {
    void refresh();
    if (isPaused) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void refresh();
    }, intervalMs);
    return () => clearInterval(timer);
  }, [isPaused, refresh]);

  return { data, problem, isPaused, setPaused, refresh: () => void refresh() };
}
