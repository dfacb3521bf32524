import { formatDuration } from '../../gateway/config/duration.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import type { ConsumerPlan } from '../graph/planConsumerOperations.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';

interface LatencyComparison {
  readonly operation: ConsumerOperation;
  readonly before: ConsumerPlan | undefined;
  readonly after: ConsumerPlan | undefined;
  /** Milliseconds that one fetch takes. */
  readonly stepLatencyMs: number;
}

/** Reports an operation whose sequential fetches before the first response take longer than its `@slo latency`;
 *  `undefined` when they do not, or when it is not known. */
export function evaluateLatencySlo({
  operation,
  before,
  after,
  stepLatencyMs,
}: LatencyComparison): Finding | undefined {
  const { consumer, name, slo } = operation;
  const { latency } = slo;
  const steps = depthOf(after);
  if (latency === undefined || steps === undefined || steps * stepLatencyMs <= latency) return undefined;
  const description = `${steps} fetch${steps === 1 ? '' : 'es in sequence'} of ${formatDuration(stepLatencyMs)}`;
  const finding = createFinding('latency-slo', {
    severity: 'breaking',
    message: `${consumer}/${name} relies on a first response within ${formatDuration(latency)}, but the answer waits for ${description}.`,
    ...operationReference(operation),
    affects: [affectedOperation(operation, `waits for ${description}`)],
  });
  const earlier = depthOf(before);
  return earlier !== undefined && earlier * stepLatencyMs > latency ? markUnchanged(finding) : finding;
}

function depthOf(planned: ConsumerPlan | undefined): number | undefined {
  return planned?.kind === 'planned' ? planned.firstResponseDepth : undefined;
}
