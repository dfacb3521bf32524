import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchResult } from '../../../../gateway/execution/fetchCall.ts';
import { headerCases, lifetimeOf, ruleOf } from './modelRules.ts';
import type { ModelRequest, ModelRun, RequestedCall } from './modelRun.ts';
import { type ModelCall, plainAnswerSpec, requestedItem } from './modelSubgraph.ts';

/** Whatever in a run was not as it has to be, in words. */
export function findProblems(run: ModelRun): readonly string[] {
  const problems = run.faults.map((fault) => `fault: ${fault}`);
  for (const fault of run.subgraph.faults) problems.push(`thrown: ${fault}`);
  for (const [number, asked] of run.requests.entries()) {
    const tell = (problem: string): number => problems.push(`request ${number}: ${problem}`);
    const isCancelled = asked.cancelledTick < Number.POSITIVE_INFINITY;
    if (isCancelled ? asked.doneCount > 0 : asked.doneCount !== 1) tell(`done ${asked.doneCount} times`);
    for (const call of asked.calls) {
      if (isCancelled ? call.results.length > 1 : call.results.length !== 1)
        tell(`settled ${call.results.length} times`);
      for (const { result, at, tick } of call.results) {
        if (tick > asked.cancelledTick) tell('settled after it was cancelled');
        if (result.kind === 'answered') checkAnswer(run, asked, call, result, { at, tick }, tell);
      }
    }
  }
  for (const cache of run.caches) {
    if (cache.singleFlight.size > 0) problems.push(`${cache.singleFlight.size} flights are left`);
  }
  if (run.clock.activeTimerCount > 0) problems.push(`${run.clock.activeTimerCount} timers are left`);
  if (run.shared.heldClaims > 0) problems.push(`${run.shared.heldClaims} claims are left`);
  return problems;
}

interface Moment {
  readonly at: number;
  readonly tick: number;
}

function checkAnswer(
  run: ModelRun,
  asked: ModelRequest,
  { items, keys, isEntityFetch }: RequestedCall,
  { data, errors, stale, isEscapeFree }: Extract<FetchResult, { kind: 'answered' }>,
  settled: Moment,
  tell: (problem: string) => void,
): void {
  if (isEscapeFree && JSON.stringify(data ?? null).includes('\\')) tell('has escapes');
  if (isEntityFetch && data !== undefined && (data as unknown[]).length !== items.size)
    tell('other entities');
  const named = new Set<number | string>();
  for (const { entry, entityIndex, path } of errors) {
    const place = isEntityFetch ? entityIndex : path[0];
    if (place === undefined) continue;
    named.add(place);
    const unit = items.get(place);
    const { message } = entry;
    // One error may take the data of others along.
    const isOfAll =
      message === 'general' || entry instanceof GatewayError || valueAt(data, place) === undefined;
    if (unit === undefined || (message !== unit && !isOfAll)) tell(`error of ${message} at ${unit ?? place}`);
  }
  const isGeneral = errors.some(
    ({ entityIndex, path }) => (isEntityFetch ? entityIndex : path[0]) === undefined,
  );
  for (const [place, unit] of items) {
    const mark = stale?.get(place);
    const value = valueAt(data, place);
    if (value === undefined) {
      if (!named.has(place) && !isGeneral) tell(`nothing for ${unit}`);
      continue;
    }
    if (value === null) {
      if (named.has(place) || isGeneral) continue;
      const sources = run.subgraph.calls.filter((call) => call.nullItems.has(requestedItem(unit, keys)));
      const reasons = sources.map((call) =>
        findStalenessProblem(run, asked, unit, keys, call, mark, settled, true),
      );
      if (!reasons.includes(undefined)) tell(`null for ${unit}: ${reasons.join('; or ')}`);
      continue;
    }
    const texts = isEntityFetch ? Object.values(value) : [value];
    if (isEntityFetch && texts.length === 0) tell(`an empty ${unit}`);
    for (const text of texts) {
      if (text === null) {
        if (!named.has(place)) tell(`a null within ${unit}`);
        continue;
      }
      const [, of, source] = /^(.*?)@(\d+)"?$/.exec(String(text)) ?? [];
      if (isEntityFetch ? !of?.startsWith(`${unit}.`) : of !== unit) tell(`${text} for ${unit}`);
      const call = run.subgraph.calls[Number(source)] as ModelCall;
      const wrong = findStalenessProblem(run, asked, unit, keys, call, mark, settled, false);
      if (wrong !== undefined) tell(`${text}: ${wrong}`);
    }
  }
}

/** Why a request may not have what a call has brought. */
function findStalenessProblem(
  run: ModelRun,
  asked: ModelRequest,
  unit: string,
  keys: readonly string[],
  call: ModelCall,
  mark: { readonly ageMs: number; readonly reason: string } | undefined,
  { at, tick }: Moment,
  isNull: boolean,
): string | undefined {
  const manner = call.answerSpec ?? plainAnswerSpec;
  const hasErrors = manner.operationError !== 'none' || call.failedItems.has(requestedItem(unit, keys));
  const rule = hasErrors ? undefined : lifetimeOf(unit, manner.headerCase);
  const written = ruleOf(unit);
  const isUncached = written === undefined || (written.isPrivate && asked.identity === undefined);
  // Calls that nothing is kept of are shared as they would be without a cache.
  if (!(isUncached && run.setup.isSharing)) {
    for (const { startTick, endTick, covers } of run.invalidations) {
      if (covers(unit) && endTick < asked.startTick && call.sentTick < startTick)
        return 'read before an invalidation';
    }
  }
  const isPrivate = written?.isPrivate === true || headerCases[manner.headerCase]?.isPrivate === true;
  if (isPrivate && call.identity !== asked.identity) return `of ${call.identity} for ${asked.identity}`;
  const isNew = call.answeredTick > asked.startTick;
  const { elapsed = 0 } = headerCases[manner.headerCase] ?? {};
  if (mark === undefined && isNew) return undefined;
  if (rule === undefined || isUncached) return 'not to be kept';
  const ends = isNull
    ? {
        fresh: Math.min(rule.fresh, 5_000),
        revalidate: Math.min(rule.revalidate, 5_000),
        fallback: Math.min(rule.fallback, 5_000),
      }
    : rule;
  if (isPrivate && asked.identity === undefined) return 'kept for nobody';
  const since = asked.startedAt - call.answeredAt;
  if (mark === undefined) return since < ends.fresh ? undefined : 'too old to be fresh';
  if (mark.ageMs !== at - call.answeredAt + 1_000 * elapsed) return `age ${mark.ageMs}`;
  if (mark.reason === 'revalidating') {
    if (since >= ends.revalidate) return 'too old to be served at once';
    return at - call.answeredAt < ends.fresh ? 'stale before its time' : undefined;
  }
  if (mark.reason === 'budget') {
    if (asked.budgetEndTick > tick) return 'stale before the budget was over';
    if (at - call.answeredAt >= ends.fallback) return 'too old to stand for what is late';
    if (at - call.answeredAt < ends.revalidate) return 'late, and could have been served at once';
    const isFetched = run.subgraph.calls.some(
      (other) =>
        other.requestedItems.has(requestedItem(unit, keys)) &&
        other.answeredTick > asked.startTick &&
        (!isPrivate || other.identity === asked.identity),
    );
    return isFetched || asked.remainingMs < Number.POSITIVE_INFINITY ? undefined : 'late, and given up';
  }
  const isFailedInTime = run.subgraph.calls.some(
    (other) =>
      other.answeredTick > asked.startTick &&
      other.answeredAt - call.answeredAt < ends.fallback &&
      other.failedItems.has(requestedItem(unit, keys)),
  );
  const late = asked.startedAt + asked.remainingMs;
  if (!isFailedInTime && !(late <= at && late - call.answeredAt < ends.fallback))
    return 'too old to stand for an error';
  return undefined;
}

function valueAt(data: unknown, place: number | string): unknown {
  if (data === null || data === undefined) return undefined;
  return Object.hasOwn(data as object, place) ? (data as Record<string, unknown>)[place] : undefined;
}
