/** @jsxImportSource preact */
import { useErrorBoundary } from 'preact/hooks';
import type { InsightsData } from '../insightsData.ts';
import { Charts } from './Charts.tsx';
import { Contracts } from './Contracts.tsx';
import { formatTime } from './format.ts';
import { Jobs } from './Jobs.tsx';
import { Operations } from './Operations.tsx';
import { Overview } from './Overview.tsx';
import { Subgraphs } from './Subgraphs.tsx';
import { type Insights, useInsights } from './useInsights.ts';

const sections = [
  ['now', 'Now'],
  ['subgraphs', 'Subgraphs'],
  ['operations', 'Operations'],
  ['charts', 'Charts'],
  ['enrichments', 'Enrichments'],
  ['contracts', 'Contracts'],
] as const;

export function App() {
  const insights = useInsights();
  const { data, problem, isPaused, setPaused } = insights;
  const [failure] = useErrorBoundary() as [Error | undefined, unknown];
  return (
    <>
      <header class="top">
        <div>
          <h1>Insights</h1>
          <p class="soft">
            {data === undefined
              ? 'Tributary'
              : `Supergraph ${data.supergraph?.id.slice(0, 12) ?? 'not loaded'}`}
            {data?.workers != null && `, ${describeWorkers(data.workers)}`}
          </p>
        </div>
        {data !== undefined && (
          <nav aria-label="Sections">
            {sections.map(([id, title]) => (
              <a key={id} href={`#${id}`}>
                {title}
              </a>
            ))}
          </nav>
        )}
        <div class="status">
          <p>
            {/* Without the time: screen readers would say it every five seconds. */}
            <span role="status" class={problem === undefined ? '' : 'problem'}>
              {describeState(insights)}
            </span>
            {data !== undefined && problem === undefined && `, ${formatTime(data.now)}`}
          </p>
          <button type="button" onClick={() => setPaused(!isPaused)}>
            {isPaused ? 'Resume' : 'Pause'}
          </button>
        </div>
      </header>
      <main>
        {data !== undefined && failure === undefined ? (
          <Sections insights={insights} data={data} />
        ) : (
          <p class="notice">{describeMissing(insights, failure)}</p>
        )}
      </main>
    </>
  );
}

interface SectionsProps {
  readonly insights: Insights;
  readonly data: InsightsData;
}

function Sections({ insights: { search, setSearch, refresh }, data }: SectionsProps) {
  return (
    <>
      {typeof data.supergraph?.refusal === 'string' && (
        <p class="notice warning lines">
          <strong>A newer supergraph was refused:</strong> {data.supergraph.refusal}
        </p>
      )}
      {typeof data.supergraph?.sourceProblem === 'string' && (
        <p class="notice warning lines">
          <strong>The source of the supergraph cannot be read:</strong> {data.supergraph.sourceProblem}
        </p>
      )}
      <Overview data={data} />
      <Subgraphs subgraphs={data.subgraphs} />
      <Operations data={data} search={search} onSearch={setSearch} />
      <Charts series={data.series} />
      <Jobs jobs={data.jobs} onRetried={refresh} />
      <Contracts contracts={data.contracts} />
    </>
  );
}

function describeMissing({ problem }: Insights, failure: Error | undefined): string {
  if (failure !== undefined)
    return `The page cannot show this data: ${failure.message}. Reload the page, because the gateway may have another version by now.`;
  if (problem !== undefined) return `The insights could not be read: ${problem}. The page tries again.`;
  return 'Loading the insights…';
}

function describeState({ data, problem, isPaused }: Insights): string {
  if (problem !== undefined)
    return data === undefined
      ? `No data: ${problem}`
      : `No new data since ${formatTime(data.now)}: ${problem}`;
  if (data === undefined) return 'Loading…';
  return isPaused ? 'Paused' : 'Live';
}

function describeWorkers({ answered, running }: NonNullable<InsightsData['workers']>): string {
  if (answered < running) return `${answered} of ${running} workers: the others did not answer in time`;
  return answered === 1 ? '1 worker' : `all ${answered} workers`;
}
