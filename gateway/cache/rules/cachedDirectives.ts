import { type ConstDirectiveNode, type ConstValueNode, type DocumentNode, Kind, print } from 'graphql';
import { maxDurationMs, maxDurationText, parseDuration } from '../../config/duration.ts';
import { isCacheTag } from '../../config/isCacheTag.ts';
import { nonNullArgumentsOf } from '../../planning/linkedDirectives.ts';
import { usesOfDirective } from '../../planning/tributaryDirectives.ts';
import { type DeclaredRule, mergeTags, strictestDeclaredRule } from './cacheRule.ts';

interface CachedDirectives {
  /** By `Type` or `Type.field`. */
  readonly rules: ReadonlyMap<string, DeclaredRule>;
  /** Every invalid use, with its coordinate and the value. */
  readonly problems: readonly string[];
}

/** Reads the uses of `@cached` in a supergraph. A rule applies to its field in every subgraph, because the supergraph does
 *  not say which subgraph declared it. */
export function readCachedDirectives(document: DocumentNode): CachedDirectives {
  const rules = new Map<string, DeclaredRule>();
  const problems: string[] = [];
  for (const { coordinate, directive } of usesOfDirective(document, 'cached')) {
    const rule = parseDirective(directive, coordinate, problems);
    if (rule === undefined) continue;
    const known = rules.get(coordinate);
    // A coordinate can have several uses if subgraphs define the directive as repeatable or import it under several names.
    rules.set(coordinate, known === undefined ? rule : strictestDeclaredRule(known, rule));
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
  const reportProblem = (name: string, value: ConstValueNode | undefined, expected: string): undefined => {
    const found = value === undefined ? 'is missing' : `is ${print(value)}`;
    problems.push(`${coordinate}: ${name} of @${directive.name.value} ${found}; expected ${expected}`);
    return undefined;
  };
  const durationOf = (name: string): number | undefined => {
    const value = values.get(name);
    if (value === undefined && name !== 'maxAge') return 0;
    const ms = value?.kind === Kind.STRING ? parseDuration(value.value) : undefined;
    if (ms !== undefined && ms <= maxDurationMs) return ms;
    return reportProblem(name, value, `a duration such as 250ms, 5s, 10m or 1h, at most ${maxDurationText}`);
  };
  const scopeOf = (): DeclaredRule['scope'] => {
    const value = values.get('scope');
    if (value === undefined) return undefined;
    // The composer can print an enum value as a string.
    const text = value.kind === Kind.ENUM || value.kind === Kind.STRING ? value.value : '';
    return text === 'PUBLIC' || text === 'PRIVATE'
      ? text
      : reportProblem('scope', value, 'PUBLIC or PRIVATE');
  };
  const tagsOf = (): readonly string[] => {
    const value = values.get('tags');
    if (value === undefined) return [];
    const elements = value.kind === Kind.LIST ? value.values : [value];
    return elements.flatMap((element) =>
      element.kind === Kind.STRING && isCacheTag(element.value)
        ? [element.value]
        : (reportProblem('tags', value, 'a list of strings that are not blank and contain no NUL') ?? []),
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
