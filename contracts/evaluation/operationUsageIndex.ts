import type { GraphQLSchema } from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import { interfacesOf } from './coversBreakage.ts';
import { readSchemaUsage, type SchemaUsage } from './schemaUsage.ts';

/** Finds the operations that use a changed element. */
export class OperationUsageIndex {
  readonly #operations: readonly ConsumerOperation[];
  readonly #schemas: readonly GraphQLSchema[];
  #usages: readonly (readonly [ConsumerOperation, readonly SchemaUsage[]])[] | undefined;

  /** `schemas`: the API schemas before and after the change. */
  constructor(operations: readonly ConsumerOperation[], schemas: readonly GraphQLSchema[]) {
    this.#operations = operations;
    this.#schemas = schemas;
  }

  usersOf({ rule, coordinate }: Finding): readonly ConsumerOperation[] {
    if (coordinate === undefined) return [];
    const about = rule.startsWith('interface-') ? this.#changedInterfaces(coordinate) : [coordinate];
    const which = rule.endsWith('-default-changed') ? 'omitted' : 'used';
    // Takes seconds for thousands of operations, and most checks find no change.
    this.#usages ??= this.#operations.map((operation) => [
      operation,
      this.#schemas.map((schema) => readSchemaUsage(schema, operation.document)),
    ]);
    return this.#usages
      .filter(([operation, uses]) => {
        // An operation without a latency objective can wait for the field.
        if (rule === 'enrichment-removed' && operation.slo.latency === undefined) return false;
        return uses.some((use) => about.some((part) => use[which].has(part)));
      })
      .map(([operation]) => operation);
  }

  /** A type that joins or leaves an interface affects operations that select through the interface. */
  #changedInterfaces(typeName: string): readonly string[] {
    const [before = new Set<string>(), after = new Set<string>()] = this.#schemas.map(
      (schema) => new Set(interfacesOf(schema, typeName).map(({ name }) => name)),
    );
    return [...before.symmetricDifference(after)];
  }
}
