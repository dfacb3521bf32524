import { hash } from 'node:crypto';
import { print } from 'graphql';
import { namedTypeOf } from '../../planning/supergraphDocument.ts';
import { fieldTypeIn } from './cacheGraph.ts';
import type { CacheRule } from './cacheRule.ts';
import type { CacheRules } from './cacheRules.ts';
import { type OperationShape, visitSelections } from './visitSelections.ts';

/** Identifies what a supergraph declares about a fetch, so that a response stored under another supergraph is only used if
 *  nothing relevant changed: for each selected field the types that have it, its type, its arguments with defaults, and
 *  the values of enums. Includes the tags of the rule and the keys of entities, because an older response could not be
 *  invalidated by a newer tag or key. Excludes durations and scope: the current rule limits entries when they are read,
 *  and keys contain the scope's identity. Encoded as base64url. */
export function fingerprintShape(shape: OperationShape, rules: CacheRules, rule: CacheRule): string {
  const { graph } = rules;
  const lines: string[] = [];
  const described = new Set<string>();
  const keysByType = new Map<string, readonly string[]>();
  visitSelections<undefined>(
    shape,
    graph,
    ({ name, owners }) => {
      lines.push(`${name} on ${owners.map(({ type }) => type.name).join('|')}`);
      for (const { type, field } of owners) {
        keysByType.set(type.name, type.keys.map(({ text }) => text).sort());
        if (field === undefined) continue;
        const fieldType = fieldTypeIn(field, shape.subgraph);
        lines.push(`${type.name}.${name}(${field.arguments}): ${print(fieldType)}`);
        for (const used of [namedTypeOf({ type: fieldType }), ...field.argumentTypes]) described.add(used);
      }
      return undefined;
    },
    undefined,
  );
  const types = [...described].map(graph.describeType);
  return hash('sha256', JSON.stringify([lines, types, [...keysByType], rule.tags]), 'base64url');
}
