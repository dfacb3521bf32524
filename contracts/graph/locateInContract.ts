import { type ASTNode, Kind, parse, visit } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { FileLocation } from '../finding.ts';

/** Where a contract defines a type, `Type`, or a field or value of one, `Type.name`, whatever its
 *  arguments; the first place or the last one where there are several. The SDL must be one that parses. */
export function locateDefinition(
  contract: SubgraphContract,
  coordinate: string,
  which: 'first' | 'last' = 'first',
): FileLocation | undefined {
  const [typeName, member] = coordinate.replace(/\(.*/, '').split('.');
  const types = parse(contract.sdl).definitions.filter(
    (definition) => 'name' in definition && definition.name?.value === typeName,
  );
  const nodes =
    member === undefined
      ? types
      : types.flatMap(membersOf).filter((node) => 'name' in node && node.name?.value === member);
  const node = which === 'first' ? nodes[0] : nodes.at(-1);
  return node && locationOf(node, contract);
}

function membersOf(type: ASTNode): readonly ASTNode[] {
  return [
    ...('fields' in type ? (type.fields ?? []) : []),
    ...('values' in type && Array.isArray(type.values) ? type.values : []),
  ];
}

/** Where a contract first uses a directive of federation, by its own name or by the prefixed one. */
export function locateDirective(contract: SubgraphContract, name: string): FileLocation | undefined {
  let place: FileLocation | undefined;
  visit(parse(contract.sdl), {
    [Kind.DIRECTIVE]: (node) => {
      if (node.name.value === name || node.name.value === `federation__${name}`) {
        place ??= locationOf(node, contract);
      }
    },
  });
  return place;
}

/** A description before the definition is not where it stands. */
function locationOf(node: ASTNode, { file }: SubgraphContract): FileLocation {
  const hasDescription = 'description' in node && node.description !== undefined;
  const first = (hasDescription ? node.description?.loc?.endToken.next : undefined) ?? node.loc?.startToken;
  return { file, line: first?.line ?? 1, column: first?.column ?? 1 };
}
