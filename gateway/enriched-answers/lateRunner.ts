import { parse } from 'graphql';
import type {
  EnrichmentJob,
  EnrichmentRun,
  EnrichmentRunner,
  PlaceResult,
} from '../enrichment/enrichmentJob.ts';
import { GatewayError } from '../errors.ts';
import type { Execution, ResumedExecution } from '../execution/execution.ts';
import { programFingerprint } from '../execution/programFingerprint.ts';
import type { RequestScope } from '../execution/requestScope.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { OperationRequest } from '../operation/request.ts';
import { AnswerShaping } from '../response/answerShaping.ts';
import type { ErrorPolicy } from '../response/formatErrors.ts';
import { wholePlace } from '../response/wholePlace.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import type { SupergraphLease } from '../supergraph/supergraphHolder.ts';
import { resultInSlices } from '../time/inSlices.ts';
import { LateRun } from './lateRun.ts';
import type { LateSnapshot } from './lateSnapshot.ts';
import { placeKey } from './placeKey.ts';
import { restoreError } from './savedError.ts';

export interface LateRunnerOptions {
  acquire(): SupergraphLease | undefined;
  /** As the operation was prepared for its first answer; `undefined` where the supergraph does not have all of it. */
  prepare(
    request: OperationRequest,
    supergraph: Supergraph,
    as: Pick<LateSnapshot, 'isFused' | 'overrides'>,
  ): Promise<PreparedOperation | undefined>;
  scopeOf(request: OperationRequest, supergraph: Supergraph): RequestScope;
  execute(
    operation: PreparedOperation,
    request: OperationRequest,
    scope: RequestScope,
    resume: ResumedExecution,
    onGroupComplete: (group: number) => void,
  ): Execution;
  readonly policy: ErrorPolicy;
  readonly answerSize: number;
}

/** Does late work from its snapshot: after a failure, or when the process that had it is gone. */
export class LateRunner implements EnrichmentRunner {
  readonly #options: LateRunnerOptions;

  constructor(options: LateRunnerOptions) {
    this.#options = options;
  }

  run(job: EnrichmentJob, deadlineMs: number): EnrichmentRun {
    const stop = new AbortController();
    return {
      results: (take) => this.#run(job, deadlineMs, stop, take),
      cancel: () => stop.abort(),
    };
  }

  async #run(
    job: EnrichmentJob,
    deadlineMs: number,
    stop: AbortController,
    take: (result: PlaceResult) => void,
  ): Promise<void> {
    const lease = this.#options.acquire();
    try {
      const snapshot = job.snapshot as LateSnapshot;
      const request = requestOf(job, snapshot, stop.signal);
      const operation = lease && (await this.#options.prepare(request, lease.supergraph, snapshot));
      if (stop.signal.aborted) return;
      if (operation === undefined || programFingerprint(operation.program) !== snapshot.fingerprint) {
        for (const { key, path } of job.places) take(outdated(key, path));
        return;
      }
      await this.#resume(operation, request, snapshot, job, deadlineMs, stop.signal, take);
    } finally {
      lease?.release();
    }
  }

  async #resume(
    operation: PreparedOperation,
    request: OperationRequest,
    snapshot: LateSnapshot,
    job: EnrichmentJob,
    deadlineMs: number,
    signal: AbortSignal,
    take: (result: PlaceResult) => void,
  ): Promise<void> {
    const { policy, answerSize } = this.#options;
    const scope = within(this.#options.scopeOf(request, operation.supergraph), deadlineMs);
    let run: LateRun | undefined;
    const resume = {
      tree: JSON.parse(snapshot.tree),
      steps: new Set(snapshot.steps),
      errors: snapshot.errors.map(restoreError),
    };
    const execution = this.#options.execute(operation, request, scope, resume, () => run?.completeGroup());
    const shaping = new AnswerShaping({ operation, execution, policy, maxBytes: answerSize });
    // What was left out then is left out now: the places are where they were.
    const late = new Set(snapshot.late);
    const first = await resultInSlices(shaping.first(new Set(), { isLate: (id) => late.has(id) }));
    const wanted = new Set(job.places.map(({ key }) => key));
    const places = first.late.filter(({ path }) => wanted.has(placeKey(path))).map(wholePlace);
    run = new LateRun({
      execution,
      shaping,
      places,
      onEnd: () => {
        execution.cancel();
        execution.release();
      },
    });
    const cancel = (): void => run?.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const ended = run.results(take);
      if (signal.aborted) cancel();
      else execution.start();
      await ended;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}

function requestOf(job: EnrichmentJob, snapshot: LateSnapshot, signal: AbortSignal): OperationRequest {
  const headers = new Map(job.headers);
  return {
    document: parse(job.operation.document, { noLocation: true }),
    operationName: job.operation.operationName,
    variables: job.operation.variables,
    headers,
    incremental: snapshot.isIncremental ? 'incrementalSpec=v0.2' : undefined,
    requestId: headers.get('x-request-id') ?? job.id,
    signal,
  };
}

function within(scope: RequestScope, deadlineMs: number): RequestScope {
  const end = performance.now() + deadlineMs;
  return {
    ...scope,
    deadline: Math.min(scope.deadline, end),
    deadlineFor: (subgraph) => Math.min(scope.deadlineFor(subgraph), end),
  };
}

function outdated(key: string, path: PlaceResult['path']): PlaceResult {
  const error = new GatewayError(
    'SUPERGRAPH_CHANGED',
    'The schema has changed since the first answer, which this part can therefore not be added to. Ask again.',
    { path },
  );
  return { key, path, data: null, errors: [error.toFormatted()], isRetryable: false };
}
