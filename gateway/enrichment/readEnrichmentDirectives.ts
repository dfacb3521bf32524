import { type ConstDirectiveNode, type DocumentNode, Kind, print } from 'graphql';
import { maxDurationMs, maxDurationText, parseDuration } from '../config/duration.ts';
import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';
import { nonNullArgumentsOf } from '../planning/linkedDirectives.ts';
import { usesOfDirective } from '../planning/tributaryDirectives.ts';

/** The arguments of a directive or a configured field; `undefined` for omitted ones. */
export interface DeclaredEnrichment {
  readonly budgetMs: number | undefined;
  readonly priority: EnrichmentPriority | undefined;
}

export interface EnrichmentDirective extends DeclaredEnrichment {
  readonly coordinate: string;
}

interface EnrichmentDirectives {
  /** In the order of the document. A coordinate occurs several times if subgraphs define the directive as repeatable,
   *  or import it under several names. */
  readonly uses: readonly EnrichmentDirective[];
  /** One message for each invalid use, with its coordinate. */
  readonly problems: readonly string[];
}

/** Reads the uses of `@enrichment` in a supergraph. */
export function readEnrichmentDirectives(document: DocumentNode): EnrichmentDirectives {
  const uses: EnrichmentDirective[] = [];
  const problems: string[] = [];
  for (const { coordinate, field, directive } of usesOfDirective(document, 'enrichment')) {
    if (field === undefined) {
      problems.push(`${coordinate}: @${directive.name.value} is on a type; expected on its fields`);
      continue;
    }
    const declared = readArguments(directive, (problem) => problems.push(`${coordinate}: ${problem}`));
    uses.push({ coordinate, ...declared });
  }
  return { uses, problems };
}

function readArguments(
  directive: ConstDirectiveNode,
  onProblem: (problem: string) => void,
): DeclaredEnrichment {
  const valuesByName = nonNullArgumentsOf(directive);
  const read = <Value>(
    name: string,
    expected: string,
    parse: (text: string) => Value | undefined,
  ): Value | undefined => {
    const value = valuesByName.get(name);
    if (value === undefined) return undefined;
    // The composer prints enum values as strings in some directives.
    const isText = value.kind === Kind.STRING || value.kind === Kind.ENUM;
    const parsed = isText ? parse(value.value) : undefined;
    if (parsed === undefined) {
      onProblem(`${name} of @${directive.name.value} is ${print(value)}; expected ${expected}`);
    }
    return parsed;
  };
  return {
    budgetMs: read('budget', `a duration such as 50ms or 1s, at most ${maxDurationText}`, (text) => {
      const ms = parseDuration(text);
      return ms !== undefined && ms <= maxDurationMs ? ms : undefined;
    }),
    priority: read('priority', 'CRITICAL, NORMAL or BACKGROUND', (text) =>
      text === 'CRITICAL' || text === 'NORMAL' || text === 'BACKGROUND' ? text : undefined,
    ),
  };
}
