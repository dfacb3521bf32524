import { type ConstDirectiveNode, type DocumentNode, Kind, print } from 'graphql';
import { maxDurationMs, parseDuration } from '../config/duration.ts';
import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';
import { nonNullArgumentsOf, usesOfDirective } from '../planning/tributaryDirectives.ts';

/** What is written at one field; `undefined` for what is left out. */
export interface DeclaredEnrichment {
  readonly budgetMs: number | undefined;
  readonly priority: EnrichmentPriority | undefined;
}

export interface EnrichmentDirective extends DeclaredEnrichment {
  readonly coordinate: string;
}

interface EnrichmentDirectives {
  /** In the order of the document. Several have one coordinate where subgraphs define the directive as repeatable, or
   *  import it under several names. */
  readonly uses: readonly EnrichmentDirective[];
  /** Every use that cannot be read, with its coordinate and the value. */
  readonly problems: readonly string[];
}

/** The uses of `@enrichment` in a supergraph. */
export function readEnrichmentDirectives(document: DocumentNode): EnrichmentDirectives {
  const uses: EnrichmentDirective[] = [];
  const problems: string[] = [];
  for (const { coordinate, field, directive } of usesOfDirective(document, 'enrichment')) {
    if (field === undefined) {
      problems.push(`${coordinate}: @${directive.name.value} stands at a type; expected at fields of it`);
      continue;
    }
    const written = readArguments(directive, (problem) => problems.push(`${coordinate}: ${problem}`));
    uses.push({ coordinate, ...written });
  }
  return { uses, problems };
}

function readArguments(
  directive: ConstDirectiveNode,
  complain: (problem: string) => void,
): DeclaredEnrichment {
  const given = nonNullArgumentsOf(directive);
  const read = <Value>(
    name: string,
    expected: string,
    parse: (text: string) => Value | undefined,
  ): Value | undefined => {
    const value = given.get(name);
    if (value === undefined) return undefined;
    // The composer prints a value of an enum as text where the directive comes from it.
    const isText = value.kind === Kind.STRING || value.kind === Kind.ENUM;
    const parsed = isText ? parse(value.value) : undefined;
    if (parsed === undefined) {
      complain(`${name} of @${directive.name.value} is ${print(value)}; expected ${expected}`);
    }
    return parsed;
  };
  return {
    budgetMs: read('budget', 'a duration such as 50ms or 1s, at most 596h', (text) => {
      const ms = parseDuration(text);
      return ms !== undefined && ms <= maxDurationMs ? ms : undefined;
    }),
    priority: read('priority', 'CRITICAL, NORMAL or BACKGROUND', (text) =>
      text === 'CRITICAL' || text === 'NORMAL' || text === 'BACKGROUND' ? text : undefined,
    ),
  };
}
