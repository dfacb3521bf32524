/** @jsxImportSource preact */
import type { SubgraphInsights } from '../insightsData.ts';
import { formatCount, formatCountOf, formatMs, formatRate, formatShare } from './format.ts';
import { Name, Section } from './Section.tsx';

interface HeatedSubgraph extends ReturnType<typeof heatOf> {
  readonly subgraph: SubgraphInsights;
}

/** How much a subgraph needs attention: as a word, by its errors, and by how long answers wait for it. */
function heatOf({ breaker, failureShare, errorShare, ...rest }: SubgraphInsights) {
  const { latency, gatedShare, gatedMs, callsPerSecond } = rest;
  const errors = errorHeatOf(Math.max(failureShare, errorShare));
  const waits = heatBetween(gatedShare * gatedMs, 25, 100);
  const wordOf = (): readonly [heat: string, word: string] => {
    if (breaker === 'open') return ['hot', 'not called'];
    if (errors === 'hot') return ['hot', 'failing'];
    if (waits === 'hot') return ['hot', 'slow'];
    if (breaker === 'half-open' || errors === 'warm') return ['warm', 'some failures'];
    if (latency === null || callsPerSecond === 0) return ['idle', 'idle'];
    return waits === 'warm' ? ['warm', 'holds up answers'] : ['cool', 'fine'];
  };
  const [heat, word] = wordOf();
  return { heat, word, waits };
}

function errorHeatOf(share: number): string {
  return heatBetween(share, Number.MIN_VALUE, 0.05);
}

function heatBetween(value: number, warm: number, hot: number): string {
  if (value >= hot) return 'hot';
  return value >= warm ? 'warm' : '';
}

/** With more subgraphs, those that need no attention are folded. */
const unfoldedCount = 12;

const heatOrder = ['hot', 'warm', 'cool', 'idle'];

export function Subgraphs({ subgraphs }: { subgraphs: readonly SubgraphInsights[] }) {
  // By heat alone: tiles do not move while their states are the same.
  const tiles = subgraphs
    .map((subgraph) => ({ subgraph, ...heatOf(subgraph) }))
    .sort((a, b) => heatOrder.indexOf(a.heat) - heatOrder.indexOf(b.heat));
  const isFolded = ({ heat }: HeatedSubgraph): boolean =>
    tiles.length > unfoldedCount && (heat === 'cool' || heat === 'idle');
  const folded = tiles.filter(isFolded);
  return (
    <Section
      id="subgraphs"
      title="Subgraphs"
      note="Those that need attention come first. Calls of the last one to two minutes, answers of the last five to ten. Red: failing, or answers wait for it more than 100 ms on average. A mark shows whether errors or the waiting time are the reason."
    >
      {subgraphs.length === 0 && (
        <p class="notice">No supergraph is loaded yet: GET /health/ready says why.</p>
      )}
      <Tiles tiles={tiles.filter((tile) => !isFolded(tile))} />
      {folded.length > 0 && (
        <details>
          <summary>{formatCountOf(folded.length, 'subgraph')} without problems</summary>
          <Tiles tiles={folded} />
        </details>
      )}
    </Section>
  );
}

function Tiles({ tiles }: { tiles: readonly HeatedSubgraph[] }) {
  return (
    <ul class="map">
      {tiles.map(({ subgraph, heat, word, waits }) => {
        const { name, latency, callsPerSecond, failureShare, errorShare, breaker, queued, running } =
          subgraph;
        return (
          <li key={name} class={`tile ${heat}`}>
            <h3>
              <Name text={name} /> <span class="badge">{word}</span>
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
                <dd>{formatRate(callsPerSecond)}</dd>
              </div>
              <div class={errorHeatOf(failureShare)}>
                <dt>Calls failed</dt>
                <dd>{formatShare(failureShare)}</dd>
              </div>
              <div class={errorHeatOf(errorShare)}>
                <dt>Answers in which it failed</dt>
                <dd>{formatShare(errorShare)}</dd>
              </div>
              <div class={waits}>
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
                  {formatCount(running)} / {subgraph.concurrencyLimit ?? '–'}, {formatCount(queued)}
                </dd>
              </div>
            </dl>
          </li>
        );
      })}
    </ul>
  );
}
