import { maskSecrets } from '../config/addressSecrets.ts';
import { formatConfigPath } from '../config/configError.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { SupergraphView } from '../supergraph/supergraphHolder.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { CallHooks } from './callHooks.ts';
import { FailureEpisodes } from './failureEpisodes.ts';
import {
  createHttpSubgraphClient,
  type ObservableSubgraphClient,
  type SubgraphCallEvent,
} from './httpSubgraphClient.ts';
import type { CallPolicyObserver } from './policies/callPolicies.ts';
import type { SendPolicy } from './subgraphClient.ts';
import { outcomeLabelOf, registerSubgraphGauges, SubgraphMetrics } from './subgraphMetrics.ts';
import type { SubgraphEndpoint } from './subgraphPools.ts';

/** The recommended length of `signing.secret`. */
const minSecretBytes = 32;

interface SubgraphClientOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'registry'>;
  /** Milliseconds since 1970. */
  now(): number;
  /** How late the gateway's own event loop is. */
  eventLoopDelayMs(): number;
  readonly supergraphs: Pick<SupergraphView, 'onChange'>;
  endpointOf(subgraph: string): SubgraphEndpoint;
  /** Their policies are put around everything else, the first one outermost. Features that are added later to the list
   *  can only observe calls. */
  readonly features: readonly ClientFeature[];
  readonly hooks?: CallHooks | undefined;
}

/** What a feature can do with the calls of subgraphs (`Feature`). */
interface ClientFeature {
  readonly sendPolicy?: SendPolicy | undefined;
  onCall?(event: SubgraphCallEvent): void;
}

/** Creates the gateway's client of subgraphs, with its metrics and log. */
export function createSubgraphClient({
  config,
  log,
  metrics: { registry },
  now,
  eventLoopDelayMs,
  supergraphs,
  endpointOf,
  features,
  hooks,
}: SubgraphClientOptions): ObservableSubgraphClient {
  const metrics = new SubgraphMetrics(registry);
  supergraphs.onChange(({ subgraphs }) => metrics.addSubgraphs(subgraphs.keys()));
  const recordCall = createCallRecorder(metrics, log, new FailureEpisodes({ log, now, eventLoopDelayMs }));
  let observing: readonly ClientFeature[] | undefined;
  const client = createHttpSubgraphClient({
    endpointOf,
    sharesInFlightCalls: config.batching.acrossRequests,
    policies: features.flatMap(({ sendPolicy }) => sendPolicy ?? []),
    hooks,
    queueTimeMs: config.overload.queueTime,
    observer: createObserver(metrics, log),
    onCall(event) {
      recordCall(event);
      // Looked up at the first call: features are added after the client.
      observing ??= features.filter(({ onCall }) => onCall !== undefined);
      for (const feature of observing) feature.onCall?.(event);
    },
    onReceiverFault: (err) => log.error({ err }, 'A receiver of a subgraph response threw'),
  });
  registerSubgraphGauges(registry, () => client.states());
  warnAboutShortSecrets(config, log);
  return client;
}

function warnAboutShortSecrets({ subgraphs }: GatewayConfig, log: Logger): void {
  const options = Object.entries(subgraphs).flatMap(([name, section]) => {
    const secret = section?.signing?.secret;
    const isShort = secret !== undefined && Buffer.byteLength(secret) < minSecretBytes;
    return isShort ? [formatConfigPath(['subgraphs', name, 'signing', 'secret'])] : [];
  });
  if (options.length > 0)
    log.warn(
      { options, minBytes: minSecretBytes },
      'Secrets that sign requests are short and may be guessed',
    );
}

/** Records the end of each call in metrics, as failures of the subgraph, and in the log at level `debug`. */
function createCallRecorder(
  metrics: SubgraphMetrics,
  log: Logger,
  failures: FailureEpisodes,
): (event: SubgraphCallEvent) => void {
  return (event) => {
    const outcome = outcomeLabelOf(event);
    metrics.onCall(event, outcome);
    failures.onCall(event.subgraph, outcome, event);
    if (!log.isLevelEnabled('debug')) return;
    const { failure, ...call } = event;
    log.debug({ ...call, outcome, ...failure?.describe() }, 'A call of a subgraph has ended');
  };
}

function createObserver(metrics: SubgraphMetrics, log: Logger): CallPolicyObserver {
  const withMalformedRetryAfter = new Set<string>();
  return {
    onWait: (subgraph) => metrics.onWait(subgraph),
    onWaitEnd: (end) => metrics.onWaitEnd(end),
    onJoin: (subgraph) => metrics.onJoin(subgraph),
    onRetry: (subgraph) => metrics.onRetry(subgraph),
    onHedge: (subgraph) => metrics.onHedge(subgraph),
    onCircuitChange(subgraph, { coordinate, breaker: { state } }) {
      const fields = { subgraph, coordinate };
      if (state === 'closed') log.info(fields, 'A circuit breaker closed: the subgraph is called again');
      else log.warn(fields, 'A circuit breaker opened: the subgraph is not called');
    },
    onEndpointChange(subgraph, address, change) {
      const fields = { subgraph, url: maskSecrets(address) };
      if (change === 'ejected')
        log.warn(fields, 'An endpoint was ejected: other endpoints are called instead');
      else log.info(fields, 'An endpoint has recovered: it is called again');
    },
    onMalformedRetryAfter(subgraph, value) {
      if (withMalformedRetryAfter.has(subgraph)) return;
      withMalformedRetryAfter.add(subgraph);
      const fields = { subgraph, value: value.slice(0, 100) };
      log.warn(fields, 'A subgraph sends a malformed Retry-After header, which is ignored');
    },
  };
}
