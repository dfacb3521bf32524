import { type ConfigJsonSchema, createConfigJsonSchema } from './configJsonSchema.ts';

const introduction = `# Configuration

One YAML file, \`tributary.yaml\` unless \`--config\` names another. \`supergraph\` alone is a whole
configuration; \`tributary serve --supergraph FILE\` needs no file at all.

\`\`\`yaml
supergraph: { file: supergraph.graphql }
subgraphs:
  all:
    timeouts: { attempt: 2s }
  reviews:
    url: '\${REVIEWS_URL:-http://localhost:4104/graphql}'
\`\`\`

- **What wins**: the command line over the file, the file over the defaults below; for one subgraph, its
  own section over \`subgraphs.all\`.
- **Durations** are a number with a unit: \`250ms\`, \`2s\`, \`5m\`, \`1h\`. **Sizes** too, in steps of 1024: \`512B\`,
  \`64KB\`, \`1MB\`, \`2GB\`. Numbers without a unit are milliseconds and bytes.
- **Environment**: \`\${NAME}\` in any text is replaced by that variable, which must be set;
  \`\${NAME:-default}\` takes the default where it is unset or empty. Inside \`{ … }\` quote it.
- **Mistakes**: keys that are not listed here are refused. All problems are reported at once, each with its
  path and what would be right, and the command ends with exit code 2.
- \`tributary config print\` shows the configuration in effect, \`tributary config schema\` the JSON Schema for
  editors. Library use: \`createGateway(options)\` takes the same shape, typed as \`GatewayOptions\`.
`;

/** The text of `docs/configuration.md`. */
export function printReference(): string {
  const sections = Object.entries(createConfigJsonSchema().properties ?? {});
  return [introduction, ...sections.map(([name, schema]) => printSection(name, schema))].join('\n');
}

function printSection(name: string, schema: ConfigJsonSchema): string {
  const rows = schema.properties === undefined ? [printRow(name, schema)] : listRows(schema, '');
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
    if (schema.properties !== undefined) return listRows(schema, `${prefix}${key}.`);
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

// A named section repeats `all` without its defaults; only what `all` lacks is worth a row of its own.
function listNamedRows(named: ConfigJsonSchema, all: ConfigJsonSchema | undefined): string[] {
  const own = Object.entries(named.properties ?? {}).filter(([key]) => all?.properties?.[key] === undefined);
  return [
    ...own.map(([key, schema]) => printRow(`<name>.${key}`, schema)),
    '| `<name>.…` | | from `all` | Every option of `all`, for the subgraph of that name. |',
  ];
}

function printRow(name: string, schema: ConfigJsonSchema): string {
  return `| \`${name}\` | ${kindOf(schema)} | ${defaultOf(schema)} | ${schema.description ?? ''} |`;
}

function kindOf(schema: ConfigJsonSchema): string {
  if (schema.items === undefined) return schema.title ?? '';
  return schema.items.title === undefined ? 'list of sections' : `list of ${schema.items.title}s`;
}

function defaultOf({ default: value }: ConfigJsonSchema): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return `\`[${value.join(', ')}]\``;
  // Only a section of names that the user gives is an option of its own; its default is that there are none.
  return typeof value === 'object' ? '`{}`' : `\`${String(value)}\``;
}
