import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { Logger } from '../telemetry/logger.ts';
import { findAdvice } from './notStoredAdvice.ts';
import type { CacheRules } from './rules/cacheRules.ts';

/** A fetch that selects fields with a cache rule. */
interface RuledFetch {
  readonly subgraph: string;
  /** The rules that define the durations of the fields, such as `Product` or `subgraph:inventory`. */
  readonly ruleNames: readonly string[];
  /** Coordinates of the fields. */
  readonly ruledFields: readonly string[];
}

/** What one rule did for the values of one subgraph, since the gateway started. */
interface RuleUsage {
  hits: number;
  stale: number;
  misses: number;
  stored: number;
  /** By reason, in the order of their first occurrence. */
  readonly notStored: Map<string, NotStored>;
}

interface NotStored {
  /** Values: entities and root fields. */
  count: number;
  /** Coordinates of the fields that have a rule, in the first fetch that had the reason. */
  readonly fields: readonly string[];
  isLogged: boolean;
}

/** The log level of a reason. `info`: it follows from the rules or from the request. `warn`: from what a subgraph sent. */
type ReasonLevel = 'info' | 'warn';

/** The usage of the rules of one fetch shape. */
export interface FetchUsage {
  onLookup(outcome: 'hits' | 'stale' | 'misses', values: number): void;
  onStored(): void;
  /** `reason`: text for people. `count`: the number of values. */
  onNotStored(reason: string, level: ReasonLevel, count: number): void;
}

/** A rule of the current supergraph with its usage, for `GET /cache/rules`. */
export interface RuleReport {
  /** The key in `cache.rules`, or the coordinate of the directive. */
  readonly rule: string;
  readonly source: 'configuration' | 'directive';
  readonly maxAgeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly scope: 'PUBLIC' | 'PRIVATE';
  readonly tags: readonly string[];
  /** What to do if the rule has no effect and no entry of `notStored` says why. */
  readonly advice?: string;
  readonly subgraphs: readonly SubgraphUsageReport[];
}

interface SubgraphUsageReport {
  readonly subgraph: string;
  readonly hits: number;
  readonly stale: number;
  readonly misses: number;
  readonly stored: number;
  /** Headers of clients that are part of the key, in lower case. */
  readonly keyHeaders: readonly string[];
  readonly notStored: readonly {
    readonly reason: string;
    readonly advice?: string;
    readonly count: number;
    readonly fields: readonly string[];
  }[];
}

interface RuleUsagesOptions {
  readonly log: Pick<Logger, ReasonLevel>;
  /** Milliseconds since 1970. */
  now(): number;
}

/** Counts what each cache rule does, and why values with a rule are not stored. Logs each reason once for each rule and
 *  subgraph. */
export class RuleUsages {
  readonly #options: RuleUsagesOptions;
  readonly #byRule = new Map<string, Map<string, RuleUsage>>();
  #minute = 0;
  #linesInMinute = 0;

  constructor(options: RuleUsagesOptions) {
    this.#options = options;
  }

  usageOf({ subgraph, ruleNames, ruledFields }: RuledFetch): FetchUsage {
    const usages = ruleNames.map((name) => this.#usage(name, subgraph));
    return {
      onLookup: (outcome, values) => {
        for (const usage of usages) usage[outcome] += values;
      },
      onStored: () => {
        for (const usage of usages) usage.stored += 1;
      },
      onNotStored: (reason, level, count) => {
        const entries = usages.map((usage) => notStoredEntry(usage, reason, ruledFields));
        for (const entry of entries) entry.count += count;
        const rules = ruleNames.filter((_, index) => entries[index]?.isLogged === false);
        if (rules.length === 0 || !this.#mayLog()) return;
        for (const entry of entries) entry.isLogged = true;
        this.#options.log[level](
          { rules, subgraph, fields: ruledFields, reason, advice: findAdvice(reason) },
          'Values with a cache rule are not stored (docs/caching.md, "Nothing is cached?")',
        );
      },
    };
  }

  /** `keyHeaders` returns the headers of clients that are part of the keys of a subgraph. */
  report(
    rules: CacheRules,
    keyHeaders: (subgraph: string, scope: 'PUBLIC' | 'PRIVATE') => readonly string[],
  ): readonly RuleReport[] {
    return rules.declared.map(({ name, source, rule }) => {
      const scope = rule.scope ?? 'PUBLIC';
      const subgraphs = [...(this.#byRule.get(name) ?? [])].map(([subgraph, usage]) => ({
        subgraph,
        hits: usage.hits,
        stale: usage.stale,
        misses: usage.misses,
        stored: usage.stored,
        keyHeaders: keyHeaders(subgraph, scope),
        notStored: [...usage.notStored].map(([reason, { count, fields }]) => ({
          reason,
          ...adviceEntry(findAdvice(reason)),
          count,
          fields,
        })),
      }));
      return {
        rule: name,
        source,
        maxAgeMs: rule.maxAgeMs,
        staleWhileRevalidateMs: rule.staleWhileRevalidateMs,
        staleIfErrorMs: rule.staleIfErrorMs,
        scope,
        tags: rule.tags,
        ...adviceEntry(adviceWithoutReason(subgraphs)),
        subgraphs,
      };
    });
  }

  #usage(rule: string, subgraph: string): RuleUsage {
    const bySubgraph = getOrInsertComputed(this.#byRule, rule, () => new Map<string, RuleUsage>());
    const createUsage = () => ({ hits: 0, stale: 0, misses: 0, stored: 0, notStored: new Map() });
    return getOrInsertComputed(bySubgraph, subgraph, createUsage);
  }

  #mayLog(): boolean {
    const minute = Math.floor(this.#options.now() / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#linesInMinute = 0;
    }
    this.#linesInMinute += 1;
    return this.#linesInMinute <= maxLinesPerMinute;
  }
}

const maxLinesPerMinute = 20;

/** Bounds the memory: reasons may contain text that a subgraph sent. */
const maxReasons = 50;
const otherReasons = 'other reasons';

function notStoredEntry(usage: RuleUsage, reason: string, fields: readonly string[]): NotStored {
  const known = usage.notStored.get(reason);
  if (known !== undefined) return known;
  const isFull = usage.notStored.size >= maxReasons;
  const entry = isFull ? usage.notStored.get(otherReasons) : undefined;
  if (entry !== undefined) return entry;
  const created = { count: 0, fields: isFull ? [] : fields, isLogged: isFull };
  usage.notStored.set(isFull ? otherReasons : reason, created);
  return created;
}

function adviceWithoutReason(subgraphs: readonly SubgraphUsageReport[]): string | undefined {
  if (subgraphs.length === 0) {
    return 'No fetch has used this rule since the gateway started. Send an operation that selects such a field; a narrower rule of the field takes precedence.';
  }
  const isUsed = subgraphs.some(({ hits, stale }) => hits + stale > 0);
  if (isUsed || subgraphs.some(({ notStored }) => notStored.length > 0)) return undefined;
  const isStored = subgraphs.some(({ stored }) => stored > 0);
  if (!isStored)
    return 'No response has arrived. The errors of the subgraph are in the responses and in the log.';
  return 'Values are stored, and no request found one. If requests differ in a header of keyHeaders that changes no value, list it in cache.ignoreHeaders. Requests with other variables, arguments or selections have other values, and maxAgeMs may be over before the next request.';
}

function adviceEntry(advice: string | undefined): { readonly advice?: string } {
  return advice === undefined ? {} : { advice };
}
