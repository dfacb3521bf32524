import { useCallback, useEffect, useState } from 'react';
import { DemoError, readDemo } from './demoApi.ts';
import { type DemoState, isRestored } from './demoState.ts';

const pollMs = 1000;

export interface Demo {
  /** `undefined` until it is known, and where the page is served without its demo. */
  readonly state: DemoState | undefined;
  /** Why the last action failed, for the visitor. */
  readonly error: string | undefined;
  /** Whether an action is under way. */
  readonly isBusy: boolean;
  /** Runs an action of `demoApi.ts`. Resolves to whether it succeeded. */
  run(action: () => Promise<DemoState | undefined>): Promise<boolean>;
}

/** Follows the state of the demo while `isOpen`, and while something is broken. */
export function useDemo(isOpen: boolean): Demo {
  const [state, setState] = useState<DemoState>();
  const [error, setError] = useState<string>();
  const [isBusy, setIsBusy] = useState(false);
  const isFollowed = state !== undefined && (isOpen || !isRestored(state));

  useEffect(() => {
    let isCurrent = true;
    const read = (): void => {
      readDemo().then(
        (read) => {
          if (isCurrent) setState(read);
        },
        // The next poll may succeed; the page shows elsewhere that it is offline.
        () => {},
      );
    };
    read();
    const timer = isFollowed ? setInterval(read, pollMs) : undefined;
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [isFollowed]);

  const run = useCallback(async (action: () => Promise<DemoState | undefined>): Promise<boolean> => {
    setIsBusy(true);
    setError(undefined);
    try {
      setState(await action());
      return true;
    } catch (failure) {
      if (!(failure instanceof DemoError)) throw failure;
      setError(failure.message);
      return false;
    } finally {
      setIsBusy(false);
    }
  }, []);

  return { state, error, isBusy, run };
}
