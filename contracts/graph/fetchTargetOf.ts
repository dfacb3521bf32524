import { Kind, type SelectionSetNode } from 'graphql';
import { argumentOf, parseFieldSet } from '../../gateway/planning/supergraphDocument.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { applicationsOf, readCanonicalSubgraph } from '../diff/canonicalSubgraph.ts';
import type { FetchTarget } from './fetchProblem.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';
import {
  type ContextValue,
  createContextValue,
  type EntityKey,
  type FieldMetadata,
} from './supergraphMetadata.ts';

const targets = new WeakMap<SubgraphContract, FetchTarget>();

/** A running subgraph, described by its own SDL alone. For use when no supergraph describes it. Read once per contract.
 *  @throws {GraphQLError} for a contract that no subgraph can serve. */
export function fetchTargetOf(contract: SubgraphContract): FetchTarget {
  return getOrInsertComputed(targets, contract, readTarget);
}

function readTarget(contract: SubgraphContract): FetchTarget {
  const keys = new Map<string, readonly EntityKey[]>();
  const fields = new Map<string, FieldMetadata>();
  const { types } = readCanonicalSubgraph(contract.sdl);
  const contexts = new Map<string, string[]>();
  for (const [typeName, type] of types) {
    for (const use of applicationsOf(type, 'federation__context')) {
      const context = argumentOf(use, 'name') ?? '';
      contexts.set(context, [...(contexts.get(context) ?? []), typeName]);
    }
  }
  for (const [typeName, type] of types) {
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const found = applicationsOf(type, 'federation__key').flatMap((key) => {
      const selected = parseFieldSet(argumentOf(key, 'fields'));
      const isResolvable = argumentOf(key, 'resolvable') !== 'false';
      return selected === undefined ? [] : [{ fields: selected, isResolvable }];
    });
    if (found.length > 0) keys.set(typeName, found);
    for (const field of type.fields ?? []) {
      const fieldSet = (name: string): SelectionSetNode | undefined => {
        const [directive] = applicationsOf(field, `federation__${name}`);
        return directive && parseFieldSet(argumentOf(directive, 'fields'));
      };
      fields.set(`${typeName}.${field.name.value}`, {
        requires: fieldSet('requires'),
        provides: fieldSet('provides'),
        isExternal: applicationsOf(field, 'federation__external').length > 0,
        contextArguments: new Map(
          (field.arguments ?? []).flatMap((argument) =>
            applicationsOf(argument, 'federation__fromContext').map((use): [string, ContextValue] => {
              const text = argumentOf(use, 'field') ?? '';
              const context = /^\s*\$(\w+)/.exec(text)?.[1] ?? '';
              return [argument.name.value, createContextValue(contexts.get(context) ?? [], text)];
            }),
          ),
        ),
      });
    }
  }
  return { name: contract.name, schema: subgraphSchemaOf(contract), metadata: { keys, fields } };
}
