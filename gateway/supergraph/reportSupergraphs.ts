import type { GatewayConfig } from '../config/schema.ts';
import { listOverrideLabels } from '../planning/overrideLabels.ts';
import type { Logger } from '../telemetry/logger.ts';
import { sourceLocationOf } from './sources/createSource.ts';
import type { Supergraph } from './supergraph.ts';
import type { SupergraphHolder } from './supergraphHolder.ts';

/** Logs each switch to a new supergraph, each refusal, each outage of the source and its end, and names in the configuration
 *  that the supergraph does not have. */
export function reportSupergraphs(supergraphs: SupergraphHolder, config: GatewayConfig, log: Logger): void {
  const { supergraph: source } = config;
  // A file that is not watched ends the gateway.
  const isAwaited = !('file' in source) || source.watch;
  const consequence = (otherwise: string): string =>
    isAwaited && supergraphs.current() === undefined
      ? ': requests get 503 SUPERGRAPH_UNAVAILABLE until a valid one arrives.'
      : otherwise;
  supergraphs.onProblem((reason, origin) => {
    if (reason === undefined && origin === 'source')
      log.info('The supergraph can be read from its source again');
    else if (reason === undefined) log.info('The refused supergraph was replaced by the one in use');
    else if (origin === 'source') {
      const advice = isAwaited ? `. The gateway retries${consequence('.')}` : '';
      log.error({ reason }, `The supergraph could not be read from its source${advice}`);
    } else {
      const message = `The new supergraph was refused${consequence('')}`;
      log.error({ reason, source: sourceLocationOf(config) }, message);
    }
  });
  supergraphs.onChange((supergraph) => {
    const subgraphs = [...supergraph.subgraphs.keys()];
    log.info({ supergraph: supergraph.id, subgraphs }, 'A new supergraph is in use');
    const absent = absentSubgraphs(config, supergraph);
    if (absent.length > 0) {
      log.warn(
        { absent, subgraphs },
        'The supergraph does not have all configured subgraphs (subgraphs.<name>)',
      );
    }
    const labels = listOverrideLabels(supergraph.overrides);
    const unused = Object.keys(config.override.labels).filter((label) => !labels.includes(label));
    if (unused.length > 0) {
      log.warn(
        { unused, labels },
        'The supergraph does not have all configured labels of @override (override.labels)',
      );
    }
  });
}

function absentSubgraphs(config: GatewayConfig, supergraph: Supergraph): string[] {
  return Object.keys(config.subgraphs).filter((name) => name !== 'all' && !supergraph.subgraphs.has(name));
}
