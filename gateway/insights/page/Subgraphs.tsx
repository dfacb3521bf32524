/** @jsxImportSource preact */
import type { SubgraphInsights } from '../insightsData.ts';
import { formatMs, formatShare } from './format.ts';
import { Section } from './Section.tsx';

/** How much a subgraph needs attention, as a word and a colour. */
function heatOf({ breaker, failureShare, errorShare, ...rest }: SubgraphInsights) {
  const { latency, gatedShare, gatedMs, callsPerSecond } = rest;
  const failing = Math.max(failureShare, errorShare);
  if (breaker === 'open') return { heat: 'hot', word: 'not called' };
  if (failing >= 0.05) return { heat: 'hot', word: 'failing' };
  if (breaker === 'half-open' || failing > 0) return { heat: 'warm', word: 'some failures' };
  if (latency === null || callsPerSecond === 0) return { heat: 'idle', word: 'idle' };
  if (gatedShare * gatedMs >= 100) return { heat: 'hot', word: 'slow' };
  if (gatedShare * gatedMs >= 25) return { heat: 'warm', word: 'holds up answers' };
  return { heat: 'cool', word: 'fine' };
}

export function Subgraphs({ subgraphs }: { subgraphs: readonly SubgraphInsights[] }) {
  return (
    <Section
      id="subgraphs"
      title="Subgraphs"
      note="Calls of the last one to two minutes. Red: failing, or answers wait for it more than 100 ms on average."
    >
      {subgraphs.length === 0 && (
        <p class="notice">No supergraph is loaded yet: GET /health/ready says why.</p>
      )}
      <ul class="map">
        {subgraphs.map((subgraph) => {
          const { heat, word } = heatOf(subgraph);
          const { name, latency, callsPerSecond, failureShare, errorShare, breaker, queued, running } =
            subgraph;
          return (
            <li key={name} class={`tile ${heat}`}>
              <h3>
                {name} <span class="badge">{word}</span>
              </h3>
              <dl>
                <div>
                  <dt>p50 / p95 / p99</dt>
                  <dd>
                    {latency === null
                      ? 'no calls'
                      : [latency.p50, latency.p95, latency.p99].map((ms) => formatMs(ms)).join(' / ')}
                  </dd>
                </div>
                <div>
                  <dt>Calls per second</dt>
                  <dd>{callsPerSecond}</dd>
                </div>
                <div>
                  <dt>Calls failed</dt>
                  <dd>{formatShare(failureShare)}</dd>
                </div>
                <div>
                  <dt>Answers with its errors</dt>
                  <dd>{formatShare(errorShare)}</dd>
                </div>
                <div>
                  <dt>Holds up</dt>
                  <dd>
                    {subgraph.gatedShare === 0
                      ? 'no answers'
                      : `${formatShare(subgraph.gatedShare)} of answers, ${formatMs(subgraph.gatedMs)} each`}
                  </dd>
                </div>
                <div>
                  <dt>Breaker</dt>
                  <dd>{breaker ?? '–'}</dd>
                </div>
                <div>
                  <dt>Running / limit, queued</dt>
                  <dd>
                    {running} / {subgraph.concurrencyLimit ?? '–'}, {queued}
                  </dd>
                </div>
              </dl>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}
