import { Kind, parse, visit } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';
import type { FileLocation } from '../finding.ts';
import { locateDefinition } from './locateInContract.ts';

/** What a message that comes without places is about in a contract: what it says is there twice, or what it names in
 *  quotes; `undefined` where the contract defines nothing of that. The SDL must be one that parses. */
export function locateFromMessage(
  contract: SubgraphContract,
  message: string,
): { readonly place: FileLocation; readonly coordinate?: string } | undefined {
  const [, field, ofType] = /Field (\w+) already exists on (\w+)/.exec(message) ?? [];
  const twice = field === undefined ? /only one type named "(\w+)"/.exec(message)?.[1] : `${ofType}.${field}`;
  for (const coordinate of twice === undefined ? quotedNamesIn(message) : [twice]) {
    const place = locateDefinition(contract, coordinate, twice === undefined ? 'first' : 'last');
    if (place !== undefined) return { place, coordinate };
  }
  const [version] = /(?<=Expected a version string .*, got )\S+$/.exec(message) ?? [];
  const place = version === undefined ? undefined : locateLinkVersion(contract, version);
  return place && { place };
}

/** What a message names in quotes. */
export function quotedNamesIn(message: string): readonly string[] {
  return Array.from(message.matchAll(/"([^"\s]+)"/g), ([, word = '']) => word);
}

/** Where a link takes this version. */
function locateLinkVersion({ file, sdl }: SubgraphContract, version: string): FileLocation | undefined {
  let place: FileLocation | undefined;
  visit(parse(sdl), {
    [Kind.STRING]: ({ value, loc }) => {
      if (!value.endsWith(`/${version}`) || loc === undefined) return;
      place ??= { file, line: loc.startToken.line, column: loc.startToken.column };
    },
  });
  return place;
}
