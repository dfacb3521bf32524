import { fileURLToPath } from 'node:url';
import { type Child, startChild } from '../childProcess.ts';
import { type HiveEventSource, hiveGatewaySubscriptions } from '../targets/hiveGatewaySubscriptions.ts';
import { channel, field, streamKey, webSocketPath } from './shop.ts';
import type { EventDestination, ShopUrls } from './shopProcess.ts';

/** The source of events: the subgraph over one of two protocols, or Redis by the gateway's own feature. */
export const eventSources = ['graphql_ws', 'sse', 'redis'] as const;
export type EventSource = (typeof eventSources)[number];

export interface GatewayEnvironment {
  readonly subgraphs: ShopUrls;
  readonly redisUrl: string;
  readonly supergraphFile: string;
  /** A supergraph in which the subscription field has `@pubsubOperation`. */
  readonly eventDrivenSupergraphFile: string;
  /** The directory of configuration files. */
  readonly directory: string;
}

export interface MeasuredGateway {
  readonly name: string;
  /** The names of the sources in the table. */
  readonly sourceTitles: Readonly<Record<EventSource, string>>;
  /** Starts a process that first reports its URL as `{ url }`, then replies to each `'memory'` with a
   *  `MemoryReport`. */
  start(source: EventSource, environment: GatewayEnvironment): Child;
  /** Where its events are published. */
  eventDestination(source: EventSource, redisUrl: string): EventDestination;
  /** The gateway's connections per client, including those to the subgraph. */
  connectionsPerClient(source: EventSource): number;
}

const nodeFlags = ['--max-semi-space-size=64', '--expose-gc'];

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

const tributary: MeasuredGateway = {
  name: 'tributary',
  sourceTitles: { graphql_ws: 'subgraph, ws', sse: 'subgraph, sse', redis: 'Redis, stream' },
  start(source, { redisUrl, supergraphFile }) {
    const fed =
      source === 'redis'
        ? { redis: { url: redisUrl }, subscriptions: { topics: { [field]: { stream: streamKey } } } }
        : {};
    const subscription =
      source === 'sse' ? { protocol: 'sse' } : { protocol: 'graphql_ws', path: webSocketPath };
    const options = {
      listen: { port: 0 },
      admin: { port: 0 },
      supergraph: { file: supergraphFile, watch: false },
      subgraphs: { all: { subscription } },
      telemetry: { logLevel: 'silent' },
      ...fed,
    };
    return startChild('Tributary', {
      core: 'target',
      args: [...nodeFlags, pathOf('gatewayProcess.ts'), JSON.stringify(options)],
      ipc: true,
    });
  },
  eventDestination: (source, redisUrl) =>
    source === 'redis' ? { kind: 'stream', redisUrl } : { kind: 'subgraph' },
  // Equal subscriptions share one subscription to the subgraph.
  connectionsPerClient: () => 1,
};

const hiveGateway: MeasuredGateway = {
  name: 'hive-gateway',
  sourceTitles: { graphql_ws: 'subgraph, ws', sse: 'subgraph, sse', redis: 'Redis, Pub/Sub' },
  start(source, { redisUrl, supergraphFile, eventDrivenSupergraphFile, directory }) {
    const sources: Readonly<Record<EventSource, HiveEventSource>> = {
      graphql_ws: { kind: 'graphql_ws', path: webSocketPath },
      sse: { kind: 'sse' },
      redis: { kind: 'redis', url: redisUrl, channelPrefix: channel.prefix },
    };
    const { args, env } = hiveGatewaySubscriptions({
      supergraphFile: source === 'redis' ? eventDrivenSupergraphFile : supergraphFile,
      source: sources[source],
      directory,
    });
    return startChild('Hive Gateway', {
      core: 'target',
      args: [...nodeFlags, '--import', pathOf('peerPreload.ts'), ...args],
      env,
      ipc: true,
    });
  },
  eventDestination: (source, redisUrl) =>
    source === 'redis' ? { kind: 'channel', redisUrl } : { kind: 'subgraph' },
  // Subscriptions share a WebSocket; over server-sent events, each has a connection of its own.
  connectionsPerClient: (source) => (source === 'sse' ? 2 : 1),
};

/** What a gateway cannot do for less: see `floorProcess.ts`. */
const floor: MeasuredGateway = {
  name: 'floor',
  sourceTitles: { graphql_ws: 'subgraph, ws', sse: 'unsupported', redis: 'unsupported' },
  start(source, { subgraphs }) {
    if (source !== 'graphql_ws') throw new Error('The floor takes events over graphql_ws only');
    return startChild('The floor', {
      core: 'target',
      args: [...nodeFlags, pathOf('floorProcess.ts'), JSON.stringify(subgraphs)],
      ipc: true,
    });
  },
  eventDestination: () => ({ kind: 'subgraph' }),
  connectionsPerClient: () => 1,
};

export const gateways = { tributary, floor, 'hive-gateway': hiveGateway } as const;
