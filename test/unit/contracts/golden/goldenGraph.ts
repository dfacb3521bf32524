import { fileURLToPath } from 'node:url';
import { parse, separateOperations } from 'graphql';
import type { ConsumerOperation, SubgraphContract } from '../../../../contracts/contractStore.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { readContractStore } from '../../../../contracts/store/readContractStore.ts';

export type Contracts = ReadonlyMap<string, SubgraphContract>;

const { schemas, operations, problems } = await readContractStore(
  fileURLToPath(new URL('../../../fixtures/contracts/base', import.meta.url)),
);
if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));

/** Four subgraphs of a cinema, before any change. */
export const baseContracts: Contracts = schemas;

/** The operations of its three clients. */
export const consumerOperations: readonly ConsumerOperation[] = operations;

export const moreFile = 'test/fixtures/contracts/base/operations/more.graphql';

/** Operations of the consumer `more` from a document. */
export function operationsOf(text: string): readonly ConsumerOperation[] {
  if (text === '') return [];
  return Object.entries(separateOperations(parse(text))).map(([name, document]) => ({
    consumer: 'more',
    name,
    document,
    location: { file: moreFile, line: 1, column: 1 },
    slo: {},
  }));
}

/** Settings of the cinema's gateways: cache and enrichment rules, and the step latency. */
export const goldenGatewayConfig: GatewaySettings = {
  ...defaultGatewaySettings,
  cache: { enabled: true, rules: { 'Series.seasons': minutes(5), 'subgraph:tickets': minutes(2) } },
  enrichments: { fields: { 'Person.born': {} }, budget: 100 },
  locate: (section, key) => ({ file: `tributary.yaml (${section} ${key})`, line: 1, column: 1 }),
  stepLatencyMs: 50,
};

function minutes(staleIfError: number) {
  return { maxAge: 60_000, staleWhileRevalidate: 0, staleIfError: staleIfError * 60_000 };
}

/** `consumer/Operation`, as in the table. */
export function nameOf({ consumer, name }: Pick<ConsumerOperation, 'consumer' | 'name'>): string {
  return `${consumer}/${name}`;
}
