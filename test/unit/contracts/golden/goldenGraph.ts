import { fileURLToPath } from 'node:url';
import type { ConsumerOperation, SubgraphContract } from '../../../../gateway/contracts/contractStore.ts';
import { readContractStore } from '../../../../gateway/contracts/store/readContractStore.ts';

export type Contracts = ReadonlyMap<string, SubgraphContract>;

const { schemas, operations, problems } = await readContractStore(
  fileURLToPath(new URL('../../../fixtures/contracts/base', import.meta.url)),
);
if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));

/** Four subgraphs of a cinema, before any change. */
export const baseContracts: Contracts = schemas;

/** What its three clients send. */
export const consumerOperations: readonly ConsumerOperation[] = operations;

/** `consumer/Operation`, as the table names it. */
export function nameOf({ consumer, name }: Pick<ConsumerOperation, 'consumer' | 'name'>): string {
  return `${consumer}/${name}`;
}
