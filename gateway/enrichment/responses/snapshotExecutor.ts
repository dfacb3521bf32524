import type { DocumentNode } from 'graphql';
import { anonymousClient } from '../../admission/identity.ts';
import type { RequestContextFactory } from '../../admission/requestContextFactory.ts';
import { GatewayError } from '../../errors.ts';
import type { Execution, ResumedExecution } from '../../execution/execution.ts';
import { programFingerprint } from '../../execution/programFingerprint.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import type { ResponseObject } from '../../execution/responseTree.ts';
import { parseExactJson } from '../../json/exactJson.ts';
import type { OperationRequest } from '../../operation/operationRequest.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { ErrorPolicy } from '../../response/formatErrors.ts';
import { inlineDeferredFragments } from '../../response/inlineDeferredFragments.ts';
import { ResponseShaper } from '../../response/responseShaper.ts';
import type { SupergraphLease } from '../../supergraph/leasedSnapshots.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { RequestTrace, Tracing } from '../../telemetry/trace.ts';
import { resolveInSlices } from '../../time/slicedTask.ts';
import type { EnrichmentJob, FieldResult, JobAttempt, JobExecutor } from '../enrichmentJob.ts';
import { jobSpanAttributes, responsePathKey } from './createEnrichmentJob.ts';
import { ExecutionAttempt } from './executionAttempt.ts';
import { deserializeError, type ExecutionSnapshot, snapshotFormatVersion } from './executionSnapshot.ts';
import { JobDocuments } from './jobDocuments.ts';

interface SnapshotExecutorOptions {
  acquireSupergraph(): SupergraphLease | undefined;
  /** Prepares the operation as for its first response; `undefined` if its variables are not valid on the supergraph. */
  prepare(
    request: OperationRequest,
    context: RequestContext,
    supergraph: Supergraph,
    preparation: Pick<ExecutionSnapshot, 'isFused' | 'overrides' | 'grants'>,
  ): Promise<PreparedOperation | undefined>;
  readonly requestContexts: Pick<RequestContextFactory, 'create' | 'restart'>;
  execute(
    operation: PreparedOperation,
    request: OperationRequest,
    context: RequestContext,
    resume: ResumedExecution,
  ): Execution;
  /** `undefined` if tracing is off. */
  readonly tracing?: Tracing | undefined;
  readonly policy: ErrorPolicy;
  readonly responseSize: number;
}

/** Executes enrichment jobs from their snapshots: after a failed attempt, or when the process that had the job has died. */
export class SnapshotExecutor implements JobExecutor {
  readonly #options: SnapshotExecutorOptions;
  readonly #documents = new JobDocuments();

  constructor(options: SnapshotExecutorOptions) {
    this.#options = options;
  }

  createAttempt(job: EnrichmentJob, deadlineMs: number): JobAttempt {
    const stop = new AbortController();
    return {
      collect: (onResult) => this.#execute(job, deadlineMs, stop, onResult),
      cancel: () => stop.abort(),
    };
  }

  async #execute(
    job: EnrichmentJob,
    deadlineMs: number,
    stop: AbortController,
    onResult: (result: FieldResult) => void,
  ): Promise<void> {
    const { acquireSupergraph, tracing, requestContexts, prepare } = this.#options;
    const lease = acquireSupergraph();
    const trace =
      job.traceparent === undefined
        ? undefined
        : tracing?.startLinked('tributary.enrichment', job.traceparent, jobSpanAttributes(job, true));
    let errorType: string | undefined;
    try {
      const snapshot = job.snapshot as ExecutionSnapshot;
      const isReadable = snapshot.formatVersion === snapshotFormatVersion;
      const document = lease && this.#documents.find(job.operation.document, lease.supergraph);
      if (lease === undefined || document === undefined || !isReadable) {
        errorType = reportOutdated(job, onResult);
        return;
      }
      const request = requestOf(job, document, snapshot, stop.signal, trace);
      const context = withStoredHeaders(requestContexts.create(request), job);
      const operation = await prepare(request, context, lease.supergraph, snapshot);
      if (stop.signal.aborted) return;
      if (operation === undefined || programFingerprint(operation.program) !== snapshot.fingerprint) {
        errorType = reportOutdated(job, onResult);
        return;
      }
      errorType = await this.#resume(
        operation,
        request,
        context,
        snapshot,
        job,
        deadlineMs,
        stop.signal,
        onResult,
      );
    } finally {
      trace?.root.end(errorType);
      lease?.release();
    }
  }

  /** Returns `errorType` of the attempt. */
  async #resume(
    operation: PreparedOperation,
    request: OperationRequest,
    requestContext: RequestContext,
    snapshot: ExecutionSnapshot,
    job: EnrichmentJob,
    deadlineMs: number,
    signal: AbortSignal,
    onResult: (result: FieldResult) => void,
  ): Promise<string | undefined> {
    const { policy, responseSize, requestContexts } = this.#options;
    const context = capDeadline(requestContexts.restart(requestContext), deadlineMs);
    const resume = {
      tree: parseExactJson(snapshot.tree) as ResponseObject,
      steps: new Set(snapshot.remainingSteps),
      errors: snapshot.errors.map(deserializeError),
    };
    const execution = this.#options.execute(operation, request, context, resume);
    const shaper = new ResponseShaper({ operation, execution, policy, maxBytes: responseSize });
    // Shaping the first response again finds the pending fields at the same paths.
    const pendingGroups = new Set(snapshot.pendingGroups);
    const first = await resolveInSlices(
      shaper.shapeFirst(new Set(), { isPending: (group) => pendingGroups.has(group) }),
    );
    const remaining = new Set(job.fields.map(({ key }) => key));
    const pending = first.pending
      .filter(({ path }) => remaining.has(responsePathKey(path)))
      .map(inlineDeferredFragments);
    const attempt = new ExecutionAttempt({
      execution,
      shaper,
      pending,
      onEnd: () => {
        execution.cancel();
        execution.release();
      },
    });
    const cancel = (): void => attempt.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const ended = attempt.collect(onResult);
      if (signal.aborted) cancel();
      else execution.start(() => attempt.completeGroup());
      await ended;
      return attempt.errorType;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}

function requestOf(
  job: EnrichmentJob,
  document: DocumentNode,
  snapshot: ExecutionSnapshot,
  signal: AbortSignal,
  trace: RequestTrace | undefined,
): OperationRequest {
  const headers = new Map(job.headers);
  return {
    document,
    operationName: job.operation.operationName,
    variables: parseExactJson(job.operation.variables) as OperationRequest['variables'],
    headers,
    caller: { ...anonymousClient, ...job.caller },
    incrementalFormat: snapshot.isIncremental ? 'incrementalSpec=v0.2' : undefined,
    requestId: headers.get('x-request-id') ?? job.id,
    traceHeaders: trace?.root.headers,
    trace,
    signal,
  };
}

function withStoredHeaders(context: RequestContext, { subgraphHeaders }: EnrichmentJob): RequestContext {
  if (subgraphHeaders === undefined) return context;
  const stored = new Map(subgraphHeaders);
  return { ...context, headersFor: (subgraph) => stored.get(subgraph) ?? context.headersFor(subgraph) };
}

function capDeadline(context: RequestContext, deadlineMs: number): RequestContext {
  const end = performance.now() + deadlineMs;
  return {
    ...context,
    deadline: Math.min(context.deadline, end),
    deadlineFor: (subgraph) => Math.min(context.deadlineFor(subgraph), end),
  };
}

/** Returns the code of the error. */
function reportOutdated({ fields }: EnrichmentJob, onResult: (result: FieldResult) => void): string {
  const code = 'SUPERGRAPH_CHANGED';
  for (const { key, path } of fields) {
    const error = new GatewayError(
      code,
      'The schema or the gateway has changed since the first response, so that this field can no longer be added to it. Send the operation again.',
      { path },
    );
    onResult({ key, path, data: null, errors: [error.toFormatted()], isRetryable: false });
  }
  return code;
}
