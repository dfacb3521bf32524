// The directions in which imports may go. Folders are listed by the way of a request, and each rule says in
// its comment what to do instead.

/** `gateway/` folders (and files directly below `gateway/`) from which nothing may be imported by the given
 *  folder: everything except the listed ones and the folder itself. */
function mayImportOnly(folder, allowed) {
  const names = [folder, ...allowed, ...everywhere].join('|');
  return {
    name: `${folder}-looks-down`,
    severity: 'error',
    comment: `gateway/${folder} may import only from: ${[...allowed, ...everywhere].join(', ')}.`,
    from: { path: `^gateway/${folder}/` },
    to: { path: '^gateway/', pathNot: `^gateway/(${names})(/|\\.ts$)` },
  };
}

/** May be imported by every part: plain types, error codes, events, values without a stage of their own. */
const everywhere = ['errors', 'generateFunction', 'config', 'telemetry', 'json', 'time', 'graph'];

/** Starts a whole gateway to see whether it does: for a check, not for serving. */
const bootsTheGateway = '^gateway/contracts/graph/bootGraph\\.ts$';

/** One library is imported by one part, so that replacing it means reading one folder. */
function oneDoor(name, library, door) {
  return {
    name: `one-door-${name}`,
    severity: 'error',
    comment: `${name} is imported only where the path matches ${door}. Ask that part through its interface.`,
    from: { path: '^(gateway|contracts)/', pathNot: door },
    to: { path: `(^|node_modules/)(${library})(/|$)` },
  };
}

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that import each other are one file, or miss a third that both import.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'gateway-stands-alone',
      severity: 'error',
      comment: 'The gateway meets shop, subgraphs, tests and benchmarks over the wire only.',
      from: { path: '^gateway/' },
      to: { path: '^(storefront|subgraphs|test|bench|scripts)/' },
    },
    {
      name: 'demo-meets-the-gateway-over-the-wire',
      severity: 'error',
      comment: 'Storefront and subgraphs are clients and servers like any other.',
      from: { path: '^(storefront|subgraphs)/' },
      to: { path: '^(gateway|contracts|test|bench|scripts)/' },
    },
    {
      name: 'subgraphs-and-storefront-apart',
      severity: 'error',
      comment: 'The storefront reads the graph through the gateway.',
      from: { path: '^storefront/' },
      to: { path: '^subgraphs/' },
    },
    mayImportOnly('config', []),
    // The types of what it counts, which import no code themselves.
    mayImportOnly('telemetry', [
      'cache/cacheObserver',
      'enrichment/enrichmentObserver',
      'enrichment/late/lateObserver',
      'subgraph-client/callQueueObserver',
    ]),
    mayImportOnly('supergraph', ['planning', 'contracts']),
    mayImportOnly('planning', []),
    // Preparation ends by compiling the plan, so it knows execution's compiler; the reverse is ruled out below.
    mayImportOnly('operation', ['planning', 'supergraph', 'response', 'execution', 'enrichment']),
    {
      name: 'execution-is-given-prepared-operations',
      severity: 'error',
      comment: 'Execution runs what was prepared; it starts no preparation.',
      from: { path: '^gateway/(execution|planning|response|subgraph-client)/' },
      to: { path: '^gateway/operation/prepare\\.ts$' },
    },
    mayImportOnly('subgraph-client', []),
    mayImportOnly('resilience', ['subgraph-client']),
    // What may be cached is read from the supergraph's document, and `planning` knows how to read that.
    mayImportOnly('redis', []),
    mayImportOnly('cache', ['planning', 'redis']),
    mayImportOnly('cached-fetches', ['execution', 'cache', 'operation', 'subgraph-client']),
    // What may come late is read from the supergraph's document as well.
    mayImportOnly('enrichment', ['planning', 'redis']),
    mayImportOnly('entities', ['cache', 'subgraph-client', 'planning', 'operation', 'supergraph']),
    // How long an answer may be kept is said by rules of `cache`.
    mayImportOnly('response', ['cache', 'execution', 'operation', 'planning', 'supergraph']),
    mayImportOnly('execution', [
      'operation',
      'planning',
      'supergraph',
      'entities',
      'cache',
      'subgraph-client',
      'enrichment',
    ]),
    // What a budget does to an answer: everything from preparation to the answer has a part in it.
    mayImportOnly('enriched-answers', [
      'enrichment',
      'execution',
      'response',
      'operation',
      'planning',
      'supergraph',
      'cache',
      'cached-fetches',
      'subgraph-client',
    ]),
    mayImportOnly('subscriptions', [
      'subgraph-client',
      'redis',
      'execution',
      'planning',
      'operation',
      'supergraph',
      'response',
    ]),
    // A check does with a candidate what the gateway will do, by the same parts.
    {
      ...mayImportOnly('contracts', [
        'planning',
        'supergraph',
        'operation',
        'execution',
        'cache',
        'enrichment',
        'response',
      ]),
      from: { path: '^gateway/contracts/', pathNot: bootsTheGateway },
    },
    {
      name: 'transport-stays-on-top',
      severity: 'error',
      comment: 'Only the files directly below gateway/ put transport together with the rest.',
      from: { path: '^gateway/[^/]+/', pathNot: `^gateway/(transport|cli|admin)/|${bootsTheGateway}` },
      to: { path: '^gateway/(transport|admin|cli|gateway|pipeline)(/|\\.ts$)' },
    },
    {
      name: 'admission-knows-no-transport',
      severity: 'error',
      comment:
        'What every transport shares is given what it needs; transports import it, not the other way round.',
      from: { path: '^gateway/transport/(admission/|[^/]+$)' },
      to: { path: '^gateway/transport/(http|websocket)/' },
    },
    oneDoor('zod', 'zod', '^gateway/config/'),
    oneDoor('undici', 'undici', '^gateway/subgraph-client/'),
    oneDoor('apollo-gateway', '@apollo/gateway', '^gateway/supergraph/'),
    oneDoor('planner', '@apollo/(query-planner|query-graphs|federation-internals)', '^gateway/planning/'),
    oneDoor('composition', '@apollo/composition', '^(gateway/supergraph|gateway/contracts|contracts)/'),
    oneDoor('graphql-inspector', '@graphql-inspector/core', '^gateway/contracts/diff/'),
    oneDoor('apollo-server', '@apollo/server', '^gateway/transport/'),
    oneDoor('fastify', 'fastify', '^gateway/transport/'),
    oneDoor('dataloader', 'dataloader', '^gateway/execution/'),
    oneDoor('ioredis', 'ioredis', '^gateway/redis/'),
    oneDoor('bullmq', 'bullmq', '^gateway/enrichment/late/'),
    // One half each: the subgraphs' servers, and the gateway's own clients.
    oneDoor('websockets', 'ws|graphql-ws', '^gateway/(subscriptions/sources|transport/websocket)/'),
    oneDoor('pino', 'pino', '^gateway/telemetry/'),
    oneDoor('prom-client', 'prom-client', '^gateway/telemetry/'),
    oneDoor('commander', 'commander', '^gateway/cli(/|\\.ts$)'),
  ],
  options: {
    // `.` is cruised, so that a folder that is not there yet is no error.
    // dependency-cruiser's swc parser reads neither JSX nor `using`. The pages' components are the leaves of their
    // folder, and what only imports (tests, benchmarks, scripts) is noticed where it is imported but not read.
    exclude: { path: '\\.tsx$|/__generated__/|^bench/node_modules/|^(dist|coverage|docs|deploy)/' },
    doNotFollow: { path: '(^|/)node_modules/|^(test|bench|scripts)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.json', '.d.ts'],
    },
  },
};
