import type { Answer, Arrival, ExplainedFetch } from './answers.ts';

/** The fetches of an answer as bars, and its payloads where they arrived. */
export function TimeLine({ answer }: { answer: Answer | undefined }) {
  if (answer === undefined) {
    return (
      <p className="soft">Run an operation: its fetches and payloads appear here, and its query plan.</p>
    );
  }
  const { kind, arrivals, explanation, criticalPath } = answer;
  const fetches = explanation?.fetches ?? [];
  const isSubscription = kind === 'subscription';
  // Events are far apart: only the fetches of the last one have a scale.
  const moments = isSubscription ? [] : arrivals.map(({ atMs }) => atMs);
  const ends = fetches.map(({ startMs, endMs }) => endMs ?? startMs);
  const scaleMs = Math.max(1, ...moments, ...ends);
  return (
    <>
      <p className="soft" role="status">
        {summaryOf(answer)}
        {criticalPath.length > 0 &&
          ` ${isSubscription ? 'The last event' : 'The first payload'} waited for ${criticalPath.map(({ subgraph }) => subgraph).join(' → ')}.`}
      </p>
      <ol className="time-line" aria-label="Time line">
        {fetches.map((fetched, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: fetches are only added.
          <FetchRow key={index} fetched={fetched} scaleMs={scaleMs} />
        ))}
        {arrivals.map((arrival, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: arrivals are only added.
          <ArrivalRow key={index} arrival={arrival} scaleMs={isSubscription ? undefined : scaleMs} />
        ))}
      </ol>
    </>
  );
}

function summaryOf({ kind, isRunning, arrivals, count }: Answer): string {
  if (kind === 'subscription') {
    const state = isRunning ? 'The subscription is running' : 'The subscription has ended';
    return `${state}: ${countOf(count, 'event')}.`;
  }
  if (arrivals.length === 0) return isRunning ? 'Waiting for the first payload.' : 'Nothing arrived.';
  const lastMs = arrivals.at(-1)?.atMs ?? 0;
  return `${countOf(count, 'payload')} in ${formatMs(lastMs)}${isRunning ? ', more to follow' : ''}.`;
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const outcomes: Readonly<Record<string, string>> = {
  cached: 'from the cache',
  joined: 'shared with another operation',
  retried: 'sent again',
  hedged: 'sent twice',
  stale: 'stale, from the cache',
};

function FetchRow({ fetched, scaleMs }: { fetched: ExplainedFetch; scaleMs: number }) {
  const { subgraph, entities, startMs, endMs, outcome, error } = fetched;
  const notes = [
    entities === 0 ? 'root fields' : countOf(entities, 'entity').replace('entitys', 'entities'),
    ...(outcome !== undefined && outcome in outcomes ? [outcomes[outcome]] : []),
    ...(outcome === undefined && error !== undefined ? ['not sent'] : []),
    ...(error === undefined ? [] : [error]),
    ...(endMs === null ? ['still running when the payload was sent'] : []),
  ];
  return (
    <li className={error === undefined ? 'fetch' : 'fetch failed'}>
      <span className="name">
        {subgraph} <span className="soft">{notes.join(', ')}</span>
      </span>
      <span className="lane" aria-hidden="true">
        <span
          className={endMs === null ? 'bar open' : outcome === 'cached' ? 'bar cached' : 'bar'}
          style={{ left: percent(startMs, scaleMs), width: percent((endMs ?? scaleMs) - startMs, scaleMs) }}
        />
      </span>
      <span className="ms">{endMs === null ? '' : formatMs(endMs - startMs)}</span>
    </li>
  );
}

const kinds = { payload: '', event: '', enrichment: 'enrichment ', mutation: 'sent ' } as const;

function ArrivalRow({ arrival, scaleMs }: { arrival: Arrival; scaleMs: number | undefined }) {
  const { kind, label, atMs, errors } = arrival;
  return (
    <li className={errors === 0 ? kind : `${kind} failed`}>
      <span className="name">
        {kinds[kind]}
        {label}
        {errors > 0 && <span className="soft"> with {countOf(errors, 'error')}</span>}
      </span>
      <span className="lane" aria-hidden="true">
        {scaleMs !== undefined && <span className="moment" style={{ left: percent(atMs, scaleMs) }} />}
      </span>
      <span className="ms">{formatMs(atMs)}</span>
    </li>
  );
}

function percent(ms: number, scaleMs: number): string {
  return `${Math.max(0, Math.min(100, (ms / scaleMs) * 100))}%`;
}

function formatMs(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}
