import { type ASTNode, Kind, parse, visit } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { Place } from '../finding.ts';

/** Where a contract defines a type, `Type`, or a field or value of one, `Type.name`; the first place where there are
 *  several. The SDL must be one that parses. */
export function placeOfDefinition(contract: SubgraphContract, coordinate: string): Place | undefined {
  const [typeName, member] = coordinate.split('.');
  const types = parse(contract.sdl).definitions.filter(
    (definition) => 'name' in definition && definition.name?.value === typeName,
  );
  if (member === undefined) return types[0] && placeOf(types[0], contract);
  for (const type of types) {
    const members: readonly ASTNode[] = [
      ...('fields' in type ? (type.fields ?? []) : []),
      ...('values' in type ? (type.values ?? []) : []),
    ];
    const found = members.find((node) => 'name' in node && node.name?.value === member);
    if (found !== undefined) return placeOf(found, contract);
  }
  return undefined;
}

/** Where a contract first uses a directive of federation, by its own name or by the prefixed one. */
export function placeOfDirective(contract: SubgraphContract, name: string): Place | undefined {
  let place: Place | undefined;
  visit(parse(contract.sdl), {
    [Kind.DIRECTIVE]: (node) => {
      if (node.name.value === name || node.name.value === `federation__${name}`) {
        place ??= placeOf(node, contract);
      }
    },
  });
  return place;
}

/** A description before the definition is not where it stands. */
function placeOf(node: ASTNode, { file }: SubgraphContract): Place {
  const hasDescription = 'description' in node && node.description !== undefined;
  const first = (hasDescription ? node.description?.loc?.endToken.next : undefined) ?? node.loc?.startToken;
  return { file, line: first?.line ?? 1, column: first?.column ?? 1 };
}
