import type {
  SupergraphSource,
  SupergraphSourceListener,
} from '../../gateway/supergraph/sources/supergraphSource.ts';

type SourceEvent = { sdl: string } | { refusal: string } | { problem: string };

export interface RecordedSource {
  readonly source: SupergraphSource;
  /** Returns the next unread event. */
  next(): Promise<SourceEvent>;
  /** Returns all unread events. */
  drain(): SourceEvent[];
}

/** Records the events of a source, in order. */
export function recordSource(source: SupergraphSource): RecordedSource & SupergraphSourceListener {
  const events: SourceEvent[] = [];
  const takers: ((event: SourceEvent) => void)[] = [];
  const say = (event: SourceEvent): void => {
    const taker = takers.shift();
    if (taker === undefined) events.push(event);
    else taker(event);
  };
  return {
    source,
    onSdl: (sdl) => say({ sdl }),
    onRefusal: (refusal) => say({ refusal }),
    onProblem: (problem) => say({ problem }),
    next: () => {
      const event = events.shift();
      return event === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(event);
    },
    drain: () => events.splice(0),
  };
}
