import type { Waiver } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { type RuleId, ruleOf } from '../rules.ts';

/** Whether a waiver of the rule also covers operations that the waived change breaks. One of a change of `@cached` or of
 *  a latency violation does not allow an operation to fail. */
export function allowsFailure(rule: RuleId): boolean {
  const { severityFrom, breaksOperations } = ruleOf(rule);
  return breaksOperations === true || severityFrom === 'api' || severityFrom === 'plans';
}

interface ApplyWaiversOptions {
  /** Whether the check evaluated everything that the waiver may cover. Other waivers are not called unused. Omitted:
   *  all are. */
  readonly isEvaluated?: ((waiver: Waiver) => boolean) | undefined;
  /** Whether the check answers for the waiver. Problems of other waivers are not reported. Omitted: all are. */
  readonly isInScope?: ((waiver: Waiver) => boolean) | undefined;
}

/** Marks the findings that waivers cover, and adds findings about the waivers themselves: `waiver-expired`, and
 *  `waiver-unused` for waivers that cover nothing. `today` is the day in UTC, such as `2027-01-31`. */
export function applyWaivers(
  findings: readonly Finding[],
  waivers: readonly Waiver[],
  today: string,
  { isEvaluated = () => true, isInScope = () => true }: ApplyWaiversOptions = {},
): Finding[] {
  const valid = waivers.filter(({ expires }) => today <= expires);
  const used = new Set<Waiver>();
  const marked = findings.map(({ earlierProblems, ...finding }) => {
    const covering = isWaivable(finding) ? waiversOf({ ...finding, earlierProblems }, valid) : [];
    const [waiver] = covering;
    if (waiver === undefined) return finding;
    for (const each of covering) used.add(each);
    return { ...finding, waivedBy: describeWaiver(waiver) };
  });
  const inScope = waivers.filter(isInScope);
  const expired = inScope.filter((waiver) => !valid.includes(waiver));
  // A waiver for a rule that cannot be waived is useless in every check.
  const unexpired = inScope.filter((waiver) => valid.includes(waiver));
  const unwaivable = unexpired.filter(({ rule }) => ruleOf(rule).unwaivable !== undefined);
  const unused = unexpired.filter(
    (waiver) => !used.has(waiver) && !unwaivable.includes(waiver) && isEvaluated(waiver),
  );
  return [
    ...marked,
    ...expired.map(expiredFinding),
    ...unwaivable.map(unwaivableFinding),
    ...unused.map(unusedFinding),
  ];
}

/** A safe finding needs no waiver, and an undecided one cannot be agreed on. */
function isWaivable({ rule, severity }: Finding): boolean {
  return (severity === 'breaking' || severity === 'dangerous') && ruleOf(rule).unwaivable === undefined;
}

/** The waivers that together cover a finding; empty when they do not. */
function waiversOf(finding: Finding, valid: readonly Waiver[]): readonly Waiver[] {
  const waiver = valid.find((candidate) => matchesFinding(candidate, finding));
  if (waiver !== undefined) return [waiver];
  const changes = valid.filter(({ rule }) => allowsFailure(rule));
  const covering = (finding.earlierProblems ?? []).map((coordinates) =>
    changes.find(({ coordinate }) => coordinates.includes(coordinate)),
  );
  return covering.every((each) => each !== undefined) ? covering : [];
}

function matchesFinding({ rule, coordinate, subgraph }: Waiver, finding: Finding): boolean {
  return (
    rule === finding.rule &&
    // A finding about a whole subgraph has the subgraph's name as coordinate.
    coordinate === (finding.coordinate ?? finding.subgraph) &&
    (subgraph === undefined || subgraph === finding.subgraph)
  );
}

function describeWaiver({ reason, owner, expires, location: { file, line } }: Waiver): string {
  return `${file}:${line} (${owner}, until ${expires}): ${reason}`;
}

function expiredFinding({ rule, coordinate, subgraph, owner, expires, location }: Waiver): Finding {
  return createFinding('waiver-expired', {
    message: `The waiver of ${rule} at ${coordinate} expired on ${expires}. Its owner is ${owner}.`,
    subgraph,
    coordinate,
    location,
  });
}

function unwaivableFinding(waiver: Waiver): Finding {
  const { rule, coordinate } = waiver;
  return {
    ...unusedFinding(waiver),
    message: `The waiver of ${rule} at ${coordinate} covers no finding: ${rule} cannot be waived, because ${ruleOf(rule).unwaivable}.`,
    advice: 'Remove the waiver, and resolve the finding.',
  };
}

function unusedFinding({ rule, coordinate, subgraph, owner, location }: Waiver): Finding {
  return createFinding('waiver-unused', {
    message: `The waiver of ${rule} at ${coordinate} covers no finding. Its owner is ${owner}.`,
    subgraph,
    coordinate,
    location,
  });
}
