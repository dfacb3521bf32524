import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind, print } from 'graphql';
import { maxDurationMs, parseDuration } from '../../config/duration.ts';
import { isCacheTag } from '../../config/isCacheTag.ts';
import { nonNullArgumentsOf, usesOfDirective } from '../../planning/tributaryDirectives.ts';
import { type DeclaredRule, mergeTags, strictestDeclaredRule } from './cacheRule.ts';

interface CachedDirectives {
  /** By `Type` or `Type.field`. */
  readonly rules: ReadonlyMap<string, DeclaredRule>;
  /** Every use that cannot be read, with its coordinate and the value. */
  readonly problems: readonly string[];
}

/** The uses of `@cached` in a supergraph. The composer does not say which subgraph one comes from: a rule holds for
 *  the field in each subgraph that has it. */
export function readCachedDirectives(document: DocumentNode): CachedDirectives {
  const rules = new Map<string, DeclaredRule>();
  const problems: string[] = [];
  for (const { coordinate, directive } of usesOfDirective(document, 'cached')) {
    const written = parseDirective(directive, coordinate, problems);
    if (written === undefined) continue;
    const known = rules.get(coordinate);
    // Several stand at one place where subgraphs define the directive as repeatable, or import it under several
    // names.
    rules.set(coordinate, known === undefined ? written : strictestDeclaredRule(known, written));
  }
  return { rules, problems };
}

function parseDirective(
  directive: ConstDirectiveNode,
  coordinate: string,
  problems: string[],
): DeclaredRule | undefined {
  const before = problems.length;
  const values = nonNullArgumentsOf(directive);
  const complain = (name: string, value: ConstValueNode | undefined, expected: string): undefined => {
    const found = value === undefined ? 'is missing' : `is ${print(value)}`;
    problems.push(`${coordinate}: ${name} of @${directive.name.value} ${found}; expected ${expected}`);
    return undefined;
  };
  const durationOf = (name: string): number | undefined => {
    const value = values.get(name);
    if (value === undefined && name !== 'maxAge') return 0;
    const ms = value?.kind === Kind.STRING ? parseDuration(value.value) : undefined;
    if (ms !== undefined && ms <= maxDurationMs) return ms;
    return complain(name, value, 'a duration such as 250ms, 5s, 10m or 1h, at most 596h');
  };
  const scopeOf = (): DeclaredRule['scope'] => {
    const value = values.get('scope');
    if (value === undefined) return undefined;
    // The composer prints a value of an enum as text where the directive comes from it.
    const text = value.kind === Kind.ENUM || value.kind === Kind.STRING ? value.value : '';
    return text === 'PUBLIC' || text === 'PRIVATE' ? text : complain('scope', value, 'PUBLIC or PRIVATE');
  };
  const tagsOf = (): readonly string[] => {
    const value = values.get('tags');
    if (value === undefined) return [];
    const elements = value.kind === Kind.LIST ? value.values : [value];
    return elements.flatMap((element) =>
      element.kind === Kind.STRING && isCacheTag(element.value)
        ? [element.value]
        : (complain('tags', value, 'a list of texts that are neither blank nor hold a NUL') ?? []),
    );
  };

  const rule = {
    maxAgeMs: durationOf('maxAge') ?? 0,
    staleWhileRevalidateMs: durationOf('staleWhileRevalidate') ?? 0,
    staleIfErrorMs: durationOf('staleIfError') ?? 0,
    scope: scopeOf(),
    tags: mergeTags(tagsOf()),
  };
  return problems.length === before ? rule : undefined;
}
