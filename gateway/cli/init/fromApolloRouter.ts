import { durationMsOf } from '../../config/duration.ts';
import { isSection, type Section, sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import { translateExporters } from './routerExporters.ts';
import { translateHeaders } from './routerHeaders.ts';
import {
  address,
  asDuration,
  asFile,
  asSize,
  bySubgraph,
  lowerCase,
  negated,
  note,
  section,
  seeGuide,
  type Translate,
  to,
  toSubgraph,
  unless,
  unneeded,
} from './routerOptions.ts';
import { replaceRouterVariables } from './routerValues.ts';

const path: Translate = (value, source, draft) => {
  if (typeof value === 'string' && /^\/[\w\-./]*$/.test(value)) draft.set(['listen', 'path'], value, source);
  else draft.note(source, 'placeholders and wildcards are not available');
};

const cors: Translate = (value, source, draft) => {
  const { policies, ...general } = sectionOf(value);
  const rules = {
    allow_any_origin: (any: unknown) => {
      if (any === true) draft.set(['security', 'cors', 'origins'], ['*'], `${source}.allow_any_origin`);
    },
    allow_credentials: to('security.cors.credentials'),
    allow_headers: (names: unknown, at: string) => {
      // Without names, Apollo Router allows all headers.
      if (JSON.stringify(names) !== '[]') to('security.cors.allowHeaders')(names, at, draft);
    },
    expose_headers: to('security.cors.exposeHeaders'),
    max_age: to('security.cors.maxAge', asDuration),
    methods: unless([['GET', 'POST', 'OPTIONS']], 'the methods of the GraphQL route are fixed'),
  };
  section(rules)(general, source, draft);
  corsPolicies(Array.isArray(policies) ? policies.map(sectionOf) : [], rules, source, draft);
  // Here, preflight requests with other headers fail.
  if (draft.has(corsPath('origins')) && !draft.has(corsPath('allowHeaders')))
    draft.note(
      `${source}.allow_headers`,
      'Apollo Router allows all headers that a preflight request names: list those that pages send, such as sentry-trace, in security.cors.allowHeaders',
    );
};

const corsPath = (key: string): readonly string[] => ['security', 'cors', key];

/** The origins of all policies, and the other options of the first one. */
function corsPolicies(
  policies: readonly Section[],
  rules: Readonly<Record<string, Translate>>,
  source: string,
  draft: ConfigDraft,
): void {
  const origins = policies.flatMap((policy) => policy.origins ?? []);
  if (origins.length > 0) draft.set(corsPath('origins'), origins, `${source}.policies`);
  const [first, ...others] = policies.map(({ origins: _, match_origins: expressions, ...policy }, index) => {
    if (expressions !== undefined)
      draft.note(
        `${source}.policies[${index}].match_origins`,
        'expressions are not available: list these origins in security.cors.origins, with https://*.shop.example for subdomains',
      );
    return policy;
  });
  section(rules)(first, `${source}.policies[0]`, draft);
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(first)))
    draft.note(`${source}.policies`, 'all origins have one policy here, which is the first one');
}

const issuersPath = ['security', 'jwt', 'issuers'];
const cookiePath = ['security', 'jwt', 'cookie'];

const jwt: Translate = (value, source, draft) => {
  const { jwks, sources, header_value_prefix: prefix, ...others } = sectionOf(value);
  const issuers = (Array.isArray(jwks) ? jwks : []).flatMap((entry, index) =>
    issuersOf(sectionOf(entry), `${source}.jwks[${index}]`, draft),
  );
  if (issuers.length > 0) draft.set(issuersPath, issuers, `${source}.jwks`);
  draft.requireList(
    issuersPath,
    source,
    `Nothing was written: Apollo Router verifies tokens, but no key set of ${source} can be translated, and clients would not be authenticated. Change it, or remove it and set security.jwt in the written file by hand.`,
  );
  if (prefix !== undefined) unless(['Bearer'])(prefix, `${source}.header_value_prefix`, draft);
  for (const [index, entry] of (Array.isArray(sources) ? sources : []).entries())
    tokenSource(entry, `${source}.sources[${index}]`, draft);
  section({ header_name: to('security.jwt.header', lowerCase) })(others, source, draft);
};

/** Apollo Router reads tokens of `sources` besides those in `header_name`. Here, one cookie can be besides one header. */
const tokenSource: Translate = (value, source, draft) => {
  const { type, name, value_prefix: prefix, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  if (prefix !== undefined) draft.note(`${source}.value_prefix`, 'a prefix of tokens is not available');
  if (type === 'header')
    draft.note(
      source,
      `tokens in the header ${name} are not read: there is one header for tokens, security.jwt.header`,
    );
  else if (type !== 'cookie') draft.note(source, seeGuide);
  else if (draft.has(cookiePath))
    draft.note(
      source,
      `tokens in the cookie ${name} are not read: there is one cookie for tokens, security.jwt.cookie`,
    );
  else to(cookiePath.join('.'))(name, source, draft);
};

const requireAuthentication: Translate = (value, source, draft) => {
  if (value === false) return;
  to('security.jwt.required')(value, source, draft);
  draft.requireList(
    issuersPath,
    source,
    `Nothing was written: ${source} needs verified tokens, but the configuration has no authentication.router.jwt. Remove ${source}, and set security.jwt in the written file by hand.`,
  );
};

/** The issuers of one key set. Apollo Router accepts several for a key set; here each has an entry. */
function issuersOf(entry: Section, source: string, draft: ConfigDraft): Section[] {
  const { url, issuers, audiences, algorithms, headers, poll_interval: pollInterval, ...others } = entry;
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  if (typeof url !== 'string' || url.startsWith('file:')) {
    draft.note(`${source}.url`, 'keys are fetched over HTTP only');
    return [];
  }
  if (pollInterval !== undefined)
    to('security.jwt.refreshInterval', asDuration)(pollInterval, `${source}.poll_interval`, draft);
  const named = isGiven(headers) ? { headers: keyHeadersOf(headers, `${source}.headers`, draft) } : {};
  const names: readonly unknown[] = Array.isArray(issuers) ? issuers : [issuers ?? undefined];
  return (names.length === 0 ? [undefined] : names).map((issuer) => ({
    jwks: url,
    ...(issuer === undefined ? {} : { issuer }),
    // Wrong values are not omitted: without them, more tokens would be accepted.
    ...(isGiven(audiences) ? { audiences } : {}),
    ...(isGiven(algorithms) ? { algorithms } : {}),
    ...named,
  }));
}

function keyHeadersOf(headers: unknown, source: string, draft: ConfigDraft): Record<string, unknown> {
  const entries = (Array.isArray(headers) ? headers : [headers]).flatMap(
    (header, index): [string, unknown][] => {
      const { name, value } = sectionOf(header);
      if (typeof name === 'string') return [[name, value]];
      // Not quoted: it may be a secret.
      draft.note(`${source}[${index}]`, 'has no name');
      return [];
    },
  );
  return Object.fromEntries(entries);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

const demandControl: Translate = (value, source, draft) => {
  const { enabled = false, mode, strategy, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  const { static_estimated: estimated, ...otherStrategies } = sectionOf(strategy);
  for (const key of Object.keys(otherStrategies)) draft.note(`${source}.strategy.${key}`, seeGuide);
  const { max, list_size: listSize, ...unknown } = sectionOf(estimated);
  for (const key of Object.keys(unknown)) draft.note(`${source}.strategy.static_estimated.${key}`, seeGuide);
  if (enabled !== true) return;
  if (listSize !== undefined) draft.set(['limits', 'cost', 'listSize'], listSize, `${source}.strategy`);
  // 0 measures and refuses nothing.
  if (max !== undefined)
    draft.set(['limits', 'cost', 'max'], mode === 'enforce' ? max : 0, `${source}.strategy`);
};

const batching: Translate = (value, source, draft) => {
  const { enabled, maximum_size: size, mode, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  if (mode !== undefined) unless(['batch_http_link'])(mode, `${source}.mode`, draft);
  if (enabled !== true) return;
  if (size === undefined) draft.note(source, 'set limits.batchedOperations: without it, arrays are refused');
  else draft.set(['limits', 'batchedOperations'], size, `${source}.maximum_size`);
};

const persistedQueries: Translate = (value, source, draft) => {
  const { enabled, safelist, local_manifests: manifests, hot_reload: _, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  const { enabled: isSafelist, require_id: requireId } = sectionOf(safelist);
  if (requireId === true)
    draft.note(`${source}.safelist.require_id`, 'texts of the manifest are accepted, too');
  if (enabled !== true) return;
  if (!Array.isArray(manifests) || manifests.length === 0) {
    draft.note(
      source,
      'lists of GraphOS are not fetched: let CI download them, and set security.trustedDocuments',
    );
    return;
  }
  draft.set(['security', 'trustedDocuments', 'mode'], isSafelist === true ? 'require' : 'prefer', source);
  draft.set(['security', 'trustedDocuments', 'manifest'], manifests, `${source}.local_manifests`);
};

const apq: Translate = (value, source, draft) => {
  const { enabled, router, subgraph, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  if (enabled !== undefined) to('http.persistedQueries.enabled')(enabled, `${source}.enabled`, draft);
  const { cache } = sectionOf(router);
  const { redis, in_memory: inMemory } = sectionOf(cache);
  if (inMemory !== undefined)
    draft.note(`${source}.router.cache.in_memory`, 'planning.textCacheSize limits characters, not texts');
  if (redis !== undefined) redisServers(redis, `${source}.router.cache.redis`, draft);
  const { ttl } = sectionOf(redis);
  if (ttl !== undefined)
    to('http.persistedQueries.ttl', asDuration)(ttl, `${source}.router.cache.redis.ttl`, draft);
  if (subgraph !== undefined) draft.note(`${source}.subgraph`, 'each call has the text of its operation');
};

/** One Redis server for everything, or the nodes of a cluster. */
const redisServers: Translate = (value, source, draft) => {
  const { urls, ttl: _, ...others } = sectionOf(value);
  const [first] = Array.isArray(urls) ? urls : [];
  if (typeof first !== 'string') return;
  if (Array.isArray(urls) && urls.length > 1)
    draft.note(
      `${source}.urls`,
      'several addresses: set redis.cluster.nodes or redis.sentinel instead of redis.url',
    );
  draft.set(['redis', 'url'], first.replace(/^(rediss?)-(cluster|sentinel):/, '$1:'), `${source}.urls`);
  if (Object.keys(others).length > 0)
    draft.note(source, `see the section redis for: ${Object.keys(others).join(', ')}`);
};

const subgraphTimeouts = (name: string): Record<string, Translate> => ({
  timeout: toSubgraph(name, 'timeouts.attempt', asDuration),
  deduplicate_query:
    name === 'all'
      ? to('batching.acrossRequests')
      : unless([true], 'batching.acrossRequests is for all subgraphs'),
  experimental_http2: (value, source, draft) => {
    if (value === 'http2only') draft.note(source, 'HTTP/2 is used where an https subgraph offers it');
    else draft.set(['subgraphs', name, 'http2'], value === 'disable' ? 'off' : 'auto', source);
  },
  global_rate_limit: note('a number of calls at a time limits them instead: subgraphs.all.concurrency.max'),
  dns_resolution_strategy: unneeded,
});

const deadlinePath = ['subgraphs', 'all', 'timeouts', 'deadline'];
const attemptPath = (name: string): readonly string[] => ['subgraphs', name, 'timeouts', 'attempt'];

/** Apollo Router waits 30 s for a call and for a request, which is longer than the defaults of the gateway. */
function setDefaultTimeouts(draft: ConfigDraft): void {
  draft.set(attemptPath('all'), '30s', 'traffic_shaping.all.timeout');
  draft.set(deadlinePath, '30s', 'traffic_shaping.router.timeout');
}

/** Replaces attempts that are longer than the deadline, which the gateway refuses, by the deadline. */
function limitAttempts(shaping: unknown, draft: ConfigDraft): void {
  const { all, subgraphs } = sectionOf(shaping);
  const deadline = draft.get(deadlinePath);
  const deadlineMs = durationMsOf(deadline);
  const isDefault = sectionOf(all).timeout === undefined;
  for (const name of ['all', ...Object.keys(sectionOf(subgraphs))]) {
    const attempt = draft.get(attemptPath(name));
    const attemptMs = durationMsOf(attempt);
    // The value of a variable is unknown here. The default must not be longer than it.
    const isLonger =
      deadlineMs === undefined
        ? name === 'all' && isDefault
        : attemptMs !== undefined && attemptMs > deadlineMs;
    if (!isLonger) continue;
    const source = `traffic_shaping.${name === 'all' ? 'all' : `subgraphs.${name}`}.timeout`;
    draft.set(attemptPath(name), deadline, source);
    if (name !== 'all' || !isDefault)
      draft.note(
        source,
        `${attempt} is longer than a request may take: ${deadline} (traffic_shaping.router.timeout)`,
      );
  }
}

const trafficShaping: Translate = (value, source, draft) => {
  const { router, deduplicate_variables: _, connector, ...subgraphs } = sectionOf(value);
  if (connector !== undefined) draft.note(`${source}.connector`, 'connectors are not executed');
  bySubgraph(subgraphTimeouts)(subgraphs, source, draft);
  const { timeout, ...others } = sectionOf(router);
  if (timeout !== undefined)
    to(deadlinePath.join('.'), asDuration)(timeout, `${source}.router.timeout`, draft);
  section({
    concurrency_limit: note('the gateway sheds load by measured delays instead: docs/overload.md'),
    global_rate_limit: note('limits.rate.cost counts for each client'),
  })(others, `${source}.router`, draft);
};

const tlsFiles = (prefix: readonly string[]): Record<string, Translate> => {
  const file =
    (key: string): Translate =>
    (value, source, draft) => {
      const converted = asFile(value);
      if (typeof converted !== 'string' || converted.includes('-----BEGIN'))
        draft.note(source, 'a certificate is a file here');
      else draft.set([...prefix, 'tls', key], converted, source);
    };
  return {
    certificate_chain: file('cert'),
    key: file('key'),
    certificate_authorities: file('ca'),
  };
};

const subgraphTls: Translate = bySubgraph((name) => {
  const files = tlsFiles(['subgraphs', name]);
  const { certificate_authorities: authorities = unneeded } = files;
  return { certificate_authorities: authorities, client_authentication: section(files) };
});

/** The address of callbacks with their path, which Apollo Router has from `path`. */
function callbackUrl(url: unknown, path: unknown, source: string, draft: ConfigDraft): void {
  if (typeof url !== 'string') {
    draft.note(source, `the value ${JSON.stringify(url)} cannot be translated`);
    return;
  }
  const address = url.replace(/\/+$/, '');
  const suffix = [path, '/callback'].find(
    (candidate) => typeof candidate === 'string' && candidate.length > 1 && address.endsWith(candidate),
  );
  const base = address.slice(0, address.length - String(suffix ?? '').length);
  to('listen.publicUrl')(base, source, draft);
  if (suffix === undefined || !/^(https?:\/\/)?[^/]+$/.test(base))
    draft.note(
      source,
      `subgraphs send callbacks to ${base}/callback/…: route these to /callback/… of the public listener`,
    );
}

const subscriptionMode: Translate = (value, source, draft) => {
  const { passthrough, callback, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  bySubgraph((name) => ({
    path: toSubgraph(name, 'subscription.path'),
    // Both names are WebSocket protocols; `graphql_transport_ws` is of an older library.
    protocol: (given, at, target) => {
      if (given === 'graphql_ws' || given === undefined)
        target.set(['subgraphs', name, 'subscription', 'protocol'], 'graphql_ws', at);
      else target.note(at, `the protocol ${JSON.stringify(given)} is not available; graphql_ws is`);
    },
  }))(passthrough, `${source}.passthrough`, draft);
  if (!isSection(callback)) return;
  const { subgraphs, public_url: publicUrl, heartbeat_interval: heartbeat, ...rest } = callback;
  if (publicUrl !== undefined) callbackUrl(publicUrl, rest.path, `${source}.callback.public_url`, draft);
  if (heartbeat !== undefined)
    (heartbeat === 'disabled'
      ? to('subscriptions.heartbeat', () => '0s')
      : to('subscriptions.heartbeat', asDuration))(heartbeat, `${source}.callback.heartbeat_interval`, draft);
  for (const key of Object.keys(rest))
    draft.note(`${source}.callback.${key}`, 'callbacks arrive at /callback/… of the public listener');
  for (const name of Array.isArray(subgraphs) ? subgraphs : [])
    draft.set(
      ['subgraphs', String(name), 'subscription', 'protocol'],
      'http_callback',
      `${source}.callback.subgraphs`,
    );
};

const cache: Translate = (value, source, draft) => {
  const { enabled, subgraph, ...others } = sectionOf(value);
  for (const key of Object.keys(others)) draft.note(`${source}.${key}`, seeGuide);
  const { all, subgraphs } = sectionOf(subgraph);
  const { redis, ttl, enabled: forAll, ...rest } = sectionOf(all);
  if (redis !== undefined) redisServers(redis, `${source}.subgraph.all.redis`, draft);
  for (const key of Object.keys(rest)) draft.note(`${source}.subgraph.all.${key}`, seeGuide);
  if (enabled === true && forAll !== false)
    draft.note(
      `${source}.subgraph.all`,
      `nothing is cached without a rule for a type, field or subgraph: cache.rules${ttl === undefined ? '' : `, with maxAge ${asDuration(ttl)}`}`,
    );
  for (const [name, own] of Object.entries(sectionOf(subgraphs))) {
    const { ttl: lifetime = ttl, enabled: isOn = true, ...unknown } = sectionOf(own);
    for (const key of Object.keys(unknown))
      draft.note(`${source}.subgraph.subgraphs.${name}.${key}`, seeGuide);
    const maxAge = asDuration(lifetime);
    if (enabled !== true || isOn !== true) continue;
    if (maxAge === undefined)
      draft.note(`${source}.subgraph.subgraphs.${name}`, 'set a lifetime: cache.rules');
    else
      draft.set(
        ['cache', 'rules', `subgraph:${name}`],
        { maxAge },
        `${source}.subgraph.subgraphs.${name}.ttl`,
      );
  }
};

/** Rules by the options that docs/migration/apollo-router.md lists. */
const routerRules: Readonly<Record<string, Translate>> = {
  'supergraph.listen': address('listen.host', 'listen.port'),
  'supergraph.path': path,
  'supergraph.introspection': to('security.introspection'),
  'supergraph.defer_support': unless([true], '`@defer` is always on; limits.deferredFragments limits it'),
  'supergraph.connection_shutdown_timeout': to('listen.drainTimeout', asDuration),
  'supergraph.early_cancel': unneeded,
  'supergraph.experimental_log_on_broken_pipe': to('telemetry.accessLog'),
  'supergraph.enable_result_coercion_errors': unneeded,
  'supergraph.redact_query_validation_errors': to('security.suggestions', negated),
  'supergraph.strict_variable_validation': unless(
    ['enforce'],
    'unknown fields of input objects are always errors',
  ),
  'supergraph.query_planning': section({
    cache: section({ in_memory: section({ limit: to('planning.cacheSize') }) }),
    warmed_up_queries: to('planning.warmOperations'),
    experimental_plans_limit: to('planning.maxEvaluatedPlans'),
    experimental_paths_limit: to('planning.pathsLimit'),
    experimental_cooperative_cancellation: section({ timeout: to('planning.timeout', asDuration) }),
  }),
  'server.http': section({
    header_read_timeout: to('listen.timeouts.headers', asDuration),
    tls_handshake_timeout: unneeded,
  }),
  'tls.supergraph': section({
    ...tlsFiles(['listen']),
    certificate: note('use a file with the whole chain: listen.tls.cert'),
  }),
  'tls.subgraph': subgraphTls,
  'health_check.enabled': unless([true], '/health/live and /health/ready are always on'),
  'health_check.listen': note(
    'the public and the admin listener have /health/live and /health/ready; point your probes there. The admin listener has more routes: keep it off the public network',
  ),
  'sandbox.enabled': (value, source, draft) => {
    to('security.graphiql')(value, source, draft);
    if (value === true) draft.set(['security', 'introspection'], true, source);
  },
  'homepage.enabled': unless([false], 'there is no landing page; security.graphiql serves GraphiQL'),
  cors,
  'csrf.unsafe_disabled': to('security.csrf', negated),
  batching,
  apq,
  persisted_queries: persistedQueries,
  'preview_file_uploads.enabled': unless([false], 'files go to signed URLs: docs/uploads.md'),
  'authentication.router': section({ jwt }),
  'authorization.require_authentication': requireAuthentication,
  'authorization.directives': section({
    enabled: unless([true], 'the directives are always enforced'),
    reject_unauthorized: to('security.authorization.onDenied', (value) =>
      value === true ? 'reject' : 'filter',
    ),
  }),
  demand_control: demandControl,
  'limits.http_max_request_bytes': to('limits.bodySize', asSize),
  'limits.max_depth': to('limits.depth'),
  'limits.max_aliases': to('limits.aliases'),
  'limits.max_root_fields': to('limits.rootFields'),
  'limits.max_height': note(
    'limits.recursiveSelections counts all selections, and limits.cost.max weighs them',
  ),
  'limits.parser_max_tokens': to('limits.tokens'),
  'limits.parser_max_recursion': note('limits.depth and limits.literalDepth limit nesting'),
  'limits.http1_max_request_buf_size': note('start with NODE_OPTIONS=--max-http-header-size'),
  forbid_mutations: unless(
    [false],
    'onPlan of an extension refuses mutations: docs/migration/apollo-router.md',
  ),
  override_subgraph_url: (value, source, draft) => {
    for (const [name, url] of Object.entries(sectionOf(value)))
      draft.set(['subgraphs', name, 'url'], url, `${source}.${name}`);
  },
  headers: (value, _, draft) => translateHeaders(value, draft),
  'include_subgraph_errors.all': (value, source, draft) =>
    typeof value === 'boolean'
      ? draft.set(['security', 'exposeSubgraphErrors'], value, source)
      : draft.note(source, 'lists of extension keys are not available'),
  traffic_shaping: trafficShaping,
  'subscription.enabled': unless([true], 'subscriptions are always on'),
  'subscription.mode': subscriptionMode,
  'subscription.max_opened_subscriptions': to('subscriptions.total'),
  'subscription.queue_capacity': to('subscriptions.queue.events'),
  'subscription.deduplication': (value, source, draft) => {
    const { enabled = true, ignored_headers: ignored } = isSection(value) ? value : { enabled: value };
    if (enabled !== true) draft.note(source, 'equal subscriptions are always shared');
    if (ignored !== undefined)
      draft.note(source, 'ignored headers are not available: forward only headers that matter');
  },
  'subscription.enable_deduplication': unless([true], 'equal subscriptions are always shared'),
  experimental_hoist_orphan_errors: unneeded,
  response_cache: cache,
  preview_entity_cache: cache,
  'telemetry.exporters': translateExporters,
};

/** Translates the configuration of Apollo Router 2. What has no counterpart becomes a note. */
export function translateApolloRouter(config: Section, draft: ConfigDraft): void {
  const translated = sectionOf(replaceRouterVariables(config));
  setDefaultTimeouts(draft);
  for (const [name, value] of Object.entries(translated)) translateSection(name, value, draft);
  limitAttempts(translated.traffic_shaping, draft);
  const { path: ownPath } = sectionOf(translated.supergraph);
  if (ownPath === undefined) draft.set(['listen', 'path'], '/', 'supergraph.path');
  // Apollo Router forwards no header without a rule.
  if (translated.headers === undefined) translateHeaders({}, draft);
}

function translateSection(name: string, value: unknown, draft: ConfigDraft): void {
  const rule = routerRules[name];
  if (rule !== undefined) rule(value, name, draft);
  else if (!isSection(value)) draft.note(name, seeGuide);
  else {
    for (const [key, child] of Object.entries(value))
      (routerRules[`${name}.${key}`] ?? note(seeGuide))(child, `${name}.${key}`, draft);
  }
}
