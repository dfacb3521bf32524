import { isSection, type Section, sectionOf } from '../../config/isSection.ts';
import { formatSize } from '../../config/size.ts';
import { CommandError, exitCode } from '../exitCode.ts';
import type { ConfigDraft } from './configDraft.ts';
import { translateJwt, translateRequireAuthentication } from './routerAuthentication.ts';
import { translateCache } from './routerCache.ts';
import { translateCors } from './routerCors.ts';
import { translateExporters } from './routerExporters.ts';
import { translateHeaders } from './routerHeaders.ts';
import {
  address,
  asDuration,
  asSize,
  negated,
  note,
  noteKeys,
  readFlag,
  section,
  seeGuide,
  type Translate,
  to,
  unless,
  unneeded,
} from './routerOptions.ts';
import { translateApq, translatePersistedQueries } from './routerPersistedQueries.ts';
import { translateSubscriptionMode } from './routerSubscriptions.ts';
import { tlsFiles, translateSubgraphTls } from './routerTls.ts';
import { limitAttempts, setDefaultTimeouts, translateTrafficShaping } from './routerTrafficShaping.ts';
import { replaceRouterVariables } from './routerValues.ts';

const path: Translate = (value, source, draft) => {
  const isFixed = /^(?=\/|\$\{)(?:[\w\-./]|\$\{[^}]+\})*$/.test(String(value));
  if (isFixed) draft.set(['listen', 'path'], value, source);
  else draft.note(source, 'placeholders and wildcards are not available');
};

const demandControl: Translate = (value, source, draft) => {
  const { enabled, mode, strategy, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  const { static_estimated: estimated, ...otherStrategies } = sectionOf(strategy);
  noteKeys(otherStrategies, `${source}.strategy`, draft);
  const { max, list_size: listSize, ...unknown } = sectionOf(estimated);
  noteKeys(unknown, `${source}.strategy.static_estimated`, draft);
  if (!readFlag(enabled, true, `${source}.enabled`, draft)) return;
  if (listSize !== undefined) draft.set(['limits', 'cost', 'listSize'], listSize, `${source}.strategy`);
  unless(['enforce', 'measure'], `the value ${JSON.stringify(mode)} is taken for enforce`)(
    mode,
    `${source}.mode`,
    draft,
  );
  // 0 measures and refuses nothing.
  if (max !== undefined)
    draft.set(['limits', 'cost', 'max'], mode === 'measure' ? 0 : max, `${source}.strategy`);
};

const batching: Translate = (value, source, draft) => {
  const { enabled, maximum_size: size, mode, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  if (mode !== undefined) unless(['batch_http_link'])(mode, `${source}.mode`, draft);
  if (!readFlag(enabled, false, `${source}.enabled`, draft)) return;
  if (size === undefined) draft.note(source, 'set limits.batchedOperations: without it, arrays are refused');
  else draft.set(['limits', 'batchedOperations'], size, `${source}.maximum_size`);
};

/** Errors of all subgraphs are exposed, or none. */
const includeSubgraphErrors: Translate = (value, source, draft) => {
  const { all, subgraphs, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  const hidden = Object.entries(sectionOf(subgraphs)).filter(([, own]) => own !== true);
  if (all !== undefined && typeof all !== 'boolean')
    draft.note(`${source}.all`, 'lists of extension keys are not available');
  if (subgraphs !== undefined)
    draft.note(
      `${source}.subgraphs`,
      'security.exposeSubgraphErrors is for all subgraphs; onSubgraphResponse of an extension replaces errors of one',
    );
  if (typeof all === 'boolean')
    draft.set(['security', 'exposeSubgraphErrors'], all && hidden.length === 0, `${source}.all`);
};

const subscriptionsAreOn = 'subscriptions are always on; requestContext of an extension refuses them';

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
  'tls.subgraph': translateSubgraphTls,
  'health_check.enabled': unless([true], '/health/live and /health/ready are always on'),
  'health_check.listen': note(
    'the public and the admin listener have /health/live and /health/ready; point your probes there. The admin listener has more routes: keep it off the public network',
  ),
  'sandbox.enabled': (value, source, draft) => {
    const isOn = readFlag(value, false, source, draft);
    draft.set(['security', 'graphiql'], isOn, source);
    if (isOn) draft.set(['security', 'introspection'], true, source);
  },
  'homepage.enabled': unless([false], 'there is no landing page; security.graphiql serves GraphiQL'),
  cors: translateCors,
  'csrf.unsafe_disabled': to('security.csrf', negated),
  batching,
  apq: translateApq,
  persisted_queries: translatePersistedQueries,
  'preview_file_uploads.enabled': unless([false], 'files go to signed URLs: docs/uploads.md'),
  'authentication.router': section({ jwt: translateJwt }),
  'authorization.require_authentication': translateRequireAuthentication,
  'authorization.directives': section({
    enabled: unless([true], 'the directives are always enforced'),
    reject_unauthorized: (value, source, draft) =>
      draft.set(
        ['security', 'authorization', 'onDenied'],
        readFlag(value, true, source, draft) ? 'reject' : 'filter',
        source,
      ),
  }),
  demand_control: demandControl,
  // Newer versions have the limits in a section.
  'limits.router': (value, _, draft) => translateSection('limits', value, draft),
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
    'requestContext of an extension refuses mutations: docs/migration/apollo-router.md',
  ),
  override_subgraph_url: (value, source, draft) => {
    for (const [name, url] of Object.entries(sectionOf(value)))
      draft.set(['subgraphs', name, 'url'], url, `${source}.${name}`);
  },
  headers: (value, _, draft) => translateHeaders(value, draft),
  include_subgraph_errors: includeSubgraphErrors,
  traffic_shaping: translateTrafficShaping,
  'subscription.enabled': unless([true], subscriptionsAreOn),
  'subscription.mode': translateSubscriptionMode,
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
  coprocessor: note('an extension calls the coprocessor, or replaces it: docs/migration/apollo-router.md'),
  rhai: note('an extension replaces the scripts: docs/migration/apollo-router.md'),
  response_cache: translateCache,
  preview_response_cache: translateCache,
  preview_entity_cache: translateCache,
  'telemetry.exporters': translateExporters,
};

/** Options of Apollo Router 1 that version 2 refuses. */
const earlierOptions = [
  'authentication.jwt',
  'authorization.preview_directives',
  'experimental_batching',
  'experimental_entity_cache',
  'preview_demand_control',
  'preview_directives',
  'preview_operation_limits',
  'preview_persisted_queries',
  'telemetry.metrics',
  'telemetry.tracing',
];

/** Translates the configuration of Apollo Router 2. What is not translated becomes a note.
 *  @throws {CommandError} `usageError` for a configuration of version 1, whose limits and authentication would be lost. */
export function translateApolloRouter(config: Section, draft: ConfigDraft): void {
  const earlier = earlierOptions.filter((path) => {
    const [name = '', key] = path.split('.');
    return (key === undefined ? config : sectionOf(config[name]))[key ?? name] !== undefined;
  });
  if (earlier.length > 0)
    throw new CommandError(
      exitCode.usageError,
      `Nothing was written: the configuration is of Apollo Router 1 (${earlier.join(', ')}). Translate it to version 2 first: router config upgrade FILE`,
    );
  const translated = sectionOf(replaceRouterVariables(config, (path) => draft.relativePath(path)));
  setDefaultTimeouts(draft);
  // Apollo Router accepts larger bodies than the gateway by default, and no subscriptions.
  draft.set(['limits', 'bodySize'], formatSize(2_000_000), 'limits.http_max_request_bytes');
  if (translated.subscription === undefined) draft.note('subscription', subscriptionsAreOn);
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
