import { checkEnrichment } from './checkEnrichment.ts';
import { checkOrder } from './checkOrder.ts';
import { checkRedis, redisServers } from './checkRedis.ts';
import { checkSubgraphHeaders } from './checkSubgraphHeaders.ts';
import { checkSubgraphs } from './checkSubgraphs.ts';
import { checkSupergraphSource } from './checkSupergraphSource.ts';
import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { type Section, sectionOf } from './isSection.ts';
import { isTrue } from './isTrue.ts';
import { isWildcardAddress } from './isWildcardAddress.ts';
import { listenerDefaults, listenTimeoutDefaults } from './sections/listen.ts';
import { subscriptionReconnectDefaults } from './sections/subscriptions.ts';

/** What the application around the gateway decides instead of the configuration. */
export interface ConfigContext {
  /** The application reads who sent a request, with claims of its own (`GatewayDependencies.readIdentity`). */
  readonly readsIdentity?: boolean;
  /** Paths of options with the text of a file, which no message quotes. */
  readonly textsFromFiles?: ReadonlySet<string>;
}

/** Checks the rules that concern several options. It reads the unparsed configuration and ignores values of the wrong
 *  shape, so that these problems are reported together with those of the schema. */
export function checkCrossSectionRules(
  input: unknown,
  { readsIdentity = false }: ConfigContext = {},
): ConfigProblem[] {
  const root = sectionOf(input);
  return [
    ...checkSupergraphSource(root),
    ...checkListeners(sectionOf(root.listen), sectionOf(root.admin)),
    ...checkOrder(
      sectionOf(sectionOf(root.listen).timeouts),
      ['listen', 'timeouts'],
      ['headers', 'request'],
      listenTimeoutDefaults,
    ),
    ...checkSubgraphs(sectionOf(root.supergraph), sectionOf(root.subgraphs)),
    ...checkSubgraphHeaders(sectionOf(root.subgraphs)),
    ...checkRedis(sectionOf(root.redis)),
    ...checkCacheEvents(sectionOf(sectionOf(root.cache).events), sectionOf(root.redis)),
    ...checkEnrichment(sectionOf(root.enrichment)),
    ...checkCallbacks(root),
    ...checkCors(sectionOf(sectionOf(root.security).cors)),
    ...checkIdentity(sectionOf(root.security)),
    ...(readsIdentity ? [] : checkClaims(sectionOf(root.subgraphs), sectionOf(root.security))),
    ...checkMetricsExport(sectionOf(root.telemetry)),
    ...checkOrder(
      sectionOf(sectionOf(root.subscriptions).reconnect),
      ['subscriptions', 'reconnect'],
      ['minDelay', 'maxDelay'],
      subscriptionReconnectDefaults,
    ),
    ...checkTopics(sectionOf(root.subscriptions).topics, redisServers(sectionOf(root.redis)).length > 0),
  ];
}

function checkListeners(listen: Section, admin: Section): ConfigProblem[] {
  const hosts = [listen.host ?? listenerDefaults.host, admin.host ?? listenerDefaults.host];
  const port = Number(listen.port ?? listenerDefaults.port);
  const adminPort = Number(admin.port ?? listenerDefaults.adminPort);
  const isShared = hosts[0] === hosts[1] || hosts.some(isWildcardAddress);
  if (port !== adminPort || port === 0 || !isShared) return [];
  return [
    {
      path: 'admin.port',
      message: `is ${port}, the same as listen.port`,
      expected: 'another port: the admin routes are never on the public listener',
    },
  ];
}

function checkCacheEvents({ stream }: Section, redis: Section): ConfigProblem[] {
  if (typeof stream !== 'string' || stream === '' || redisServers(redis).length > 0) return [];
  return [
    {
      path: 'cache.events.stream',
      message: `is ${JSON.stringify(stream)}, but no Redis is configured`,
      expected: 'one of `redis.url`, `redis.cluster` and `redis.sentinel` as well',
    },
  ];
}

function checkCallbacks(root: Section): ConfigProblem[] {
  const subgraphs = sectionOf(root.subgraphs);
  const protocolOf = (name: string) => sectionOf(sectionOf(subgraphs[name]).subscription).protocol;
  const name = Object.keys(subgraphs).find((key) => protocolOf(key) === 'http_callback');
  if (name === undefined) return [];
  const reason = `${formatConfigPath(['subgraphs', name, 'subscription', 'protocol'])} is http_callback`;
  const { host, publicUrl = '' } = sectionOf(root.listen);
  if (!isWildcardAddress(host) || publicUrl !== '') return [];
  return [
    {
      path: 'listen.publicUrl',
      message: `is empty, listen.host is ${host}, and ${reason}`,
      expected: 'the address at which subgraphs reach this listener, such as http://gateway:4000',
    },
  ];
}

/** For requests with credentials, browsers read `*` as a name. */
function checkCors(cors: Section): ConfigProblem[] {
  if (!isTrue(cors.credentials)) return [];
  const headers = 'the headers by name, such as x-api-key';
  return Object.entries({
    origins: 'the origins by name, such as https://shop.example or https://*.shop.example',
    allowHeaders: headers,
    exposeHeaders: headers,
  }).flatMap(([key, expected]) => {
    const names = cors[key];
    if (!Array.isArray(names) || !names.includes('*')) return [];
    const message = `is true, but security.cors.${key} has *`;
    return [{ path: 'security.cors.credentials', message, expected }];
  });
}

const tokenVerification =
  'security.jwt as well, such as { issuers: [{ jwks: https://login.example/.well-known/jwks.json }] }, or a header that a trusted proxy sets';

function checkIdentity({ identity, jwt }: Section): ConfigProblem[] {
  const { claim } = sectionOf(identity);
  if (claim === undefined || jwt !== undefined) return [];
  return [
    {
      path: 'security.identity.claim',
      message: `is ${JSON.stringify(claim)}, but no token is verified`,
      expected: `${tokenVerification} (security.identity.header)`,
    },
  ];
}

/** Header rules with a claim send nothing when no token is verified. */
function checkClaims(subgraphs: Section, { jwt }: Section): ConfigProblem[] {
  if (jwt !== undefined) return [];
  return Object.entries(subgraphs).flatMap(([name, section]) => {
    const { rules } = sectionOf(sectionOf(section).headers);
    return (Array.isArray(rules) ? rules : []).flatMap((rule: unknown, index) => {
      const { set, claim } = sectionOf(rule);
      if (set === undefined || claim === undefined) return [];
      return [
        {
          path: formatConfigPath(['subgraphs', name, 'headers', 'rules', index, 'claim']),
          message: `is ${JSON.stringify(claim)}, but no token is verified`,
          expected: `${tokenVerification} (\`forward\` instead of \`set\`)`,
        },
      ];
    });
  });
}

function checkMetricsExport({ metrics, otlp }: Section): ConfigProblem[] {
  const isOn = isTrue(sectionOf(metrics).otlp);
  const { endpoint = '' } = sectionOf(otlp);
  if (!isOn || endpoint !== '') return [];
  return [
    {
      path: 'telemetry.metrics.otlp',
      message: 'is true, but telemetry.otlp.endpoint is empty',
      expected: 'the address of a collector as well (telemetry.otlp.endpoint), such as http://localhost:4318',
    },
  ];
}

/** Topics of type `stream` need a configured Redis. */
function checkTopics(topics: unknown, hasRedis: boolean): ConfigProblem[] {
  if (hasRedis) return [];
  return Object.entries(sectionOf(topics)).flatMap(([coordinate, topic]) => {
    const { stream } = sectionOf(topic);
    if (typeof stream !== 'string' || stream === '') return [];
    return [
      {
        path: formatConfigPath(['subscriptions', 'topics', coordinate, 'stream']),
        message: `is ${JSON.stringify(stream)}, but no Redis is configured`,
        expected:
          'one of `redis.url`, `redis.cluster` and `redis.sentinel` as well, or `topic` for events of this process',
      },
    ];
  });
}
