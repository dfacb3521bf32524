import { type ASTNode, Kind, parse, visit } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { Place } from '../finding.ts';

/** Where a contract defines a type, `Type`, or a field or value of one, `Type.name`, whatever its
 *  arguments; the first place or the last one where there are several. The SDL must be one that parses. */
export function placeOfDefinition(
  contract: SubgraphContract,
  coordinate: string,
  which: 'first' | 'last' = 'first',
): Place | undefined {
  const [typeName, member] = coordinate.replace(/\(.*/, '').split('.');
  const types = parse(contract.sdl).definitions.filter(
    (definition) => 'name' in definition && definition.name?.value === typeName,
  );
  const nodes =
    member === undefined
      ? types
      : types.flatMap(membersOf).filter((node) => 'name' in node && node.name?.value === member);
  const node = which === 'first' ? nodes[0] : nodes.at(-1);
  return node && placeOf(node, contract);
}

function membersOf(type: ASTNode): readonly ASTNode[] {
  return [
    ...('fields' in type ? (type.fields ?? []) : []),
    ...('values' in type && Array.isArray(type.values) ? type.values : []),
  ];
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
