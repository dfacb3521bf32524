import { type ConfigJsonSchema, createConfigJsonSchema } from './configJsonSchema.ts';
import { maxDurationText } from './duration.ts';

const introduction = `# Configuration

With this page you configure the gateway: it has every option with its default.

The configuration is one YAML file, \`tributary.yaml\` unless \`--config\` names another. Only \`supergraph\` is
required. \`npx tributary serve --supergraph FILE\` needs no configuration file.

These are the options that you meet first, with their defaults, except for the section \`reviews\`:

\`\`\`yaml
listen: { host: 127.0.0.1, port: 4000, path: /graphql, shutdownDelay: 2s, drainTimeout: 30s }
admin: { host: 127.0.0.1, port: 4001 }             # for operators; keep it off the public network
supergraph: { file: supergraph.graphql, watch: true }
subgraphs:
  all:
    timeouts: { attempt: 5s, deadline: 15s }       # one HTTP attempt; the whole request
    headers: { forward: [authorization, accept-language] }
  reviews:                                         # one subgraph, by its name
    url: '\${REVIEWS_URL:-http://reviews.internal/graphql}'
    timeouts: { attempt: 2s }
batching: { acrossRequests: true, maxBatchSize: 200, maxWait: 50ms }
cache: { enabled: true, memory: { maxSize: 64MB } } # nothing is cached without a rule
redis: { url: '' }                                 # redis://… : shared by all processes
enrichment: { mode: adaptive, budget: 100ms }      # no field without a rule
overload: { eventLoopDelay: 200ms, memory: 0.9 }   # beyond: requests are refused, the least urgent first
limits: { bodySize: 1MB, tokens: 10000, depth: 100, aliases: 200, rootFields: 50, deferredFragments: 50 }
security: { introspection: false, suggestions: false, csrf: true, exposeSubgraphErrors: false, exposeSubgraphs: false }
telemetry: { logLevel: info }
workers: 1                                         # processes that share the port, or auto
\`\`\`

- **Precedence**: the command line overrides the file, and the file overrides the defaults. For one subgraph, its own
  section overrides \`subgraphs.all\`.
- **Durations** have a unit: \`250ms\`, \`2s\`, \`5m\`, \`1h\`, \`1d\`. A number without a unit is in milliseconds. The
  maximum is \`${maxDurationText}\`.
- **Sizes** have a unit, in steps of 1024: \`512B\`, \`64KB\`, \`1MB\`, \`2GB\`. A number without a unit is in bytes.
- **Environment variables**: \`\${NAME}\` in any text is replaced by the value of the variable, which must be set.
  \`\${NAME:-default}\` uses the default, a text without variables, if the variable is unset or empty. Quote it inside
  \`{ … }\`.
- **Files**: \`\${file:/run/secrets/redis-password}\` is replaced by the text of the file (UTF-8), without a line break at its
  end. No message quotes it, and \`config print\` masks it, except in the host and the path of addresses. The file is read
  when the gateway starts; a relative path starts at the directory of the configuration file. \`:-default\` applies if it is
  missing or empty.
- **Options that several subgraphs share**: YAML's anchors, aliases and merge keys, as in \`reviews: &slow { … }\` and
  \`stock: { <<: *slow, url: … }\`.
- **Changes** of the configuration need a restart. The supergraph, trusted documents and the certificates in
  \`listen.tls\` and \`subgraphs.<name>.tls\` are read again when they change.
- **Errors**: unknown keys are refused. All problems of the file are reported at once, each with its path, the expected
  value and its line, and the command exits with code 2. Then the files that it names are read, and all of their problems
  are reported: manifests of trusted documents, certificates, extensions.
- **Check**: \`npx tributary config check\` reports these problems before a deployment, and whether the configuration fits
  the supergraph, such as a cache rule of a field that does not exist. Nothing listens, and it connects to no Redis, issuer
  of tokens or collector. It runs the modules of extensions, and fetches the supergraph if that is not a file. Exit codes:
  0 valid, perhaps with warnings; 1 the subgraphs do not compose; 2 invalid; 3 the supergraph cannot be fetched.
  \`--json\` prints the problems and warnings for other programs.
- **Tools**: \`npx tributary init\` writes a commented file for a supergraph, for running subgraphs, or from Apollo Router.
  \`npx tributary config print\` prints the effective configuration, and \`npx tributary config schema\` the JSON Schema
  for editors.
- **Library**: \`createGateway(options)\` accepts the same structure, typed as \`GatewayOptions\`. It does not replace
  \`\${…}\`, and relative paths start at the working directory.
`;

/** The text of `docs/configuration.md`. */
export function printReference(): string {
  const sections = Object.entries(createConfigJsonSchema().properties ?? {});
  return [introduction, ...sections.map(([name, schema]) => printSection(name, schema))].join('\n');
}

function printSection(name: string, schema: ConfigJsonSchema): string {
  const rows =
    schema.properties === undefined
      ? [printRow(name, schema), ...listRows(schema.items ?? {}, `${name}[].`)]
      : listRows(schema, '');
  const title = schema.properties === undefined ? '' : `${schema.description ?? ''}\n\n`;
  return `## \`${name}\`

${title}| Option | Value | Default | Meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function listRows(section: ConfigJsonSchema, prefix: string): string[] {
  const properties = Object.entries(section.properties ?? {});
  const rows = properties.flatMap(([key, schema]) => {
    if (schema.properties !== undefined) {
      const { description } = schema;
      const heading =
        description === undefined ? [] : [`| \`${prefix}${key}\` | section | | ${description} |`];
      return [...heading, ...listRows(schema, `${prefix}${key}.`)];
    }
    const row = printRow(`${prefix}${key}`, schema);
    const { items, additionalProperties: named } = schema;
    if (typeof named === 'object' && named.properties !== undefined) {
      return [row, ...listRows(named, `${prefix}${key}.<name>.`)];
    }
    return items?.properties === undefined ? [row] : [row, ...listRows(items, `${prefix}${key}[].`)];
  });
  return typeof section.additionalProperties === 'object'
    ? [...rows, ...listNamedRows(section.additionalProperties, section.properties?.all)]
    : rows;
}

// The section of a subgraph repeats the options of `all` without defaults. Only additional options get a row.
function listNamedRows(named: ConfigJsonSchema, all: ConfigJsonSchema | undefined): string[] {
  const own = Object.entries(named.properties ?? {}).filter(([key]) => all?.properties?.[key] === undefined);
  return [
    ...own.map(([key, schema]) => printRow(`<name>.${key}`, schema)),
    '| `<name>.…` | | from `all` | Every option of `all`, for one subgraph. A list replaces that of `all`. |',
  ];
}

function printRow(name: string, schema: ConfigJsonSchema): string {
  return `| \`${name}\` | ${kindOf(schema)} | ${defaultOf(schema)} | ${schema.description ?? ''} |`;
}

function kindOf(schema: ConfigJsonSchema): string {
  if (schema.items === undefined) return schema.title ?? '';
  return schema.items.title === undefined
    ? 'list of sections'
    : `list of ${schema.items.title}${schema.items.title.endsWith('s') ? 'es' : 's'}`;
}

function defaultOf({ default: value }: ConfigJsonSchema): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return `\`[${value.join(', ')}]\``;
  // An object default belongs to a section with user-defined keys, which is empty by default.
  return typeof value === 'object' ? '`{}`' : `\`${String(value)}\``;
}
