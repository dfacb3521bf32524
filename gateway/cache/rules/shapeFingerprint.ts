import { createHash } from 'node:crypto';
import { print } from 'graphql';
import { namedTypeOf } from '../../planning/supergraphDocument.ts';
import { fieldTypeIn } from './cacheGraph.ts';
import type { CacheRule } from './cacheRule.ts';
import type { CacheRules } from './cacheRules.ts';
import type { OperationShape } from './operationShape.ts';
import { visitSelections } from './visitSelections.ts';

/** What of a supergraph decides on whether an answer to a fetch that was stored under another supergraph can be
 *  used: for every field that it selects, the types that have it, its type, its arguments with their defaults, and
 *  the values of enums. Tags of the rule are in it, since an older answer could not be invalidated by a newer tag;
 *  durations and scope are not: entries are read by the present rule, and keys say whose they are. In base64url. */
export function fingerprintShape(shape: OperationShape, rules: CacheRules, rule: CacheRule): string {
  const { graph } = rules;
  const lines: string[] = [];
  const described = new Set<string>();
  visitSelections<undefined>(
    shape,
    graph,
    ({ name, owners }) => {
      lines.push(`${name} on ${owners.map(({ type }) => type.name).join('|')}`);
      for (const { type, field } of owners) {
        if (field === undefined) continue;
        const ofField = fieldTypeIn(field, shape.subgraph);
        lines.push(`${type.name}.${name}(${field.arguments}): ${print(ofField)}`);
        for (const used of [namedTypeOf({ type: ofField }), ...field.argumentTypes]) described.add(used);
      }
      return undefined;
    },
    undefined,
  );
  const types = [...described].map(graph.describeType);
  return createHash('sha256')
    .update(JSON.stringify([lines, types, rule.tags]))
    .digest('base64url');
}
