import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchResult } from '../../../../gateway/execution/fetchCall.ts';
import { headerCases, lifetimeOf, ruleOf } from './modelRules.ts';
import type { ModelRequest, ModelRun, RequestedCall } from './modelRun.ts';
import { type ModelCall, plainAnswerSpec, requestedItem } from './modelSubgraph.ts';

/** Describes every violation of the caching guarantees in a run. */
export function findProblems(run: ModelRun): readonly string[] {
  const problems = run.faults.map((fault) => `fault: ${fault}`);
  for (const fault of run.subgraph.faults) problems.push(`thrown: ${fault}`);
  for (const [number, request] of run.requests.entries()) {
    const report = (problem: string): number => problems.push(`request ${number}: ${problem}`);
    const isCancelled = request.cancelledTick < Number.POSITIVE_INFINITY;
    if (isCancelled ? request.doneCount > 0 : request.doneCount !== 1)
      report(`done ${request.doneCount} times`);
    for (const call of request.calls) {
      if (isCancelled ? call.results.length > 1 : call.results.length !== 1)
        report(`settled ${call.results.length} times`);
      for (const { result, at, tick } of call.results) {
        if (tick > request.cancelledTick) report('settled after it was cancelled');
        if (result.kind === 'completed') checkAnswer(run, request, call, result, { at, tick }, report);
      }
    }
  }
  for (const cache of run.caches) {
    if (cache.flights.size > 0) problems.push(`${cache.flights.size} fetches are still in flight`);
  }
  if (run.clock.pendingCount > 0) problems.push(`${run.clock.pendingCount} timers are still pending`);
  if (run.shared.heldClaims > 0) problems.push(`${run.shared.heldClaims} claims are still held`);
  return problems;
}

interface Moment {
  readonly at: number;
  readonly tick: number;
}

function checkAnswer(
  run: ModelRun,
  request: ModelRequest,
  { items, keys, isEntityFetch }: RequestedCall,
  { data, errors, stale, isEscapeFree }: Extract<FetchResult, { kind: 'completed' }>,
  settled: Moment,
  report: (problem: string) => void,
): void {
  if (isEscapeFree && JSON.stringify(data ?? null).includes('\\')) report('has escapes');
  if (isEntityFetch && data !== undefined && (data as unknown[]).length !== items.size)
    report('other entities');
  const named = new Set<number | string>();
  for (const { entry, entityIndex, path } of errors) {
    const key = isEntityFetch ? entityIndex : path[0];
    if (key === undefined) continue;
    named.add(key);
    const item = items.get(key);
    const { message } = entry;
    // One error can make the data of other items null.
    const concernsAll =
      message === 'general' || entry instanceof GatewayError || valueAt(data, key) === undefined;
    if (item === undefined || (message !== item && !concernsAll))
      report(`error of ${message} at ${item ?? key}`);
  }
  const isGeneral = errors.some(
    ({ entityIndex, path }) => (isEntityFetch ? entityIndex : path[0]) === undefined,
  );
  for (const [key, item] of items) {
    const staleness = stale?.get(key);
    const value = valueAt(data, key);
    if (value === undefined) {
      if (!named.has(key) && !isGeneral) report(`no value for ${item}`);
      continue;
    }
    if (value === null) {
      if (named.has(key) || isGeneral) continue;
      const sources = run.subgraph.calls.filter((call) => call.nullItems.has(requestedItem(item, keys)));
      const reasons = sources.map((call) =>
        findStalenessProblem(run, request, item, keys, call, staleness, settled, true),
      );
      if (!reasons.includes(undefined)) report(`null for ${item}: ${reasons.join('; or ')}`);
      continue;
    }
    const texts = isEntityFetch ? Object.values(value) : [value];
    if (isEntityFetch && texts.length === 0) report(`an empty ${item}`);
    for (const text of texts) {
      if (text === null) {
        if (!named.has(key)) report(`a null within ${item}`);
        continue;
      }
      const [, of, source] = /^(.*?)@(\d+)"?$/.exec(String(text)) ?? [];
      if (isEntityFetch ? !of?.startsWith(`${item}.`) : of !== item) report(`${text} for ${item}`);
      const call = run.subgraph.calls[Number(source)] as ModelCall;
      const wrong = findStalenessProblem(run, request, item, keys, call, staleness, settled, false);
      if (wrong !== undefined) report(`${text}: ${wrong}`);
    }
  }
}

/** Returns why a request must not get the value of a call; `undefined` if it may. */
function findStalenessProblem(
  run: ModelRun,
  request: ModelRequest,
  item: string,
  keys: readonly string[],
  call: ModelCall,
  staleness: { readonly ageMs: number; readonly reason: string } | undefined,
  { at, tick }: Moment,
  isNull: boolean,
): string | undefined {
  const spec = call.answerSpec ?? plainAnswerSpec;
  const hasErrors = spec.operationError !== 'none' || call.failedItems.has(requestedItem(item, keys));
  const own = run.rulesOf(request.process);
  const rule = hasErrors ? undefined : lifetimeOf(item, spec.headerCase, run.rulesOf(call.process));
  const declared = ruleOf(item, own);
  const isUncached = declared === undefined || (declared.isPrivate && request.identity === undefined);
  // Uncacheable calls are shared as they would be without a cache.
  if (!(isUncached && run.setup.isSharing)) {
    for (const { startTick, endTick, covers } of run.invalidations) {
      if (covers(item) && endTick < request.startTick && call.sentTick < startTick)
        return 'read before an invalidation';
    }
  }
  const isPrivate = isPrivateFor(run, item, call);
  if (isPrivate && call.identity !== request.identity) return `of ${call.identity} for ${request.identity}`;
  const isNew = call.answeredTick > request.startTick;
  const { elapsed = 0 } = headerCases[spec.headerCase] ?? {};
  if (staleness === undefined && isNew) return undefined;
  if (rule === undefined || isUncached) return 'must not be stored';
  const nullMs = Math.min(rule.fresh, 5_000);
  const stored = isNull ? { fresh: nullMs, revalidate: nullMs, fallback: nullMs } : rule;
  // The rule of the reading process limits what another one has stored.
  const lifetime = {
    fresh: Math.min(stored.fresh, 1_000 * (declared.fresh - elapsed)),
    revalidate: Math.min(stored.revalidate, 1_000 * (declared.revalidate - elapsed)),
    fallback: Math.min(stored.fallback, 1_000 * (declared.fallback - elapsed)),
  };
  if (isPrivate && request.identity === undefined) return 'stored without an identity';
  const since = request.startedAt - call.answeredAt;
  if (staleness === undefined) return since < lifetime.fresh ? undefined : 'too old to be fresh';
  if (staleness.ageMs !== at - call.answeredAt + 1_000 * elapsed) return `age ${staleness.ageMs}`;
  if (staleness.reason === 'revalidating') {
    if (since >= lifetime.revalidate) return 'too old to be served at once';
    return at - call.answeredAt < lifetime.fresh ? 'stale before its time' : undefined;
  }
  if (staleness.reason === 'budget') {
    if (request.budgetEndTick > tick) return 'stale before the budget was over';
    if (at - call.answeredAt >= lifetime.fallback) return 'too old to be served at the end of the budget';
    if (at - call.answeredAt < lifetime.revalidate)
      return 'served at the end of the budget, and could have been served at once';
    const isFetched = run.subgraph.calls.some(
      (other) =>
        other.requestedItems.has(requestedItem(item, keys)) &&
        other.answeredTick > request.startTick &&
        // A request can join that of another client, whose answer turns out to be for everybody.
        (other.identity === request.identity || !isPrivate || !isPrivateFor(run, item, other)),
    );
    return isFetched || request.remainingMs < Number.POSITIVE_INFINITY
      ? undefined
      : 'served at the end of the budget, and its fetch was abandoned';
  }
  const isFailedInTime = run.subgraph.calls.some(
    (other) =>
      other.answeredTick > request.startTick &&
      other.answeredAt - call.answeredAt < lifetime.fallback &&
      other.failedItems.has(requestedItem(item, keys)),
  );
  const deadline = request.startedAt + request.remainingMs;
  if (!isFailedInTime && !(deadline <= at && deadline - call.answeredAt < lifetime.fallback))
    return 'too old to replace an error';
  return undefined;
}

function isPrivateFor(
  run: ModelRun,
  item: string,
  { answerSpec = plainAnswerSpec, process }: ModelCall,
): boolean {
  const rule = ruleOf(item, run.rulesOf(process));
  return rule?.isPrivate === true || headerCases[answerSpec.headerCase]?.isPrivate === true;
}

function valueAt(data: unknown, key: number | string): unknown {
  if (data === null || data === undefined) return undefined;
  return Object.hasOwn(data as object, key) ? (data as Record<string, unknown>)[key] : undefined;
}
