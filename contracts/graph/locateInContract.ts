import { type ASTNode, Kind, parse, visit } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { FileLocation } from '../finding.ts';

/** Where a contract defines a type, `Type`, or a field or value of one, `Type.name`, whatever its
 *  arguments; the first location or the last one where there are several. The SDL must be one that parses. */
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
  let location: FileLocation | undefined;
  visit(parse(contract.sdl), {
    [Kind.DIRECTIVE]: (node) => {
      if (node.name.value === name || node.name.value === `federation__${name}`) {
        location ??= locationOf(node, contract);
      }
    },
  });
  return location;
}

/** A description before the definition is not where it stands. */
function locationOf(node: ASTNode, { file }: SubgraphContract): FileLocation {
  const hasDescription = 'description' in node && node.description !== undefined;
  const first = (hasDescription ? node.description?.loc?.endToken.next : undefined) ?? node.loc?.startToken;
  return { file, line: first?.line ?? 1, column: first?.column ?? 1 };
}

/** What a message that comes without places is about in a contract: what it says is there twice, or what it names in
 *  quotes; `undefined` where the contract defines nothing of that. The SDL must be one that parses. */
export function locateFromMessage(
  contract: SubgraphContract,
  message: string,
): { readonly location: FileLocation; readonly coordinate?: string } | undefined {
  const [, field, ofType] = /Field (\w+) already exists on (\w+)/.exec(message) ?? [];
  const twice = field === undefined ? /only one type named "(\w+)"/.exec(message)?.[1] : `${ofType}.${field}`;
  for (const coordinate of twice === undefined ? quotedNamesIn(message) : [twice]) {
    const location = locateDefinition(contract, coordinate, twice === undefined ? 'first' : 'last');
    if (location !== undefined) return { location, coordinate };
  }
  const [version] = /(?<=Expected a version string .*, got )\S+$/.exec(message) ?? [];
  const location = version === undefined ? undefined : locateLinkVersion(contract, version);
  return location && { location };
}

/** What a message names in quotes. */
export function quotedNamesIn(message: string): readonly string[] {
  return Array.from(message.matchAll(/"([^"\s]+)"/g), ([, word = '']) => word);
}

/** Where a link takes this version. */
function locateLinkVersion({ file, sdl }: SubgraphContract, version: string): FileLocation | undefined {
  let location: FileLocation | undefined;
  visit(parse(sdl), {
    [Kind.STRING]: ({ value, loc }) => {
      if (!value.endsWith(`/${version}`) || loc === undefined) return;
      location ??= { file, line: loc.startToken.line, column: loc.startToken.column };
    },
  });
  return location;
}
