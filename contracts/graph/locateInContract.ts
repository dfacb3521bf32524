import { type ASTNode, Kind, parse, visit } from 'graphql';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { SubgraphContract } from '../contractStore.ts';
import { definesCoordinate, fileLocationAt } from '../diff/locateCoordinate.ts';
import type { FileLocation } from '../finding.ts';

/** Locates the definition of `Type` or `Type.member` in a contract, with any arguments: the first definition or
 *  the last one. The SDL must parse. */
export function locateDefinition(
  contract: SubgraphContract,
  coordinate: string,
  which: 'first' | 'last' = 'first',
): FileLocation | undefined {
  const [typeName, member] = coordinate.replace(/\(.*/, '').split('.');
  const locations = getOrInsertComputed(definitionsByContract, contract, readDefinitions).get(
    member === undefined ? `${typeName}` : `${typeName}.${member}`,
  );
  return which === 'first' ? locations?.[0] : locations?.at(-1);
}

const definitionsByContract = new WeakMap<SubgraphContract, ReadonlyMap<string, readonly FileLocation[]>>();

/** The locations of every `Type` and `Type.member`, in the order of the SDL. Nodes would keep all tokens of the SDL in
 *  memory. */
function readDefinitions(contract: SubgraphContract): ReadonlyMap<string, readonly FileLocation[]> {
  const locations = new Map<string, FileLocation[]>();
  const add = (coordinate: string, node: ASTNode): void => {
    getOrInsertComputed(locations, coordinate, () => []).push(locationOf(node, contract));
  };
  for (const definition of parse(contract.sdl).definitions) {
    if (!('name' in definition) || definition.name === undefined) continue;
    const type = definition.name.value;
    add(type, definition);
    for (const member of membersOf(definition)) {
      if ('name' in member && member.name !== undefined) add(`${type}.${member.name.value}`, member);
    }
  }
  return locations;
}

function membersOf(type: ASTNode): readonly ASTNode[] {
  return [
    ...('fields' in type ? (type.fields ?? []) : []),
    ...('values' in type && Array.isArray(type.values) ? type.values : []),
  ];
}

/** Locates the first use of a federation directive, by its own name or its prefixed name. */
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

/** A definition begins after its description. */
function locationOf(node: ASTNode, { file }: SubgraphContract): FileLocation {
  const hasDescription = 'description' in node && node.description !== undefined;
  const first = (hasDescription ? node.description?.loc?.endToken.next : undefined) ?? node.loc?.startToken;
  return { file, line: first?.line ?? 1, column: first?.column ?? 1 };
}

/** Locates what a diagnostic without locations is about: an element that it says is defined twice, or that it names
 *  in quotes. `undefined` when the contract defines none of them. The SDL must parse. */
export function locateFromMessage(
  contract: SubgraphContract,
  message: string,
): { readonly location: FileLocation; readonly coordinate?: string } | undefined {
  const duplicate = duplicateFieldIn(message) ?? /only one type named "(\w+)"/.exec(message)?.[1];
  for (const coordinate of duplicate === undefined ? quotedNamesIn(message) : [duplicate]) {
    const location = locateDefinition(contract, coordinate, duplicate === undefined ? 'first' : 'last');
    if (location !== undefined) return { location, coordinate };
  }
  const [version] = /(?<=Expected a version string .*, got )\S+$/.exec(message) ?? [];
  const location = version === undefined ? undefined : locateLinkVersion(contract, version);
  return location && { location };
}

function duplicateFieldIn(message: string): string | undefined {
  const [, field, type] = /Field (\w+) already exists on (\w+)/.exec(message) ?? [];
  return field && `${type}.${field}`;
}

/** The names in quotes in a message. */
export function quotedNamesIn(message: string): readonly string[] {
  return Array.from(message.matchAll(/"([^"\s]+)"/g), ([, word = '']) => word);
}

/** The coordinate of the element that a diagnostic is about. Many have none of their own, and their messages name the
 *  element: a value after its enum, a missing argument after its field, and otherwise the element first. */
export function findSubject(message: string, contracts: readonly SubgraphContract[]): string | undefined {
  const [, enumName, value] = /Enum type "(\w+)" .*\bvalue "(\w+)"/.exec(message) ?? [];
  const argument = /is missing argument "([^"]+)"/.exec(message)?.[1];
  const names = [
    value && `${enumName}.${value}`,
    argument,
    duplicateFieldIn(message),
    ...quotedNamesIn(message),
  ];
  return names.find(
    (name) => name !== undefined && contracts.some((contract) => definesCoordinate(contract, name)),
  );
}

/** Locates a `@link` to this version. */
function locateLinkVersion(contract: SubgraphContract, version: string): FileLocation | undefined {
  let location: FileLocation | undefined;
  visit(parse(contract.sdl), {
    [Kind.STRING]: ({ value, loc }) => {
      if (value.endsWith(`/${version}`) && loc !== undefined) location ??= fileLocationAt(contract, loc);
    },
  });
  return location;
}
