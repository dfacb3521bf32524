import type { GraphQLSchema } from 'graphql';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import { interfacesOf } from './coversBreakage.ts';
import { readSchemaUsage, type SchemaUsage } from './schemaUsage.ts';

/** Finds the operations that use a changed element. */
export class OperationUsageIndex {
  readonly #operations: readonly ConsumerOperation[];
  readonly #schemas: readonly GraphQLSchema[];
  #users: UsersByCoordinate | undefined;

  /** `schemas`: the API schemas before and after the change. */
  constructor(operations: readonly ConsumerOperation[], schemas: readonly GraphQLSchema[]) {
    this.#operations = operations;
    this.#schemas = schemas;
  }

  usersOf({ rule, coordinate }: Finding): readonly ConsumerOperation[] {
    if (coordinate === undefined) return [];
    const about = rule.startsWith('interface-') ? this.#changedInterfaces(coordinate) : [coordinate];
    // Takes seconds for thousands of operations, and most checks find no change.
    this.#users ??= this.#readUsers();
    const users = this.#users[rule.endsWith('-default-changed') ? 'omitted' : 'used'];
    const found = new Set(about.flatMap((part) => [...(users.get(part) ?? [])]));
    // An operation without a latency objective can wait for the field.
    const isUser = ({ slo }: ConsumerOperation) => rule !== 'enrichment-removed' || slo.latency !== undefined;
    return this.#operations.filter((operation) => found.has(operation) && isUser(operation));
  }

  #readUsers(): UsersByCoordinate {
    const users: UsersByCoordinate = { used: new Map(), omitted: new Map() };
    for (const operation of this.#operations) {
      for (const schema of this.#schemas) {
        const usage = readSchemaUsage(schema, operation.document);
        for (const which of ['used', 'omitted'] as const)
          for (const coordinate of usage[which])
            getOrInsertComputed(users[which], coordinate, () => new Set()).add(operation);
      }
    }
    return users;
  }

  /** A type that joins or leaves an interface affects operations that select through the interface. */
  #changedInterfaces(typeName: string): readonly string[] {
    const [before = new Set<string>(), after = new Set<string>()] = this.#schemas.map(
      (schema) => new Set(interfacesOf(schema, typeName).map(({ name }) => name)),
    );
    return [...before.symmetricDifference(after)];
  }
}

type UsersByCoordinate = Readonly<Record<keyof SchemaUsage, Map<string, Set<ConsumerOperation>>>>;
