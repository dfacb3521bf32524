import { type CSSProperties, useEffect, useRef, useSyncExternalStore } from 'react';
import { formatCount, formatMs } from './format.ts';
import type { LoggedPayload, PayloadLog } from './payloadLog.ts';
import { type CacheOrigin, type FieldOutcome, type PartName, partNames } from './productParts.ts';

const partTitles: Readonly<Record<PartName, string>> = {
  product: 'Product',
  stock: 'Stock',
  rating: 'Rating',
  reviews: 'Reviews',
  recommendations: 'Recommendations',
};

/** Shows each payload of the page as a bar, with the parts that it brought. */
export function Timeline({ log }: { readonly log: PayloadLog }) {
  const { payloads, isComplete } = useSyncExternalStore(log.subscribe, log.getSnapshot);
  const scaleMs = Math.max(250, ...payloads.map(({ afterMs }) => afterMs)) * (isComplete ? 1 : 1.25);
  const waiting = partNames.filter((name) => log.stateOf(name) !== 'arrived');
  const box = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls to each new payload
  useEffect(() => {
    box.current?.scrollTo(0, box.current.scrollHeight);
  }, [payloads]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the list scrolls, and the keyboard must reach it
    <section className="timeline" aria-labelledby="timeline-title" tabIndex={0} ref={box}>
      <h2 id="timeline-title">What arrived when</h2>
      <ol>
        {payloads.map((payload, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows have no state
          <PayloadRow key={index} payload={payload} scaleMs={scaleMs} />
        ))}
        {isComplete || waiting.length === 0 ? null : (
          <li data-state="pending">
            <span className="row-time">waiting</span>
            <span className="row-bar" aria-hidden="true" />
            <span className="row-parts">{waiting.map((name) => partTitles[name]).join(', ')}</span>
          </li>
        )}
      </ol>
    </section>
  );
}

function PayloadRow({ payload, scaleMs }: { readonly payload: LoggedPayload; readonly scaleMs: number }) {
  const { afterMs, attempt, outcomes, isFailure = false } = payload;
  const chips = chipsOf(outcomes);
  const hasFailed = isFailure || chips.some(({ outcome }) => outcome === 'failed');
  return (
    <li data-state={hasFailed ? 'failed' : 'arrived'}>
      <span className="row-time">{formatMs(afterMs)}</span>
      <span
        className="row-bar"
        aria-hidden="true"
        style={{ '--length': `${(100 * afterMs) / scaleMs}%` } as CSSProperties}
      />
      <span className="row-parts">
        {chips.map((outcome) => (
          <PartChip key={outcome.part} outcome={outcome} />
        ))}
        {isFailure ? (
          <span className="chip" data-state="failed">
            No response
          </span>
        ) : null}
        {attempt > 1 ? <span className="chip">attempt {formatCount(attempt)}</span> : null}
      </span>
    </li>
  );
}

/** The most important outcome of each part: a failure, then an arrival. */
function chipsOf(outcomes: readonly FieldOutcome[]): readonly FieldOutcome[] {
  return partNames.flatMap((name) => {
    const own = outcomes.filter(({ part, outcome }) => part === name && outcome !== 'pending');
    return own.find(({ outcome }) => outcome === 'failed') ?? own[0] ?? [];
  });
}

function PartChip({ outcome: { part, outcome, code, origin } }: { readonly outcome: FieldOutcome }) {
  const failure = outcome === 'failed' ? ` failed${code === undefined ? '' : `: ${code}`}` : '';
  return (
    <span className="chip" data-state={outcome === 'failed' || origin === undefined ? outcome : 'cached'}>
      {partTitles[part]}
      {failure}
      {origin === undefined ? null : describeOrigin(origin)}
    </span>
  );
}

function describeOrigin({ staleForMs }: CacheOrigin): string {
  if (staleForMs === undefined) return ', cached';
  const age = staleForMs < 1000 ? formatMs(staleForMs) : `${formatCount(Math.round(staleForMs / 1000))} s`;
  return `, cached ${age} ago`;
}
