/** @jsxImportSource preact */
import type { FetchInsights, PlanInsights, WhatIf } from '../insightsData.ts';
import { formatCountOf, formatMs, formatPath, formatShare } from './format.ts';
import { Name, Table } from './Section.tsx';

export function Plan({ plan, number }: { plan: PlanInsights; number: number | undefined }) {
  const { timings, fetches, payloads, whatIf, recorded } = plan;
  const title = number === undefined ? 'Plan' : `Plan ${number}`;
  if (fetches.length === 0) {
    return <p class="soft">{title}: no fetch. The gateway answers the operation by itself.</p>;
  }
  if (recorded === 0) return <p class="soft">{title}: no answer was recorded step by step yet.</p>;
  const critical = new Set(payloads[0]?.criticalPath ?? []);
  return (
    <div class="plan">
      <h4>{title}</h4>
      <p class="soft">
        Times of {formatCountOf(recorded, 'answer')}, recorded step by step. The first payload waits for{' '}
        <strong>{[...critical].map((index) => fetches[index]?.subgraph).join(' → ') || 'no fetch'}</strong>,
        besides {formatMs(timings.planningMs)} of planning, {formatMs(timings.budgetMs)} of latency budgets
        and {formatMs(timings.shapingMs)} of making the payload.
      </p>
      <Waterfall fetches={fetches} critical={critical} />
      <FetchTable fetches={fetches} critical={critical} />
      <WhatIfTable whatIf={whatIf} />
    </div>
  );
}

interface FetchesProps {
  readonly fetches: readonly FetchInsights[];
  /** Indices of those on the critical path. */
  readonly critical: ReadonlySet<number>;
}

function FetchTable({ fetches, critical }: FetchesProps) {
  return (
    <Table
      label="Fetches of the plan"
      columns={['Fetch', 'Fields', 'p50', 'p95', 'p99', 'Errors', 'Holds up', 'Payload']}
    >
      {fetches.map((fetched, index) => {
        const { fields, latency, errorShare, criticalShare, criticalMs, group } = fetched;
        return (
          <tr key={labelOf(fetched, index)} class={critical.has(index) ? 'critical' : ''}>
            <th scope="row">
              <FetchName of={fetched} />
            </th>
            <td class="fields" data-label="Fields">
              <Name text={fields.join(', ')} />
            </td>
            <td data-label="p50">{formatMs(latency?.p50)}</td>
            <td data-label="p95">{formatMs(latency?.p95)}</td>
            <td data-label="p99">{formatMs(latency?.p99)}</td>
            <td data-label="Errors">{errorShare === 0 ? '–' : formatShare(errorShare)}</td>
            <td data-label="Holds up">
              {criticalShare === 0 ? '–' : `${formatShare(criticalShare)}, ${formatMs(criticalMs)}`}
            </td>
            <td data-label="Payload">{group === 0 ? 'first' : 'later'}</td>
          </tr>
        );
      })}
    </Table>
  );
}

/** The subgraph of a fetch, and where in the response its data belongs. */
function FetchName({ of: { subgraph, path } }: { of: FetchInsights }) {
  return (
    <>
      <Name text={subgraph} />{' '}
      <span class="soft">
        <Name text={formatPath(path)} />
      </span>
    </>
  );
}

function labelOf({ subgraph, path }: FetchInsights, index: number): string {
  return `${index} ${subgraph} ${path.join('.')}`;
}

/** The fetches over time: a bar to the median latency, and a thin one to the 95th percentile. */
function Waterfall({ fetches, critical }: FetchesProps) {
  const endMs = Math.max(1, ...fetches.map(({ startMs, latency }) => (startMs ?? 0) + (latency?.p95 ?? 0)));
  const percent = (ms: number): string => `${(ms / endMs) * 100}%`;
  return (
    <figure class="waterfall">
      <figcaption>
        From the start of the request to {formatMs(endMs)}. Solid: median, pale: p95. Marked ●: the critical
        path.
      </figcaption>
      <ol>
        {fetches.map((fetched, index) => {
          const { startMs, latency } = fetched;
          const isCritical = critical.has(index);
          return (
            <li key={labelOf(fetched, index)} class={isCritical ? 'critical' : ''}>
              <span class="name">
                {isCritical && <span aria-hidden="true">● </span>}
                <FetchName of={fetched} />
                {isCritical && <span class="hidden"> (critical path)</span>}
              </span>
              <span class="lane">
                {startMs === null || latency === null ? (
                  <span class="soft">not sent</span>
                ) : (
                  <>
                    <span class="bar p95" style={{ left: percent(startMs), width: percent(latency.p95) }} />
                    <span class="bar" style={{ left: percent(startMs), width: percent(latency.p50) }} />
                  </>
                )}
              </span>
              <span class="ms">{formatMs(latency?.p50)}</span>
            </li>
          );
        })}
      </ol>
    </figure>
  );
}

function WhatIfTable({ whatIf }: { whatIf: readonly WhatIf[] }) {
  if (whatIf.length === 0) {
    return <p class="soft">Deferring a field, or caching a fetch, would not make these answers faster.</p>;
  }
  return (
    <>
      <h4>What if …</h4>
      <Table label="Predictions" columns={['Change', 'First payload, now → then', 'Completion, now → then']}>
        {whatIf.map((prediction) => (
          <tr key={`${prediction.kind} ${prediction.subgraph ?? ''} ${prediction.fields.join()}`}>
            <th scope="row">
              <Name text={changeOf(prediction)} />
            </th>
            <td data-label="First payload">
              <FromTo before={prediction.currentFirstPayloadMs} after={prediction.firstPayloadMs} />
            </td>
            <td data-label="Completion">
              {prediction.completionMs === null ? (
                '–'
              ) : (
                <FromTo before={prediction.currentCompletionMs} after={prediction.completionMs} />
              )}
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}

const maxFields = 3;

function changeOf({ kind, subgraph, fields }: WhatIf): string {
  const some = fields.slice(0, maxFields).join(', ');
  const text = fields.length > maxFields ? `${some} and ${fields.length - maxFields} more` : some;
  if (kind === 'cached') return `Cache ${text}`;
  return subgraph === null ? `Defer ${text}` : `Defer everything of ${subgraph}`;
}

function FromTo({ before, after }: { before: number; after: number }) {
  const saved = before - after;
  return (
    <>
      {formatMs(before)} → {formatMs(after)}
      {saved >= 0.5 && <span class="gain"> −{formatMs(saved)}</span>}
    </>
  );
}
