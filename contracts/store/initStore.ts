import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SubgraphContract } from '../contractStore.ts';
import { displayPath } from './displayPath.ts';
import { replaceFiles } from './replaceFiles.ts';
import { printSchemaFile } from './schemaFile.ts';

interface InitStoreOptions {
  readonly directory: string;
  readonly contracts: Iterable<SubgraphContract>;
  /** Replaces existing schemas. Other existing files stay. */
  readonly force: boolean;
}

/** Paths, as the user would write them. */
type InitStoreOutcome =
  | { readonly written: readonly string[] }
  /** Files that exist, because of which nothing was written. */
  | { readonly existing: readonly string[] };

/** Creates a store from the schemas of subgraphs.
 *  @throws {NodeJS.ErrnoException} when a file cannot be written. */
export function initStore({ directory, contracts, force }: InitStoreOptions): InitStoreOutcome {
  const schemas = new Map(
    Array.from(contracts, (contract) => [
      join(directory, 'schemas', `${contract.name}.graphql`),
      printSchemaFile(contract),
    ]),
  );
  const templates = new Map(
    Object.entries(templateFiles).map(([name, text]) => [join(directory, name), text]),
  );
  const existing = [...schemas.keys(), ...templates.keys()].filter((path) => existsSync(path));
  if (existing.length > 0 && !force) return { existing: existing.map((path) => displayPath(path)) };
  const files = [...schemas, ...[...templates].filter(([path]) => !existing.includes(path))];
  replaceFiles(new Map(files));
  return { written: files.map(([path]) => displayPath(path)) };
}

const templateFiles: Readonly<Record<string, string>> = {
  'README.md': `# Contracts

The schemas that subgraphs have agreed to serve (\`schemas/\`) and the operations that clients send (\`operations/<consumer>/\`).

- \`tributary contracts check\` reports what a change here breaks.
- \`tributary contracts check --subgraph NAME=FILE\` reports what a candidate of a subgraph would break.
- \`tributary contracts accept --subgraph NAME=FILE --reason WHY\` accepts the candidate.
`,
  'waivers.yaml': `# Findings that may pass, each until a day:
# - rule: field-removed
#   coordinate: Product.price
#   subgraph: products
#   reason: No supported client selects it.
#   owner: products team
#   expires: 2027-01-31
`,
  'environments.yaml': `# Which versions run where. A version is a Git revision of this directory:
# production:
#   subgraphs:
#     products: [v1.4, v1.5]
#   gateways: [v1.4]
#   gatewayConfig: ../tributary.yaml
#   stepLatency: 40ms
`,
  // Every accept adds a line at the end, so that two branches would always conflict.
  '.gitattributes': 'CHANGELOG.md merge=union\n',
};
