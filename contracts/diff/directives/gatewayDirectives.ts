import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  parse,
  type TypeDefinitionNode,
} from 'graphql';
import { tributarySpecUrl } from '../../../gateway/planning/tributaryDirectives.ts';
import type { CanonicalSubgraph } from '../canonicalSubgraph.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';

const prefix = 'tributary__';

/** A subgraph's uses of the gateway's own directives in the form of a supergraph, so that the gateway's readers can
 *  read them. */
export function gatewayDirectivesOf({ types }: CanonicalSubgraph): DocumentNode {
  return {
    kind: Kind.DOCUMENT,
    definitions: [...tributaryLink, ...[...types.values()].map(withOwnDirectives)],
  };
}

const tributaryLink = parse(
  `extend schema @link(url: "${tributarySpecUrl}/v1", import: ["@cached", "@enrichment"])`,
  {
    noLocation: true,
  },
).definitions;

function withOwnDirectives(type: TypeDefinitionNode): TypeDefinitionNode {
  if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) return type;
  const fields = (type.fields ?? []).map(
    (field): FieldDefinitionNode => ({ ...field, directives: ownDirectives(field.directives) }),
  );
  return { ...type, directives: ownDirectives(type.directives), fields };
}

function ownDirectives(directives: readonly ConstDirectiveNode[] = []): readonly ConstDirectiveNode[] {
  return directives.flatMap((directive) => {
    const name = directive.name.value;
    return name.startsWith(prefix)
      ? [{ ...directive, name: { ...directive.name, value: name.slice(prefix.length) } }]
      : [];
  });
}

/** Reports problems that a reader of the gateway's directives has with the new version only. Problems begin with the
 *  coordinate and a colon. */
export function findInvalidUses(
  directive: 'cached' | 'enrichment',
  before: readonly string[],
  after: readonly string[],
): readonly SubgraphChange[] {
  return after
    .filter((problem) => !before.includes(problem))
    .map((message) =>
      createChange(`${directive}-invalid`, { message, coordinate: message.slice(0, message.indexOf(':')) }),
    );
}
