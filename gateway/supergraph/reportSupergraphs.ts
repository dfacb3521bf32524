import type { GatewayConfig } from '../config/schema.ts';
import { listOverrideLabels } from '../planning/overrideLabels.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Supergraph } from './supergraph.ts';
import type { SupergraphHolder } from './supergraphHolder.ts';

/** Logs each supergraph that comes into use, why one does not, and what the configuration has that it lacks. */
export function reportSupergraphs(supergraphs: SupergraphHolder, config: GatewayConfig, log: Logger): void {
  supergraphs.onProblem((reason) => log.error({ reason }, 'No new supergraph is used'));
  supergraphs.onChange((supergraph) => {
    const subgraphs = [...supergraph.subgraphs.keys()];
    log.info({ supergraph: supergraph.id, subgraphs }, 'A supergraph is in use');
    const absent = absentSubgraphs(config, supergraph);
    if (absent.length > 0) {
      log.warn({ absent, subgraphs }, 'The configuration has subgraphs that the supergraph does not have');
    }
    const labels = listOverrideLabels(supergraph.overrides);
    const unused = Object.keys(config.override.labels).filter((label) => !labels.includes(label));
    if (unused.length > 0) {
      log.warn(
        { unused, labels },
        'The configuration has labels of @override that the supergraph does not have',
      );
    }
  });
}

function absentSubgraphs(config: GatewayConfig, supergraph: Supergraph): string[] {
  return Object.keys(config.subgraphs).filter((name) => name !== 'all' && !supergraph.subgraphs.has(name));
}
