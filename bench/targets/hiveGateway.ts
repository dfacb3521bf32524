import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './target.ts';
import { pathFromTargets } from './target.ts';

function hiveTarget(name: string, runtimeFlag: string): Target {
  return {
    name,
    role: 'peer',
    program: ({ port, supergraphFile, sharing, forwardsAuthorization = false, directory }) => {
      const config = join(directory, 'gateway.config.mjs');
      writeFileSync(config, configText(sharing, forwardsAuthorization));
      return {
        args: [
          pathFromTargets('../node_modules/@graphql-hive/gateway/dist/bin.js'),
          'supergraph',
          supergraphFile,
          ...['--config-path', config, '--host', '127.0.0.1', '--port', String(port), runtimeFlag],
        ],
        env: { NODE_ENV: 'production', LOG_LEVEL: 'error' },
        path: '/graphql',
      };
    },
  };
}

/** By default, Hive Gateway shares equal concurrent subgraph requests, also between client requests. */
function configText(sharing: boolean, forwardsAuthorization: boolean): string {
  const withoutSharing = {
    transportEntries: { '*.http': { options: { deduplicateInflightRequests: false } } },
  };
  const propagation =
    'propagateHeaders: { fromClientToSubgraphs: ({ request }) => ({ authorization: request.headers.get("authorization") }) }';
  return [
    'export const gatewayConfig = {',
    `  ...${JSON.stringify(sharing ? {} : withoutSharing)},`,
    ...(forwardsAuthorization ? [`  ${propagation},`] : []),
    '};',
    '',
  ].join('\n');
}

export const hiveGateway = hiveTarget('hive-gateway', '--jit');
export const hiveGatewayRouterRuntime = hiveTarget('hive-router-runtime', '--hive-router-runtime');
