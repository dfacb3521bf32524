import { hasCredentials } from './addressSecrets.ts';
import { checkEnrichment } from './checkEnrichment.ts';
import { checkSubgraphHeaders } from './checkSubgraphHeaders.ts';
import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { durationMsOf, formatDuration } from './duration.ts';
import { suggestName } from './findNearestName.ts';
import { isSection, type Section, sectionOf } from './isSection.ts';
import { isWildcardAddress } from './isWildcardAddress.ts';
import { listenerDefaults, listenTimeoutDefaults } from './sections/listen.ts';
import { reconnectDefaults } from './sections/redis.ts';
import { retryDefaults, timeoutDefaults } from './sections/subgraphs.ts';
import { sourceOptions } from './sections/supergraph.ts';

/** What the application around the gateway decides instead of the configuration. */
export interface ConfigContext {
  /** The application reads who sent a request, with claims of its own (`GatewayDependencies.readIdentity`). */
  readonly readsIdentity?: boolean;
}

/** Checks the rules that concern several options. It reads the unparsed configuration and ignores values of the wrong
 *  shape, so that these problems are reported together with those of the schema. */
export function checkCrossSectionRules(
  input: unknown,
  { readsIdentity = false }: ConfigContext = {},
): ConfigProblem[] {
  const root = sectionOf(input);
  return [
    ...checkSource(sectionOf(root.supergraph), root),
    ...checkListeners(sectionOf(root.listen), sectionOf(root.admin)),
    ...checkListenTimeouts(sectionOf(sectionOf(root.listen).timeouts)),
    ...checkSubgraphNames(sectionOf(root.supergraph), sectionOf(root.subgraphs)),
    ...checkSubgraphAddresses(sectionOf(root.supergraph), sectionOf(root.subgraphs)),
    ...checkTimeouts(sectionOf(root.subgraphs)),
    ...checkRetries(sectionOf(root.subgraphs)),
    ...checkUrls(sectionOf(root.subgraphs)),
    ...checkSubgraphHeaders(sectionOf(root.subgraphs)),
    ...checkRedis(sectionOf(root.redis)),
    ...checkCacheEvents(sectionOf(sectionOf(root.cache).events), sectionOf(root.redis)),
    ...checkEnrichment(sectionOf(root.enrichment)),
    ...checkCallbacks(root),
    ...checkCors(sectionOf(sectionOf(root.security).cors)),
    ...checkIdentity(sectionOf(root.security)),
    ...(readsIdentity ? [] : checkClaims(sectionOf(root.subgraphs), sectionOf(root.security))),
    ...checkMetricsExport(sectionOf(root.telemetry)),
    ...checkTopics(sectionOf(root.subscriptions).topics, redisServers(sectionOf(root.redis)).length > 0),
  ];
}

function checkSource(supergraph: Section, root: Section): ConfigProblem[] {
  if (!isSection(root.supergraph)) return [];
  const [source, ...others] = sourceOptions.filter((key) => supergraph[key] !== undefined);
  if (source === undefined) {
    return [
      {
        path: 'supergraph',
        message: 'has none of `file`, `url` and `subgraphs`',
        expected: 'one of them',
      },
    ];
  }
  if (others.length > 0) {
    const given = [source, ...others].map((key) => `\`${key}\``).join(' and ');
    return [{ path: 'supergraph', message: `has ${given}`, expected: 'only one of them; remove the others' }];
  }
  const problems = Object.entries(optionsOfSources).flatMap(([key, sources]) =>
    supergraph[key] === undefined || sources.includes(source)
      ? []
      : [
          {
            path: `supergraph.${key}`,
            message: `cannot be combined with \`${source}\``,
            expected:
              alternativeOptions[`${source}.${key}`] ??
              `${key} with ${sources.map((name) => `\`${name}\``).join(' or ')}`,
          },
        ],
  );
  if (Array.isArray(supergraph.subgraphs) && supergraph.subgraphs.length === 0) {
    problems.push({
      path: 'supergraph.subgraphs',
      message: 'is empty',
      expected: 'at least one subgraph with `name` and `url`',
    });
  }
  return problems;
}

/** The sources with which an option has a meaning. */
const optionsOfSources: Readonly<Record<string, readonly string[]>> = {
  watch: ['file'],
  headers: ['url'],
  pollInterval: ['url', 'subgraphs', 'load'],
};

/** What replaces an option with another source. */
const alternativeOptions: Readonly<Record<string, string>> = {
  'file.pollInterval': '`watch`',
  'url.watch': '`pollInterval`',
  'subgraphs.watch': '`pollInterval`',
  'load.watch': '`pollInterval`',
  'subgraphs.headers': '`headers` of an entry of `subgraphs`',
};

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

function checkListenTimeouts(timeouts: Section): ConfigProblem[] {
  const timeoutMs = (key: 'headers' | 'request') =>
    durationMsOf(timeouts[key]) ?? durationMsOf(listenTimeoutDefaults[key]) ?? 0;
  const [headers, request] = [timeoutMs('headers'), timeoutMs('request')];
  if (headers <= request) return [];
  return [
    {
      path: `listen.timeouts.${timeouts.headers === undefined ? 'request' : 'headers'}`,
      message: `conflicts: headers is ${formatDuration(headers)}, request is ${formatDuration(request)}`,
      expected:
        'a time for the headers that is no longer than that for the whole request, such as 10s and 1m',
    },
  ];
}

function checkSubgraphNames(supergraph: Section, subgraphs: Section): ConfigProblem[] {
  if (!Array.isArray(supergraph.subgraphs)) return [];
  const problems: ConfigProblem[] = [];
  const names = new Set<string>();
  supergraph.subgraphs.forEach((entry: unknown, index) => {
    const { name } = sectionOf(entry);
    if (typeof name !== 'string') return;
    if (names.has(name)) {
      problems.push({
        path: formatConfigPath(['supergraph', 'subgraphs', index, 'name']),
        message: `is ${JSON.stringify(name)}, which is already used`,
        expected: 'unique names',
      });
    }
    names.add(name);
  });
  for (const name of Object.keys(subgraphs)) {
    if (name === 'all' || names.has(name)) continue;
    const suggestion = suggestName(name, ['all', ...names]);
    problems.push({
      path: formatConfigPath(['subgraphs', name]),
      message: `is not one of supergraph.subgraphs${suggestion}`,
      expected: suggestion === '' ? ['all', ...names].join(', ') : '',
    });
  }
  return problems;
}

/** The address of a subgraph is in the supergraph, in logs and in `GET /supergraph`. */
function checkSubgraphAddresses(supergraph: Section, subgraphs: Section): ConfigProblem[] {
  const composed = Array.isArray(supergraph.subgraphs) ? supergraph.subgraphs : [];
  const addresses = [
    ...composed.map((entry: unknown, index) => [['supergraph', 'subgraphs', index], entry] as const),
    ...Object.entries(subgraphs).map(([name, entry]) => [['subgraphs', name], entry] as const),
  ];
  return addresses
    .flatMap(([path, entry]) => {
      const { url, urls } = sectionOf(entry);
      const several = Array.isArray(urls) ? urls : [];
      return [
        { path: [...path, 'url'], address: url },
        ...several.map((address: unknown, n) => ({ path: [...path, 'urls', n], address })),
      ];
    })
    .filter(
      ({ address }) => typeof address === 'string' && /^https?:/i.test(address) && hasCredentials(address),
    )
    .map(({ path }) => ({
      path: formatConfigPath(path),
      message: 'has a user name or a password',
      expected:
        'an address without them: use headers instead, such as `authorization` of clients (headers.forward) or of a proxy in front of the subgraph',
    }));
}

function checkTimeouts(subgraphs: Section): ConfigProblem[] {
  const timeoutsOf = (name: string) => sectionOf(sectionOf(subgraphs[name]).timeouts);
  const requestDeadline =
    durationMsOf(timeoutsOf('all').deadline) ?? durationMsOf(timeoutDefaults.deadline) ?? 0;
  return Object.keys({ all: {}, ...subgraphs }).flatMap((name) => {
    const deadline = durationMsOf(timeoutsOf(name).deadline) ?? requestDeadline;
    const problems = checkOrder(subgraphs, name, {
      section: 'timeouts',
      keys: ['attempt', 'deadline'],
      defaults: timeoutDefaults,
      expected: 'an attempt that is no longer than the deadline',
    });
    if (deadline <= requestDeadline) return problems;
    return [
      {
        path: formatConfigPath(['subgraphs', name, 'timeouts', 'deadline']),
        message: `is ${formatDuration(deadline)}, longer than the deadline of the whole request`,
        expected: `at most subgraphs.all.timeouts.deadline, ${formatDuration(requestDeadline)}`,
      },
      ...problems,
    ];
  });
}

function checkRetries(subgraphs: Section): ConfigProblem[] {
  return Object.keys({ all: {}, ...subgraphs }).flatMap((name) =>
    checkOrder(subgraphs, name, {
      section: 'retry',
      keys: ['minDelay', 'maxDelay'],
      defaults: retryDefaults,
      expected: 'a minDelay that is no longer than maxDelay, such as 50ms and 1s',
    }),
  );
}

/** Two durations of a subgraph, the first of which must not be longer than the second. */
interface DurationOrder<Key extends string> {
  readonly section: string;
  readonly keys: readonly [Key, Key];
  readonly defaults: Readonly<Record<Key, string>>;
  readonly expected: string;
}

/** Checks two durations of a subgraph with those that it inherits from `all`. Reported where it sets one of them. */
function checkOrder<Key extends string>(
  subgraphs: Section,
  name: string,
  { section, keys: [short, long], defaults, expected }: DurationOrder<Key>,
): ConfigProblem[] {
  const own = sectionOf(sectionOf(subgraphs[name])[section]);
  const all = sectionOf(sectionOf(subgraphs.all)[section]);
  const msOf = (key: Key) =>
    durationMsOf(own[key]) ?? durationMsOf(all[key]) ?? durationMsOf(defaults[key]) ?? 0;
  const ownKey = own[short] === undefined ? long : short;
  if (msOf(short) <= msOf(long) || own[ownKey] === undefined) return [];
  return [
    {
      path: formatConfigPath(['subgraphs', name, section, ownKey]),
      message: `conflicts: ${short} is ${formatDuration(msOf(short))}, ${long} is ${formatDuration(msOf(long))}`,
      expected,
    },
  ];
}

function checkUrls(subgraphs: Section): ConfigProblem[] {
  return Object.keys(subgraphs).flatMap((name) => {
    const { url, urls } = sectionOf(subgraphs[name]);
    if (url === undefined || urls === undefined) return [];
    return [
      {
        path: formatConfigPath(['subgraphs', name]),
        message: 'has both `url` and `urls`',
        expected: 'either `url`, or `urls` with all addresses',
      },
    ];
  });
}

function checkRedis(redis: Section): ConfigProblem[] {
  const servers = redisServers(redis);
  const problems: ConfigProblem[] = [];
  if (servers.length > 1) {
    const message = `has ${servers.map((key) => `\`${key}\``).join(' and ')}`;
    problems.push({ path: 'redis', message, expected: 'only one of them; remove the others' });
  }
  if (servers.includes('cluster.nodes') && Number(redis.database) > 0) {
    problems.push({ path: 'redis.database', message: `is ${redis.database}`, expected: '0 with `cluster`' });
  }
  const { minDelay, maxDelay } = sectionOf(redis.reconnect);
  const [min, max] = [minDelay ?? reconnectDefaults.minDelay, maxDelay ?? reconnectDefaults.maxDelay];
  if ((durationMsOf(min) ?? 0) > (durationMsOf(max) ?? Number.POSITIVE_INFINITY)) {
    const path = `redis.reconnect.${maxDelay === undefined ? 'minDelay' : 'maxDelay'}`;
    const message = `conflicts: minDelay is ${min}, maxDelay is ${max}`;
    problems.push({ path, message, expected: 'a minDelay that is no longer than maxDelay' });
  }
  return problems;
}

/** The keys that configure Redis servers. */
function redisServers(redis: Section): string[] {
  const hasNodes = (key: 'cluster' | 'sentinel') => {
    const { nodes } = sectionOf(redis[key]);
    return Array.isArray(nodes) && nodes.length > 0;
  };
  return [
    ...(typeof redis.url === 'string' && redis.url !== '' ? ['url'] : []),
    ...(hasNodes('cluster') ? ['cluster.nodes'] : []),
    ...(hasNodes('sentinel') ? ['sentinel.nodes'] : []),
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

function checkCors({ origins, credentials }: Section): ConfigProblem[] {
  const isOn = credentials === true || credentials === 'true';
  if (!isOn || !Array.isArray(origins) || !origins.includes('*')) return [];
  return [
    {
      path: 'security.cors.credentials',
      message: 'is true, but security.cors.origins has *',
      expected: 'the origins by name, such as https://shop.example or https://*.shop.example',
    },
  ];
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
  const isOn = [true, 'true'].includes(sectionOf(metrics).otlp as boolean);
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
