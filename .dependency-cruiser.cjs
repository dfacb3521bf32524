// The directions in which imports may go. Folders are listed by the way of a request, and each rule says in
// its comment what to do instead.

/** What the interface of features is made of, and what their routes use. */
const asFeature = ['feature', 'admission', 'supergraph', 'transport'];

/** What each folder of `gateway/` may import, besides itself and `everywhere`. Stages are listed in the order of a
 *  request; a stage imports the stages that it hands work to, and `response` reads what `execution` made. Features plug
 *  in from above: they import stages, and no stage imports a feature. Add a folder here before you add it to the tree. */
const mayImport = {
  // Stages.
  transport: ['admission', 'operation', 'response', 'supergraph'],
  admission: ['operation', 'execution', 'redis', 'subgraphs', 'response', 'supergraph'],
  // Preparation ends by compiling the plan, so it knows the compiler of `execution`.
  operation: ['planning', 'execution', 'supergraph'],
  planning: [],
  // Types of the prepared operation.
  execution: ['operation', 'planning', 'subgraphs', 'supergraph'],
  subgraphs: ['supergraph', 'transport/http/routes'],
  response: ['execution', 'operation'],
  // Loads the supergraph that all stages share.
  supergraph: ['planning'],
  redis: [],
  // Features.
  cache: ['execution', 'operation', 'planning', 'redis', 'subgraphs', ...asFeature],
  enrichment: ['execution', 'operation', 'planning', 'redis', 'response', 'subgraphs', ...asFeature],
  subscriptions: ['execution', 'operation', 'planning', 'redis', 'response', 'subgraphs', ...asFeature],
  contracts: ['operation', 'planning', 'subgraphs', ...asFeature],
  extensions: ['execution', 'operation', 'response', 'subgraphs', ...asFeature],
  insights: ['execution', 'operation', 'planning', 'subgraphs', ...asFeature],
  tracing: asFeature,
  metricsExport: ['tracing/gatewayResource', 'tracing/otlpExporter', 'tracing/partialSuccess', ...asFeature],
  telemetry: ['transport/http/routes'],
  // What everything may import imports nothing.
  config: [],
  json: [],
  time: [],
  memory: [],
  files: [],
  sharing: [],
  tls: [],
};

/** May be imported by every folder: plain types, error codes, events, values without a stage of their own. */
const everywhere = ['errors', 'config', 'telemetry', 'json', 'time', 'memory', 'files', 'sharing', 'tls'];

function mayImportOnly(folder, allowed) {
  const names = [folder, ...allowed, ...everywhere].join('|');
  return {
    name: `${folder}-imports-only-what-is-allowed`,
    severity: 'error',
    comment: `gateway/${folder} may import only from: ${[...allowed, ...everywhere].join(', ')}.`,
    from: { path: `^gateway/${folder}/` },
    to: { path: '^gateway/', pathNot: `^gateway/(${names})(/|\\.ts$)` },
  };
}

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
    ...Object.entries(mayImport).map(([folder, allowed]) => mayImportOnly(folder, allowed)),
    {
      name: 'every-folder-has-its-rule',
      severity: 'error',
      comment:
        'List the folder in `mayImport` with what it may import. Only the command line may import everything.',
      from: { path: '^gateway/[^/]+/', pathNot: `^gateway/(${Object.keys(mayImport).join('|')}|cli)/` },
      to: {},
    },
    {
      name: 'execution-is-given-prepared-operations',
      severity: 'error',
      comment: 'Execution runs what was prepared; it starts no preparation.',
      from: { path: '^gateway/(execution|planning|response|subgraphs)/' },
      to: { path: '^gateway/operation/preparer\\.ts$' },
    },
    {
      name: 'only-the-command-line-starts-gateways',
      severity: 'error',
      comment:
        'Everything below gateway.ts is given what it needs. The checker gets a way to start a gateway.',
      from: { path: '^(gateway|contracts)/', pathNot: '^gateway/cli(/|\\.ts$)' },
      to: { path: '^gateway/(gateway|cli)(/|\\.ts$)' },
    },
    {
      name: 'checker-imports-only-what-is-allowed',
      severity: 'error',
      comment:
        'The contract checker reads graphs with the parts that the gateway does it with; nothing that serves requests.',
      from: { path: '^contracts/' },
      to: {
        path: '^gateway/',
        pathNot: `^gateway/(cache/rules|enrichment/(enrichmentRules|readEnrichmentDirectives)|operation|planning|supergraph|${everywhere.join('|')})(/|\\.ts$)`,
      },
    },
    oneDoor('zod', 'zod', '^gateway/config/'),
    oneDoor('undici', 'undici', '^gateway/subgraphs/'),
    oneDoor('apollo-gateway', '@apollo/gateway', '^gateway/supergraph/'),
    oneDoor('planner', '@apollo/(query-planner|query-graphs|federation-internals)', '^gateway/planning/'),
    oneDoor('composition', '@apollo/composition', '^gateway/supergraph/'),
    oneDoor('graphql-inspector', '@graphql-inspector/core', '^contracts/diff/'),
    oneDoor('apollo-server', '@apollo/server', '^gateway/admission/'),
    oneDoor('fastify', 'fastify', '^gateway/transport/'),
    oneDoor('dataloader', 'dataloader', '^gateway/execution/'),
    oneDoor('ioredis', 'ioredis', '^gateway/redis/'),
    oneDoor('jose', 'jose', '^gateway/admission/authentication/'),
    oneDoor('bullmq', 'bullmq', '^gateway/enrichment/jobs/'),
    // One half each: the subgraphs' servers, and the gateway's own clients.
    oneDoor('websockets', 'ws|graphql-ws', '^gateway/(subscriptions/sources|transport/websocket)/'),
    oneDoor('opentelemetry', '@opentelemetry/.*', '^gateway/(tracing/|metricsExport/|gateway\\.ts$)'),
    oneDoor('pino', 'pino|pino-pretty', '^gateway/telemetry/'),
    // A feature's metrics stand beside the feature, all in files with this ending.
    oneDoor('prom-client', 'prom-client', '^gateway/telemetry/|[mM]etrics\\.ts$'),
    oneDoor('commander', 'commander', '^gateway/cli(/|\\.ts$)'),
  ],
  options: {
    // `.` is cruised, so that a folder that is not there yet is no error.
    // dependency-cruiser's swc parser reads neither JSX nor `using`. The pages' components are the leaves of their
    // folder, and what only imports (tests, benchmarks, scripts) is noticed where it is imported but not read.
    exclude: {
      path: '\\.tsx$|/__generated__/|^bench/node_modules/|^bench/targets/mercurius/node_modules/|^(dist|coverage|docs|deploy|contracts/demo)/',
    },
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
