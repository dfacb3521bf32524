import { Kind, parse, visit } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import { fileLocationAt, locateDefinition } from '../diff/locateCoordinate.ts';
import type { FileLocation } from '../finding.ts';

/** Locates the first use of a federation directive, by its own name or its prefixed name. */
export function locateDirective(contract: SubgraphContract, name: string): FileLocation | undefined {
  let location: FileLocation | undefined;
  visit(parse(contract.sdl), {
    [Kind.DIRECTIVE]: ({ name: used, loc }) => {
      if (loc === undefined || (used.value !== name && used.value !== `federation__${name}`)) return;
      location ??= fileLocationAt(contract, loc);
    },
  });
  return location;
}

/** Locates what a diagnostic without locations is about: an element that it says is defined twice, or that it names
 *  in quotes. `undefined` when the contract defines none of them. The SDL must parse. */
export function locateFromMessage(
  contract: SubgraphContract,
  message: string,
): { readonly location: FileLocation; readonly coordinate?: string } | undefined {
  const duplicate = duplicateFieldIn(message) ?? /only one type named "(\w+)"/.exec(message)?.[1];
  for (const coordinate of duplicate === undefined ? quotedNamesIn(message) : [duplicate]) {
    const location = locateDefinition(contract, coordinate);
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
    (name) =>
      name !== undefined && contracts.some((contract) => locateDefinition(contract, name) !== undefined),
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
