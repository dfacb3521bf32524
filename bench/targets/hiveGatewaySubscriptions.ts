import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathFromTargets, type TargetProgram } from './target.ts';

/** The source of Hive Gateway's events: a subscription of its own to the subgraph for each client, over a WebSocket
 *  or server-sent events (its default), or its Redis Pub/Sub engine, which serves the `@pubsubOperation` of its
 *  supergraph. */
export type HiveEventSource =
  | { readonly kind: 'graphql_ws'; readonly path: string }
  | { readonly kind: 'sse' }
  | { readonly kind: 'redis'; readonly url: string; readonly channelPrefix: string };

interface HiveSubscriptionsContext {
  readonly supergraphFile: string;
  readonly source: HiveEventSource;
  /** The directory of its configuration file. */
  readonly directory: string;
}

/** Listens on any free port. Uses the router runtime: the other runtime, `--jit`, costs more per event, and returns
 *  null for the fields that an event of `@pubsubOperation` has itself. */
export function hiveGatewaySubscriptions(context: HiveSubscriptionsContext): TargetProgram {
  const config = join(context.directory, 'gateway.config.mjs');
  writeFileSync(config, configText(context.source));
  return {
    args: [
      pathFromTargets('../node_modules/@graphql-hive/gateway/dist/bin.js'),
      'supergraph',
      context.supergraphFile,
      ...['--config-path', config, '--host', '127.0.0.1', '--port', '0', '--hive-router-runtime'],
    ],
    env: { NODE_ENV: 'production', LOG_LEVEL: 'error' },
    path: '/graphql',
  };
}

function configText(source: HiveEventSource): string {
  if (source.kind === 'sse') return 'export const gatewayConfig = {};\n';
  if (source.kind === 'graphql_ws') {
    const subscriptions = { kind: 'ws', location: source.path };
    const config = { transportEntries: { '*.http': { options: { subscriptions } } } };
    return `export const gatewayConfig = ${JSON.stringify(config)};\n`;
  }
  // Full URLs, because the directory of the file has no modules.
  const [redis, pubsub] = ['ioredis', '@graphql-hive/pubsub/redis'].map((name) => import.meta.resolve(name));
  const client = `new Redis(${JSON.stringify(source.url)})`;
  return [
    `import Redis from ${JSON.stringify(redis)};`,
    `import { RedisPubSub } from ${JSON.stringify(pubsub)};`,
    'export const gatewayConfig = {',
    `  pubsub: new RedisPubSub({ pub: ${client}, sub: ${client} }, ${JSON.stringify({ channelPrefix: source.channelPrefix })}),`,
    '};',
    '',
  ].join('\n');
}
