import type { Finding, Severity } from '../finding.ts';
import type { ApiSchemas } from './coversBreakage.ts';
import { describeElement } from './schemaUsage.ts';

/** How bad a change is that breaks no plan and no operation. `isUsed`: an operation uses what it is about. */
export function baseSeverityOf(change: Finding, isUsed: boolean, { old, next }: ApiSchemas): Severity {
  const { rule, severity, coordinate } = change;
  if (severity !== 'breaking' && severity !== 'dangerous') return severity;
  // For what may be seen by whom no operation is needed.
  if (rule === 'cached-made-public' || invalidSchemaRules.has(rule)) return severity;
  // Nothing was planned anew: that nobody is hurt is not known.
  if (next === undefined || old === undefined) return 'dangerous';
  if (isDecidedByPlans(rule)) return 'safe';
  // What nobody gives yet, and nobody has to.
  if (severity === 'dangerous' && rule === 'input-field-added') return 'safe';
  if (apiVisibleRules.test(rule)) {
    const isSame =
      coordinate !== undefined && describeElement(old, coordinate) === describeElement(next, coordinate);
    if (isSame) return 'safe';
    return severity === 'breaking' || isUsed ? 'dangerous' : 'safe';
  }
  return isUsed ? 'dangerous' : 'safe';
}

const invalidSchemaRules: ReadonlySet<string> = new Set([
  'subgraph-unparseable',
  'subgraph-invalid',
  'cached-invalid',
  'enrichment-invalid',
]);

/** Whether it is about what clients do not see, and gateways do: an operation for which it matters has another plan, or
 *  one that does not work. */
export function isDecidedByPlans(rule: string): boolean {
  return planDecidedRules.test(rule);
}

const planDecidedRules =
  /^(key|provides|external|external-field|shareable|override|override-from|override-label|context|from-context|interface-object|compose-directive|federation-version)-|^requires-(added|widened|narrowed|removed)$/;

/** What is different for clients only if their API is. */
const apiVisibleRules =
  /^(type|field|argument|input-field|enum-value|union-member|interface|inaccessible|query-type|mutation-type|subscription-type)-/;
