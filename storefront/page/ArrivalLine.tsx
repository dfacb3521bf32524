import { useSyncExternalStore } from 'react';
import type { Arrival, ArrivalRecorder } from './arrivals.ts';
import { formatCount } from './format.ts';

interface ArrivalLineProps {
  readonly recorder: ArrivalRecorder;
  /** What the first payload contains, in words for the visitor. */
  readonly first: string;
  /** What each deferred part contains, by its key in `Arrivals.later`. */
  readonly later: Readonly<Record<string, string>>;
}

/** Shows when each part of the page's response arrived, counted from the request. */
export function ArrivalLine({ recorder, first, later }: ArrivalLineProps) {
  const arrivals = useSyncExternalStore(recorder.subscribe, recorder.getSnapshot);
  return (
    <ul className="arrivals" aria-label="When each part of this page arrived">
      <ArrivalItem part={first} arrival={arrivals.first} isComplete={arrivals.isComplete} />
      {Object.entries(later).map(([name, part]) => (
        <ArrivalItem
          key={name}
          part={part}
          arrival={arrivals.later.get(name)}
          isComplete={arrivals.isComplete}
        />
      ))}
    </ul>
  );
}

interface ArrivalItemProps {
  readonly part: string;
  readonly arrival: Arrival | undefined;
  readonly isComplete: boolean;
}

function ArrivalItem({ part, arrival, isComplete }: ArrivalItemProps) {
  const state = arrivalState(arrival, isComplete);
  return (
    <li data-state={state} data-part={part}>
      {part}: {describe(state, arrival)}
    </li>
  );
}

type ArrivalState = 'pending' | 'arrived' | 'failed' | 'missing';

function arrivalState(arrival: Arrival | undefined, isOver: boolean): ArrivalState {
  if (arrival === undefined) return isOver ? 'missing' : 'pending';
  return arrival.hasFailed ? 'failed' : 'arrived';
}

function describe(state: ArrivalState, arrival: Arrival | undefined): string {
  if (arrival === undefined) return state === 'pending' ? 'on the way…' : 'did not arrive';
  const after = `${formatCount(arrival.afterMs)} ms`;
  return state === 'failed' ? `failed after ${after}` : after;
}
