import { type CommandOutcome, runCommandInProcess } from './commandInProcess.ts';
import { NodeProcess } from './nodeProcess.ts';

export const root = new URL('../../', import.meta.url).pathname;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  /** Without progress lines. */
  readonly stderr: string;
  readonly progress: readonly string[];
}

/** Runs `tributary contracts …` in a directory. */
export async function contracts(cwd: string, ...args: readonly string[]): Promise<Outcome> {
  return readOutcome(await runCommandInProcess(['contracts', ...args], cwd));
}

/** Runs it in a process of its own, as in CI. */
export async function contractsProcess(cwd: string, ...args: readonly string[]): Promise<Outcome> {
  return readOutcome(await startContracts(cwd, ...args).ended);
}

export function startContracts(cwd: string, ...args: readonly string[]): NodeProcess {
  return new NodeProcess([`${root}gateway/cli.ts`, 'contracts', ...args], { cwd });
}

function readOutcome({ code, stdout, stderr }: CommandOutcome): Outcome {
  const lines = stderr.split('\n');
  return {
    code,
    stdout,
    stderr: lines.filter((line) => !line.startsWith('… ')).join('\n'),
    progress: lines.filter((line) => line.startsWith('… ')),
  };
}

export const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires"])\n';

export const products = `${federation}
type Query {
  product(id: ID!): Product
}
type Product @key(fields: "id") {
  id: ID!
  name: String!
  unused: String
  weight: Int
  size: Int
}
`;

export const shipping = `${federation}
type Product @key(fields: "id") {
  id: ID!
  weight: Int @external
  estimate: Int @requires(fields: "weight")
}
`;

export const page = `# @slo latency: 200ms
query Page($id: ID!) {
  product(id: $id) {
    name
    estimate
  }
}
`;

export const store = {
  'contracts/schemas/products.graphql': products,
  'contracts/schemas/shipping.graphql': shipping,
  'contracts/operations/shop/page.graphql': page,
};

export const withoutName = products.replace('  name: String!\n', '');
export const withoutUnused = products.replace('  unused: String\n', '');
